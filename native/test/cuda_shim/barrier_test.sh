#!/bin/sh
# Shows that the emulation of CUDA sees a forgotten barrier, as fibers by a wrong result and as threads by ThreadSanitizer,
# and that the product, the column sums and LayerNorm have none.
set -eu
native=$(cd "$(dirname "$0")/../.." && pwd)
shim=$native/test/cuda_shim
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags="-std=c++17 -O1 -g -pthread -Wall -Wextra -Wno-unknown-pragmas -DMORPHMLP_CUDA_EMULATED -I$native -I$native/../include"

# shellcheck disable=SC2086
"${CXX:-g++}" $flags "$shim/barrier_test.cc" "$shim/fibers.cc" -o "$out/fibers"
# shellcheck disable=SC2086
"${CXX:-g++}" $flags -fsanitize=thread "$shim/barrier_test.cc" "$shim/threads.cc" -o "$out/threads"
# shellcheck disable=SC2086
"${CXX:-g++}" $flags -fsanitize=address,undefined "$shim/barrier_test.cc" "$shim/fibers.cc" -o "$out/asan"

# Address randomisation of newer kernels can keep ThreadSanitizer from starting.
quiet() { if setarch -R true 2>/dev/null; then setarch -R "$@"; else "$@"; fi; }

echo "fibers, warp by warp:"
"$out/fibers"
if "$out/fibers" forgotten; then
  echo "FAILED: the forgotten barrier was not seen"
  exit 1
fi
echo "fibers under AddressSanitizer:"
ASAN_OPTIONS=detect_leaks=0 "$out/asan"
echo "threads under ThreadSanitizer:"
quiet "$out/threads"
if quiet "$out/threads" forgotten >"$out/log" 2>&1 || ! grep -q "data race" "$out/log"; then
  echo "FAILED: ThreadSanitizer did not see the forgotten barrier"
  exit 1
fi
echo "both see a forgotten barrier"
