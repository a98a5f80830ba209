/* expand.cu: see expand.cuh. A thread makes 8 values, 16 bytes. Bound by memory: 0.52 bytes read and 2 written a weight in nf4, so that an
 * H200 (4.3 TB/s) expands 1.7e12 weights a second: the experts of one Mixtral layer in 0.83 ms, beside products that take 7.7 ms with
 * 8,192 rows. In nf4 a weight costs 9 instructions of a lane: 66 multiprocessors of 132 do what memory gives, so that a grid for half of
 * them leaves the rest to the product. */
#include "kernels/cuda/expand.cuh"
#include "kernels/cuda/tiles.cuh"

namespace
{

constexpr uint32_t EXPAND_THREADS = 256, EXPAND_STEP = 2 * EXPAND_THREADS;
constexpr uint32_t EXPAND_BLOCKS = 8; /* that a multiprocessor holds: 2,048 threads of 32 registers */
constexpr float LARGEST_F16 = 65504;

/* An activation that f16 cannot hold becomes the largest that it can: an infinity would make NaN of the whole row. NaN stays. */
__device__ __forceinline__ float cut_to_f16(float x)
{
    return x > LARGEST_F16 ? LARGEST_F16 : x < -LARGEST_F16 ? -LARGEST_F16 : x;
}

template <bool BF16> __device__ __forceinline__ uint32_t pair_of(float earlier, float later)
{
    if (BF16) return bf16_pair(earlier, later);
    return f16_from_float(cut_to_f16(earlier)) | (uint32_t)f16_from_float(cut_to_f16(later)) << 16;
}

template <bool BF16> __device__ __forceinline__ void store_eight(uint16_t *to, const float v[8])
{
    uint4 words;
    words.x = pair_of<BF16>(v[0], v[1]), words.y = pair_of<BF16>(v[2], v[3]);
    words.z = pair_of<BF16>(v[4], v[5]), words.w = pair_of<BF16>(v[6], v[7]);
    store_vector(to, words);
}

__device__ __forceinline__ void load_eight(const float *from, float v[8])
{
    float4 a = ((const float4 *)from)[0], b = ((const float4 *)from)[1];
    v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w, v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}

template <bool BF16>
__global__ void __launch_bounds__(EXPAND_THREADS)
    round_rows(const float *x, const uint32_t *rows, uint32_t n_eights, uint32_t k, uint16_t *to)
{
    LET_NEXT_BEGIN();
    const uint32_t i = blockIdx.x * EXPAND_THREADS + threadIdx.x;
    if (i >= n_eights) return;
    const uint32_t row = i / (k / 8), from = rows ? rows[row] : row;
    float v[8];
    load_eight(x + (size_t)from * k + (size_t)(i % (k / 8)) * 8, v);
    store_eight<BF16>(to + (size_t)i * 8, v);
}

/* The weight's values, eight a thread, and again as many as the grid is wide further on. */
template <int FORMAT, bool BF16>
__device__ __forceinline__ void expand(const weight_view &w, const float *table, size_t n_eights, uint16_t *to)
{
    const size_t step = (size_t)gridDim.x * EXPAND_STEP;
    for (size_t i = (size_t)blockIdx.x * EXPAND_STEP + threadIdx.x; i < n_eights; i += step) {
        const size_t at[2] = {i, i + EXPAND_THREADS < n_eights ? i + EXPAND_THREADS : i};
        if constexpr (FORMAT == KERNELS_NF4 || FORMAT == KERNELS_NF4_NESTED) {
            uint32_t codes[2]; /* both are asked for before the first is needed */
            float absmax[2], v[8];
            UNROLL for (uint32_t p = 0; p < 2; p++)
            {
                codes[p] = ((const uint32_t *)w.data)[at[p]];
                absmax[p] = decode_absmax<FORMAT>(w, at[p] * 8 >> w.block_shift);
            }
            UNROLL for (uint32_t p = 0; p < 2; p++)
            {
                decode_codes(table, codes[p], absmax[p], v);
                store_eight<BF16>(to + at[p] * 8, v);
            }
        } else
            UNROLL for (uint32_t p = 0; p < 2; p++)
            {
                float v[8];
                decode_eight_at<FORMAT>(w, table, at[p] * 8, v);
                store_eight<BF16>(to + at[p] * 8, v);
            }
    }
}

template <int FORMAT, bool BF16>
__global__ void __launch_bounds__(EXPAND_THREADS)
    expand_list_of(const weight_view *views, expand_list list, size_t n_eights, uint16_t *to)
{
    SHARED_ARRAY(float, table, [DECODE_TABLE]);
    const weight_view w = views[list.numbers[blockIdx.y]];
    decode_prepare(table, w.format);
    BLOCK_BARRIER(); /* the table is there */
    expand<FORMAT, BF16>(w, table, n_eights, to + blockIdx.y * n_eights * 8);
}

template <int FORMAT, bool BF16>
__global__ void __launch_bounds__(EXPAND_THREADS) expand_one(weight_view w, size_t n_eights, uint16_t *to)
{
    SHARED_ARRAY(float, table, [DECODE_TABLE]);
    decode_prepare(table, w.format);
    BLOCK_BARRIER(); /* the table is there */
    expand<FORMAT, BF16>(w, table, n_eights, to);
}

template <bool BF16>
__global__ void __launch_bounds__(EXPAND_THREADS)
    gate_rows(const float *gated, uint32_t n_eights, uint32_t f, enum kernels_activation activation, uint16_t *to)
{
    const uint32_t i = blockIdx.x * EXPAND_THREADS + threadIdx.x;
    if (i >= n_eights) return;
    const float *from = gated + (size_t)(i / (f / 8)) * 2 * f + (size_t)(i % (f / 8)) * 8;
    float g[8], u[8];
    load_eight(from, g);
    load_eight(from + f, u);
    UNROLL for (uint32_t j = 0; j < 8; j++) g[j] = activate(activation, g[j]) * u[j];
    store_eight<BF16>(to + (size_t)i * 8, g);
}

unsigned blocks_of(size_t n_eights)
{
    return (unsigned)((n_eights + EXPAND_THREADS - 1) / EXPAND_THREADS);
}

template <int FORMAT, bool BF16>
void launch_expand(const weight_view *views, const expand_list *list, const weight_view &w, uint16_t *to,
                   unsigned most_blocks, cudaStream_t stream)
{
    const size_t n = (size_t)w.rows * w.cols / 8, n_weights = list ? list->n : 1;
    const size_t wanted = (n + EXPAND_STEP - 1) / EXPAND_STEP, most = (most_blocks + n_weights - 1) / n_weights;
    const dim3 grid((unsigned)(wanted < most ? wanted : most), (unsigned)n_weights);
    if (list)
        LAUNCH((expand_list_of<FORMAT, BF16>), grid, dim3(EXPAND_THREADS), 0, stream, views, *list, n, to);
    else
        LAUNCH((expand_one<FORMAT, BF16>), grid, dim3(EXPAND_THREADS), 0, stream, w, n, to);
}

template <bool BF16>
void expand_format(const weight_view *views, const expand_list *list, const weight_view &w, uint16_t *to,
                   unsigned most_blocks, cudaStream_t stream)
{
    switch (w.format) {
    case KERNELS_BF16:
        launch_expand<KERNELS_BF16, BF16>(views, list, w, to, most_blocks, stream);
        break;
    case KERNELS_NF4:
    case KERNELS_FP4:
        launch_expand<KERNELS_NF4, BF16>(views, list, w, to, most_blocks, stream);
        break;
    case KERNELS_Q8:
        launch_expand<KERNELS_Q8, BF16>(views, list, w, to, most_blocks, stream);
        break;
    case KERNELS_Q4:
        launch_expand<KERNELS_Q4, BF16>(views, list, w, to, most_blocks, stream);
        break;
    case KERNELS_Q2:
        launch_expand<KERNELS_Q2, BF16>(views, list, w, to, most_blocks, stream);
        break;
    case KERNELS_Q1:
        launch_expand<KERNELS_Q1, BF16>(views, list, w, to, most_blocks, stream);
        break;
    default:
        launch_expand<KERNELS_NF4_NESTED, BF16>(views, list, w, to, most_blocks, stream);
        break;
    }
}

} // namespace

