/* rows.cu: see rows.cuh. Each kernel reads and writes every value once: bound by memory. */
#include "kernels/cuda/early.cuh"
#include "kernels/cuda/norm.cuh"
#include "kernels/cuda/rows.cuh"
#include "kernels/gpu_scratch.h"

extern "C" {
#include "kernels/formats/kv.h"
}

namespace
{

constexpr uint32_t THREADS = NORM_THREADS, WARPS = NORM_WARPS;

__global__ void __launch_bounds__(THREADS) embed_rows(weight_view table, const int32_t *ids, float scale, float *out)
{
    SHARED_ARRAY(float, codes, [DECODE_TABLE]);
    LET_NEXT_BEGIN();
    decode_prepare(codes, table.format);
    BLOCK_BARRIER();
    for (uint32_t i = threadIdx.x; i < table.cols; i += THREADS)
        out[(size_t)blockIdx.x * table.cols + i] =
            decode_one<DECODE_ANY>(table, codes, (size_t)ids[blockIdx.x] * table.cols + i) * scale;
}

template <int FORMAT>
__global__ void __launch_bounds__(THREADS)
    rmsnorm_rows(const float *x, weight_view weight, float *out, uint32_t cols, float eps, bool plus_one)
{
    SHARED_ARRAY(double, scratch, [WARPS]);
    LET_NEXT_BEGIN();
    WAIT_FOR_FORMER();
    const float *from = x + (size_t)blockIdx.x * cols;
    float *to = out + (size_t)blockIdx.x * cols;
    double sum = 0;
    for (uint32_t i = threadIdx.x; i < cols; i += THREADS) sum += (double)from[i] * from[i];
    norm_row<FORMAT>(from, weight, to, cols, norm_scale(sum, scratch, cols, eps), plus_one);
}

__device__ __forceinline__ float cut(float x, float limit)
{
    return limit > 0 ? (x < -limit ? -limit : x > limit ? limit : x) : x;
}

/* Heads of keys and values that a block has: all of the row, or one. */
struct kv_heads {
    uint32_t first, n;
};

/* Keys and values of a row to its slot, in f32 or f16: a thread a value. */
__device__ __forceinline__ void store_values(const rope_args &a, uint32_t row, kv_heads heads)
{
    uint32_t d = a.kv.head_size, g = a.kv.n_kv_heads;
    for (uint32_t i = threadIdx.x; i < 2 * heads.n * d; i += THREADS) {
        bool is_k = i < heads.n * d;
        uint32_t at = heads.first * d + (is_k ? i : i - heads.n * d);
        float *from = (is_k ? a.k : a.v) + (size_t)row * g * d + at;
        size_t to = kv_vector(a.kv, a.layer, at / d, a.slots[row]) * d + at % d;
        if (!is_k && a.clip > 0) *from = cut(*from, a.clip);
        if (a.kv.format == KERNELS_F32)
            ((float *)(is_k ? a.kv.k : a.kv.v))[to] = *from;
        else
            ((uint16_t *)(is_k ? a.kv.k : a.kv.v))[to] = f16_from_float(*from);
    }
}

/* The same in groups of 32 with a scale: a thread a group. */
__device__ __forceinline__ void store_groups(const rope_args &a, uint32_t row, kv_heads heads)
{
    uint32_t d = a.kv.head_size, g = a.kv.n_kv_heads, groups = (d + KV_GROUP - 1) / KV_GROUP;
    uint32_t group_bytes = a.kv.vector_bytes / groups;
    for (uint32_t i = threadIdx.x; i < 2 * heads.n * groups; i += THREADS) {
        bool is_k = i < heads.n * groups;
        uint32_t at = heads.first * groups + (is_k ? i : i - heads.n * groups), head = at / groups, group = at % groups;
        float *from = (is_k ? a.k : a.v) + ((size_t)row * g + head) * d + group * KV_GROUP, values[KV_GROUP];
        for (uint32_t j = 0; j < KV_GROUP; j++) {
            bool in = group * KV_GROUP + j < d;
            values[j] = in ? cut(from[j], is_k ? 0.0f : a.clip) : 0.0f;
            if (in && !is_k && a.clip > 0) from[j] = values[j];
        }
        size_t slot = kv_vector(a.kv, a.layer, head, a.slots[row]);
        kv_store_group((enum kernels_format)a.kv.format, values,
                       (uint8_t *)(is_k ? a.kv.k : a.kv.v) + slot * a.kv.vector_bytes + group * group_bytes);
    }
}

/* One block a row: heads of q first, then those of k and v. Where rows are few, one block a head of k and v, with its share of those of
 * q. */
__global__ void __launch_bounds__(THREADS) rotate_rows(rope_args a)
{
    LET_NEXT_BEGIN();
    WAIT_FOR_FORMER();
    uint32_t row = blockIdx.x, d = a.kv.head_size, half = d / 2, g = a.kv.n_kv_heads;
    const kv_heads heads = {gridDim.y == 1 ? 0 : blockIdx.y, gridDim.y == 1 ? g : 1};
    const uint32_t group = a.n_heads / g, n_queries = heads.n * group;
    float position = (float)a.positions[row];
    for (uint32_t i = threadIdx.x; i < (n_queries + heads.n) * half; i += THREADS) {
        uint32_t head = i / half, j = i % half;
        float *x = head < n_queries ? a.q + ((size_t)row * a.n_heads + heads.first * group + head) * d
                                    : a.k + ((size_t)row * g + heads.first + head - n_queries) * d;
        float s, c, low = cut(x[j], a.clip), high = cut(x[j + half], a.clip);
        sincosf(position * a.inverse_frequency[j], &s, &c);
        x[j] = fmaf(low, c, -(high * s));
        x[j + half] = fmaf(high, c, low * s);
    }
    BLOCK_BARRIER(); /* the rotated keys are read by other threads */
    if (a.kv.format == KERNELS_F32 || a.kv.format == KERNELS_F16)
        store_values(a, row, heads);
    else
        store_groups(a, row, heads);
}

__global__ void __launch_bounds__(THREADS) add_values(float *out, const float *x, size_t n)
{
    LET_NEXT_BEGIN();
    size_t i = (size_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < n) out[i] += x[i];
}

__global__ void __launch_bounds__(THREADS) copy_rows(const float *x, const uint32_t *rows, float *out, uint32_t cols)
{
    LET_NEXT_BEGIN();
    for (uint32_t i = threadIdx.x; i < cols; i += THREADS)
        out[(size_t)blockIdx.x * cols + i] = x[(size_t)rows[blockIdx.x] * cols + i];
}

} // namespace

