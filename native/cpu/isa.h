// Every file of native/cpu is compiled once for each instruction set, with MORPHMLP_ISA naming the set and the
// namespace.
#pragma once

#ifndef MORPHMLP_ISA
#error "native/cpu is compiled with -DMORPHMLP_ISA=baseline|avx2|avx512|neon"
#endif