void cuda_round_rows(const float *x, const uint32_t *rows, uint32_t m, uint32_t k, bool is_bf16, uint16_t *to,
                     cudaStream_t stream)
{
    size_t n = (size_t)m * k / 8;
    if (n == 0) return;
    if (is_bf16)
        LAUNCH(round_rows<true>, dim3(blocks_of(n)), dim3(EXPAND_THREADS), 0, stream, x, rows, n, k, to);
    else
        LAUNCH(round_rows<false>, dim3(blocks_of(n)), dim3(EXPAND_THREADS), 0, stream, x, rows, n, k, to);
}

void cuda_expand_weights(const weight_view *views, const expand_list &list, const weight_view &first, bool is_bf16,
                         uint16_t *to, unsigned n_multiprocessors, cudaStream_t stream)
{
    if (list.n == 0) return;
    if (is_bf16)
        expand_format<true>(views, &list, first, to, n_multiprocessors * EXPAND_BLOCKS, stream);
    else
        expand_format<false>(views, &list, first, to, n_multiprocessors * EXPAND_BLOCKS, stream);
}

void cuda_expand_weight(const weight_view &w, bool is_bf16, uint16_t *to, unsigned n_multiprocessors,
                        cudaStream_t stream)
{
    if (is_bf16)
        expand_format<true>(NULL, NULL, w, to, n_multiprocessors * EXPAND_BLOCKS, stream);
    else
        expand_format<false>(NULL, NULL, w, to, n_multiprocessors * EXPAND_BLOCKS, stream);
}

void cuda_gate_rows(const float *gated, uint32_t m, uint32_t f, enum kernels_activation activation, bool is_bf16,
                    uint16_t *to, cudaStream_t stream)
{
    size_t n = (size_t)m * f / 8;
    if (n == 0) return;
    if (is_bf16)
        LAUNCH(gate_rows<true>, dim3(blocks_of(n)), dim3(EXPAND_THREADS), 0, stream, gated, n, f, activation, to);
    else
        LAUNCH(gate_rows<false>, dim3(blocks_of(n)), dim3(EXPAND_THREADS), 0, stream, gated, n, f, activation, to);
}
