#!/bin/sh
# Holds the emulated tensor-core instructions to the PTX ISA's layouts, and the bf16 product to a plain one: as fibers, and with
# "sanitized" under AddressSanitizer and, as threads, under ThreadSanitizer too.
set -eu
. "$(dirname "$0")/shared.sh"

compile fibers mma_test.cc fibers.cc
"$out/fibers"
[ "${1:-}" = sanitized ] || exit 0

compile asan mma_test.cc fibers.cc -fsanitize=address,undefined
compile threads mma_test.cc threads.cc -fsanitize=thread
echo "under AddressSanitizer:"
ASAN_OPTIONS=detect_leaks=0 "$out/asan"
echo "as threads, under ThreadSanitizer:"
quiet "$out/threads"
