#!/bin/sh
# Holds the emulated tensor-core instructions to the PTX ISA's layouts, and what is made of them, the products of bf16 and f32,
# the gradients of an FC, the fused MLP, the spatial unit by patches and the moments of a product, to plain ones, and what memory
# limits: as fibers, and with "sanitized" under AddressSanitizer and, as threads, under ThreadSanitizer too. And the product by TMA
# and wgmma, as fibers alone.
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
