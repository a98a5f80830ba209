/* attention.cu: attention through tensor cores, f16 in and f32 sums, for caches that hold f16 or less (what it rounds: attention_limit in
 * tests/conformance/test_attention.c).
 *
 * A block of 4 warps: 64 queries (rows times heads of a group, which so share what is read), 16 a warp; keys and values in tiles of 32
 * (16 where heads are over 128), two of each in shared memory: while one is computed the next is copied. A query is scaled by a power of
 * two to fill f16, weights lie below 2^14, so that neither overflows nor falls below f16's normal numbers; the sum of weights is one
 * more column of the product with the values, so that it is the sum of what was rounded. Heads over 128: a block makes 128 columns.
 *
 * Limits, d = 128, of an H200 at 1.755 GHz: a tile of 32 keys is 1.05e6 operations a block. mma.sync takes 404 clocks for them (620
 * TFLOP/s); shared memory 640, of 32 KB of fragments for each of four warps of 16 queries and the tile itself, at 128 bytes a clock; L2 690,
 * of 16 KB at 5.5e12 bytes a second; the schedulers some 430, one instruction a clock each. So 350 TFLOP/s at best: of a document of
 * 1,000 tokens 0.7 ms of 32. A warp alone waits: for 8 mma in a row (33 clocks each), for exp2 and shuffles, for 17 more; two blocks a
 * multiprocessor fill that. */
#include "kernels/cuda/attention.cuh"
#include "kernels/cuda/early.cuh"

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

