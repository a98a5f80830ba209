/* core_amx.c: the cores of core_amx.h with AMX's own instructions, compiled with their flags; nothing here may be called before
 * dispatch.c has seen that the processor has them and the system has given them to this process. */
#if defined(__AMX_BF16__) && defined(__AMX_INT8__)
#include "kernels/cpu/amx.h"

#include "kernels/cpu/core_amx.h"

const struct cpu_core cpu_core_amx_bf16 = CORE_AMX_BF16("amx_bf16");
const struct cpu_core cpu_core_amx_int8 = CORE_AMX_INT8("amx_int8");
#endif
