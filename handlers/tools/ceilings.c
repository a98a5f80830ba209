/* ceilings.c: loops that do nothing but multiply, in assembler so that no compiler thinks about them. */
#include "handlers/tools/ceilings.h"

#include <string.h>

static const char *const names[N_CEILINGS] = {
    [CEILING_F32_AVX2] = "f32 avx2",       [CEILING_INT16_AVX2] = "int16 avx2",   [CEILING_F32_AVX512] = "f32 avx512",
    [CEILING_BF16_AVX512] = "bf16 avx512", [CEILING_INT8_AVX512] = "int8 avx512", [CEILING_BF16_AMX] = "bf16 amx",
    [CEILING_INT8_AMX] = "int8 amx",
};

const char *ceiling_name(enum ceiling ceiling)
{
    return names[ceiling];
}

uint64_t ceiling_read(const void *memory, size_t size_bytes)
{
    const uint64_t *from = memory;
    uint64_t sums[32] = {0}, sum = 0;
    for (size_t at = 0; at + 512 <= size_bytes / 8; at += 512) {
        for (size_t j = at; j < at + 512; j += 32) {
            __builtin_prefetch(from + j + 512);
            for (size_t l = 0; l < 32; l++) sums[l] += from[j + l];
        }
    }
    for (size_t l = 0; l < 32; l++) sum += sums[l];
    return sum;
}

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STATE_AVX         0x6u
#define STATE_AVX512      0xe6u
#define STATE_TILES       0x60000u
#define ARCH_REQUEST      0x1023 /* arch_prctl: may this process use a large register state? */
#define STATE_TILES_INDEX 18

static bool has(uint64_t value, uint64_t bits)
{
    return (value & bits) == bits;
}

static uint64_t saved_state(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

bool ceiling_can(enum ceiling ceiling)
{
    uint32_t a, b, c, d, b7, c7, d7, a71 = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, 1u << 27 | 1u << 28 | 1u << 12))
        return false; /* OSXSAVE, AVX, FMA */
    uint64_t state = saved_state();
    if (!__get_cpuid_count(7, 0, &a, &b7, &c7, &d7)) return false;
    if (a >= 1 && __get_cpuid_count(7, 1, &a71, &b, &c, &d) == 0) a71 = 0;
    bool avx512 = has(state, STATE_AVX512) && has(b7, 1u << 16);
    bool tiles = has(state, STATE_TILES) && has(d7, 1u << 24);
    switch (ceiling) {
    case CEILING_F32_AVX2:
    case CEILING_INT16_AVX2:
        return has(state, STATE_AVX) && has(b7, 1u << 5);
    case CEILING_F32_AVX512:
        return avx512;
    case CEILING_BF16_AVX512:
        return avx512 && has(a71, 1u << 5);
    case CEILING_INT8_AVX512:
        return avx512 && has(c7, 1u << 11);
    case CEILING_BF16_AMX:
        return tiles && has(d7, 1u << 22) && syscall(SYS_arch_prctl, ARCH_REQUEST, STATE_TILES_INDEX) == 0;
    case CEILING_INT8_AMX:
        return tiles && has(d7, 1u << 25) && syscall(SYS_arch_prctl, ARCH_REQUEST, STATE_TILES_INDEX) == 0;
    case N_CEILINGS:
        break;
    }
    return false;
}

/* Twelve chains that do not wait for each other; 12 and 13 hold zero. */
#define ONE(op, v, i) op " %%" v "12, %%" v "13, %%" v #i "\n\t"
#define TWELVE(op, v)                                                                                                  \
    "vxorps %%xmm12, %%xmm12, %%xmm12\n\tvxorps %%xmm13, %%xmm13, %%xmm13\n\t" ONE(op, v, 0) ONE(op, v, 1)             \
        ONE(op, v, 2) ONE(op, v, 3) ONE(op, v, 4) ONE(op, v, 5) ONE(op, v, 6) ONE(op, v, 7) ONE(op, v, 8)              \
            ONE(op, v, 9) ONE(op, v, 10) ONE(op, v, 11)
#define CLOBBERED                                                                                                      \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13"

__attribute__((target("avx2,fma"), noinline)) static double multiply_f32_256(size_t n)
{
    for (size_t i = 0; i < n; i++) __asm__ volatile(TWELVE("vfmadd231ps", "ymm") : : : CLOBBERED);
    return (double)n * 12 * 8 * 2;
}

