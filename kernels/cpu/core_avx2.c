/* core_avx2.c: tiles times activations in whole numbers of 16 bits, by AVX2's VPMADDWD (and FMA, F16C), compiled with its flags;
 * nothing here may be called before dispatch.c has seen that the processor and its system have them.
 *
 * Two cores: "int8" has the numbers, the sums and so the bits of core_avx512_vnni.c. "int16" takes activations times 8191 by the
 * largest of a row's block of 64, and values of nf4 and fp4 times 4095: finer than bf16 against the largest of a block, as fast,
 * and 64 products of these fit 32 bits. Codes of q8, q4, q2 and q1 are taken as they are by both.
 *
 * VPMADDWD adds two neighbours: columns of one row. In panels a lane is a row; few rows have two lanes of each, added per block. */
#ifdef __AVX2__
#include "kernels/cpu/core_avx2.h"
#include "kernels/formats/fp4.h"
#include "kernels/formats/nf4.h"

#define STEPS     (TILE_BLOCK / 2)
#define ROWS_TILE 6u
#define NEAR      4u /* blocks of a panel's tile that stay in the first cache while all rows go by */
#define DOT_MOST  4u /* rows; for more of them a panel costs less */
#define MOST_X8   127
#define MOST_X16  8191
#define MOST_W8   127
#define MOST_W16  4095

enum form { FORM_4, FORM_4_WIDE, FORM_2, FORM_1, FORM_8 };

INLINE unsigned bits_of(enum form form)
{
    return form == FORM_2 ? 2 : form == FORM_1 ? 1 : form == FORM_8 ? 8 : 4;
}

/* The values that codes stand for; NULL for codes that are taken as they are. */
static const float *values_of(enum kernels_format format)
{
    if (format == KERNELS_NF4 || format == KERNELS_NF4_NESTED) return nf4_values;
    return format == KERNELS_FP4 || format == KERNELS_FP4_NESTED ? fp4_values : NULL;
}

static enum form form_of(enum kernels_format format, bool wide)
{
    if (values_of(format)) return wide ? FORM_4_WIDE : FORM_4;
    return format == KERNELS_Q8 ? FORM_8 : format == KERNELS_Q2 ? FORM_2 : format == KERNELS_Q1 ? FORM_1 : FORM_4;
}

/* All codes as whole numbers, twice over: low bytes and high bytes of FORM_4_WIDE, else low alone; what scales them back. */
struct coding {
    __m256i low, high;
    float factor;
};

static struct coding coding_of(enum kernels_format format, bool wide)
{
    const float *values = values_of(format), most = wide ? MOST_W16 : MOST_W8;
    uint8_t low[32], high[32];

    for (size_t i = 0; i < sizeof low; i++) {
        float scaled = values ? values[i % 16] * most : 0;
        int code = values                 ? (int)(scaled + (scaled < 0 ? -0.5f : 0.5f))
                   : format == KERNELS_Q1 ? (i % 2 ? -1 : 1)
                   : format == KERNELS_Q2 ? (int)(i % 4)
                                          : (int)(i % 16);
        low[i] = (uint8_t)code, high[i] = (uint8_t)((unsigned)code >> 8);
    }
    return (struct coding){_mm256_loadu_si256((const void *)low), _mm256_loadu_si256((const void *)high),
                           values ? 1 / most : 1};
}

/* The next four columns' codes, of 8 rows, out of a vector of words. */
INLINE __m256i next_codes(enum form form, __m256i *words)
{
    __m256i now = *words;

    if (form == FORM_8) return now;
    *words = _mm256_srli_epi16(now, form == FORM_2 ? 2 : form == FORM_1 ? 1 : 4);
    return _mm256_and_si256(now, _mm256_set1_epi8(form == FORM_2 ? 3 : form == FORM_1 ? 1 : 15));
}

/* How far left the numbers of quads_of stand. */
INLINE int raised_by(enum form form)
{
    return form == FORM_8 || form == FORM_4_WIDE ? 0 : 8;
}

