#!/usr/bin/env bash
# Runs the benchmark on a cluster of Ray: joins it as a node without cores, since a driver must run on a node, and
# leaves it when the command ends. The exit code is the command's. Arguments go to `python -m tuning.run`.
# Needed: RAY_HEAD=HOST:PORT, RAY_AUTH_TOKEN; ROOT, a folder that every node sees under the same name (/shared/mlruns).
# For MLflow: MLFLOW_TRACKING_URI, MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_PASSWORD.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
: "${RAY_HEAD:?must be the address of the head, HOST:PORT}"
log=${RAY_NODE_LOG:-$(mktemp --suffix=.ray-node.log)}
# shellcheck disable=SC2086 # several words on purpose
RAY_CPUS=0 bash "$here/ray-node.sh" worker ${RAY_NODE_WORDS:-} >"$log" 2>&1 &
node=$!

# shellcheck disable=SC2329 # called by the trap
leave() { # end this node, and nothing else of Ray
    kill -TERM "$node" 2>/dev/null || true
    wait "$node" 2>/dev/null || true
}
trap leave EXIT

for ((seconds = 0; ; seconds++)); do
    if grep -q "Ray runtime started" "$log"; then break; fi
    if ! kill -0 "$node" 2>/dev/null || ((seconds >= ${RAY_JOIN_S:-120})); then
        tail -n 20 "$log" >&2
        echo "error: A driver must join the cluster, but the head at $RAY_HEAD did not take it. Look at the head's log," \
            "and compare RAY_AUTH_TOKEN." >&2
        exit 1
    fi
    sleep 1
done

export RAY_AUTH_MODE=token
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
