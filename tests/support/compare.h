/* compare.h: the one way to compare two tensors, and numbers to fill them with. */
#ifndef DOCKET_TESTS_SUPPORT_COMPARE_H
#define DOCKET_TESTS_SUPPORT_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct comparison {
    double relative_l2; /* |got - want| / |want|; infinite where one is NaN or infinite and the other is not the same */
    double largest;     /* of the differences */
    size_t at;          /* its place */
    double excess;      /* the largest difference over its limit; 0 without limits */
    size_t excess_at;
};

/* limits [n] or NULL. A NaN where there should be a number is an infinite difference. */
struct comparison compare(const float *got, const float *want, const double *limits, size_t n);
/* The first place where the bits differ, or n. */
size_t compare_bits(const float *got, const float *want, size_t n);
/* Prints where and by how much if not, and returns whether every difference is within its limit. */
bool compare_within(const char *what, const float *got, const float *want, const double *limits, size_t n);
bool compare_equal(const char *what, const float *got, const float *want, size_t n);

/* Seeded numbers: close to Gaussian with variance 1. */
struct numbers {
    uint64_t state;
};
uint32_t numbers_next(struct numbers *numbers);
float numbers_gaussian(struct numbers *numbers);
void numbers_fill(struct numbers *numbers, float *out, size_t n);

#endif