/* Four columns of 8 rows in 16 bits, times 2 to the power raised_by: those of rows 0, 1, 4 and 5, then of 2, 3, 6 and 7. */
INLINE void quads_of(enum form form, __m256i codes, const struct coding *coding, __m256i quads[2])
{
    __m256i low = codes, high = _mm256_setzero_si256();

    if (form == FORM_4_WIDE) {
        low = _mm256_shuffle_epi8(coding->low, codes);
        high = _mm256_shuffle_epi8(coding->high, codes);
    } else if (form != FORM_8) {
        low = high;
        high = _mm256_shuffle_epi8(coding->low, codes);
    }
    quads[0] = _mm256_unpacklo_epi8(low, high);
    quads[1] = _mm256_unpackhi_epi8(low, high);
}

/* Four columns of 8 rows as two vectors of pairs, a lane a row. */
INLINE void pairs_of(enum form form, __m256i codes, const struct coding *coding, __m256i pairs[2])
{
    const int raised = raised_by(form);
    __m256i quads[2];

    quads_of(form, codes, coding, quads);
    __m256 a = _mm256_castsi256_ps(_mm256_srai_epi16(quads[0], raised)),
           b = _mm256_castsi256_ps(_mm256_srai_epi16(quads[1], raised));
    pairs[0] = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
    pairs[1] = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd));
}

/* Numbers of 16 bits, then for each block what scales them back, then for each their sum. */
static size_t row_bytes(size_t cols)
{
    size_t n_blocks = core_n_blocks(cols);
    size_t lines = 2 * n_blocks + (n_blocks * (sizeof(float) + sizeof(int32_t)) + TILE_LINE - 1) / TILE_LINE;

    return (lines | 1) * TILE_LINE; /* odd: rows next to each other lie in different sets of the cache */
}

INLINE void pack(const float *x, size_t n, size_t cols, size_t block, int most_code, uint8_t *row)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    const __m256i top = _mm256_set1_epi32(most_code), bottom = _mm256_set1_epi32(-most_code);
    __m256i most = _mm256_setzero_si256(), sum = most;
    uint8_t *to = row + block * TILE_BLOCK * sizeof(int16_t);
    float part[TILE_BLOCK], absmax, factor;
    int32_t lanes[LANES], all = 0;
    uint32_t largest = 0;

    if (n < TILE_BLOCK) {
        memcpy(part, x, n * sizeof *x);
        memset(part + n, 0, (TILE_BLOCK - n) * sizeof *x);
        x = part;
    }
    for (size_t v = 0; v < TILE_BLOCK; v += LANES)
        most = _mm256_max_epi32(most, _mm256_and_si256(_mm256_castps_si256(_mm256_loadu_ps(x + v)), magnitude));
    _mm256_storeu_si256((void *)lanes, most);
    for (size_t i = 0; i < LANES; i++) largest = (uint32_t)lanes[i] > largest ? (uint32_t)lanes[i] : largest;
    absmax = half_f32_from_bits(largest); /* NaN is above all, and stays */
    factor = absmax > 0 ? (float)most_code / absmax : 0;
    if (!(factor <= 3.0e38f)) factor = 3.0e38f; /* of subnormal rows */
    for (size_t v = 0; v < TILE_BLOCK; v += 2 * LANES) {
        __m256i codes[2];
        UNROLL for (size_t i = 0; i < 2; i++)
        {
            __m256 scaled = _mm256_mul_ps(_mm256_loadu_ps(x + v + i * LANES), _mm256_set1_ps(factor));
            codes[i] = _mm256_max_epi32(bottom, _mm256_min_epi32(_mm256_cvtps_epi32(scaled), top));
            sum = _mm256_add_epi32(sum, codes[i]);
        }
        __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(codes[0], codes[1]), 0xd8);
        _mm256_storeu_si256((void *)(to + v * sizeof(int16_t)), words);
    }
    _mm256_storeu_si256((void *)lanes, sum);
    for (size_t i = 0; i < LANES; i++) all += lanes[i];
    row_scales(row, cols)[block] =
        absmax > 0 && absmax <= 3.0e38f ? 1 / factor : absmax; /* NaN, infinity: not hidden */
    row_sums(row, cols)[block] = all;
}

static void pack_8(const float *x, size_t n, size_t cols, size_t block, uint8_t *row)
{
    pack(x, n, cols, block, MOST_X8, row);
}

static void pack_16(const float *x, size_t n, size_t cols, size_t block, uint8_t *row)
{
    pack(x, n, cols, block, MOST_X16, row);
}

/* --- panels --- */

