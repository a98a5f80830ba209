/* linear_avx2.c: the inner loops for AVX2 with FMA and F16C, compiled with those flags; nothing outside may be called
 * before dispatch.c has seen that the processor and its system have them. */
#ifdef __AVX2__
#include "kernels/cpu/simd_avx2.h"

#include "kernels/cpu/inner_loops.h"

const struct cpu_isa cpu_isa_avx2 = ISA_TABLE("avx2");
#endif
