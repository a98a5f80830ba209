/* rig.h: what the conformance suites share: the devices to judge, guarded buffers on them, weights made the same way on
 * each. Works through the table alone, so that any backend can stand on it. */
#ifndef DOCKET_TESTS_CONFORMANCE_RIG_H
#define DOCKET_TESTS_CONFORMANCE_RIG_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kernels.h"
#include "tests/support/cmocka.h"
#include "tests/support/compare.h"
#include "tests/support/parallel.h"

#define ULP   0x1p-24 /* half a step of f32: one rounding's share */
#define GUARD 64u     /* values on each side of an output */

struct rig {
    const struct kernels_backend *table;
    struct kernels_device *device;
    struct host host;
    char name[64];
    size_t lanes; /* of its sums, for the limits; the fewer, the longer the chains */
    bool is_gpu;
    bool rounds;             /* both operands of its products are rounded to bf16 first */
    double steps_x, steps_w; /* both operands of quantized weights become whole numbers up to these; 0: they do not */
};

/* There where the CUDA backend is linked in: its sources on the host (tests/cuda_emulation), or on a GPU. */
const struct kernels_backend *docket_cuda_backend(void) __attribute__((weak));

/* CONFORMANCE=short: small cases of everything, for judges that make each of them slow: a race detector, a GPU's sanitizer. */
static inline bool conformance_short(void)
{
    const char *length = getenv("CONFORMANCE");

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
    if (docket_cuda_backend) return true;
#endif
    return length != NULL && strncmp(length, "short", 5) == 0;
}

/* arithmetic: NULL, what the instruction set is for. */
static inline bool rig_open_in(struct rig *rig, const char *backend, const char *isa, const char *arithmetic,
                               unsigned n_workers)
{
    struct kernels_options options;
    bool int16 = arithmetic && !strcmp(arithmetic, "int16");

    *rig = (struct rig){.table = docket_kernels_backend(backend), .host = {.n_workers = n_workers}};
    rig->is_gpu = !strncmp(backend, "cuda", 4);
    if (rig->is_gpu) rig->table = docket_cuda_backend();
    snprintf(rig->name, sizeof rig->name, "%s%s%s%s%s x %u", backend, isa ? " " : "", isa ? isa : "",
             arithmetic ? " " : "", arithmetic ? arithmetic : "", n_workers);
    rig->lanes = isa && !strcmp(isa, "avx512") ? 16 : isa && !strcmp(isa, "avx2") ? 8 : 4;
    if (rig->is_gpu) rig->lanes = 1;
    rig->rounds = rig->is_gpu || (isa && strstr(isa, "bf16"));
    if ((isa && (strstr(isa, "vnni") || strstr(isa, "int8"))) || (arithmetic && !strcmp(arithmetic, "int8")))
        rig->steps_x = rig->steps_w = 127;
    if (int16) rig->steps_x = 8191, rig->steps_w = 4095;
    if (rig->rounds || rig->steps_x > 0) rig->lanes = 1; /* an output has one lane */
    options = host_options(&rig->host, isa);
    if (arithmetic && !strcmp(arithmetic, "f32")) options.arithmetic = KERNELS_ARITHMETIC_F32;
    if (rig->steps_x > 0) options.arithmetic = int16 ? KERNELS_ARITHMETIC_INT16 : KERNELS_ARITHMETIC_INT8;
    options.products = !strcmp(backend, "cuda library") ? KERNELS_PRODUCTS_LIBRARY : KERNELS_PRODUCTS_OWN;
    return (rig->device = rig->table->open(&options, NULL)) != NULL;
}

static inline bool rig_open(struct rig *rig, const char *backend, const char *isa, unsigned n_workers)
{
    return rig_open_in(rig, backend, isa, NULL, n_workers);
}

static inline void rig_close(struct rig *rig)
{
    struct kernels_error error = {0};

    if (rig->device && rig->table->synchronize(rig->device, &error) != KERNELS_OK)
        fail_msg("%s: %s", rig->name, error.message);
    rig->table->close(rig->device);
    if (rig->host.n_live) fail_msg("%s: %zu pieces of memory are left", rig->name, rig->host.n_live);
}

/* Every device that this machine can open, the reference first. Unknown instruction sets are named, not skipped silently. */
struct rigs {
    struct rig all[40];
    size_t n;
};