/* Where the steps of a tile's block begin, 64 bytes each. */
INLINE uint8_t *panel_values(const struct core_panel *panel, size_t tile, size_t block)
{
    return (uint8_t *)panel->values + (tile * CORE_BLOCKS + block) * STEPS * 64;
}

INLINE size_t panel_scales(size_t tile, size_t block)
{
    return (tile * CORE_BLOCKS + block) * TILE_ROWS;
}

INLINE void expand_tile(const struct kernels_weight *weight, enum form form, const struct coding *coding, size_t tile,
                        size_t at, size_t begin, size_t end, struct core_panel *to)
{
    const unsigned per_word = 8 / bits_of(form);
    const size_t step = tile_step(weight, tile);
    const size_t ahead = (size_t)(tile_codes(weight, tile, CORE_BLOCKS) - tile_codes(weight, tile, 0));

    for (size_t block = begin; block < end; block++) {
        const uint8_t *codes = tile_codes(weight, tile, block);
        uint8_t *out = panel_values(to, at, block - begin);
        for (size_t v = 0; v < 2 * bits_of(form); v++) {
            _mm_prefetch(codes + v * step + ahead, _MM_HINT_T1);
            for (size_t h = 0; h < HALVES; h++) {
                __m256i words = _mm256_load_si256((const void *)(codes + v * step + h * 32));
                UNROLL for (size_t s = 0; s < per_word; s++)
                {
                    __m256i pairs[2];
                    pairs_of(form, next_codes(form, &words), coding, pairs);
                    UNROLL for (size_t p = 0; p < 2; p++)
                        _mm256_store_si256((void *)(out + ((v * per_word + s) * 2 + p) * 64 + h * 32), pairs[p]);
                }
            }
        }
    }
}

INLINE void expand(const struct kernels_weight *weight, bool wide, size_t tile, size_t n, size_t begin, size_t end,
                   struct core_panel *to)
{
    struct coding coding = coding_of(weight->desc.format, wide);

    for (size_t t = 0; t < n; t++) {
        struct scale_reader reader;
        switch (form_of(weight->desc.format, wide)) {
        case FORM_4_WIDE:
            expand_tile(weight, FORM_4_WIDE, &coding, tile + t, t, begin, end, to);
            break;
        case FORM_4:
            expand_tile(weight, FORM_4, &coding, tile + t, t, begin, end, to);
            break;
        case FORM_2:
            expand_tile(weight, FORM_2, &coding, tile + t, t, begin, end, to);
            break;
        case FORM_1:
            expand_tile(weight, FORM_1, &coding, tile + t, t, begin, end, to);
            break;
        case FORM_8:
            expand_tile(weight, FORM_8, &coding, tile + t, t, begin, end, to);
            break;
        }
        scale_reader_start(&reader, weight, tile + t, coding.factor);
        for (size_t block = begin; block < end; block++) {
            __m256 scales[HALVES], zeros[HALVES];
            size_t at = panel_scales(t, block - begin);
            if ((block & (reader.group - 1)) == 0) scale_reader_read(&reader, tile_scales(weight, tile + t, block));
            scale_reader_take(&reader, block, scales, zeros);
            for (size_t h = 0; h < HALVES; h++) {
                _mm256_store_ps(to->scales + at + h * LANES, scales[h]);
                _mm256_store_ps(to->zeros + at + h * LANES, zeros[h]);
            }
        }
    }
}

static void expand_8(const struct kernels_weight *weight, size_t tile, size_t n, size_t begin, size_t end,
                     struct core_panel *to)
{
    expand(weight, false, tile, n, begin, end, to);
}

static void expand_16(const struct kernels_weight *weight, size_t tile, size_t n, size_t begin, size_t end,
                      struct core_panel *to)
{
    expand(weight, true, tile, n, begin, end, to);
}

/* As nf4: times the largest number by the largest of each row's block. */
static void expand_values(const float *values, size_t tile, size_t block, float most_code, struct core_panel *to)
{
    uint8_t *out = panel_values(to, tile, block);

    for (size_t lane = 0; lane < TILE_ROWS; lane++) {
        float most = 0;
        for (size_t c = 0; c < TILE_BLOCK; c++) {
            float value = values[lane * TILE_BLOCK + c];
            most = value > most ? value : -value > most ? -value : most;
        }
        to->scales[panel_scales(tile, block) + lane] = most / most_code;
        for (size_t c = 0; c < TILE_BLOCK; c++) {
            float scaled = most > 0 ? values[lane * TILE_BLOCK + c] / most * most_code : 0;
            int16_t code = (int16_t)(scaled + (scaled < 0 ? -0.5f : 0.5f));
            memcpy(out + c / 2 * 64 + lane * 4 + c % 2 * sizeof code, &code, sizeof code);
        }
    }
}

