/* core_avx2.h: what the cores for AVX2 share: rows of activations in 16 bits, the scales of tiles. Included by files that are
 * compiled for AVX2, FMA and F16C. */
#ifndef DOCKET_KERNELS_CPU_CORE_AVX2_H
#define DOCKET_KERNELS_CPU_CORE_AVX2_H

#include <immintrin.h>
#include <string.h>

#include "kernels/cpu/core.h"
#include "kernels/cpu/unroll.h"
#include "kernels/formats/half.h"

#define HALVES 2u /* vectors that hold a tile's rows */
#define LANES  8u

/* Behind the codes of a row: what scales each block back, and its sum. */
INLINE float *row_scales(const uint8_t *row, size_t cols)
{
    return (float *)(void *)(row + core_n_blocks(cols) * TILE_BLOCK * sizeof(int16_t));
}

INLINE int32_t *row_sums(const uint8_t *row, size_t cols)
{
    return (int32_t *)(void *)(row_scales(row, cols) + core_n_blocks(cols));
}

/* The sum of a block, with what stands before it. */
INLINE __m256 add_block(__m256 total, __m256i sum, __m256 scale, const __m256 *zero, float x_scale, int32_t x_sum)
{
    __m256 of_x = _mm256_set1_ps(x_scale);

    total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), _mm256_mul_ps(scale, of_x), total);
    if (zero) total = _mm256_fmadd_ps(_mm256_mul_ps(_mm256_set1_ps((float)x_sum), of_x), *zero, total);
    return total;
}

/* The scales of one tile, read in the order of its blocks. */
struct scale_reader {
    const struct kernels_weight *weight;
    float factor;
    unsigned group;
    const uint8_t *line;                        /* of the group read last */
    float mapped[SCALES_GROUP * TILE_ROWS];     /* nested: its codes through the map */
    __m256i first_block[HALVES], which[HALVES]; /* nested: of each row; the nested scale in hand */
    __m256 nested[HALVES];
};

INLINE void scale_reader_start(struct scale_reader *r, const struct kernels_weight *weight, size_t tile, float factor)
{
    r->weight = weight, r->factor = factor, r->group = tile_group(weight->desc.format);
    if (weight->map_planes == NULL) return;
    for (size_t h = 0; h < HALVES; h++) {
        __m256i rows = _mm256_add_epi32(_mm256_set1_epi32((int)(tile * TILE_ROWS + h * LANES)),
                                        _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        rows = _mm256_min_epi32(rows, _mm256_set1_epi32((int)weight->desc.rows - 1)); /* lanes behind the last row */
        r->first_block[h] = _mm256_mullo_epi32(rows, _mm256_set1_epi32((int)(weight->desc.cols / TILE_BLOCK)));
        r->which[h] = _mm256_set1_epi32(-1);
        r->nested[h] = _mm256_setzero_ps();
    }
}

/* The line of the next group of blocks. Codes go through the map one by one, in units that the vectors leave idle; they are
 * wanted a block later, when all of them have arrived. */
INLINE void scale_reader_read(struct scale_reader *r, const uint8_t *line)
{
    const float *map = r->weight->nested_map;

    r->line = line;
    if (r->weight->map_planes == NULL) return;
    for (size_t i = 0; i < SCALES_GROUP * TILE_ROWS; i += TILE_ROWS) {
        UNROLL for (size_t j = i; j < i + TILE_ROWS; j++)
        {
            uint32_t bits;
            memcpy(&bits, map + line[j], sizeof bits);
            __asm__("" : "+r"(bits)); /* not into a vector, piece by piece */
            memcpy(r->mapped + j, &bits, sizeof bits);
        }
    }
}

/* The nested scale of each row's block; it changes every 256 blocks. */
INLINE __m256 nested_scale(struct scale_reader *r, size_t half, size_t block)
{
    const __m256i last = _mm256_set1_epi32((int)((r->weight->n_blocks - 1) / 256));
    __m256i which = _mm256_srli_epi32(_mm256_add_epi32(r->first_block[half], _mm256_set1_epi32((int)block)), 8);

    which = _mm256_min_epi32(which, last);
    if (_mm256_movemask_epi8(_mm256_cmpeq_epi32(which, r->which[half])) != -1) {
        r->which[half] = which;
        r->nested[half] = _mm256_i32gather_ps(r->weight->nested_absmax, which, 4);
    }
    return r->nested[half];
}

/* Scales of a block of the group that was read, times factor, and zeros. */
INLINE void scale_reader_take(struct scale_reader *r, size_t block, __m256 scales[HALVES], __m256 zeros[HALVES])
{
    const __m256 factor = _mm256_set1_ps(r->factor);
    const size_t in_group = block & (r->group - 1);

    UNROLL for (size_t h = 0; h < HALVES; h++)
    {
        zeros[h] = _mm256_setzero_ps();
        if (r->weight->map_planes) {
            __m256 mapped = _mm256_loadu_ps(r->mapped + in_group * TILE_ROWS + h * LANES);
            __m256 absmax = _mm256_add_ps(_mm256_mul_ps(mapped, nested_scale(r, h, block)),
                                          _mm256_set1_ps(r->weight->nested_offset));
            scales[h] = _mm256_mul_ps(absmax, factor);
        } else if (r->group == 2 || r->weight->has_zeros) {
            const uint8_t *at = r->line + in_group * (TILE_LINE / 2) + h * LANES * sizeof(uint16_t);
            scales[h] = _mm256_cvtph_ps(_mm_load_si128((const void *)at));
            if (r->weight->has_zeros) zeros[h] = _mm256_cvtph_ps(_mm_load_si128((const void *)(at + TILE_LINE / 2)));
        } else
            scales[h] = _mm256_mul_ps(_mm256_load_ps((const float *)(const void *)r->line + h * LANES), factor);
    }
}

#endif
