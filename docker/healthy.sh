#!/usr/bin/env bash
# Tells whether this container does its work: exit code 0 or 1. ROLE is mlflow, ray or benchmark.
set -euo pipefail
case "${ROLE:-}" in
    mlflow) # /health asks for no password
        exec python -c 'import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=10)' "http://127.0.0.1:${MLFLOW_PORT:-5000}/health"
        ;;
    ray) # the head answers this node, with its token
        export RAY_AUTH_MODE=token
        exec ray health-check --address "${RAY_HEAD:-127.0.0.1:${RAY_PORT:-6379}}"
        ;;
    benchmark) # results can be written
        test -w "$(dirname "${ROOT:-/shared/mlruns}")"
        ;;
    *)
        echo "error: ROLE must be mlflow, ray or benchmark, but is '${ROLE:-}'." >&2
        exit 1
        ;;
esac
