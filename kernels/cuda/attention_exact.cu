/* attention_exact.cu: attention in f32 throughout, for caches that hold f32: online softmax over keys in tiles of 32. A block: 16 rows of
 * one sequence (8 with heads of 256), one head; each of its 4 warps a quarter of them. The lanes of a warp are keys while scores are made, and columns while values are summed; keys and values
 * share one piece of shared memory, one after the other. A row's sums run over the same tiles in the same order
 * whoever its neighbours are, and keys that it does not see add exactly nothing.
 * Reads keys and values once per 16 rows and head: 8 d bytes a key. */
#include "kernels/cuda/attention.cuh"

namespace
{

constexpr uint32_t KEYS = 32, THREADS = 128, WARPS = THREADS / WARP_SIZE;

struct sight {               /* what one row sees */
    int32_t first;           /* keys at positions first and on */
    int32_t row, own_before; /* its number in the sequence; slots of the own range before the sequence's first row */
    bool tree;
};

/* Whether the row sees key `at` of a range that begins at position `start`. */
__device__ __forceinline__ bool sees(const sight &s, bool own, int32_t start, int32_t at, const int32_t *parents,
                                     const int32_t *positions)
{
    if (!own) return start + at >= s.first;
    if (!s.tree) return at <= s.own_before + s.row && start + at >= s.first;
    int32_t up = s.row;
    while (up > at) up = parents[up];
    return up == at && positions[at] >= s.first;
}

/* A tile of keys or of values. */
template <uint32_t D>
__device__ __forceinline__ void load_tile(float (*to)[D + 1], const kv_view &kv, const void *from, size_t first_slot,
                                          uint32_t n)
{
    for (uint32_t i = threadIdx.x; i < KEYS * D; i += THREADS) {
        uint32_t key = i / D, c = i % D;
        to[key][c] = key < n && c < kv.head_size ? ((const float *)from)[(first_slot + key) * kv.head_size + c] : 0.0f;
    }
}

template <uint32_t D, uint32_t ROWS> /* head size at most D */
__global__ void __launch_bounds__(THREADS, D > 128 ? 3 : 4)
    attend(attention_args a) /* registers: 168 or 128, none spilled */
{
    constexpr uint32_t PARTS = D / WARP_SIZE, WARP_ROWS = ROWS / WARPS;
    SHARED_ARRAY(float, q, [ROWS][D]);
    SHARED_ARRAY(float, keys_or_values, [KEYS][D + 1]);
    SHARED_ARRAY(float, shares, [ROWS][KEYS]);
    LET_NEXT_BEGIN();
    const attention_item tile = a.plan.items[blockIdx.x];
    const kernels_sequence &s =
        a.sequences[tile.sequence]; /* read where it lies: a copy would be indexed on the stack */
    const uint32_t first = blockIdx.z * ROWS, n = tile.n > first ? (tile.n - first < ROWS ? tile.n - first : ROWS) : 0;
    const uint32_t head = blockIdx.y, d = a.kv.head_size, kv_head = head / (a.n_heads / a.kv.n_kv_heads);
    const uint32_t lane = warp_lane(), warp_row = threadIdx.x / WARP_SIZE * WARP_ROWS, block_row = tile.first + first;
    const int32_t *parents = a.parents + s.first_row, *positions = a.positions + s.first_row;
    float largest[WARP_ROWS], total[WARP_ROWS], sum[WARP_ROWS][PARTS];
    sight sights[WARP_ROWS];

    if (n == 0) return;
    for (uint32_t i = threadIdx.x; i < ROWS * D; i += THREADS) {
        uint32_t row = i / D, c = i % D;
        bool in = row < n && c < d;
        q[row][c] = in ? a.q[((size_t)(s.first_row + block_row + row) * a.n_heads + head) * d + c] : 0.0f;
    }
    UNROLL for (uint32_t r = 0; r < WARP_ROWS; r++)
    {
        int32_t row = (int32_t)(block_row + warp_row + r), position = warp_row + r < n ? positions[row] : 0;
        sights[r] = {a.window ? position - (int32_t)a.window + 1 : INT32_MIN, row, (int32_t)(s.own.n_slots - s.n_rows),
                     a.is_tree[tile.sequence] != 0};
        largest[r] = -INFINITY, total[r] = 0;
        UNROLL for (uint32_t p = 0; p < PARTS; p++) sum[r][p] = 0;
    }
    for (uint32_t range = 0; range <= s.n_shared; range++) {
        const bool own = range == s.n_shared;
        const kernels_range keys = own ? s.own : s.shared[range];
        const size_t cache = kv_vector(a.kv, a.layer, kv_head, keys.first_slot);
        for (uint32_t begin = 0; begin < keys.n_slots; begin += KEYS) {
            const uint32_t n_keys = keys.n_slots - begin < KEYS ? keys.n_slots - begin : KEYS;
            if (own && begin > s.own.n_slots - s.n_rows + block_row + n - 1)
                break; /* nobody in the block looks there */
            BLOCK_BARRIER();
            load_tile<D>(keys_or_values, a.kv, a.kv.k, cache + begin, n_keys);
            BLOCK_BARRIER();
            UNROLL for (uint32_t r = 0; r < WARP_ROWS; r++)
            {
                bool seen =
                    warp_row + r < n && lane < n_keys &&
                    sees(sights[r], own, (int32_t)keys.first_position, (int32_t)(begin + lane), parents, positions);
                float score = 0;
                for (uint32_t c = 0; c < d; c++) score = fmaf(q[warp_row + r][c], keys_or_values[lane][c], score);
                score = seen ? score * a.scale : -INFINITY;
                float top = score;
                for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) top = fmaxf(top, warp_across(top, mask));
                top = fmaxf(top, largest[r]);
                float fade = top == -INFINITY ? 1.0f : expf(largest[r] - top), share = seen ? expf(score - top) : 0.0f;
                shares[warp_row + r][lane] = share;
                for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) share += warp_across(share, mask);
                largest[r] = top;
                total[r] = fmaf(total[r], fade, share);
                UNROLL for (uint32_t p = 0; p < PARTS; p++) sum[r][p] *= fade;
            }
            BLOCK_BARRIER();
            load_tile<D>(keys_or_values, a.kv, a.kv.v, cache + begin, n_keys);
            BLOCK_BARRIER();
            for (uint32_t key = 0; key < n_keys; key++) {
                UNROLL for (uint32_t r = 0; r < WARP_ROWS; r++)
                {
                    float weight = shares[warp_row + r][key];
                    UNROLL for (uint32_t p = 0; p < PARTS; p++) sum[r][p] =
                        fmaf(weight, keys_or_values[key][p * WARP_SIZE + lane], sum[r][p]);
                }
            }
        }
    }
    UNROLL for (uint32_t r = 0; r < WARP_ROWS; r++)
    {
        size_t row = (size_t)s.first_row + block_row + warp_row + r;
        UNROLL for (uint32_t p = 0; p < PARTS; p++)
        {
            uint32_t c = p * WARP_SIZE + lane;
            if (warp_row + r < n && c < d) a.out[(row * a.n_heads + head) * d + c] = sum[r][p] / total[r];
        }
    }
}

} // namespace

void cuda_attention_exact(const attention_args &a, cudaStream_t stream)
{
    const dim3 grid(a.plan.n_items, a.n_heads);
    if (a.plan.n_items == 0) return;
    if (a.kv.head_size <= 32)
        LAUNCH((attend<32, 16>), grid, dim3(THREADS), 0, stream, a);
    else if (a.kv.head_size <= 64)
        LAUNCH((attend<64, 16>), grid, dim3(THREADS), 0, stream, a);
    else if (a.kv.head_size <= 128)
        LAUNCH((attend<128, 16>), grid, dim3(THREADS), 0, stream, a);
    else
        LAUNCH((attend<256, 8>), dim3(grid.x, grid.y, 2), dim3(THREADS), 0, stream, a);
}
