/* core_avx512.h: what the cores with vectors of 512 bits share: the scales of tiles in registers. Included by files that are
 * compiled for AVX-512 F, BW, DQ, VL and VBMI. */
#ifndef DOCKET_KERNELS_CPU_CORE_AVX512_H
#define DOCKET_KERNELS_CPU_CORE_AVX512_H

#include <immintrin.h>

#include "kernels/cpu/core.h"
#include "kernels/cpu/unroll.h"
#include "kernels/formats/half.h"

/* 16 of n values from `at` on, zeros behind the last. */
INLINE __m512 load_some(const float *x, size_t n, size_t at)
{
    size_t left = n > at ? n - at : 0;

    return _mm512_maskz_loadu_ps(left >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << left) - 1), x + at);
}

/* Behind the values of a row in bf16: the sum of each block. */
INLINE float *bf16_row_sums(const uint8_t *row, size_t cols)
{
    return (float *)(void *)(row + core_n_blocks(cols) * TILE_BLOCK * 2);
}

/* Behind the codes of a row in int8: what scales each block back, and its sum. */
INLINE float *int8_row_scales(const uint8_t *row, size_t cols)
{
    return (float *)(void *)(row + core_n_blocks(cols) * TILE_BLOCK);
}

INLINE int32_t *int8_row_sums(const uint8_t *row, size_t cols)
{
    return (int32_t *)(void *)(int8_row_scales(row, cols) + core_n_blocks(cols));
}

/* The sum of a block of int8, with what stands before it. */
INLINE __m512 int8_add_block(__m512 total, __m512i sum, __m512 scale, const __m512 *zero, float x_scale, int32_t x_sum)
{
    __m512 of_x = _mm512_set1_ps(x_scale);

    total = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), _mm512_mul_ps(scale, of_x), total);
    if (zero) total = _mm512_fmadd_ps(_mm512_mul_ps(_mm512_set1_ps((float)x_sum), of_x), *zero, total);
    return total;
}

/* Where the steps of a tile's block begin; they are CORE_PAIR * 64 bytes apart. */
INLINE uint8_t *panel_values(const struct core_panel *panel, size_t steps, size_t tile, size_t block)
{
    size_t pair = tile / CORE_PAIR;

    return (uint8_t *)panel->values + ((pair * CORE_BLOCKS + block) * steps * CORE_PAIR + tile % CORE_PAIR) * 64;
}

INLINE size_t panel_scales(size_t tile, size_t block)
{
    return ((tile / CORE_PAIR * CORE_BLOCKS + block) * CORE_PAIR + tile % CORE_PAIR) * TILE_ROWS;
}

/* The scales of one tile, read in the order of its blocks. */
struct scale_reader {
    const struct kernels_weight *weight;
    size_t tile;
    float factor;
    unsigned group;
    __m512 scales[SCALES_GROUP], zeros[SCALES_GROUP]; /* of the group read last */
    __m512i first_block, last, which;                 /* nested: of each row; the last nested scale; the one in hand */
    __m512 nested;
};

