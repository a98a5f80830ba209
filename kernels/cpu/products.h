/* products.h: products of the same rows with one weight or several, dealt out over the workers. Knows no format and no instruction. */
#ifndef DOCKET_KERNELS_CPU_PRODUCTS_H
#define DOCKET_KERNELS_CPU_PRODUCTS_H

#include "kernels/cpu/device.h"

struct cpu_products {
    const struct kernels_beside *parts; /* weights [n_i, k], and where each result [n_rows, n_i] goes */
    size_t n_parts, n_rows;
    size_t panel_rows, panel_outputs; /* of one piece of work at most */
    bool accumulate;
    void *context;
    /* Outputs [first, first + n) of `weight` for rows [first_row, first_row + m): [m, panel_outputs], the worker's until its next call. */
    const float *(*panel)(void *context, const struct kernels_weight *weight, size_t first_row, size_t m, size_t first,
                          size_t n, unsigned worker);
};

void cpu_products_make(struct kernels_device *device, const struct cpu_products *p);

#endif
