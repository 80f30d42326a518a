#!/bin/sh
# Holds the emulated tensor-core instructions to the PTX ISA's layouts, and the bf16 product to a plain one: as fibers, and with
# "sanitized" under AddressSanitizer and, as threads, under ThreadSanitizer too.
set -eu
native=$(cd "$(dirname "$0")/../.." && pwd)
shim=$native/test/cuda_shim
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
flags="-std=c++17 -O1 -g -pthread -Wall -Wextra -Wno-unknown-pragmas -DMORPHMLP_CUDA_EMULATED -I$native -I$native/../include"

# shellcheck disable=SC2086
"${CXX:-g++}" $flags "$shim/mma_test.cc" "$shim/fibers.cc" -o "$out/fibers"
"$out/fibers"
[ "${1:-}" = sanitized ] || exit 0

# Address randomisation of newer kernels can keep ThreadSanitizer from starting.
quiet() { if setarch -R true 2>/dev/null; then setarch -R "$@"; else "$@"; fi; }

# shellcheck disable=SC2086
"${CXX:-g++}" $flags -fsanitize=address,undefined "$shim/mma_test.cc" "$shim/fibers.cc" -o "$out/asan"
# shellcheck disable=SC2086
"${CXX:-g++}" $flags -fsanitize=thread "$shim/mma_test.cc" "$shim/threads.cc" -o "$out/threads"
echo "under AddressSanitizer:"
ASAN_OPTIONS=detect_leaks=0 "$out/asan"
echo "as threads, under ThreadSanitizer:"
quiet "$out/threads"
