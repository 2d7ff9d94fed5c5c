#!/usr/bin/env bash
# Serves MLflow from PostgreSQL, to those with a password. Runs in the image and outside of it.
#
# Needed:   PGHOST PGUSER PGPASSWORD               the databases mlflow and mlflow_auth (docker/postgres-init.sh)
#           MLFLOW_FLASK_SERVER_SECRET_KEY         signs the sign-up page's forms; the same in every restart
#           MLFLOW_AUTH_ADMIN_PASSWORD             of the user admin, made at the first start
# Optional: MLFLOW_HOST MLFLOW_PORT MLFLOW_WORKERS MLFLOW_ALLOWED_HOSTS MLFLOW_ARTIFACTS MLFLOW_AUTH_CONFIG_PATH
# Further arguments go to `mlflow server`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

need() { # NAME WHAT: a secret has no default, and an empty one is none
    if [ -z "${!1:-}" ]; then
        echo "error: The MLflow server needs $1, $2, but it is empty or not set." \
            "Set it in docker/.env (bash docker/make_secrets.sh), or in the environment." >&2
        exit 2
    fi
}

need PGHOST "the host or socket folder of PostgreSQL"
need PGUSER "the database's user"
need PGPASSWORD "the database's password"
need MLFLOW_FLASK_SERVER_SECRET_KEY "which signs forms"
need MLFLOW_AUTH_ADMIN_PASSWORD "the password of the user admin"
if [ "${#MLFLOW_FLASK_SERVER_SECRET_KEY}" -lt 32 ]; then
    echo "error: MLFLOW_FLASK_SERVER_SECRET_KEY must have 32 characters or more," \
        "but has ${#MLFLOW_FLASK_SERVER_SECRET_KEY}. Make one with: openssl rand -hex 32" >&2
    exit 2
fi

port=${MLFLOW_PORT:-5000}
export MLFLOW_AUTH_CONFIG_PATH=${MLFLOW_AUTH_CONFIG_PATH:-$here/basic_auth.ini}
# Its job runner serves language models, which are not used here, with eight processes of 240 MB.
export MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
# A request may hold two connections at once. PostgreSQL must allow workers x stores x (size + overflow) of them.
export MLFLOW_SQLALCHEMYSTORE_POOL_SIZE=${MLFLOW_SQLALCHEMYSTORE_POOL_SIZE:-10}
export MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW=${MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW:-15}
export MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE=${MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE:-1800}

# No password is in an argument, where every process of the machine could read it.
exec python -m mlflow server \
    --app-name basic-auth \
    --backend-store-uri "postgresql+psycopg:///mlflow" \
    --artifacts-destination "${MLFLOW_ARTIFACTS:-/artifacts}" \
    --host "${MLFLOW_HOST:-127.0.0.1}" --port "$port" --workers "${MLFLOW_WORKERS:-2}" \
    --allowed-hosts "${MLFLOW_ALLOWED_HOSTS:-localhost:$port,127.0.0.1:$port}" \
    "$@"
