/* ceilings.h: what a processor does at best: multiply-adds of each instruction set in registers, and reading memory. Does the work;
 * whoever calls it reads the clock. */
#ifndef DOCKET_HANDLERS_TOOLS_CEILINGS_H
#define DOCKET_HANDLERS_TOOLS_CEILINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ceiling {
    CEILING_F32_AVX2,
    CEILING_INT16_AVX2, /* vpmaddwd and vpaddd: pairs of 16 bits, sums in int32 */
    CEILING_F32_AVX512,
    CEILING_BF16_AVX512, /* vdpbf16ps: pairs of bf16, sums in f32 */
    CEILING_INT8_AVX512, /* vpdpbusd: fours of bytes, sums in int32 */
    CEILING_BF16_AMX,
    CEILING_INT8_AMX,
    N_CEILINGS,
};

const char *ceiling_name(enum ceiling ceiling); /* "f32 avx512" */
/* This processor has the instructions and this system saves their registers; the first call asks the system for those of AMX. */
bool ceiling_can(enum ceiling ceiling);
/* About `rounds` times 16 instructions that wait for nothing but themselves, on the calling thread. Returns the operations done: a
 * multiply-add counts two. 0 where ceiling_can says no. */
double ceiling_multiply(enum ceiling ceiling, size_t rounds);
/* Reads all of it once, a multiple of 4 KiB; the sum is returned so that it is really read. */
uint64_t ceiling_read(const void *memory, size_t size_bytes);

#endif
