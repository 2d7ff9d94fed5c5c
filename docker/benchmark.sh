#!/usr/bin/env bash
# Runs the benchmark on a cluster of Ray: joins it as a node without cores, since a driver must run on a node, and
# leaves it when the command ends. The exit code is the command's. Arguments go to `python -m tuning.run`.
# Needed: RAY_HEAD=HOST:PORT, RAY_AUTH_TOKEN; ROOT, a folder that every node sees under the same name (/shared/mlruns).
# For MLflow: MLFLOW_TRACKING_URI, MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${RAY_HEAD:?must be the address of the head, HOST:PORT}"
# shellcheck disable=SC2086 # several words on purpose
RAY_CPUS=0 bash "$here/ray-node.sh" worker ${RAY_NODE_WORDS:-} >"${RAY_NODE_LOG:-/dev/stderr}" 2>&1 &
node=$!

# shellcheck disable=SC2329 # called by the trap
leave() { # end this node, and nothing else of Ray
    kill -TERM "$node" 2>/dev/null || true
    wait "$node" 2>/dev/null || true
}
trap leave EXIT

export RAY_AUTH_MODE=token
for ((tries = 1; ; tries++)); do
    if ray health-check --address "$RAY_HEAD" >/dev/null 2>&1; then break; fi
    if ! kill -0 "$node" 2>/dev/null || ((tries >= ${RAY_TRIES:-20})); then
        echo "error: The head of Ray at $RAY_HEAD must answer, but does not." \
            "Look at its log, and compare RAY_AUTH_TOKEN." >&2
        exit 1
    fi
    sleep 2
done

python -m tuning.run --address "$RAY_HEAD" --root "${ROOT:-/shared/mlruns}" "$@" &
command=$!
# The first signal lets each trial end after its epoch, so it goes to the command alone, and this node stays until then.
trap 'kill -TERM "$command" 2>/dev/null || true' TERM INT
while kill -0 "$command" 2>/dev/null; do # a signal ends `wait`, not the command
    wait "$command" || true
done
code=0
wait "$command" || code=$? # bash remembers how it ended
exit "$code"
