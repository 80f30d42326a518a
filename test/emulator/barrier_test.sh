#!/bin/sh
# Shows that the emulation of CUDA detects a forgotten barrier, as fibers by a wrong result and as threads by ThreadSanitizer,
# and a misaligned vector access, and that the product, the column sums and LayerNorm have neither.
set -eu
. "$(dirname "$0")/shared.sh"

compile fibers barrier_test.cc fibers.cc &
fibers=$!
compile threads barrier_test.cc threads.cc -fsanitize=thread &
threads=$!
compile asan barrier_test.cc fibers.cc -fsanitize=address,undefined
wait $fibers
wait $threads

echo "fibers, warp by warp:"
"$out/fibers"
if "$out/fibers" forgotten; then
  echo "FAILED: the forgotten barrier was not seen"
  exit 1
fi
for access in 0 1 2 3 4 5 6 7; do
  if "$out/fibers" misaligned $access 2>"$out/log" || ! grep -q "aligned accesses passed" "$out/log" ||
    ! grep -q "misaligned vector access" "$out/log"; then
    echo "FAILED: misaligned access $access was not seen"
    exit 1
  fi
done
echo "fibers under AddressSanitizer:"
ASAN_OPTIONS=detect_leaks=0 "$out/asan"
echo "threads under ThreadSanitizer:"
quiet "$out/threads"
if quiet "$out/threads" forgotten >"$out/log" 2>&1 || ! grep -q "data race" "$out/log"; then
  echo "FAILED: ThreadSanitizer did not see the forgotten barrier"
  exit 1
fi
echo "both see a forgotten barrier"
