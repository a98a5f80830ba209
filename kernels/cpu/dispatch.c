/* dispatch.c: which inner loops this processor can run, from CPUID and the register state that the system saves.
 * Does not know the environment: who wants another set says so when opening the device. */
#include "kernels/cpu/isa.h"

#include <string.h>

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

static void find(bool *avx2, bool *avx512)
{
    uint32_t a, b, c, d, extended;
    uint64_t state;

    *avx2 = *avx512 = false;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !all(c, 1u << 27 | 1u << 28 | 1u << 12 | 1u << 29)) return;
    state = saved_state(); /* bit 27 above: the system lets us ask. 28 AVX, 12 FMA, 29 F16C */
    if (!__get_cpuid_count(7, 0, &a, &extended, &c, &d)) return;
    *avx2 = all(state, 0x6) && all(extended, 1u << 5);
    *avx512 = *avx2 && all(state, 0xe6) && all(extended, 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31) && all(c, 1u << 1);
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

const struct cpu_isa *cpu_isa_choose(const char *name)
{
    bool avx2, avx512;

    find(&avx2, &avx512);
    if (name == NULL || strcmp(name, "auto") == 0)
        return avx512 ? &cpu_isa_avx512 : avx2 ? &cpu_isa_avx2 : &cpu_isa_plain;
    if (strcmp(name, "reference") == 0) return &cpu_isa_plain;
    if (strcmp(name, "avx2") == 0) return avx2 ? &cpu_isa_avx2 : NULL;
    if (strcmp(name, "avx512") == 0) return avx512 ? &cpu_isa_avx512 : NULL;
    return NULL;
}

#else

void cpu_isa_processor_name(char *name, size_t size_bytes)
{
    static const char unknown[] = "unknown processor";

    memcpy(name, unknown, sizeof unknown < size_bytes ? sizeof unknown : size_bytes);
    name[size_bytes - 1] = 0;
}

const struct cpu_isa *cpu_isa_choose(const char *name)
{
    return name == NULL || strcmp(name, "auto") == 0 || strcmp(name, "reference") == 0 ? &cpu_isa_plain : NULL;
}

#endif
