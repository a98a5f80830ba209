/* dispatch.c: which inner loops and which core this processor can run, from CPUID and the register state that the system saves.
 * Does not know the environment: who wants another set says so when opening the device. */
#include "kernels/cpu/core.h"

#include <string.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__x86_64__)
#include <cpuid.h>

static uint64_t saved_state(void)
{
    uint32_t low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool all(uint64_t value, uint64_t bits)
{
    return (value & bits) == bits;
}

/* What there is, in the order of the best. */
struct found {
    bool avx2, avx512, avx512_bf16, avx512_vnni, amx;
    const struct cpu_core *failed; /* of the cores of those, the best one whose trial did */
    const char *reason;
};

/* The system keeps the tiles' state of a process that has asked for it; the threads it starts later have it too. */
static bool amx_is_given(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
    const long request = 0x1023, tile_data = 18; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */

    return syscall(SYS_arch_prctl, request, tile_data) == 0;
#else
    return false;
#endif
}

/* What the processor says it has becomes what it has been seen to do. */
static void try_cores(struct found *f)
{
    const struct {
        const struct cpu_core *core;
        bool *is_there;
    } cores[] = {
        {&cpu_core_avx512_vnni, &f->avx512_vnni},
        {&cpu_core_avx512_bf16, &f->avx512_bf16},
        {&cpu_core_amx_int8, &f->amx},
        {&cpu_core_amx_bf16, &f->amx},
    };

    for (size_t i = 0; i < sizeof cores / sizeof cores[0]; i++) {
        const char *reason = *cores[i].is_there ? cpu_core_trial(cores[i].core) : NULL;
        if (reason == NULL) continue;
        *cores[i].is_there = false;
        f->failed = cores[i].core;
        f->reason = reason;
    }
    f->amx = f->amx && f->avx512_bf16 && f->avx512_vnni; /* its cores pack with theirs */
}

static struct found find(void)
{
    uint32_t a, b, c, d, extended, low;
    struct found f = {0};
    uint64_t state;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !all(c, 1u << 27 | 1u << 28 | 1u << 12 | 1u << 29)) return f;
    state = saved_state(); /* bit 27 above: the system lets us ask. 28 AVX, 12 FMA, 29 F16C */
    if (!__get_cpuid_count(7, 0, &a, &extended, &c, &d)) return f;
    f.avx2 = all(state, 0x6) && all(extended, 1u << 5);
    f.avx512 =
        f.avx2 && all(state, 0xe6) && all(extended, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31) && all(c, 1u << 1);
    f.avx512_vnni = f.avx512 && all(c, 1u << 11);
    f.amx = f.avx512_vnni && all(state, 3u << 17) && all(d, 1u << 22 | 1u << 24 | 1u << 25); /* bf16, tiles, int8 */
    if (a >= 1 && __get_cpuid_count(7, 1, &low, &b, &c, &d)) f.avx512_bf16 = f.avx512 && all(low, 1u << 5);
    f.amx = f.amx && f.avx512_bf16 && amx_is_given();
    try_cores(&f);
    return f;
}

void cpu_isa_processor_name(char *name, size_t size_bytes)
{
    uint32_t words[12] = {0};
    char text[sizeof words + 1] = {0};
    const char *from = text;
    size_t length;

    for (uint32_t i = 0; i < 3; i++)
        __get_cpuid(0x80000002u + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2], &words[4 * i + 3]);
    memcpy(text, words, sizeof words);
    while (*from == ' ') from++;
    length = strlen(from);
    while (length && from[length - 1] == ' ') length--;
    if (length >= size_bytes) length = size_bytes - 1;
    memcpy(name, from, length);
    name[length] = 0;
}

static bool choose(const char *name, enum kernels_arithmetic arithmetic, struct cpu_choice *out)
{
    const struct found f = find();
    bool any = name == NULL || strcmp(name, "auto") == 0, int8 = arithmetic == KERNELS_ARITHMETIC_INT8,
         int16 = arithmetic == KERNELS_ARITHMETIC_INT16,
         rounds = arithmetic == KERNELS_ARITHMETIC_AUTO || arithmetic == KERNELS_ARITHMETIC_BF16;

    *out = (struct cpu_choice){.isa = f.avx512 ? &cpu_isa_avx512
                                      : f.avx2 ? &cpu_isa_avx2
                                               : &cpu_isa_plain,
                               .failed = f.failed,
                               .reason = f.reason};
    if (any && int8) {
        out->core = f.amx ? &cpu_core_amx_int8 : f.avx512_vnni ? &cpu_core_avx512_vnni : &cpu_core_avx2_int8;
        return f.avx2;
    }
    if (any && int16) {
        out->core = &cpu_core_avx2_int16;
        return f.avx2;
    }
    if (any) {
        if (rounds && f.avx512_bf16) out->core = f.amx ? &cpu_core_amx_bf16 : &cpu_core_avx512_bf16;
        if (rounds && f.avx2 && !f.avx512)
            out->core = &cpu_core_avx2_int16; /* finer than bf16; f32 takes twice as long */
        return true;
    }
    const struct {
        const struct cpu_core *core;
        bool is_there, int8;
    } cores[] = {
        {&cpu_core_avx512_bf16, f.avx512_bf16, false},
        {&cpu_core_avx512_vnni, f.avx512_vnni, true},
        {&cpu_core_amx_bf16, f.amx, false},
        {&cpu_core_amx_int8, f.amx, true},
        {&cpu_core_amx_bf16_twin, f.avx512_bf16, false},
        {&cpu_core_amx_int8_twin, f.avx512_vnni, true},
    };
    for (size_t i = 0; i < sizeof cores / sizeof cores[0]; i++)
        if (strcmp(name, cores[i].core->name) == 0) {
            out->core = cores[i].core;
            return cores[i].is_there && (cores[i].int8 ? int8 : rounds);
        }
    if (strcmp(name, "avx2") == 0) {
        out->isa = &cpu_isa_avx2;
        out->core = int8 ? &cpu_core_avx2_int8 : arithmetic == KERNELS_ARITHMETIC_F32 ? NULL : &cpu_core_avx2_int16;
        return f.avx2;
    }
    if (int8 || int16) return false;
    if (strcmp(name, "reference") == 0) {
        out->isa = &cpu_isa_plain;
        return true;
    }
    if (strcmp(name, "avx512") == 0) return f.avx512;
    return false;
}

#else

void cpu_isa_processor_name(char *name, size_t size_bytes)
{
    static const char unknown[] = "unknown processor";

    memcpy(name, unknown, sizeof unknown < size_bytes ? sizeof unknown : size_bytes);
    name[size_bytes - 1] = 0;
}

static bool choose(const char *name, enum kernels_arithmetic arithmetic, struct cpu_choice *out)
{
    *out = (struct cpu_choice){.isa = &cpu_isa_plain};
    if (arithmetic == KERNELS_ARITHMETIC_INT8 || arithmetic == KERNELS_ARITHMETIC_INT16) return false;
    return name == NULL || strcmp(name, "auto") == 0 || strcmp(name, "reference") == 0;
}

#endif

bool cpu_choose(const char *name, enum kernels_arithmetic arithmetic, struct cpu_choice *out)
{
    return choose(name, arithmetic, out);
}
