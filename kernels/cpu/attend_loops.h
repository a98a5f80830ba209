/* attend_loops.h: the inner loops of attention, in the vector words of the file that includes inner_loops.h, which includes this.
 * Queries lie in the lanes: a key is multiplied with 16 and more of them at once, and what softmax does to one query happens
 * in one lane, so that no sum goes across lanes and a query's bits do not depend on its neighbours.
 *
 * Every sum runs in the order of its index: scores over the head's elements, totals and results over the keys. */

#define SCORE_KEYS 6u /* keys at once */
#if defined(__AVX512F__)
#define SCORE_V 4u /* vectors of queries: 24 sums, 4 vectors of queries, 1 of keys: 29 of 32 registers */
#define MIX_V   4u /* vectors of a value: the same */
#else
#define SCORE_V 2u /* 12 sums and 3 more: 15 of 16 registers */
#define MIX_V   2u
#endif
#define MIX_QUERIES 6u

INLINE void score_tile(const float *queries, const float *keys, size_t stride, size_t d, size_t n_keys, size_t n_v,
                       float *scores)
{
    vf sums[SCORE_KEYS][SCORE_V];

    UNROLL for (size_t j = 0; j < n_keys; j++)
    {
        UNROLL for (size_t v = 0; v < n_v; v++) sums[j][v] = v_set(0);
    }
    for (size_t c = 0; c < d; c++) {
        vf of_queries[SCORE_V];
        UNROLL for (size_t v = 0; v < n_v; v++) of_queries[v] = v_load(queries + c * CPU_QUERIES + v * LANES);
        UNROLL for (size_t j = 0; j < n_keys; j++)
        {
            vf key = v_set(keys[j * stride + c]);
            UNROLL for (size_t v = 0; v < n_v; v++) sums[j][v] = v_fma(key, of_queries[v], sums[j][v]);
        }
    }
    UNROLL for (size_t j = 0; j < n_keys; j++)
    {
        UNROLL for (size_t v = 0; v < n_v; v++) v_store(scores + j * CPU_QUERIES + v * LANES, sums[j][v]);
    }
}

/* All keys with n_v vectors of queries. */
INLINE void score_vectors(const float *queries, const float *keys, size_t stride, size_t n, size_t d, size_t n_v,
                          float *scores)
{
    size_t j = 0;

    for (; j + SCORE_KEYS <= n; j += SCORE_KEYS)
        score_tile(queries, keys + j * stride, stride, d, SCORE_KEYS, n_v, scores + j * CPU_QUERIES);
    for (; j + 4 <= n; j += 4) score_tile(queries, keys + j * stride, stride, d, 4, n_v, scores + j * CPU_QUERIES);
    for (; j < n; j++) score_tile(queries, keys + j * stride, stride, d, 1, n_v, scores + j * CPU_QUERIES);
}

static void score(const float *queries, const float *keys, size_t stride, size_t n, size_t d, size_t first, size_t end,
                  float *scores)
{
    size_t q = first;

    for (; q + SCORE_V * LANES <= end; q += SCORE_V * LANES)
        score_vectors(queries + q, keys, stride, n, d, SCORE_V, scores + q);
#if defined(__AVX512F__)
    if (q + 3 * LANES <= end)
        score_vectors(queries + q, keys, stride, n, d, 3, scores + q);
    else if (q + 2 * LANES <= end)
        score_vectors(queries + q, keys, stride, n, d, 2, scores + q);
    else if (q < end)
        score_vectors(queries + q, keys, stride, n, d, 1, scores + q);
#endif
}

static void soften(float *scores, size_t n, size_t first, size_t end, float *largest, float *total, float *shrink)
{
    for (size_t q = first; q < end; q += LANES) {
        vf before = v_load(largest + q), now = before, sum, less;
        for (size_t j = 0; j < n; j++) now = v_max(v_load(scores + j * CPU_QUERIES + q), now);
        less = v_exp(v_sub(before, now));
        sum = v_mul(v_load(total + q), less);
        v_store(shrink + q, less);
        v_store(largest + q, now);
        for (size_t j = 0; j < n; j++) {
            vf p = v_exp(v_sub(v_load(scores + j * CPU_QUERIES + q), now));
            v_store(scores + j * CPU_QUERIES + q, p);
            sum = v_add(sum, p);
        }
        v_store(total + q, sum);
    }
}

INLINE void mix_tile(float *sums, size_t stride, const float *shrink, const float *p, const float *values, size_t low,
                     size_t high, size_t n_queries, size_t n_v)
{
    vf of[MIX_QUERIES][MIX_V];

    UNROLL for (size_t q = 0; q < n_queries; q++)
    {
        vf less = v_set(shrink[q]);
        UNROLL for (size_t v = 0; v < n_v; v++) of[q][v] = v_mul(v_load(sums + q * stride + v * LANES), less);
    }
    for (size_t j = low; j < high; j++) {
        vf value[MIX_V];
        UNROLL for (size_t v = 0; v < n_v; v++) value[v] = v_load(values + j * stride + v * LANES);
        UNROLL for (size_t q = 0; q < n_queries; q++)
        {
            vf weight = v_set(p[j * CPU_QUERIES + q]);
            UNROLL for (size_t v = 0; v < n_v; v++) of[q][v] = v_fma(weight, value[v], of[q][v]);
        }
    }
    UNROLL for (size_t q = 0; q < n_queries; q++)
    {
        UNROLL for (size_t v = 0; v < n_v; v++) v_store(sums + q * stride + v * LANES, of[q][v]);
    }
}

/* All queries over n_v vectors of columns, whose values stay in the first cache. */
INLINE void mix_columns(float *sums, size_t n, size_t stride, const float *shrink, const float *p, const float *values,
                        size_t low, size_t high, size_t n_v)
{
    size_t q = 0;

    for (; q + 6 <= n; q += 6) mix_tile(sums + q * stride, stride, shrink + q, p + q, values, low, high, 6, n_v);
    for (; q + 4 <= n; q += 4) mix_tile(sums + q * stride, stride, shrink + q, p + q, values, low, high, 4, n_v);
    for (; q + 2 <= n; q += 2) mix_tile(sums + q * stride, stride, shrink + q, p + q, values, low, high, 2, n_v);
    if (q < n) mix_tile(sums + q * stride, stride, shrink + q, p + q, values, low, high, 1, n_v);
}

static void mix(float *sums, size_t n, size_t stride, const float *shrink, const float *p, const float *values,
                size_t low, size_t high)
{
    size_t c = 0;

    for (; c + MIX_V * LANES <= stride; c += MIX_V * LANES)
        mix_columns(sums + c, n, stride, shrink, p, values + c, low, high, MIX_V);
    if (MIX_V > 2 && c + 2 * LANES <= stride) {
        mix_columns(sums + c, n, stride, shrink, p, values + c, low, high, 2);
        c += 2 * LANES;
    }
    if (c < stride) mix_columns(sums + c, n, stride, shrink, p, values + c, low, high, 1);
}
