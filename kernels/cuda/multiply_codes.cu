/* multiply_codes.cu: which kernel makes a product of multiply_codes.cuh; single logits. */
#include "kernels/cuda/multiply_codes.cuh"

namespace
{

using namespace codes;

/* One warp makes 8 items: rows of x against rows of W, of which the diagonal is wanted. */
template <int FORMAT>
__global__ void __launch_bounds__(THREADS) multiply_item_codes(const float *x, weight_view w, const uint32_t *rows,
                                                               const int32_t *tokens, float *out, uint32_t n)
{
    SHARED_ARRAY(float, table, [DECODE_TABLE]);
    SHARED_ARRAY(uint32_t, pairs, [256]);
    decode_prepare(table, w.format);
    BLOCK_BARRIER(); /* the values are there */
    fill_pairs<1>(pairs, table);
    BLOCK_BARRIER(); /* the pairs are there */
    const uint32_t g = warp_lane() / 4, t = warp_lane() % 4;
    const uint32_t item = (blockIdx.x * (THREADS / WARP_SIZE) + threadIdx.x / WARP_SIZE) * 8 + g;
    const uint32_t kept = item < n ? item : n - 1, token = (uint32_t)tokens[kept];
    const float *row = x + (size_t)rows[kept] * w.cols + 16 * t;
    const uint8_t *at = (const uint8_t *)w.data + (size_t)token * w.cols / 2 + 8 * t;
    float sum[4] = {0, 0, 0, 0}, total[4] = {0, 0, 0, 0};
    for (uint32_t k = 0, number = 1; k < w.cols; k += BLOCK, number++) {
        const uint2 bytes = *(const uint2 *)(at + k / 2);
        const float scale = block_scale<FORMAT>(w, token, k); /* of this lane's item: right on the diagonal */
        float block[4] = {0, 0, 0, 0};
        UNROLL for (uint32_t s = 0; s < STEPS; s++)
        {
            const float4 values = *(const float4 *)(row + k + 4 * s);
            const uint32_t of_x[4] = {bf16_pair(values.x, values.y), 0, bf16_pair(values.z, values.w), 0};
            const uint32_t two = step_bytes(bytes, s), of_w[2] = {pairs[two & 255u], pairs[two >> 8 & 255u]};
            mma_bf16(block, of_x, of_w);
        }
        UNROLL for (uint32_t i = 0; i < 4; i++) sum[i] = fmaf(block[i], scale, sum[i]);
        if (number % SLICE_BLOCKS && k + BLOCK < w.cols) continue;
        UNROLL for (uint32_t i = 0; i < 4; i++) total[i] += sum[i], sum[i] = 0;
    }
    if (item < n && (g == 2 * t || g == 2 * t + 1)) out[item] = total[g - 2 * t];
}

} // namespace

bool cuda_are_codes(const weight_view &w)
{
    return w.format >= KERNELS_NF4 && w.format <= KERNELS_FP4_NESTED && w.cols % BLOCK == 0 && w.block_shift >= 6 &&
           (uint64_t)w.rows * (w.cols / BLOCK) <= UINT32_MAX; /* blocks have numbers */
}

/* Whether so few tiles would be made that most of a GPU had none: up to 32 rows a group then go to multiply_few.cu eight at a time, which
 * reads a weight of 4096 outputs, which L2 holds, up to four times, in as many blocks as there are multiprocessors, or twice that. */
static bool are_lonely(const multiply_args &a)
{
    const uint32_t n_groups = a.starts ? a.n_groups : 1, outputs = a.second ? 64 : 128;
    return a.m <= 32 * n_groups && tiles_at_most(a, 16) * ((outputs_of(a) - 1) / outputs + 1) < 100;
}

/* One group of rows against one kind of scales; the tables of NF4 and FP4 are each block's own, and so is the size of blocks. */
bool cuda_multiply_joins(multiply_args &a, const multiply_args &other)
{
    if (!a.as_codes || !other.as_codes || a.starts || a.weights || a.out16 || a.n_beside == KERNELS_MAX_BESIDE ||
        !a.weight.absmax_codes != !other.weight.absmax_codes)
        return false;
    multiply_args both = a;
    both.beside[both.n_beside++] = {other.weight, other.out};
    if (cuda_takes_code_tiles(both) && !are_lonely(both)) return false;
    a = both;
    return true;
}

void cuda_multiply_codes(const multiply_args &a, cudaStream_t stream)
{
    if (cuda_takes_code_tiles(a) && !are_lonely(a))
        cuda_multiply_code_tiles(a, stream);
    else
        cuda_multiply_codes_few(a, stream);
}

void cuda_multiply_items_codes(const float *x, const weight_view &w, const uint32_t *rows, const int32_t *tokens,
                               float *out, uint32_t n, cudaStream_t stream)
{
    const dim3 grid((n + THREADS / WARP_SIZE * 8 - 1) / (THREADS / WARP_SIZE * 8)), threads(THREADS);
    if (w.absmax_codes)
        LAUNCH(multiply_item_codes<KERNELS_NF4_NESTED>, grid, threads, 0, stream, x, w, rows, tokens, out, n);
    else
        LAUNCH(multiply_item_codes<KERNELS_NF4>, grid, threads, 0, stream, x, w, rows, tokens, out, n);
}
