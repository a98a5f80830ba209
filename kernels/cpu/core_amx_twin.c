/* core_amx_twin.c: the cores of core_amx.h with the tile instructions in plain C: never chosen by itself, slow, for tests on
 * processors that have AVX-512 but no AMX. */
#ifdef __AVX512VBMI__
#define AMX_TWIN
#include "kernels/cpu/amx.h"

#include "kernels/cpu/core_amx.h"

const struct cpu_core cpu_core_amx_bf16_twin = CORE_AMX_BF16("amx_bf16_twin");
const struct cpu_core cpu_core_amx_int8_twin = CORE_AMX_INT8("amx_int8_twin");
#endif