static inline void rigs_open(struct rigs *rigs, unsigned most_workers)
{
    static const struct {
        const char *isa, *arithmetic;
    } sets[] = {{"reference", NULL}, {"avx2", "f32"},         {"avx2", "int16"},      {"avx2", "int8"},
                {"avx512", NULL},    {"avx512_bf16", NULL},   {"avx512_vnni", NULL},  {"amx_bf16", NULL},
                {"amx_int8", NULL},  {"amx_bf16_twin", NULL}, {"amx_int8_twin", NULL}};

    rigs->n = 0;
    assert_true(rig_open(&rigs->all[rigs->n++], "reference", NULL, 1));
    if (docket_cuda_backend) { /* a program of its own, which judges nothing else */
        assert_true(rig_open(&rigs->all[rigs->n++], "cuda", NULL, 1));
        if (rig_open(&rigs->all[rigs->n], "cuda library", NULL, 1))
            rigs->n++;
        else
            print_message("[  NOTE    ] there is no cuBLASLt here\n");
        return;
    }
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        for (unsigned workers = 1; workers <= most_workers; workers++) {
            if (rig_open_in(&rigs->all[rigs->n], "cpu", sets[i].isa, sets[i].arithmetic, workers))
                rigs->n++;
            else
                print_message("[  NOTE    ] this processor cannot run %s\n", sets[i].isa);
        }
}

static inline void rigs_close(struct rigs *rigs)
{
    for (size_t i = 0; i < rigs->n; i++) rig_close(&rigs->all[i]);
}

/* `rigs`, open while a program's tests run: open_rigs and close_rigs are its group's setup and teardown. */
#define RIGS_OF_ALL_TESTS(most_workers)                                                                                \
    static struct rigs rigs;                                                                                           \
    static int open_rigs(void **state)                                                                                 \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        rigs_open(&rigs, most_workers);                                                                                \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static int close_rigs(void **state)                                                                                \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        rigs_close(&rigs);                                                                                             \
        return 0;                                                                                                      \
    }

static inline float *host_values(size_t n)
{
    float *values = malloc((n + 1) * sizeof *values);

    assert_non_null(values);
    return values;
}

static inline float *rig_upload(const struct rig *rig, const float *from, size_t n)
{
    float *to = rig->table->buffer_allocate(rig->device, n * sizeof *to, NULL);

    assert_non_null(to);
    assert_int_equal(rig->table->upload(rig->device, to, from, n * sizeof *to), KERNELS_OK);
    return to;
}

/* An output of n values between guards, all NaN or what `from` says. */
static inline float *guarded(const struct rig *rig, const float *from, size_t n)
{
    float *all = host_values(n + 2 * GUARD), *device;

    for (size_t i = 0; i < n + 2 * GUARD; i++) all[i] = NAN;
    if (from && n) memcpy(all + GUARD, from, n * sizeof *all);
    device = rig_upload(rig, all, n + 2 * GUARD);
    free(all);
    return device + GUARD;
}

/* Its contents on the host, the guards untouched; frees it. */
static inline float *unguard(const struct rig *rig, const char *what, float *device, size_t n)
{
    float *all = host_values(n + 2 * GUARD), nan = NAN;

    assert_int_equal(rig->table->download(rig->device, all, device - GUARD, (n + 2 * GUARD) * sizeof *all), KERNELS_OK);
    rig->table->buffer_free(rig->device, device - GUARD);
    for (size_t i = 0; i < GUARD; i++)
        if (memcmp(&all[i], &nan, sizeof nan) || memcmp(&all[GUARD + n + i], &nan, sizeof nan))
            fail_msg("%s: %s: wrote outside of its output", rig->name, what);
    memmove(all, all + GUARD, n * sizeof *all);
    return all;
}

static inline struct kernels_weight *rig_weight(const struct rig *rig, enum kernels_format format, size_t rows,
                                                size_t cols, const float *values)
{
    struct kernels_weight_desc desc = {format, rows, cols};
    struct kernels_error error = {0};
    struct kernels_weight *weight = rig->table->weight_begin(rig->device, &desc, &error);

    if (weight == NULL ||
        rig->table->weight_write(rig->device, weight, KERNELS_F32, values, rows * cols, &error) != KERNELS_OK ||
        rig->table->weight_finish(rig->device, weight, &error) != KERNELS_OK)
        fail_msg("%s: %s", rig->name, error.message);
    return weight;
}

