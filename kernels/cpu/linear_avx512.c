/* linear_avx512.c: the inner loops for AVX-512, compiled with its flags; nothing outside may be called before dispatch.c
 * has seen that the processor and its system have them. */
#ifdef __AVX512F__
#include "kernels/cpu/simd_avx512.h"

#include "kernels/cpu/inner_loops.h"

const struct cpu_isa cpu_isa_avx512 = ISA_TABLE("avx512");
#endif
