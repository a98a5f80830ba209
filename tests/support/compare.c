/* compare.c: NaN-safe comparison of tensors. Every test is written so that a NaN fails it. */
#include "tests/support/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct comparison compare(const float *got, const float *want, const double *limits, size_t n)
{
    struct comparison c = {0};
    double difference = 0, norm = 0;

    for (size_t i = 0; i < n; i++) {
        double off =
            got[i] == want[i] || memcmp(got + i, want + i, sizeof *got) == 0 ? 0 : fabs((double)got[i] - want[i]);
        if (off != off) off = INFINITY;
        difference += off * off;
        norm += (double)want[i] * want[i];
        if (off > c.largest) c.largest = off, c.at = i;
        if (limits && !(off <= limits[i]) && !(off / limits[i] <= c.excess))
            c.excess = off / limits[i], c.excess_at = i;
    }
    c.relative_l2 = difference == 0 ? 0 : sqrt(difference / norm);
    if (c.relative_l2 != c.relative_l2) c.relative_l2 = INFINITY;
    return c;
}

size_t compare_bits(const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(got + i, want + i, sizeof *got) != 0) return i;
    return n;
}

bool compare_within(const char *what, const float *got, const float *want, const double *limits, size_t n)
{
    struct comparison c = compare(got, want, limits, n);

    if (!(c.excess > 0)) return true;
    fprintf(stderr, "%s: [%zu] got %.9g, want %.9g, %.3g times the limit %.3g; relative L2 %.3g of %zu values\n", what,
            c.excess_at, got[c.excess_at], want[c.excess_at], c.excess, limits[c.excess_at], c.relative_l2, n);
    return false;
}

bool compare_equal(const char *what, const float *got, const float *want, size_t n)
{
    size_t at = compare_bits(got, want, n);

    if (at == n) return true;
    fprintf(stderr, "%s: [%zu of %zu] got %.9g, want %.9g to the bit\n", what, at, n, got[at], want[at]);
    return false;
}

uint32_t numbers_next(struct numbers *numbers)
{
    uint64_t z = numbers->state += 0x9e3779b97f4a7c15u; /* splitmix64 */

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)((z ^ z >> 31) >> 32);
}

float numbers_gaussian(struct numbers *numbers)
{
    double sum = 0;

    for (int i = 0; i < 4; i++) sum += numbers_next(numbers) * 0x1p-32 - 0.5;
    return (float)(sum * 1.7320508075688772); /* four uniforms have variance 1 / 3 */
}

void numbers_fill(struct numbers *numbers, float *out, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = numbers_gaussian(numbers);
}
