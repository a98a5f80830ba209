/* attention.cu: attention through tensor cores, f16 in and f32 sums, for caches that hold f16 or less (what it rounds: attention_limit in
 * tests/conformance/test_attention.c).
 *
 * A block of 4 warps: 64 queries (rows times heads of a group, which so share what is read), 16 a warp; keys and values in tiles of 32
 * (16 where heads are over 128), two of each in shared memory: while one is computed the next is copied. A query is scaled by a power of
 * two to fill f16, weights lie below 2^14, so that neither overflows nor falls below f16's normal numbers; the sum of weights is one
 * more column of the product with the values, so that it is the sum of what was rounded. Heads over 128: a block makes 128 columns.
 *
 * Limit, d = 128: a key costs 4 d = 512 operations a query. Fragments are read once a warp: 512 bytes of shared memory for 2 mma of 4,096
 * operations each, at 128 bytes a clock 2,048 operations a clock and multiprocessor: 312 TFLOP/s of an A100 (all of it), 474 of an H200
 * (mma.sync reaches about 600 there). From L2: 4 d bytes a key for 64 queries, 64 operations a byte. */
#include "kernels/cuda/attention.cuh"

#include <copy.cuh>
#include <mma.cuh>

extern "C" {
#include "kernels/formats/kv.h"
}

namespace
{

constexpr uint32_t THREADS = 128, WARP_QUERIES = 16;
constexpr float LIFT = 14.0f; /* the largest weight of a row is 2^14 */
constexpr uint32_t ONES = 0x3c003c00u;

/* Values [c, c + 8) of the key or value at `from`, as f16; zeros behind its end. */
__device__ __forceinline__ uint4 decode_piece(const kv_view &kv, const uint8_t *from, uint32_t c)
{
    uint32_t words[4];
    if (kv.format == KERNELS_F16) {
        const uint16_t *at = (const uint16_t *)from + c;
        UNROLL for (uint32_t j = 0; j < 4; j++)
        {
            const uint32_t low = c + 2 * j < kv.head_size ? at[2 * j] : 0u;
            words[j] = low | (c + 2 * j + 1 < kv.head_size ? (uint32_t)at[2 * j + 1] << 16 : 0u);
        }
        return {words[0], words[1], words[2], words[3]};
    }
    const bool is_q8 = kv.format == KERNELS_KV_Q8_0;
    const uint32_t place = c % KV_GROUP;
    from += c / KV_GROUP * (2 + (is_q8 ? KV_GROUP : KV_GROUP / 2));
    const float scale = float_from_f16(*(const uint16_t *)from);
    const uint16_t *codes = (const uint16_t *)(from + 2 + (is_q8 ? place : place % (KV_GROUP / 2)));
    UNROLL for (uint32_t j = 0; j < 4; j++)
    {
        const uint32_t pair = codes[j], two = place < KV_GROUP / 2 ? pair : pair >> 4;
        const int first = is_q8 ? (int)(int8_t)pair : (int)(two & 15u) - 8;
        const int second = is_q8 ? (int)(int8_t)(pair >> 8) : (int)(two >> 8 & 15u) - 8;
        words[j] = f16_pair((float)first * scale, (float)second * scale);
    }
    return {words[0], words[1], words[2], words[3]};
}

/* Columns [column, column + n_columns) of n keys or values from `slot` on; zeros behind them. Begins copies where it can. */
template <uint32_t KEYS, uint32_t WIDTH>
__device__ __forceinline__ void load_tile(uint4 (*to)[WIDTH / 8 + 1], const kv_view &kv, const void *from, size_t slot,
                                          uint32_t n, uint32_t column, uint32_t n_columns)
{
    const bool copies = kv.format == KERNELS_F16 && kv.head_size % 8 == 0;
    UNROLL for (uint32_t i = threadIdx.x; i < KEYS * (WIDTH / 8); i += THREADS)
    {
        const uint32_t key = i / (WIDTH / 8), piece = i % (WIDTH / 8), c = column + piece * 8;
        if (piece * 8 >= n_columns) continue;
        const uint8_t *vector = (const uint8_t *)from + (slot + key) * kv.vector_bytes;
        if (copies)
            copy_async_16(&to[key][piece], vector + c * 2, key < n && c < kv.head_size);
        else if (key < n)
            to[key][piece] = decode_piece(kv, vector, c);
        else
            to[key][piece] = {0, 0, 0, 0};
    }
}

struct query { /* one of the block's */
    uint32_t row, head;
    bool in;
};

__device__ __forceinline__ query find_query(const attention_args &a, const attention_item &item, uint32_t m)
{
    const uint32_t group = a.n_heads / a.kv.n_kv_heads, at = item.first + (m < item.n ? m : 0);
    return {a.plan.rows[item.rows_at + at / group], blockIdx.y * group + at % group, m < item.n};
}

/* What one query sees of the sequence's own range, and of all by its window. */
struct sight {
    uint32_t row, place; /* its number in the sequence, its slot in the own range */
    uint32_t first;      /* position */
    bool in, tree;
};

/* Bit j: the query sees key begin + j of a range that begins at position `start`. */
__device__ __forceinline__ uint32_t look(const sight &s, bool own, uint32_t start, uint32_t begin, uint32_t n,
                                         const int32_t *parents, const int32_t *positions)
{
    uint32_t seen = n < 32 ? (1u << n) - 1 : ~0u;
    if (!s.in) return 0;
    if (own && s.tree) {
        seen = 0;
        for (int32_t up = (int32_t)s.row; up >= (int32_t)begin; up = parents[up])
            if ((uint32_t)up < begin + n && (uint32_t)positions[up] >= s.first) seen |= 1u << ((uint32_t)up - begin);
        return seen;
    }
    if (own && s.place < begin) return 0;
    if (own && s.place - begin < 31) seen &= (2u << (s.place - begin)) - 1;
    if (s.first > start + begin) seen = s.first - start - begin < 32 ? seen & ~0u << (s.first - start - begin) : 0;
    return seen;
}

struct tile_cursor {
    uint32_t range, begin;
};

/* Where the block's tiles lie. */
struct walk {
    const kernels_sequence &s; /* read where it lies: a copy would be indexed on the stack */
    uint32_t n_own;            /* keys of the own range that anybody in the block sees */
    uint32_t end;              /* of the chunk, where it is one */
    uint32_t lowest;           /* position that anybody sees */
    bool chunk, tree;

