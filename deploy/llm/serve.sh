#!/bin/sh
# Start vLLM from environment variables. Further arguments go to vLLM as they are.
set -eu

: "${MODEL:?set MODEL to the id of a model on the hub, or to a folder}"
: "${VLLM_API_KEY:?set VLLM_API_KEY to a long random key: without one, whoever reaches the port can use the model}"

set -- --host 0.0.0.0 --port 8000 \
    --served-model-name "${SERVED_NAME:-llama-3.1-70b}" \
    --max-model-len "${MAX_MODEL_LEN:-8192}" \
    --max-num-seqs "${MAX_NUM_SEQS:-32}" \
    --gpu-memory-utilization "${GPU_MEMORY_UTILIZATION:-0.92}" \
    --tensor-parallel-size "${TENSOR_PARALLEL_SIZE:-1}" \
    --no-enable-log-requests \
    "$@"

exec vllm serve "$MODEL" "$@"
