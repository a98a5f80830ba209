/* rows.cu: see rows.cuh. Each kernel reads and writes every value once: bound by memory. */
#include "kernels/cuda/rows.cuh"

namespace
{

constexpr uint32_t THREADS = 256, WARPS = THREADS / WARP_SIZE;

template <int FORMAT>
__global__ void __launch_bounds__(THREADS) embed_rows(weight_view table, const int32_t *ids, float scale, float *out)
{
    SHARED_ARRAY(float, codes, [DECODE_TABLE]);
    decode_prepare(codes);
    BLOCK_BARRIER();
    for (uint32_t i = threadIdx.x * 8; i < table.cols; i += THREADS * 8) {
        float v[8];
        decode_eight<FORMAT>(table, codes, (uint32_t)ids[blockIdx.x], i, v);
        UNROLL for (uint32_t j = 0; j < 8; j++) if (i + j < table.cols) out[(size_t)blockIdx.x * table.cols + i + j] =
            v[j] * scale;
    }
}

/* The sum of all threads' values, the same in each: fixed order, so that a row's bits are its own. */
__device__ __forceinline__ double block_sum(double value, double *scratch)
{
    for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) value += warp_across_f64(value, mask);
    if (warp_lane() == 0) scratch[threadIdx.x / WARP_SIZE] = value;
    BLOCK_BARRIER();
    value = 0;
    for (uint32_t w = 0; w < WARPS; w++) value += scratch[w];
    return value;
}

template <int FORMAT>
__global__ void __launch_bounds__(THREADS)
    rmsnorm_rows(const float *x, weight_view weight, float *out, uint32_t cols, float eps, bool plus_one)
{
    SHARED_ARRAY(double, scratch, [WARPS]);
    const float *from = x + (size_t)blockIdx.x * cols;
    float *to = out + (size_t)blockIdx.x * cols;
    double sum = 0;
    for (uint32_t i = threadIdx.x; i < cols; i += THREADS) sum += (double)from[i] * from[i];
    float scale = (float)(1.0 / sqrt(block_sum(sum, scratch) / cols + eps));
    for (uint32_t i = threadIdx.x; i < cols; i += THREADS) {
        float w = decode_one<FORMAT>(weight, nullptr, i);
        to[i] = from[i] * scale * (plus_one ? 1.0f + w : w);
    }
}

__device__ __forceinline__ void keep(const kv_view &kv, void *to, size_t at, float value)
{
    if (kv.is_f32)
        ((float *)to)[at] = value;
    else
        ((uint16_t *)to)[at] = f16_from_float(value);
}

__device__ __forceinline__ float cut(float x, float limit)
{
    return limit > 0 ? (x < -limit ? -limit : x > limit ? limit : x) : x;
}

/* One block a row: heads of q first, then those of k and v. */
__global__ void __launch_bounds__(THREADS) rotate_rows(rope_args a)
{
    uint32_t row = blockIdx.x, d = a.kv.head_size, half = d / 2, g = a.kv.n_kv_heads;
    float position = (float)a.positions[row];
    for (uint32_t i = threadIdx.x; i < (a.n_heads + g) * half; i += THREADS) {
        uint32_t head = i / half, j = i % half;
        float *x = head < a.n_heads ? a.q + ((size_t)row * a.n_heads + head) * d
                                    : a.k + ((size_t)row * g + head - a.n_heads) * d;
        float s, c, low = cut(x[j], a.clip), high = cut(x[j + half], a.clip);
        sincosf(position * a.inverse_frequency[j], &s, &c);
        x[j] = fmaf(low, c, -(high * s));
        x[j + half] = fmaf(high, c, low * s);
    }
    BLOCK_BARRIER(); /* the rotated keys are read by other threads */
    for (uint32_t i = threadIdx.x; i < g * d; i += THREADS) {
        size_t at = (((size_t)a.layer * g + i / d) * a.kv.n_slots + a.slots[row]) * d + i % d;
        keep(a.kv, a.kv.k, at, a.k[(size_t)row * g * d + i]);
        a.v[(size_t)row * g * d + i] = cut(a.v[(size_t)row * g * d + i], a.clip);
        keep(a.kv, a.kv.v, at, a.v[(size_t)row * g * d + i]);
    }
}

__global__ void __launch_bounds__(THREADS) add_values(float *out, const float *x, size_t n)
{
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < n) out[i] += x[i];
}

__global__ void __launch_bounds__(THREADS) copy_rows(const float *x, const uint32_t *rows, float *out, uint32_t cols)
{
    for (uint32_t i = threadIdx.x; i < cols; i += THREADS)
        out[(size_t)blockIdx.x * cols + i] = x[(size_t)rows[blockIdx.x] * cols + i];
}

} // namespace

void cuda_embed(const weight_view &t, const int32_t *ids, uint32_t n_rows, float scale, float *out, cudaStream_t stream)
{
    dim3 grid(n_rows), threads(THREADS);
    if (n_rows == 0) return;
    switch (t.format) {
    case KERNELS_F32:
        LAUNCH(embed_rows<KERNELS_F32>, grid, threads, 0, stream, t, ids, scale, out);
        break;
    case KERNELS_F16:
        LAUNCH(embed_rows<KERNELS_F16>, grid, threads, 0, stream, t, ids, scale, out);
        break;
    case KERNELS_BF16:
        LAUNCH(embed_rows<KERNELS_BF16>, grid, threads, 0, stream, t, ids, scale, out);
        break;
    case KERNELS_NF4:
        LAUNCH(embed_rows<KERNELS_NF4>, grid, threads, 0, stream, t, ids, scale, out);
        break;
    default:
        LAUNCH(embed_rows<KERNELS_NF4_NESTED>, grid, threads, 0, stream, t, ids, scale, out);
        break;
    }
}

void cuda_rmsnorm(const float *x, const weight_view &w, float *out, uint32_t n_rows, uint32_t cols, float eps,
                  bool plus_one, cudaStream_t stream)
{
    dim3 grid(n_rows), threads(THREADS);
    if (n_rows == 0) return;
    switch (w.format) {
    case KERNELS_F32:
        LAUNCH(rmsnorm_rows<KERNELS_F32>, grid, threads, 0, stream, x, w, out, cols, eps, plus_one);
        break;
    case KERNELS_F16:
        LAUNCH(rmsnorm_rows<KERNELS_F16>, grid, threads, 0, stream, x, w, out, cols, eps, plus_one);
        break;
    default:
        LAUNCH(rmsnorm_rows<KERNELS_BF16>, grid, threads, 0, stream, x, w, out, cols, eps, plus_one);
        break;
    }
}

void cuda_rope_kv(const rope_args &args, cudaStream_t stream)
{
    if (args.n_rows) LAUNCH(rotate_rows, dim3(args.n_rows), dim3(THREADS), 0, stream, args);
}

void cuda_add(float *out, const float *x, size_t n, cudaStream_t stream)
{
    if (n) LAUNCH(add_values, dim3((unsigned)((n + THREADS - 1) / THREADS)), dim3(THREADS), 0, stream, out, x, n);
}

void cuda_gather_rows(const float *x, const uint32_t *rows, float *out, uint32_t n_rows, uint32_t cols,
                      cudaStream_t stream)
{
    if (n_rows && cols) LAUNCH(copy_rows, dim3(n_rows), dim3(THREADS), 0, stream, x, rows, out, cols);
}