void cuda_embed(const weight_view &t, const int32_t *ids, uint32_t n_rows, float scale, float *out, cudaStream_t stream)
{
    if (n_rows) LAUNCH(embed_rows, dim3(n_rows), dim3(THREADS), 0, stream, t, ids, scale, out);
}

void cuda_rmsnorm(const float *x, const weight_view &w, float *out, uint32_t n_rows, uint32_t cols, float eps,
                  bool plus_one, cudaStream_t stream)
{
    dim3 grid(n_rows), threads(THREADS);
    if (n_rows == 0) return;
    switch (w.format) {
    case KERNELS_F32:
        LAUNCH_EARLY(rmsnorm_rows<KERNELS_F32>, grid, threads, 0, stream, x, w, out, cols, eps, plus_one);
        break;
    case KERNELS_F16:
        LAUNCH_EARLY(rmsnorm_rows<KERNELS_F16>, grid, threads, 0, stream, x, w, out, cols, eps, plus_one);
        break;
    default:
        LAUNCH_EARLY(rmsnorm_rows<KERNELS_BF16>, grid, threads, 0, stream, x, w, out, cols, eps, plus_one);
        break;
    }
}

void cuda_rope_kv(const rope_args &args, cudaStream_t stream)
{
    const dim3 grid(args.n_rows, args.n_rows <= GPU_STEP_ROWS ? args.kv.n_kv_heads : 1);
    if (args.n_rows) LAUNCH_EARLY(rotate_rows, grid, dim3(THREADS), 0, stream, args);
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