    __device__ __forceinline__ bool goes_on(const tile_cursor &c) const
    {
        return c.range <= s.n_shared;
    }
    __device__ __forceinline__ bool own(const tile_cursor &c) const
    {
        return c.range == s.n_shared;
    }
    __device__ __forceinline__ kernels_range keys(const tile_cursor &c) const
    {
        return own(c) ? s.own : s.shared[c.range];
    }
    __device__ __forceinline__ uint32_t limit(const tile_cursor &c) const
    {
        const uint32_t n = own(c) ? n_own : s.shared[c.range].n_slots;
        return chunk && n > end ? end : n;
    }
    /* To this tile, or the next one that there is and somebody sees. */
    template <uint32_t KEYS> __device__ __forceinline__ void settle(tile_cursor &c) const
    {
        while (goes_on(c)) {
            if (c.begin >= limit(c))
                c = {chunk ? s.n_shared + 1 : c.range + 1, 0};
            else if (!(tree && own(c)) && keys(c).first_position + c.begin + KEYS <= lowest)
                c.begin += KEYS;
            else
                return;
        }
    }
};

/* Two queries of a lane (rows g and g + 8 of the warp's 16), as far as they have come. */
template <uint32_t TILES> struct sums {
    float reference[2], weights[4], values[TILES][4]; /* weights: 0 and 2 */

    __device__ __forceinline__ void clear()
    {
        reference[0] = reference[1] = -INFINITY;
        UNROLL for (uint32_t i = 0; i < 4; i++) weights[i] = 0;
        UNROLL for (uint32_t n = 0; n < TILES; n++) UNROLL for (uint32_t i = 0; i < 4; i++) values[n][i] = 0;
    }
    __device__ __forceinline__ void take(const sums &o)
    {
        reference[0] = o.reference[0], reference[1] = o.reference[1];
        UNROLL for (uint32_t i = 0; i < 4; i++) weights[i] = o.weights[i];
        UNROLL for (uint32_t n = 0; n < TILES; n++) UNROLL for (uint32_t i = 0; i < 4; i++) values[n][i] =
            o.values[n][i];
    }
    __device__ __forceinline__ void join(const sums &o)
    {
        UNROLL for (uint32_t h = 0; h < 2; h++)
        {
            const attention_factors f = attention_join(reference[h], weights[2 * h], o.reference[h], o.weights[2 * h]);
            UNROLL for (uint32_t n = 0; n < TILES; n++) UNROLL for (uint32_t i = 2 * h; i < 2 * h + 2; i++)
                values[n][i] = fmaf(o.values[n][i], f.now, values[n][i] * f.before);
        }
    }
};

/* The warp's queries as fragments; factor: from the product to the exponent of two. */
template <uint32_t STEPS> struct queries {
    uint32_t fragments[STEPS][4];
    float factor[2];
};

__device__ __forceinline__ float value_at(const float *from, uint32_t c, uint32_t d)
{
    return c < d ? from[c] : 0.0f;
}

template <uint32_t STEPS>
__device__ __forceinline__ void load_queries(queries<STEPS> &q, const attention_args &a, const attention_item &item,
                                             uint32_t first)
{
    const uint32_t d = a.kv.head_size, t = warp_lane() % 4;
    UNROLL for (uint32_t h = 0; h < 2; h++)
    {
        const query one = find_query(a, item, first + 8 * h);
        const float *from = a.q + ((size_t)one.row * a.n_heads + one.head) * d;
        uint32_t largest = 0; /* magnitudes are ordered as their bits; NaN is above all */
        UNROLL for (uint32_t k = 0; k < STEPS * 4; k++)
        {
            const uint32_t c = k * 4 + t, bits = bits_from_float(value_at(from, c, d)) & 0x7fffffffu;
            largest = bits > largest ? bits : largest;
        }
        for (unsigned mask = 1; mask < 4; mask *= 2) {
            const uint32_t other = warp_across_u32(largest, mask);
            largest = other > largest ? other : largest;
        }
        const uint32_t exponent = largest >> 23; /* to [2^14, 2^15): times 2^(14 + 127 - exponent) */
        const float lift = float_from_bits((exponent < 14 ? 254u : 268u - exponent) << 23);
        q.factor[h] = a.scale * 1.44269504f * (1.0f / lift);
        UNROLL for (uint32_t k = 0; k < STEPS; k++) UNROLL for (uint32_t half = 0; half < 2; half++)
        {
            const uint32_t c = k * 16 + half * 8 + 2 * t;
            const float low = value_at(from, c, d) * lift, high = value_at(from, c + 1, d) * lift;
            q.fragments[k][2 * half + h] = one.in ? f16_pair(low, high) : 0u;
        }
    }
}

/* One tile of keys and values, for the warp's queries; seen[h]: which of the keys the lane's queries see. */
template <uint32_t D, uint32_t COLUMNS, uint32_t KEYS>
__device__ __forceinline__ void compute(sums<COLUMNS / 8> &to, const queries<D / 16> &q, const uint32_t seen[2],
                                        const uint4 (*keys)[D / 8 + 1], const uint4 (*values)[COLUMNS / 8 + 1],
                                        uint32_t d, uint32_t n_columns)
{
    const uint32_t lane = warp_lane(), t = lane % 4, matrix = lane / 8, row = lane % 8;
    float scores[KEYS / 8][4] = {};
    uint32_t weights[KEYS / 8][2], b[4];

    UNROLL for (uint32_t k = 0; k < D / 16; k++)
    {
        if (k * 16 >= d) continue;
        UNROLL for (uint32_t n = 0; n < KEYS / 8; n += 2)
        {
            load_matrices(b, &keys[(n + matrix / 2) * 8 + row][2 * k + matrix % 2]);
            mma_f16(scores[n], q.fragments[k], b);
            mma_f16(scores[n + 1], q.fragments[k], b + 2);
        }
    }
    UNROLL for (uint32_t h = 0; h < 2; h++)
    {
        float top = -INFINITY;
        UNROLL for (uint32_t n = 0; n < KEYS / 8; n++) UNROLL for (uint32_t i = 2 * h; i < 2 * h + 2; i++)
            scores[n][i] *= q.factor[h];
        if (seen[h] != ~0u) {
            UNROLL for (uint32_t n = 0; n < KEYS / 8; n++)
                UNROLL for (uint32_t i = 0; i < 2; i++) if (!(seen[h] >> (n * 8 + 2 * t + i) & 1u))
                    scores[n][2 * h + i] = -INFINITY;
        }
        UNROLL for (uint32_t n = 0; n < KEYS / 8; n++) top = fmaxf(top, fmaxf(scores[n][2 * h], scores[n][2 * h + 1]));
        top = fmaxf(top, warp_across(top, 1));
        top = fmaxf(top, warp_across(top, 2)) - LIFT;
        top = fmaxf(top, to.reference[h]);
        const float base = top == -INFINITY ? 0.0f : top, fade = exp2_fast(to.reference[h] - base);
        to.reference[h] = top;
        UNROLL for (uint32_t n = 0; n < KEYS / 8; n++) weights[n][h] =
            f16_pair(exp2_fast(scores[n][2 * h] - base), exp2_fast(scores[n][2 * h + 1] - base));
        UNROLL for (uint32_t i = 2 * h; i < 2 * h + 2; i++)
        {
            to.weights[i] *= fade;
            UNROLL for (uint32_t n = 0; n < COLUMNS / 8; n++) to.values[n][i] *= fade;
        }
    }
    UNROLL for (uint32_t k = 0; k < KEYS / 16; k++)
    {
        const uint32_t a[4] = {weights[2 * k][0], weights[2 * k][1], weights[2 * k + 1][0], weights[2 * k + 1][1]};
        const uint32_t ones[2] = {ONES, ONES};
        mma_f16(to.weights, a, ones);
        UNROLL for (uint32_t n = 0; n < COLUMNS / 8; n += 2)
        {
            if (n * 8 >= n_columns) continue;
            load_matrices_transposed(b, &values[k * 16 + matrix % 2 * 8 + row][n + matrix / 2]);
            mma_f16(to.values[n], a, b);
            mma_f16(to.values[n + 1], a, b + 2);
        }
    }
}

/* Results of the lane's queries: to `out`, or as a partial. */
template <uint32_t TILES>
__device__ __forceinline__ void store(const attention_args &a, const attention_item &item, uint32_t first,
                                      const sums<TILES> &from, uint32_t column)
{
    const uint32_t d = a.kv.head_size, t = warp_lane() % 4;
    UNROLL for (uint32_t h = 0; h < 2; h++)
    {
        const bool whole = item.range == ATTENTION_NONE;
        const query one = find_query(a, item, first + 8 * h);
        if (!one.in) continue;
        float *to = a.out + ((size_t)one.row * a.n_heads + one.head) * d;
        if (!whole) {
            const size_t at = (size_t)(a.plan.partials_at[one.row] + item.chunk) * a.n_heads + one.head;
            to = a.plan.partials + at * (d + 2) + 2;
            if (t == 0 && column == 0) to[-2] = from.reference[h], to[-1] = from.weights[2 * h];
        }
        UNROLL for (uint32_t n = 0; n < TILES; n++) UNROLL for (uint32_t i = 0; i < 2; i++)
        {
            const uint32_t c = column + n * 8 + 2 * t + i;
            const float value = from.values[n][2 * h + i];
            if (c < d) to[c] = whole ? value / from.weights[2 * h] : value;
        }
    }
}

template <uint32_t D, uint32_t COLUMNS, uint32_t KEYS> /* head size at most D, columns of the result */
__global__ void __launch_bounds__(THREADS, D > 64   ? 2
                                           : D > 32 ? 3
                                                    : 4) attend(attention_args a)
{
    SHARED_ARRAY(uint4,
                 keys, [2][KEYS][D / 8 + 1]); /* rows are 4 words longer: eight of them meet 32 different banks */
    SHARED_ARRAY(uint4, values, [2][KEYS][COLUMNS / 8 + 1]);
    const attention_item item = a.plan.items[blockIdx.x];
    const kernels_sequence &s = a.sequences[item.sequence];
    const uint32_t lane = warp_lane(), warp_first = threadIdx.x / WARP_SIZE * WARP_QUERIES, d = a.kv.head_size;
    const uint32_t column = blockIdx.z * COLUMNS, whole_d = (d + 15) / 16 * 16;
    const uint32_t n_columns = whole_d - column < COLUMNS ? whole_d - column : COLUMNS;
    const int32_t *parents = a.parents + s.first_row, *positions = a.positions + s.first_row;
    const bool chunk = item.range != ATTENTION_NONE, tree = a.is_tree[item.sequence] != 0;
    const uint32_t own_before = s.own.n_slots - s.n_rows;
    const query mine = find_query(a, item, warp_first + lane % 16); /* whose sight this lane works out */
    const uint32_t position = (uint32_t)a.positions[mine.row];
    const sight sees = {mine.row - s.first_row, own_before + mine.row - s.first_row,
                        a.window && position >= a.window ? position - a.window + 1 : 0u, mine.in, tree};
    uint32_t lowest = UINT32_MAX;
    for (uint32_t m = lane; m < item.n; m += WARP_SIZE) {
        const uint32_t p = (uint32_t)a.positions[find_query(a, item, m).row];
        const uint32_t first = a.window && p >= a.window ? p - a.window + 1 : 0u;
        lowest = first < lowest ? first : lowest;
    }
    for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) {
        const uint32_t other = warp_across_u32(lowest, mask);
        lowest = other < lowest ? other : lowest;
    }
    const uint32_t last_row = find_query(a, item, item.n - 1).row - s.first_row;
    const walk way = {s, own_before + last_row + 1, item.begin + ATTENTION_CHUNK, lowest, chunk, tree};
    /* Where all keys of a full tile are seen by all. */
    const uint32_t clear_own = tree ? 0 : own_before + find_query(a, item, 0).row - s.first_row + 1;

