/* multiply_tiles.cuh: products through tensor cores, for weights in any format but f32, f16 and int8.
 *
 * A block of 4 warps makes ROWS x 64 of the output (ROWS 16 or 64), k in steps of 64: one block of most formats. Activations are rounded
 * to bf16, weights expanded to bf16 in shared memory; sums in f32. An output is one chain of mma over k, cut nowhere, so its bits depend
 * neither on ROWS nor on what else is in the batch. Reads each weight once per ROWS rows: with up to 16 rows it is bound by reading W
 * (n * k * bits / 8 bytes), from about 300 rows on by arithmetic. */
#ifndef DOCKET_KERNELS_CUDA_MULTIPLY_TILES_CUH
#define DOCKET_KERNELS_CUDA_MULTIPLY_TILES_CUH

#include "kernels/cuda/early.cuh"
#include "kernels/cuda/tiles.cuh"

#include <mma.cuh>

constexpr uint32_t STRIDE =
    DEPTH / 2 + 4; /* words of a row of a tile; 36: fragments of a warp meet 32 different banks */

/* Eight values of a row of x as bf16, zeros behind its end. `fours`: they lie at a multiple of 16. */
static __device__ __forceinline__ uint4 load_x(const multiply_args &a, bool fours, uint32_t row, uint32_t k)
{
    const float *from = a.x + (size_t)row * a.k + k;
    float v[8];
    if (fours && k < a.k) { /* all eight: k and a.k are multiples of eight */
        const float4 first = ((const float4 *)from)[0], second = ((const float4 *)from)[1];
        v[0] = first.x, v[1] = first.y, v[2] = first.z, v[3] = first.w;
        v[4] = second.x, v[5] = second.y, v[6] = second.z, v[7] = second.w;
    } else {
        UNROLL for (uint32_t j = 0; j < 8; j++) v[j] = k + j < a.k ? from[j] : 0.0f;
    }
    return {bf16_pair(v[0], v[1]), bf16_pair(v[2], v[3]), bf16_pair(v[4], v[5]), bf16_pair(v[6], v[7])};
}

template <int FORMAT>
static __device__ __forceinline__ void load_weights(uint32_t (*to)[STRIDE], const weight_view &w, const float *table,
                                                    uint32_t first, uint32_t k)
{
    for (uint32_t i = threadIdx.x; i < COLUMNS * (DEPTH / 8); i += THREADS) {
        uint32_t row = i / (DEPTH / 8), part = i % (DEPTH / 8);
        float v[8] = {0, 0, 0, 0, 0, 0, 0, 0};
        if (first + row < w.rows) decode_eight<FORMAT>(w, table, first + row, k + part * 8, v);
        *(uint4 *)&to[row][part * 4] =
            uint4{bf16_pair(v[0], v[1]), bf16_pair(v[2], v[3]), bf16_pair(v[4], v[5]), bf16_pair(v[6], v[7])};
    }
}

/* Fragments of a 16 x 16 piece of x and an 8 x 16 piece of the weight, by mma.cuh. */
static __device__ __forceinline__ void load_a(uint32_t a[4], const uint32_t (*x)[STRIDE], uint32_t row, uint32_t word)
{
    uint32_t g = warp_lane() / 4, t = warp_lane() % 4;
    a[0] = x[row + g][word + t];
    a[1] = x[row + g + 8][word + t];
    a[2] = x[row + g][word + t + 4];
    a[3] = x[row + g + 8][word + t + 4];
}

static __device__ __forceinline__ void load_b(uint32_t b[2], const uint32_t (*w)[STRIDE], uint32_t column,
                                              uint32_t word)
{
    uint32_t g = warp_lane() / 4, t = warp_lane() % 4;
    b[0] = w[column + g][word + t];
    b[1] = w[column + g][word + t + 4];
}

