#!/usr/bin/env bash
# One node of a job's Ray cluster, which ends with its step: ray_node.sh head|worker. landslide.sbatch sets the variables.
set -euo pipefail
umask 077
role=$1
: "${ray_folder:?}" "${python:?}" "${head_ip:?}" "${ray_port:?}" # set by landslide.sbatch

mkdir -p "$ray_folder"
if [ ! -O "$ray_folder" ]; then
    echo "error: Ray's folder must be this user's own, but $ray_folder on $SLURMD_NODENAME is another one's; set LANDSLIDE_SCRATCH" >&2
    exit 1
fi

place=$SLURM_NODEID
options=(--block --node-ip-address) # ends all of the node's Ray with this process
if [ "$role" = head ]; then
    options+=("$head_ip" --head --port "$ray_port" --temp-dir "$ray_folder")
    options+=(--ray-client-server-port "$((ray_port + 1))")
    options+=(--dashboard-host 127.0.0.1 --dashboard-port "$((ray_port + 2))")
else
    place=$((place + 1))
    address=$(scontrol show node "$SLURMD_NODENAME" --oneliner | grep -o 'NodeAddr=[^ ]*')
    options+=("$(getent ahostsv4 "${address#NodeAddr=}" | awk 'NR == 1 {print $1}')" --address "$RAY_ADDRESS")
fi
# Other jobs may share the node: Ray's fixed ports are the job's own, and the rest are free ones.
first=$((ray_port + 10 + 4 * (place % 20)))
options+=(--dashboard-agent-listen-port "$first" --dashboard-agent-grpc-port "$((first + 1))")
options+=(--runtime-env-agent-port "$((first + 2))" --metrics-export-port "$((first + 3))")
options+=(--node-manager-port 0 --object-manager-port 0 --min-worker-port 0 --max-worker-port 0)
options+=(--num-cpus "$SLURM_CPUS_PER_TASK" --object-store-memory 209715200) # trials pass files, not objects

exec "$python" -m ray.scripts.scripts start "${options[@]}"