    queries<D / 16> q;
    sums<COLUMNS / 8> now, all;
    load_queries(q, a, item, warp_first + lane / 4);
    now.clear(), all.clear();

    tile_cursor at = {chunk ? item.range : 0, chunk ? item.begin : 0};
    way.settle<KEYS>(at);
    auto load = [&](const tile_cursor &tile, uint32_t stage) {
        if (!way.goes_on(tile)) return;
        const uint32_t n = way.limit(tile) - tile.begin;
        const size_t slot = kv_vector(a.kv, a.layer, blockIdx.y, way.keys(tile).first_slot + tile.begin);
        load_tile<KEYS, D>(keys[stage], a.kv, a.kv.k, slot, n, 0, whole_d);
        load_tile<KEYS, COLUMNS>(values[stage], a.kv, a.kv.v, slot, n, column, n_columns);
        copy_commit();
    };
    load(at, 0);
    for (uint32_t stage = 0; way.goes_on(at); stage ^= 1) {
        tile_cursor next = {at.range, at.begin + KEYS};
        way.settle<KEYS>(next);
        copy_wait<0>();
        BLOCK_BARRIER(); /* the tile is there, and nobody reads the one before any more */
        load(next, stage ^ 1);
        if (warp_first < item.n) {
            const bool own = way.own(at);
            const uint32_t start = way.keys(at).first_position, n = way.limit(at) - at.begin;
            uint32_t seen[2] = {~0u, ~0u};
            if (a.window || n < KEYS || (own && at.begin + KEYS > clear_own)) {
                const uint32_t bits = look(sees, own, start, at.begin, n < KEYS ? n : KEYS, parents, positions);
                seen[0] = warp_from_lane_u32(bits, lane / 4), seen[1] = warp_from_lane_u32(bits, lane / 4 + 8);
            }
            compute<D, COLUMNS, KEYS>(now, q, seen, keys[stage], values[stage], d, n_columns);
        }
        if (!chunk && (next.range != at.range || next.begin / ATTENTION_CHUNK != at.begin / ATTENTION_CHUNK)) {
            all.join(now);
            now.clear();
        }
        at = next;
    }
    if (chunk) all.take(now);
    store(a, a.plan.items[blockIdx.x], warp_first + lane / 4, all, column);
}

