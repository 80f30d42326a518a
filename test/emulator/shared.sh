# For the tests beside it, which source this: `compile NAME TEST.cc SCHEDULER.cc [FLAG…]` makes $out/NAME, `quiet` runs a program
# under ThreadSanitizer.
shim=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$shim/../.." && pwd)
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

compile() {
  program=$out/$1 test=$shim/$2 scheduler=$shim/$3
  shift 3
  "${CXX:-g++}" -std=c++17 -O1 -g -pthread -Wall -Wextra -Wno-unknown-pragmas -DMORPHMLP_CUDA_EMULATED \
    -I"$root/native" -I"$root/include" -I"$root" "$@" "$test" "$scheduler" -o "$program"
}

# Address randomisation of newer kernels can keep ThreadSanitizer from starting.
quiet() { if setarch -R true 2>/dev/null; then setarch -R "$@"; else "$@"; fi; }