/* Products into one register, from there onto a sum. */
#define ONTO(i, j) "vpmaddwd %%ymm12, %%ymm13, %%ymm" #j "\n\tvpaddd %%ymm" #j ", %%ymm" #i ", %%ymm" #i "\n\t"
#define SIX_ONTO   ONTO(0, 6) ONTO(1, 7) ONTO(2, 8) ONTO(3, 9) ONTO(4, 10) ONTO(5, 11)

__attribute__((target("avx2"), noinline)) static double multiply_int16_256(size_t n)
{
    for (size_t i = 0; i < n; i++)
        __asm__ volatile("vpxor %%xmm12, %%xmm12, %%xmm12\n\tvpxor %%xmm13, %%xmm13, %%xmm13\n\t" SIX_ONTO SIX_ONTO
                         :
                         :
                         : CLOBBERED);
    return (double)n * 12 * 16 * 2;
}

__attribute__((target("avx512f"), noinline)) static double multiply_f32_512(size_t n)
{
    for (size_t i = 0; i < n; i++) __asm__ volatile(TWELVE("vfmadd231ps", "zmm") : : : CLOBBERED);
    return (double)n * 12 * 16 * 2;
}

__attribute__((target("avx512f"), noinline)) static double multiply_bf16_512(size_t n)
{
    for (size_t i = 0; i < n; i++) __asm__ volatile(TWELVE("vdpbf16ps", "zmm") : : : CLOBBERED);
    return (double)n * 12 * 32 * 2;
}

__attribute__((target("avx512f"), noinline)) static double multiply_int8_512(size_t n)
{
    for (size_t i = 0; i < n; i++) __asm__ volatile(TWELVE("vpdpbusd", "zmm") : : : CLOBBERED);
    return (double)n * 12 * 64 * 2;
}

/* Four sums of 16 x 16; 4 to 7 are the operands, 16 rows of 64 bytes. */
#define TILE(op, i, a, b) op " %%tmm" #a ", %%tmm" #b ", %%tmm" #i "\n\t"
#define TILES(op)         TILE(op, 0, 6, 4) TILE(op, 1, 7, 4) TILE(op, 2, 6, 5) TILE(op, 3, 7, 5)

static double multiply_tiles(size_t n, bool int8)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t column_bytes[16];
        uint8_t rows[16];
    } __attribute__((packed, aligned(64))) shape;
    memset(&shape, 0, sizeof(shape));
    shape.palette = 1;
    for (size_t i = 0; i < 8; i++) {
        shape.column_bytes[i] = 64;
        shape.rows[i] = 16;
    }
    __asm__ volatile("ldtilecfg %0\n\ttilezero %%tmm0\n\ttilezero %%tmm1\n\ttilezero %%tmm2\n\ttilezero %%tmm3\n\t"
                     "tilezero %%tmm4\n\ttilezero %%tmm5\n\ttilezero %%tmm6\n\ttilezero %%tmm7"
                     :
                     : "m"(shape)
                     : "memory");
    for (size_t i = 0; i < n; i++) {
        if (int8)
            __asm__ volatile(TILES("tdpbssd") : : : "memory");
        else
            __asm__ volatile(TILES("tdpbf16ps") : : : "memory");
    }
    __asm__ volatile("tilerelease" : : : "memory");
    return (double)n * 4 * 16 * 16 * (int8 ? 64 : 32) * 2;
}

double ceiling_multiply(enum ceiling ceiling, size_t rounds)
{
    if (!ceiling_can(ceiling)) return 0;
    switch (ceiling) {
    case CEILING_F32_AVX2:
        return multiply_f32_256(rounds);
    case CEILING_INT16_AVX2:
        return multiply_int16_256(rounds);
    case CEILING_F32_AVX512:
        return multiply_f32_512(rounds);
    case CEILING_BF16_AVX512:
        return multiply_bf16_512(rounds);
    case CEILING_INT8_AVX512:
        return multiply_int8_512(rounds);
    case CEILING_BF16_AMX:
        return multiply_tiles(rounds / 8 + 1, false);
    case CEILING_INT8_AMX:
        return multiply_tiles(rounds / 8 + 1, true);
    case N_CEILINGS:
        break;
    }
    return 0;
}

#else

bool ceiling_can(enum ceiling ceiling)
{
    (void)ceiling;
    return false;
}

double ceiling_multiply(enum ceiling ceiling, size_t rounds)
{
    (void)ceiling;
    (void)rounds;
    return 0;
}

#endif
