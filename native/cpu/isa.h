// Every file of native/cpu is compiled once per instruction set; MORPHMLP_ISA names the set and the namespace.
#pragma once

#ifndef MORPHMLP_ISA
#error "native/cpu is compiled with -DMORPHMLP_ISA=baseline|avx2|avx512|avx512bf16|neon|neonbf16"
#endif