static void expand_values_8(const float *values, size_t tile, size_t block, struct core_panel *to)
{
    expand_values(values, tile, block, MOST_W8, to);
}

static void expand_values_16(const float *values, size_t tile, size_t block, struct core_panel *to)
{
    expand_values(values, tile, block, MOST_W16, to);
}

/* sum + w * x. As one piece, because compilers put all products of a step before the sums, and then lack registers. */
INLINE __m256i add_product(__m256i sum, __m256i w, __m256i x)
{
    __m256i product;

    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(w), "x"(x));
    return sum;
}

INLINE __m256i pair_of(const uint8_t *x)
{
    int32_t pair;

    memcpy(&pair, x, sizeof pair);
    return _mm256_set1_epi32(pair);
}

INLINE __m256i quad_of(const uint8_t *x)
{
    int64_t quad;

    memcpy(&quad, x, sizeof quad);
    return _mm256_set1_epi64x(quad);
}

/* m rows with one tile. */
INLINE void multiply_tile(const struct core_panel *panel, size_t tile, enum core_kind kind, size_t begin, size_t from,
                          size_t to, const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    const uint8_t *row = rows->data + first_row * rows->stride;
    const uint8_t *w = panel_values(panel, tile, from - begin);
    const float *x_scales = row_scales(row, rows->cols);
    const int32_t *x_sums = row_sums(row, rows->cols);
    const size_t stride = rows->stride / sizeof(float);

    for (size_t block = from; block < to; block++) {
        const uint8_t *x = row + block * TILE_BLOCK * sizeof(int16_t);
        __m256i sum[ROWS_TILE][HALVES];
        UNROLL for (size_t i = 0; i < m; i++) sum[i][0] = sum[i][1] = _mm256_setzero_si256();
        for (size_t step = 0; step < STEPS; step++) {
            __m256i of_w[HALVES];
            UNROLL for (size_t h = 0; h < HALVES; h++) of_w[h] = _mm256_load_si256((const void *)(w + h * 32));
            w += 64;
            UNROLL for (size_t i = 0; i < m; i++)
            {
                __m256i of_x = pair_of(x + i * rows->stride + step * 4);
                UNROLL for (size_t h = 0; h < HALVES; h++) sum[i][h] = add_product(sum[i][h], of_w[h], of_x);
            }
        }
        UNROLL for (size_t h = 0; h < HALVES; h++)
        {
            size_t at = panel_scales(tile, block - begin) + h * LANES;
            __m256 scale = _mm256_load_ps(panel->scales + at), zero = _mm256_setzero_ps();
            if (kind == CORE_SCALED_FROM_ZERO) zero = _mm256_load_ps(panel->zeros + at);
            UNROLL for (size_t i = 0; i < m; i++)
            {
                float *total = sums + i * CORE_OUTPUTS + h * LANES;
                _mm256_store_ps(total, add_block(block ? _mm256_load_ps(total) : _mm256_setzero_ps(), sum[i][h], scale,
                                                 kind == CORE_SCALED_FROM_ZERO ? &zero : NULL,
                                                 x_scales[i * stride + block], x_sums[i * stride + block]));
            }
        }
    }
}

/* Tiles of rows as equal as can be. */
INLINE void multiply_rows(const struct core_panel *panel, size_t tile, enum core_kind kind, size_t begin, size_t from,
                          size_t end, const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    for (size_t i = 0, some; i < m; i += some) {
        size_t left = m - i, n_tiles = (left + ROWS_TILE - 1) / ROWS_TILE, row = first_row + i;
        float *to = sums + i * CORE_OUTPUTS;
        some = (left + n_tiles - 1) / n_tiles;
        switch (some) {
        case 6:
            multiply_tile(panel, tile, kind, begin, from, end, rows, row, 6, to);
            break;
        case 5:
            multiply_tile(panel, tile, kind, begin, from, end, rows, row, 5, to);
            break;
        case 4:
            multiply_tile(panel, tile, kind, begin, from, end, rows, row, 4, to);
            break;
        case 3:
            multiply_tile(panel, tile, kind, begin, from, end, rows, row, 3, to);
            break;
        case 2:
            multiply_tile(panel, tile, kind, begin, from, end, rows, row, 2, to);
            break;
        default:
            multiply_tile(panel, tile, kind, begin, from, end, rows, row, 1, to);
            break;
        }
    }
}

