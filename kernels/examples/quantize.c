/* quantize.c: an example of the library: a matrix goes through every format of weights and is multiplied with a vector and with
 * a batch. Build it with
 *
 *     cc quantize.c $(pkg-config --cflags --libs docket-kernels) -lm -o quantize */
#include <docket/kernels.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS = 96, COLS = 200, BATCH = 7 };

static void *bytes(size_t n)
{
    void *memory = calloc(n + 1, 1);

    if (memory == NULL) {
        fprintf(stderr, "no memory for %zu bytes\n", n);
        exit(1);
    }
    return memory;
}

/* Relative distance of a from b. */
static double distance(const float *a, const float *b, size_t n)
{
    double error = 0, size = 0;

    for (size_t i = 0; i < n; i++) {
        error += pow((double)a[i] - b[i], 2);
        size += pow(b[i], 2);
    }
    return sqrt(error / size);
}

/* x W^T in double, of the values that the format holds. */
static void multiply(const float *w, const float *x, float *out)
{
    for (size_t m = 0; m < BATCH; m++)
        for (size_t n = 0; n < ROWS; n++) {
            double sum = 0;
            for (size_t k = 0; k < COLS; k++) sum += (double)x[m * COLS + k] * w[n * COLS + k];
            out[m * ROWS + n] = (float)sum;
        }
}

static int show(enum kernels_format format, const float *w, const float *x)
{
    const struct kernels_weight_desc desc = {format, ROWS, COLS};
    struct kernels_error error = {KERNELS_OK, ""};
    struct kernels_parts_size size;
    struct kernels_parts parts = {0};
    float *back = bytes(ROWS * COLS * sizeof *back), *want = bytes(BATCH * ROWS * sizeof *want);
    float *one = bytes(ROWS * sizeof *one), *all = bytes(BATCH * ROWS * sizeof *all);
    int good = 0;

    if (docket_kernels_parts_size(&desc, 0, &size) != KERNELS_OK) return 0;
    parts.codes = bytes(size.codes);
    parts.absmax = bytes(size.absmax);
    parts.absmax_codes = bytes(size.absmax_codes);
    parts.nested_absmax = bytes(size.nested_absmax);
    parts.nested_map = bytes(size.nested_map);
    parts.scales = bytes(size.scales);
    parts.zeros = bytes(size.zeros);
    if (docket_quantize(&desc, w, &parts, &error) != KERNELS_OK) goto done;
    if (docket_dequantize(&desc, &parts, back, &error) != KERNELS_OK) goto done;
    if (docket_matmul(&desc, &parts, x, 1, one, &error) != KERNELS_OK) goto done;
    if (docket_matmul(&desc, &parts, x, BATCH, all, &error) != KERNELS_OK) goto done;
    multiply(back, x, want);
    printf("%-10s %7zu bytes, weights off by %.4f, vector off by %.1e, batch off by %.1e\n",
           docket_kernels_format_name(format), size.total, distance(back, w, ROWS * COLS), distance(one, want, ROWS),
           distance(all, want, BATCH * ROWS));
    good = 1;
done:
    if (!good) fprintf(stderr, "%s: %s\n", docket_kernels_format_name(format), error.message);
    free(parts.codes), free(parts.absmax), free(parts.absmax_codes), free(parts.nested_absmax), free(parts.nested_map);
    free(parts.scales), free(parts.zeros), free(back), free(want), free(one), free(all);
    return good;
}

int main(void)
{
    float *w = bytes(ROWS * COLS * sizeof *w), *x = bytes(BATCH * COLS * sizeof *x);
    int good = 1;

    for (size_t i = 0; i < ROWS * COLS; i++) w[i] = 0.02f * (float)sin(0.7 * (double)i * (double)(i % 89));
    for (size_t i = 0; i < BATCH * COLS; i++) x[i] = (float)cos(1.3 * (double)i);
    for (int format = 0; format < KERNELS_N_FORMATS; format++)
        if (docket_kernels_format_has_parts((enum kernels_format)format))
            good &= show((enum kernels_format)format, w, x);
    free(w);
    free(x);
    return !good;
}