/* A block a row and head: its chunks in order, a thread a column. */
__global__ void __launch_bounds__(THREADS) join_chunks(attention_args a)
{
    const attention_merge m = a.plan.merges[blockIdx.x];
    const uint32_t d = a.kv.head_size, head = blockIdx.y;
    for (uint32_t c = threadIdx.x; c < d; c += THREADS) {
        float reference = -INFINITY, total = 0, value = 0;
        for (uint32_t i = 0; i < m.n_chunks; i++) {
            const float *from = a.plan.partials + ((size_t)(m.at + i) * a.n_heads + head) * (d + 2);
            const attention_factors f = attention_join(reference, total, from[0], from[1]);
            value = fmaf(from[2 + c], f.now, value * f.before);
        }
        a.out[((size_t)m.row * a.n_heads + head) * d + c] = value / total;
    }
}

} // namespace

void cuda_attention(const attention_args &a, cudaStream_t stream)
{
    const dim3 grid(a.plan.n_items, a.kv.n_kv_heads);
    if (a.plan.n_items == 0) return;
    if (a.kv.head_size <= 32)
        LAUNCH((attend<32, 32, 32>), grid, dim3(THREADS), 0, stream, a);
    else if (a.kv.head_size <= 64)
        LAUNCH((attend<64, 64, 32>), grid, dim3(THREADS), 0, stream, a);
    else if (a.kv.head_size <= 96)
        LAUNCH((attend<96, 96, 32>), grid, dim3(THREADS), 0, stream, a);
    else if (a.kv.head_size <= 128)
        LAUNCH((attend<128, 128, 32>), grid, dim3(THREADS), 0, stream, a);
    else
        LAUNCH((attend<256, 128, 16>), dim3(grid.x, grid.y, 2), dim3(THREADS), 0, stream, a);
    if (a.plan.n_merges) LAUNCH(join_chunks, dim3(a.plan.n_merges, a.n_heads), dim3(THREADS), 0, stream, a);
}
