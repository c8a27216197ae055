#!/usr/bin/env bash
# train.py in several processes on this machine: tools/dist_train.sh CONFIG N [args]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT.
set -eu
[ $# -ge 2 ] || { echo "usage: $0 CONFIG N [args]" >&2; exit 2; }
config=$1 n=$2; shift 2
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$n" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$(dirname "$0")/train.py" "$config" --launcher pytorch "$@"
