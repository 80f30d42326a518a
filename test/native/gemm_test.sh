#!/bin/sh
# Builds and runs the tests of the CPU cores (GEMM, vector math), one program per instruction set of this machine.
# usage: test/native/gemm_test.sh [bench [seconds]]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
native=$here/../../native
out=${OUT:-$(mktemp -d)}
cxx=${CXX:-g++}

has() { grep -qw "$1" /proc/cpuinfo; }

run() {
  isa=$1
  shift
  flags="-std=c++17 -O3 -ffp-contract=off -Wall -Wextra -Werror -pthread -DMORPHMLP_ISA=$isa"
  # shellcheck disable=SC2086
  "$cxx" $flags "$@" -I "$native" -I "$native/cpu/gemm" -I "$native/cpu/simd" "$here"/gemm_test.cc "$here"/gemm_bench.cc "$here"/vmath_test.cc "$here"/bf16_test.cc "$native"/cpu/gemm/gemm.cc "$native"/cpu/gemm/gemm_tn.cc "$native"/cpu/simd/fma_peak.cc -o "$out/test_$isa"
  "$out/test_$isa" $mode
}

mode=$*
case $(uname -m) in
  x86_64)
    run baseline
    if has fma && has avx2; then run avx2 -mavx2 -mfma; fi
    if has avx512dq && has avx512vl; then run avx512 -mavx2 -mfma -mavx512f -mavx512dq -mavx512vl -mavx512bw; fi
    if has avx512_bf16; then run avx512bf16 -mavx2 -mfma -mavx512f -mavx512dq -mavx512vl -mavx512bw -mavx512bf16; fi
    ;;
  *) run neon ;;
esac