static void multiply(const struct core_panel *panel, enum core_kind kind, size_t n_tiles, size_t begin, size_t end,
                     const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    for (size_t t = 0; t < n_tiles; t++)
        for (size_t from = begin; from < end; from += NEAR) {
            size_t to = end - from < NEAR ? end : from + NEAR;
            if (kind == CORE_SCALED)
                multiply_rows(panel, t, CORE_SCALED, begin, from, to, rows, first_row, m, sums + t * TILE_ROWS);
            else
                multiply_rows(panel, t, CORE_SCALED_FROM_ZERO, begin, from, to, rows, first_row, m,
                              sums + t * TILE_ROWS);
        }
}

/* --- few rows --- */

/* One tile times m rows: codes go from memory through registers into the sums. */
INLINE void dot_tile(const struct kernels_weight *weight, enum form form, enum core_kind kind,
                     const struct coding *coding, size_t tile, const struct core_rows *rows, size_t first_row, size_t m,
                     float *sums)
{
    const unsigned per_word = 8 / bits_of(form);
    const uint8_t *row = rows->data + first_row * rows->stride;
    const float *x_scales = row_scales(row, rows->cols);
    const int32_t *x_sums = row_sums(row, rows->cols);
    const size_t stride_bytes = rows->stride, stride = stride_bytes / sizeof(float),
                 n_blocks = weight->desc.cols / TILE_BLOCK;
    struct scale_reader reader;
    __m256 total[DOT_MOST][HALVES];
    const uint8_t *codes = NULL;

    scale_reader_start(&reader, weight, tile, coding->factor);
    UNROLL for (size_t i = 0; i < m; i++) total[i][0] = total[i][1] = _mm256_setzero_ps();
    for (size_t block = 0; block < n_blocks; block++) {
        const uint8_t *x = row + block * TILE_BLOCK * sizeof(int16_t);
        __m256 scales[HALVES], zeros[HALVES];
        __m256i sum[DOT_MOST][HALVES];
        if ((block & (reader.group - 1)) == 0) {
            scale_reader_read(&reader, tile_scales(weight, tile, block));
            _mm_prefetch(reader.line + CORE_FETCH, _MM_HINT_T0); /* the line that the codes' leave out */
            codes = reader.line + TILE_LINE;
        }
        UNROLL for (size_t h = 0; h < HALVES; h++)
        {
            __m256i part[DOT_MOST][2];
            UNROLL for (size_t i = 0; i < m; i++) part[i][0] = part[i][1] = _mm256_setzero_si256();
            for (size_t v = 0; v < 2 * bits_of(form); v++) {
                __m256i words = _mm256_load_si256((const void *)(codes + v * 64 + h * 32));
                if (h == 0) _mm_prefetch(codes + v * 64 + CORE_FETCH, _MM_HINT_T0);
                UNROLL for (size_t s = 0; s < per_word; s++)
                {
                    __m256i quads[2];
                    quads_of(form, next_codes(form, &words), coding, quads);
                    UNROLL for (size_t i = 0; i < m; i++)
                    {
                        __m256i of_x = quad_of(x + i * stride_bytes + (v * per_word + s) * 8);
                        UNROLL for (size_t q = 0; q < 2; q++) part[i][q] = add_product(part[i][q], quads[q], of_x);
                    }
                }
            }
            UNROLL for (size_t i = 0; i < m; i++) sum[i][h] =
                _mm256_srai_epi32(_mm256_hadd_epi32(part[i][0], part[i][1]), raised_by(form));
        }
        codes += 128 * bits_of(form);
        scale_reader_take(&reader, block, scales, zeros);
        UNROLL for (size_t h = 0; h < HALVES; h++)
        {
            UNROLL for (size_t i = 0; i < m; i++) total[i][h] =
                add_block(total[i][h], sum[i][h], scales[h], kind == CORE_SCALED_FROM_ZERO ? &zeros[h] : NULL,
                          x_scales[i * stride + block], x_sums[i * stride + block]);
        }
    }
    UNROLL for (size_t i = 0; i < m; i++)
    {
        UNROLL for (size_t h = 0; h < HALVES; h++) _mm256_store_ps(sums + i * CORE_OUTPUTS + h * LANES, total[i][h]);
    }
}

