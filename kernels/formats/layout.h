/* layout.h: byte layout of the block formats, for C and CUDA alike. Knows sizes and places, not how values are computed.
 *
 * NF4, as bitsandbytes writes it: a tensor [rows, cols] is flattened row-major and cut into blocks of 64; the last block may
 * be short. Two codes a byte, the earlier element in the high nibble; an odd count pads the last low nibble with code 7.
 * One f32 absmax a block. Nested: the differences absmax - offset in 8 bits, blocks of 256 with one f32 scale each. */
#ifndef DOCKET_KERNELS_FORMATS_LAYOUT_H
#define DOCKET_KERNELS_FORMATS_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define LAYOUT_BLOCK          64u /* of every format but int8, unless its bytes come from elsewhere */
#define LAYOUT_SMALLEST_BLOCK 32u
#define LAYOUT_LARGEST_BLOCK  4096u

#define NF4_BLOCK        64u
#define NF4_NESTED_BLOCK 256u
#define NF4_N_CODES      16u
#define NF4_MAP_SIZE     256u
#define NF4_ZERO_CODE    7u

static inline size_t nf4_code_bytes(size_t n_elements)
{
    return n_elements / 2 + n_elements % 2;
}

static inline size_t nf4_n_blocks(size_t n_elements)
{
    return n_elements / NF4_BLOCK + (n_elements % NF4_BLOCK != 0);
}

static inline size_t nf4_n_nested_blocks(size_t n_blocks)
{
    return n_blocks / NF4_NESTED_BLOCK + (n_blocks % NF4_NESTED_BLOCK != 0);
}

#endif