/* x [m, k] with a weight [n, k], on top of `before` [m, n] if there is one: [m, n] on the host. */
static inline float *rig_linear(const struct rig *rig, const struct kernels_weight *weight, const float *x,
                                const float *before, size_t m, size_t n, size_t k, bool as_gathered)
{
    float *device_x = rig_upload(rig, x, m * k), *out = guarded(rig, before, m * n);
    struct kernels_linear args = {.x = device_x,
                                  .weight = weight,
                                  .out = out,
                                  .n_rows = m,
                                  .accumulate = before != NULL,
                                  .as_gathered = as_gathered};

    assert_int_equal(rig->table->linear(rig->device, &args), KERNELS_OK);
    rig->table->buffer_free(rig->device, device_x);
    return unguard(rig, "linear", out, m * n);
}

/* Logits that are asked for one by one have the bits of those of the whole head [n, k]. */
static inline void rig_check_single_logits(const struct rig *rig, const struct kernels_weight *head, const float *x,
                                           size_t m, size_t n, size_t k, size_t n_items, const uint32_t *rows,
                                           const int32_t *ids)
{
    float *device_x = rig_upload(rig, x, m * k), *out = guarded(rig, NULL, n_items);
    float *all = rig_linear(rig, head, x, NULL, m, n, k, true), *got;
    const struct kernels_gather_logits args = {
        .x = device_x, .head = head, .out = out, .n_items = n_items, .rows = rows, .token_ids = ids};

    assert_int_equal(rig->table->gather_logits(rig->device, &args), KERNELS_OK);
    got = unguard(rig, "gather_logits", out, n_items);
    for (size_t i = 0; i < n_items; i++)
        if (!(got[i] == all[rows[i] * n + (size_t)ids[i]]))
            fail_msg("%s: logit %d of row %u alone is %g, of the whole head %g", rig->name, (int)ids[i],
                     (unsigned)rows[i], (double)got[i], (double)all[rows[i] * n + (size_t)ids[i]]);
    rig->table->buffer_free(rig->device, device_x);
    free(got);
    free(all);
}

/* Roundings that a product meets on its way into a sum of k: its own, one a step of its lane, the tree of lanes, and one a
 * chunk of 1024. */
static inline double sum_roundings(const struct rig *rig, size_t k)
{
    size_t chunk = k < 1024 ? k : 1024;

    return 1.0 + (double)((chunk + rig->lanes - 1) / rig->lanes) + 4 + (double)((k + 1023) / 1024);
}

/* Further ones of a product whose operands are rounded to bf16 first: 2^-9 of itself for each. */
static inline double operand_roundings(const struct rig *rig, enum kernels_format format)
{
    if (!rig->rounds || format == KERNELS_F32 || (rig->is_gpu && format == KERNELS_F16)) return 0;
    return 2 * 0x1p-9 / ULP + 1;
}

/* How far a product of k elements may be off where both operands become whole numbers: half a step of the largest of 64 each. Codes
 * that are taken as they are add nothing; the limit is that of values. */
static inline double codes_off(const struct rig *rig, enum kernels_format format, const float *x, const float *w,
                               size_t k)
{
    double off = 0;

    if (!(rig->steps_x > 0) || format <= KERNELS_BF16 || format == KERNELS_INT8) return 0;
    for (size_t b = 0; b < k; b += 64) {
        double most_x = 0, most_w = 0, sum_x = 0, sum_w = 0, n = (double)(k - b < 64 ? k - b : 64);
        for (size_t i = b; i < k && i < b + 64; i++) {
            most_x = fmax(most_x, fabs((double)x[i])), sum_x += fabs((double)x[i]);
            most_w = fmax(most_w, fabs((double)w[i])), sum_w += fabs((double)w[i]);
        }
        most_x *= 1.001 / 2 / rig->steps_x, most_w *= 1.001 / 2 / rig->steps_w;
        off += most_x * sum_w + most_w * sum_x + n * most_x * most_w;
    }
    return off;
}

/* Whether the backend says that it holds such weights. */
static inline bool rig_holds(const struct rig *rig, enum kernels_format format)
{
    struct kernels_weight_desc desc = {format, 64, 64};

    return rig->table->weight_size(rig->device, &desc) != 0;
}

#endif
