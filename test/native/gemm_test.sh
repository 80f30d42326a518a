#!/bin/sh
# Builds and runs the tests of the CPU cores (GEMM, vector math), one program per instruction set of this machine; with
# MACHINE=emulated_arm64 per instruction set of 64-bit ARM, cross-compiled and emulated by qemu-user.
# usage: test/native/gemm_test.sh [bench [seconds]]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
native=$here/../../native
out=${OUT:-$(mktemp -d)}
cxx=${CXX:-g++}
emulator=

has() { grep -qw "$1" /proc/cpuinfo; }

run() {
  isa=$1
  flags="-std=c++17 -O3 -ffp-contract=off -Wall -Wextra -Werror -pthread -DMORPHMLP_ISA=$isa $(node "$native"/sources.cjs flags "$isa")"
  # shellcheck disable=SC2086
  "$cxx" $flags -I "$native" -I "$native/cpu/gemm" -I "$native/cpu/simd" "$here"/gemm_test.cc "$here"/gemm_bench.cc "$here"/vmath_test.cc "$here"/bf16_test.cc "$native"/cpu/gemm/gemm.cc "$native"/cpu/gemm/gemm_tn.cc "$native"/cpu/simd/fma_peak.cc -o "$out/test_$isa"
  # shellcheck disable=SC2086
  $emulator "$out/test_$isa" $mode
}

mode=$*
case ${MACHINE:-$(uname -m)} in
  x86_64)
    run baseline
    if has fma && has avx2; then run avx2; fi
    if has avx512dq && has avx512vl; then run avx512; fi
    if has avx512_bf16; then run avx512bf16; fi
    ;;
  emulated_arm64)
    cxx=aarch64-linux-gnu-g++
    emulator='qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu cortex-a72'
    run neon
    emulator='qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu max'
    run neonbf16
    ;;
  *)
    run neon
    if [ "$(uname)" = Darwin ]; then bf16=$(sysctl -n hw.optional.arm.FEAT_BF16); else bf16=$(has bf16 && echo 1 || true); fi
    if [ "$bf16" = 1 ]; then run neonbf16; fi
    ;;
esac
