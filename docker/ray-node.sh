#!/usr/bin/env bash
# Starts a node of Ray and stays with it: `ray-node.sh head`, or `ray-node.sh worker` with RAY_HEAD=HOST:PORT.
# Needed: RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH, the same on every node. Further arguments go to `ray start`.
set -euo pipefail

if [ -z "${RAY_AUTH_TOKEN:-}" ] && [ -z "${RAY_AUTH_TOKEN_PATH:-}" ]; then
    echo "error: A node of Ray needs RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH, but has neither: without a token," \
        "whoever reaches its ports runs code there. Make one with: openssl rand -hex 32" >&2
    exit 2
fi
export RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
# Who reads a trial needs no password of MLflow's: the driver alone talks to it.
unset MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD MLFLOW_TRACKING_TOKEN

role=${1:-}
shift || true
store=${RAY_OBJECT_STORE_BYTES:-268435456} # trials pass small things; the tiles lie on the shared volume
case "$role" in
    head) # no cores of its own: trials run on the workers
        exec ray start --head --block --disable-usage-stats --port "${RAY_PORT:-6379}" \
            --dashboard-host "${RAY_DASHBOARD_HOST:-127.0.0.1}" --dashboard-port "${RAY_DASHBOARD_PORT:-8265}" \
            --num-cpus "${RAY_CPUS:-0}" --object-store-memory "$store" "$@"
        ;;
    worker)
        : "${RAY_HEAD:?must be the address of the head, HOST:PORT}"
        exec ray start --block --disable-usage-stats --address "$RAY_HEAD" \
            ${RAY_CPUS:+--num-cpus "$RAY_CPUS"} --object-store-memory "$store" "$@"
        ;;
    *)
        echo "error: A node of Ray is 'head' or 'worker', but got '$role'." >&2
        exit 2
        ;;
esac
