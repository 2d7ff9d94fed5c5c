#!/usr/bin/env bash
# Makes MLflow's own user and its two databases. The image of PostgreSQL runs this once, when its folder is empty.
# Needed: POSTGRES_USER, who may make users; MLFLOW_DB_PASSWORD; and PGHOST outside of the image.
set -euo pipefail
: "${POSTGRES_USER:?must name a user of PostgreSQL who may make users}"
: "${MLFLOW_DB_PASSWORD:?must hold the password of the user mlflow; bash docker/make_secrets.sh makes one}"

# psql reads the password from the environment, so that it is in no argument.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv password MLFLOW_DB_PASSWORD
CREATE ROLE mlflow LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
CREATE DATABASE mlflow OWNER mlflow;
CREATE DATABASE mlflow_auth OWNER mlflow;
REVOKE ALL ON DATABASE mlflow, mlflow_auth FROM PUBLIC;
SQL
