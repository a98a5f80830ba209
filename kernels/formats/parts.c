/* parts.c: which parts a quantized weight has and how large each of them is. Knows no values and no device. */
#include "kernels/formats/layout.h"
#include "kernels/kernels.h"

#define MAX_ELEMENTS ((size_t)1 << 48)

bool docket_kernels_format_has_parts(enum kernels_format format)
{
    return (int)format >= KERNELS_NF4 && format <= KERNELS_Q1;
}

static bool is_4bit_float(enum kernels_format format)
{
    return (int)format >= KERNELS_NF4 && format <= KERNELS_FP4_NESTED;
}

static size_t divide_up(size_t n, size_t by)
{
    return n / by + (n % by != 0);
}

static bool block_size_is_legal(enum kernels_format format, uint32_t block_size)
{
    if (block_size == LAYOUT_BLOCK) return true;
    return is_4bit_float(format) && block_size >= LAYOUT_SMALLEST_BLOCK && block_size <= LAYOUT_LARGEST_BLOCK &&
           (block_size & (block_size - 1)) == 0;
}

enum kernels_status docket_kernels_parts_size(const struct kernels_weight_desc *desc, uint32_t block_size,
                                              struct kernels_parts_size *out)
{
    size_t n, n_blocks;

    *out = (struct kernels_parts_size){0};
    if (desc == NULL || !docket_kernels_format_has_parts(desc->format) || desc->rows == 0 || desc->cols == 0 ||
        desc->rows > MAX_ELEMENTS / desc->cols)
        return KERNELS_BAD_SHAPE;
    if (block_size == 0) block_size = LAYOUT_BLOCK;
    if (!block_size_is_legal(desc->format, block_size)) return KERNELS_UNSUPPORTED;
    n = desc->rows * desc->cols;
    n_blocks = divide_up(n, block_size);
    switch (desc->format) {
    case KERNELS_NF4:
    case KERNELS_FP4:
        out->codes = divide_up(n, 2);
        out->absmax = n_blocks * sizeof(float);
        break;
    case KERNELS_NF4_NESTED:
    case KERNELS_FP4_NESTED:
        out->codes = divide_up(n, 2);
        out->absmax_codes = n_blocks;
        out->nested_absmax = divide_up(n_blocks, NF4_NESTED_BLOCK) * sizeof(float);
        out->nested_map = NF4_MAP_SIZE * sizeof(float);
        break;
    case KERNELS_INT8:
        out->codes = n;
        out->absmax = desc->rows * sizeof(float);
        break;
    default: /* q8, q4, q2, q1 */
        out->codes = desc->format == KERNELS_Q8   ? n
                     : desc->format == KERNELS_Q4 ? divide_up(n, 2)
                     : desc->format == KERNELS_Q2 ? divide_up(n, 4)
                                                  : divide_up(n, 8);
        out->scales = n_blocks * sizeof(uint16_t);
        out->zeros = desc->format == KERNELS_Q1 ? 0 : out->scales;
        break;
    }
    out->total =
        out->codes + out->absmax + out->absmax_codes + out->nested_absmax + out->nested_map + out->scales + out->zeros;
    return KERNELS_OK;
}
