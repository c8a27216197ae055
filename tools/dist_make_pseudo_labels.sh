#!/usr/bin/env bash
# make_pseudo_labels.py in several processes on this machine:
#     tools/dist_make_pseudo_labels.sh CONFIG CHECKPOINT N --out DIR [args]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT.
set -eu
[ $# -ge 5 ] || { echo "usage: $0 CONFIG CHECKPOINT N --out DIR [args]" >&2; exit 2; }
config=$1 checkpoint=$2 n=$3; shift 3
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --nproc_per_node="$n" \
    --master_addr="${MASTER_ADDR:-127.0.0.1}" --master_port="${PORT:-29500}" \
    "$(dirname "$0")/make_pseudo_labels.py" "$config" "$checkpoint" --launcher pytorch "$@"