/* Field by field: a whole one cleared and copied for each panel takes as long as 40 KB of codes. */
INLINE void scale_reader_start(struct scale_reader *r, const struct kernels_weight *weight, size_t tile, float factor)
{
    r->weight = weight, r->tile = tile, r->factor = factor, r->group = tile_group(weight->desc.format);
    r->first_block = r->last = r->which = _mm512_setzero_si512();
    r->nested = _mm512_setzero_ps();
    UNROLL for (size_t b = 0; b < SCALES_GROUP; b++) r->scales[b] = r->zeros[b] = _mm512_setzero_ps();
    if (weight->map_planes == NULL) return;
    __m512i rows = _mm512_add_epi32(_mm512_set1_epi32((int)(tile * TILE_ROWS)),
                                    _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
    rows = _mm512_min_epi32(rows, _mm512_set1_epi32((int)weight->desc.rows - 1)); /* lanes behind the last row */
    r->first_block = _mm512_mullo_epi32(rows, _mm512_set1_epi32((int)(weight->desc.cols / TILE_BLOCK)));
    r->last = _mm512_set1_epi32((int)((weight->n_blocks - 1) / 256));
    r->which = _mm512_set1_epi32(-1);
}

/* The nested scale of each row's block; it changes every 256 blocks. */
INLINE __m512 nested_scale(struct scale_reader *r, __m512i which)
{
    if (_mm512_cmpneq_epi32_mask(which, r->which)) {
        r->which = which;
        r->nested = _mm512_i32gather_ps(which, r->weight->nested_absmax, 4);
    }
    return r->nested;
}

/* Where it lies. A line may have room for blocks behind the row's last. */
INLINE __m512i nested_at(const struct scale_reader *r, size_t block)
{
    return _mm512_min_epi32(_mm512_srli_epi32(_mm512_add_epi32(r->first_block, _mm512_set1_epi32((int)block)), 8),
                            r->last);
}

/* 64 codes, four blocks of 16 rows, through the map: each byte of its values is looked up by itself, a half of the map at once. */
INLINE void look_up_map(const uint8_t *planes, const uint8_t *line, __m512 out[SCALES_GROUP])
{
    __m512i codes = _mm512_load_si512(line), bytes[4];
    __mmask64 upper = _mm512_movepi8_mask(codes);

    UNROLL for (size_t p = 0; p < 4; p++)
    {
        const uint8_t *plane = planes + p * 256;
        __m512i low = _mm512_permutex2var_epi8(_mm512_load_si512(plane), codes, _mm512_load_si512(plane + 64));
        __m512i high = _mm512_permutex2var_epi8(_mm512_load_si512(plane + 128), codes, _mm512_load_si512(plane + 192));
        bytes[p] = _mm512_mask_blend_epi8(upper, low, high);
    }
    /* Quarter q of a vector is block q: words of rows 0 to 3, 4 to 7 and so on, then quarters sorted by block. */
    __m512i low0 = _mm512_unpacklo_epi8(bytes[0], bytes[1]), low1 = _mm512_unpackhi_epi8(bytes[0], bytes[1]);
    __m512i high0 = _mm512_unpacklo_epi8(bytes[2], bytes[3]), high1 = _mm512_unpackhi_epi8(bytes[2], bytes[3]);
    __m512i a = _mm512_unpacklo_epi16(low0, high0), b = _mm512_unpackhi_epi16(low0, high0);
    __m512i c = _mm512_unpacklo_epi16(low1, high1), d = _mm512_unpackhi_epi16(low1, high1);
    __m512i ab01 = _mm512_shuffle_i32x4(a, b, 0x44), ab23 = _mm512_shuffle_i32x4(a, b, 0xee);
    __m512i cd01 = _mm512_shuffle_i32x4(c, d, 0x44), cd23 = _mm512_shuffle_i32x4(c, d, 0xee);
    out[0] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(ab01, cd01, 0x88));
    out[1] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(ab01, cd01, 0xdd));
    out[2] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(ab23, cd23, 0x88));
    out[3] = _mm512_castsi512_ps(_mm512_shuffle_i32x4(ab23, cd23, 0xdd));
}

/* Scales of the group of blocks that `block` begins, times factor, and zeros. */
INLINE void read_scales(struct scale_reader *r, size_t block, const uint8_t *line)
{
    const __m512 factor = _mm512_set1_ps(r->factor);

    if (r->weight->map_planes) {
        const __m512 offset = _mm512_set1_ps(r->weight->nested_offset);
        __m512i first = nested_at(r, block), last = nested_at(r, block + SCALES_GROUP - 1);
        bool is_one = _mm512_cmpneq_epi32_mask(first, last) == 0;
        look_up_map(r->weight->map_planes, line, r->scales);
        UNROLL for (size_t b = 0; b < SCALES_GROUP; b++)
        {
            __m512 nested = nested_scale(r, is_one ? first : nested_at(r, block + b));
            r->scales[b] = _mm512_mul_ps(_mm512_add_ps(_mm512_mul_ps(r->scales[b], nested), offset), factor);
        }
        return;
    }
    if (r->group == 2) {
        r->scales[0] = _mm512_cvtph_ps(_mm256_load_si256((const void *)line));
        r->scales[1] = _mm512_cvtph_ps(_mm256_load_si256((const void *)(line + 32)));
        return;
    }
    if (r->weight->has_zeros) {
        r->scales[0] = _mm512_cvtph_ps(_mm256_load_si256((const void *)line));
        r->zeros[0] = _mm512_cvtph_ps(_mm256_load_si256((const void *)(line + 32)));
    } else
        r->scales[0] = _mm512_mul_ps(_mm512_load_ps((const float *)(const void *)line), factor);
}

#define DOT_ROWS                                                                                                       \
    8u /* with two tiles 16 sums, 2 of codes, 2 of weights, 1 of activations, the table: 22 of 32 registers */

/* What one block of few rows needs. */
struct core_dot {
    const struct core_rows *rows;
    const uint8_t *codes; /* of the first tile; the next is TILE_LINE on */
    size_t step;          /* to a tile's next vector */
    bool fetch;           /* what comes CORE_FETCH later */
    float factor;
    int32_t added;
    __m512i table;
    __m512 scales[CORE_TILES], zeros[CORE_TILES]; /* of this block */
};

#endif