/* Columns [column, column + WIDTH) of n keys or values from `slot` on; zeros behind their end and behind the last. */
template <uint32_t KEYS, uint32_t WIDTH, bool COPIES>
__device__ __forceinline__ void load_tile(uint4 (*to)[WIDTH / 8 + 1], const kv_view &kv, const void *from, size_t slot,
                                          uint32_t n, uint32_t column)
{
    constexpr uint32_t PIECES = WIDTH / 8, EACH = KEYS * PIECES / THREADS;
    static_assert(KEYS * PIECES % THREADS == 0, "a piece for each thread");
    UNROLL for (uint32_t i = 0; i < EACH; i++)
    {
        const bool in_line = THREADS % PIECES == 0; /* the thread's pieces are below each other */
        const uint32_t number = threadIdx.x + i * THREADS;
        const uint32_t key = in_line ? threadIdx.x / PIECES + i * (THREADS / PIECES) : number / PIECES;
        const uint32_t piece = in_line ? threadIdx.x % PIECES : number % PIECES, c = column + piece * 8;
        const uint8_t *vector = (const uint8_t *)from + (slot + key) * kv.vector_bytes;
        if (COPIES)
            copy_async_16(&to[key][piece], vector + c * 2, key < n && c < kv.head_size);
        else if (key < n && c < kv.head_size)
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

/* The first position that a row sees. */
__device__ __forceinline__ uint32_t first_position(const attention_args &a, uint32_t row)
{
    const uint32_t position = (uint32_t)a.positions[row];
    return a.window && position >= a.window ? position - a.window + 1 : 0u;
}

/* A tile, and the range that it is of: keys up to `end` are seen by somebody. */
struct tile_cursor {
    uint32_t range, begin, end, first_position;
    size_t first_vector;
};

/* Where the block's tiles lie. */
struct walk {
    const kernels_sequence &s; /* read where it lies: a copy would be indexed on the stack */
    uint32_t n_shared;
    uint32_t n_own;  /* keys of the own range that anybody in the block sees */
    uint32_t end;    /* of the chunk, where it is one */
    uint32_t lowest; /* position that anybody sees */
    bool chunk, tree;

    __device__ __forceinline__ bool goes_on(const tile_cursor &c) const
    {
        return c.range <= n_shared;
    }
    __device__ __forceinline__ bool own(const tile_cursor &c) const
    {
        return c.range == n_shared;
    }
    __device__ __forceinline__ tile_cursor enter(const attention_args &a, uint32_t range, uint32_t begin) const
    {
        if (range > n_shared) return {range, begin, 0, 0, 0};
        const kernels_range &keys = range == n_shared ? s.own : s.shared[range];
        const uint32_t n = range == n_shared ? n_own : keys.n_slots;
        return {range, begin, chunk && n > end ? end : n, keys.first_position,
                kv_vector(a.kv, a.layer, blockIdx.y, keys.first_slot)};
    }
    /* To this tile, or the next one that there is and somebody sees. */
    template <uint32_t KEYS> __device__ __forceinline__ void settle(const attention_args &a, tile_cursor &c) const
    {
        while (goes_on(c)) {
            if (!(tree && own(c)) && c.first_position + c.begin + KEYS <= lowest)
                c.begin = (lowest - c.first_position) / KEYS * KEYS;
            if (c.begin < c.end) return;
            c = enter(a, chunk ? n_shared + 1 : c.range + 1, 0);
        }
    }
};

/* Bit j: key begin + j of the tile's n is seen by query m. What can be looked up is: the registers are wanted elsewhere, and most tiles are
 * seen whole. */
__device__ __forceinline__ uint32_t look(const attention_args &a, const attention_item &item, const walk &way,
                                         const tile_cursor &tile, uint32_t n, uint32_t m)
{
    const kernels_sequence &s = way.s;
    const uint32_t row = find_query(a, item, m).row, number = row - s.first_row;
    const uint32_t first = first_position(a, row), begin = tile.begin, start = tile.first_position + begin;
    uint32_t seen = n < 32 ? (1u << n) - 1 : ~0u;
    if (way.own(tile) && way.tree) {
        const int32_t *parents = a.parents + s.first_row, *positions = a.positions + s.first_row;
        seen = 0;
        for (int32_t up = (int32_t)number; up >= (int32_t)begin; up = parents[up])
            if ((uint32_t)up < begin + n && (uint32_t)positions[up] >= first) seen |= 1u << ((uint32_t)up - begin);
        return seen;
    }
    if (way.own(tile)) {
        const uint32_t place = s.own.n_slots - s.n_rows + number;
        if (place < begin) return 0;
        if (place - begin < 31) seen &= (2u << (place - begin)) - 1;
    }
    if (first > start) seen = first - start < 32 ? seen & ~0u << (first - start) : 0;
    return seen;
}

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

/* Heads of 128 and more leave sm_75 no registers for fragments that are read ahead: there each is asked for behind a branch. */
template <uint32_t D> __device__ __forceinline__ constexpr bool in_turn()
{
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
    return D >= 128;
#else
    return false;
#endif
}

/* One tile of keys and values, for the warp's queries; seen: which of the keys query lane % 16 sees, if not all see all. Nothing in here
 * depends on the head's size, so that fragments are read ahead of the products that wait for them. */
template <uint32_t D, uint32_t COLUMNS, uint32_t KEYS>
__device__ __forceinline__ void compute(sums<COLUMNS / 8> &to, const queries<D / 16> &q, bool masked, uint32_t seen,
                                        const uint4 (*keys)[D / 8 + 1], const uint4 (*values)[COLUMNS / 8 + 1],
                                        uint32_t d)
{
    const uint32_t lane = warp_lane(), t = lane % 4, matrix = lane / 8, row = lane % 8;
    float scores[KEYS / 8][4] = {};
    uint32_t weights[KEYS / 8][2], b[4];

    UNROLL for (uint32_t k = 0; k < D / 16; k++)
    {
        if (in_turn<D>() && k * 16 >= d) continue;
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
        if (masked) {
            const uint32_t mine = warp_from_lane_u32(seen, lane / 4 + 8 * h);
            UNROLL for (uint32_t n = 0; n < KEYS / 8; n++)
                UNROLL for (uint32_t i = 0; i < 2; i++) if (!(mine >> (n * 8 + 2 * t + i) & 1u)) scores[n][2 * h + i] =
                    -INFINITY;
        }
        UNROLL for (uint32_t n = 0; n < KEYS / 8; n++) top = fmaxf(top, fmaxf(scores[n][2 * h], scores[n][2 * h + 1]));
        top = fmaxf(top, warp_across(top, 1));
        top = fmaxf(top, warp_across(top, 2));
        const float lifted = top - LIFT; /* of scores from 2^26 on not what it says: f32 counts in steps of 8 there */
        top = fmaxf(top - lifted <= LIFT + 1 ? lifted : top, to.reference[h]);
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
            if (in_turn<D>() && n * 8 >= d) continue;
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

template <uint32_t D, uint32_t COLUMNS, uint32_t KEYS, bool COPIES> /* head size at most D, columns of the result */
__global__ void __launch_bounds__(THREADS, D > 64   ? 2
                                           : D > 32 ? 3
                                                    : 4) attend(attention_args a)
{
    SHARED_ARRAY(uint4,
                 keys, [2][KEYS][D / 8 + 1]); /* rows are 4 words longer: eight of them meet 32 different banks */
    SHARED_ARRAY(uint4, values, [2][KEYS][COLUMNS / 8 + 1]);
    LET_NEXT_BEGIN();
    WAIT_FOR_FORMER();
    const attention_item item = a.plan.items[blockIdx.x];
    if (item.n == 0) return; /* attention_plan.cu: there for the shape alone */
    const kernels_sequence &s = a.sequences[item.sequence];
    const uint32_t lane = warp_lane(), warp_first = threadIdx.x / WARP_SIZE * WARP_QUERIES;
    const uint32_t column = blockIdx.z * COLUMNS;
    const bool chunk = item.range != ATTENTION_NONE, tree = a.is_tree[item.sequence] != 0;
    const uint32_t own_before = s.own.n_slots - s.n_rows;
    uint32_t lowest = a.window ? UINT32_MAX : 0, highest = 0; /* the first positions that queries see */
    for (uint32_t m = lane; a.window && m < item.n; m += WARP_SIZE) {
        const uint32_t first = first_position(a, find_query(a, item, m).row);
        lowest = first < lowest ? first : lowest, highest = first > highest ? first : highest;
    }
    for (unsigned mask = WARP_SIZE / 2; a.window && mask; mask /= 2) {
        const uint32_t low = warp_across_u32(lowest, mask), high = warp_across_u32(highest, mask);
        lowest = low < lowest ? low : lowest, highest = high > highest ? high : highest;
    }
    const bool has_queries = warp_first < item.n;
    const uint32_t last_row = find_query(a, item, item.n - 1).row - s.first_row;
    const walk way = {s, s.n_shared, own_before + last_row + 1, item.begin + ATTENTION_CHUNK, lowest, chunk, tree};
    /* Where all keys of a full tile are seen by all. */
    const uint32_t spread = D > 128 ? item.n : find_query(a, item, item.n - 1).row - find_query(a, item, 0).row;
    const uint32_t clear_own = tree || way.n_own < spread ? 0 : way.n_own - spread;

    tile_cursor at = way.enter(a, chunk ? item.range : 0, chunk ? item.begin : 0);
    way.settle<KEYS>(a, at);
    auto load = [&](const tile_cursor &tile, uint32_t stage) {
        if (!way.goes_on(tile)) return;
        const size_t slot = tile.first_vector + tile.begin;
        load_tile<KEYS, D, COPIES>(keys[stage], a.kv, a.kv.k, slot, tile.end - tile.begin, 0);
        load_tile<KEYS, COLUMNS, COPIES>(values[stage], a.kv, a.kv.v, slot, tile.end - tile.begin, column);
        copy_commit();
    };
    load(at, 0); /* and while it comes */
    queries<D / 16> q;
    sums<COLUMNS / 8> now, all;
    load_queries(q, a, item, warp_first + lane / 4);
    now.clear(), all.clear();
    for (uint32_t stage = 0; way.goes_on(at); stage ^= 1) {
        const uint32_t n = at.end - at.begin, range = at.range, part = at.begin / ATTENTION_CHUNK;
        const bool masked =
            at.first_position + at.begin < highest || n < KEYS || (way.own(at) && at.begin + KEYS > clear_own);
        const uint32_t seen =
            masked ? look(a, a.plan.items[blockIdx.x], way, at, n < KEYS ? n : KEYS, warp_first + lane % 16) : ~0u;
        at.begin += KEYS;
        way.settle<KEYS>(a, at);
        copy_wait<0>();
        BLOCK_BARRIER(); /* the tile is there, and nobody reads the one before any more */
        load(at, stage ^ 1);
        if (has_queries) compute<D, COLUMNS, KEYS>(now, q, masked, seen, keys[stage], values[stage], a.kv.head_size);
        if (!chunk && (at.range != range || at.begin / ATTENTION_CHUNK != part)) {
            all.join(now);
            now.clear();
        }
    }
    if (chunk) all.take(now);
    store(a, a.plan.items[blockIdx.x], warp_first + lane / 4, all, column);
}

/* A block a row and head: its chunks in order, a thread a column. */
__global__ void __launch_bounds__(THREADS) join_chunks(attention_args a)
{
    LET_NEXT_BEGIN();
    WAIT_FOR_FORMER();
    const attention_merge m = a.plan.merges[blockIdx.x];
    if (m.n_chunks == 0) return;
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

template <uint32_t D, uint32_t COLUMNS, uint32_t KEYS> void launch(const attention_args &a, cudaStream_t stream)
{
    const dim3 grid(a.plan.n_items, a.kv.n_kv_heads, (D + COLUMNS - 1) / COLUMNS);
    if (a.kv.format == KERNELS_F16 && a.kv.head_size % 8 == 0)
        LAUNCH_EARLY((attend<D, COLUMNS, KEYS, true>), grid, dim3(THREADS), 0, stream, a);
    else
        LAUNCH_EARLY((attend<D, COLUMNS, KEYS, false>), grid, dim3(THREADS), 0, stream, a);
}

} // namespace

void cuda_attention(const attention_args &a, cudaStream_t stream)
{
    if (a.plan.n_items == 0) return;
    if (a.kv.head_size <= 32)
        launch<32, 32, 32>(a, stream);
    else if (a.kv.head_size <= 64)
        launch<64, 64, 32>(a, stream);
    else if (a.kv.head_size <= 96)
        launch<96, 96, 32>(a, stream);
    else if (a.kv.head_size <= 128)
        launch<128, 128, 32>(a, stream);
    else
        launch<256, 128, 16>(a, stream);
    if (a.plan.n_merges) LAUNCH_EARLY(join_chunks, dim3(a.plan.n_merges, a.n_heads), dim3(THREADS), 0, stream, a);
}