template <int FORMAT, uint32_t ROWS, bool GATED>
static __global__ void __launch_bounds__(THREADS) multiply_tiles(multiply_args a)
{
    constexpr uint32_t DOWN = ROWS / 16, ACROSS = 4 / DOWN, PIECES = COLUMNS / 8 / ACROSS;
    SHARED_ARRAY(float, table, [DECODE_TABLE]);
    SHARED_ARRAY(alignas(16) uint32_t, x, [ROWS][STRIDE]);
    SHARED_ARRAY(alignas(16) uint32_t, w, [COLUMNS][STRIDE]);
    SHARED_ARRAY(alignas(16) uint32_t, w2, [GATED ? COLUMNS : 1][STRIDE]);
    LET_NEXT_BEGIN();
    WAIT_FOR_FORMER();
    tile t = find_tile<ROWS>(a, blockIdx.y);
    if (t.none) return;
    const weight_view weight = a.weights ? a.weights[t.group] : a.weight;
    const weight_view second = GATED ? a.second[t.group] : weight;
    uint32_t first_column = blockIdx.x * COLUMNS, warp = threadIdx.x / WARP_SIZE;
    uint32_t row = warp % DOWN * 16, column = warp / DOWN * (PIECES * 8);
    float sum[PIECES][4] = {}, sum2[GATED ? PIECES : 1][4] = {};

    const bool fours = a.k % 8 == 0 && (uintptr_t)a.x % 16 == 0;
    decode_prepare(table, weight.format);
    for (uint32_t k = 0; k < a.k; k += DEPTH) {
        BLOCK_BARRIER(); /* the table is there; nobody reads the tiles of the step before any more */
        for (uint32_t i = threadIdx.x; i < ROWS * (DEPTH / 8); i += THREADS) {
            uint32_t r = t.first + i / (DEPTH / 8), part = i % (DEPTH / 8);
            uint4 values = {0, 0, 0, 0};
            if (r < t.end) values = load_x(a, fours, a.rows ? a.rows[r] : r, k + part * 8);
            *(uint4 *)&x[i / (DEPTH / 8)][part * 4] = values;
        }
        load_weights<FORMAT>(w, weight, table, first_column, k);
        if (GATED) load_weights<FORMAT>(w2, second, table, first_column, k);
        BLOCK_BARRIER();
        UNROLL for (uint32_t step = 0; step < DEPTH / 16; step++)
        {
            uint32_t fa[4], fb[2];
            load_a(fa, x, row, step * 8);
            UNROLL for (uint32_t p = 0; p < PIECES; p++)
            {
                load_b(fb, w, column + p * 8, step * 8);
                mma_bf16(sum[p], fa, fb);
                if (GATED) {
                    load_b(fb, w2, column + p * 8, step * 8);
                    mma_bf16(sum2[p], fa, fb);
                }
            }
        }
    }
    UNROLL for (uint32_t p = 0; p < PIECES; p++) UNROLL for (uint32_t i = 0; i < 4; i++)
    {
        uint32_t r = t.first + row + warp_lane() / 4 + i / 2 * 8;
        uint32_t c = first_column + column + p * 8 + warp_lane() % 4 * 2 + i % 2;
        if (r >= t.end || c >= a.n) continue;
        store(a, r, c, GATED ? activate(a.activation, sum[p][i]) * sum2[p][i] : sum[p][i]);
    }
}

template <int FORMAT> static void launch_tiles(const multiply_args &a, cudaStream_t stream)
{
    /* Tiles of 64 rows once a group has more than 32 on average: below, half of a tile would be empty. */
    uint32_t columns = (a.n + COLUMNS - 1) / COLUMNS, groups = a.starts ? a.n_groups : 0;
    bool few = a.m <= 32 * (groups ? groups : 1);
    uint32_t tiles = few ? (a.m + 15) / 16 + groups : (a.m + 63) / 64 + groups;
    if (few && a.second)
        LAUNCH_EARLY((multiply_tiles<FORMAT, 16, true>), dim3(columns, tiles), dim3(THREADS), 0, stream, a);
    else if (few)
        LAUNCH_EARLY((multiply_tiles<FORMAT, 16, false>), dim3(columns, tiles), dim3(THREADS), 0, stream, a);
    else if (a.second)
        LAUNCH_EARLY((multiply_tiles<FORMAT, 64, true>), dim3(columns, tiles), dim3(THREADS), 0, stream, a);
    else
        LAUNCH_EARLY((multiply_tiles<FORMAT, 64, false>), dim3(columns, tiles), dim3(THREADS), 0, stream, a);
}

#endif
