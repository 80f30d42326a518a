#!/bin/sh
# Compares the emulated tensor-core instructions with the layouts of the PTX ISA, and kernels with plain loops: products of bf16 and
# f32, gradients of an FC, the fused MLP, the fused spatial unit, BatchNorm statistics of a product, and memory-bound kernels. Runs
# them as fibers, and with "sanitized" under AddressSanitizer and, as threads, under ThreadSanitizer. The product by TMA and wgmma
# runs as fibers only.
set -eu
. "$(dirname "$0")/shared.sh"

compile fibers hopper_test.cc fibers.cc
"$out/fibers"
if [ "${1:-}" = sanitized ]; then
  compile asan hopper_test.cc fibers.cc -fsanitize=address,undefined
  ASAN_OPTIONS=detect_leaks=0 "$out/asan"
fi

for name in mma_test ffma_gemm_test fc_gradients_test fused_mlp_test fused_spatial_test gemm_bn_stats_test memory_test; do
  compile fibers $name.cc fibers.cc
  "$out/fibers"
  [ "${1:-}" = sanitized ] || continue

  compile asan $name.cc fibers.cc -fsanitize=address,undefined
  compile threads $name.cc threads.cc -fsanitize=thread
  echo "under AddressSanitizer:"
  ASAN_OPTIONS=detect_leaks=0 "$out/asan"
  echo "as threads, under ThreadSanitizer:"
  quiet "$out/threads"
done