INLINE void dot_form(const struct kernels_weight *weight, enum form form, enum core_kind kind,
                     const struct coding *coding, size_t tile, size_t n, const struct core_rows *rows, size_t first_row,
                     size_t m, float *sums)
{
    for (size_t t = 0; t < n; t++) {
        float *to = sums + t * TILE_ROWS;
        switch (m) {
        case 1:
            dot_tile(weight, form, kind, coding, tile + t, rows, first_row, 1, to);
            break;
        case 2:
            dot_tile(weight, form, kind, coding, tile + t, rows, first_row, 2, to);
            break;
        case 3:
            dot_tile(weight, form, kind, coding, tile + t, rows, first_row, 3, to);
            break;
        default:
            dot_tile(weight, form, kind, coding, tile + t, rows, first_row, 4, to);
            break;
        }
    }
}

#define DOT_OF(name, form, kind)                                                                                       \
    static void name(const struct kernels_weight *weight, const struct coding *coding, size_t tile, size_t n,          \
                     const struct core_rows *rows, size_t first_row, size_t m, float *sums)                            \
    {                                                                                                                  \
        dot_form(weight, form, kind, coding, tile, n, rows, first_row, m, sums);                                       \
    }
DOT_OF(dot_4, FORM_4, CORE_SCALED)
DOT_OF(dot_4_wide, FORM_4_WIDE, CORE_SCALED)
DOT_OF(dot_4_from_zero, FORM_4, CORE_SCALED_FROM_ZERO)
DOT_OF(dot_8, FORM_8, CORE_SCALED_FROM_ZERO)
DOT_OF(dot_2, FORM_2, CORE_SCALED_FROM_ZERO)
DOT_OF(dot_1, FORM_1, CORE_SCALED)

static bool dot(const struct kernels_weight *weight, bool wide, enum core_kind kind, size_t tile, size_t n,
                const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    struct coding coding = coding_of(weight->desc.format, wide);

    if (m > DOT_MOST) return false;
    switch (form_of(weight->desc.format, wide)) {
    case FORM_4_WIDE:
        dot_4_wide(weight, &coding, tile, n, rows, first_row, m, sums);
        break;
    case FORM_4:
        (kind == CORE_SCALED ? dot_4 : dot_4_from_zero)(weight, &coding, tile, n, rows, first_row, m, sums);
        break;
    case FORM_8:
        dot_8(weight, &coding, tile, n, rows, first_row, m, sums);
        break;
    case FORM_2:
        dot_2(weight, &coding, tile, n, rows, first_row, m, sums);
        break;
    case FORM_1:
        dot_1(weight, &coding, tile, n, rows, first_row, m, sums);
        break;
    }
    return true;
}

static bool dot_codes_8(const struct kernels_weight *weight, enum core_kind kind, size_t tile, size_t n,
                        const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    return dot(weight, false, kind, tile, n, rows, first_row, m, sums);
}

static bool dot_codes_16(const struct kernels_weight *weight, enum core_kind kind, size_t tile, size_t n,
                         const struct core_rows *rows, size_t first_row, size_t m, float *sums)
{
    return dot(weight, true, kind, tile, n, rows, first_row, m, sums);
}

#define CORE(of_arithmetic, suffix)                                                                                    \
    {                                                                                                                  \
        .name = "avx2", .arithmetic = of_arithmetic, .order = TILE_QUADS_APART, .takes_plain = false,                  \
        .kind_of_values = CORE_SCALED, .row_bytes = row_bytes, .pack = pack_##suffix, .expand = expand_##suffix,       \
        .expand_values = expand_values_##suffix, .multiply = multiply, .dot = dot_codes_##suffix                       \
    }

const struct cpu_core cpu_core_avx2_int8 = CORE("int8", 8), cpu_core_avx2_int16 = CORE("int16", 16);
#endif
