/* linear_plain.c: the inner loops without any instruction set of their own, for processors that have none of the others,
 * and for tests. */
#include "kernels/cpu/simd_plain.h"

#include "kernels/cpu/inner_loops.h"

const struct cpu_isa cpu_isa_plain = ISA_TABLE("reference");
