/* rows.cuh: operations on rows of activations that are bound by reading and writing them: embedding, norms, rotation, copies. */
#ifndef DOCKET_KERNELS_CUDA_ROWS_CUH
#define DOCKET_KERNELS_CUDA_ROWS_CUH

#include "kernels/cuda/decode.cuh"

extern "C" {
#include "kernels/formats/kv.h"
}

struct kv_view {
    void *k, *v; /* vectors at kv_place, by formats/kv.h */
    uint32_t n_layers, n_slots, n_running, n_kv_heads, head_size, format, vector_bytes;
};

/* Which of the vectors is that of a slot; those of a range follow one another. */
static __device__ __forceinline__ size_t kv_vector(const kv_view &kv, uint32_t layer, uint32_t head, uint32_t slot)
{
    return kv_place(kv.n_layers, kv.n_slots, kv.n_running, kv.n_kv_heads, layer, head, slot);
}

void cuda_embed(const weight_view &table, const int32_t *ids, uint32_t n_rows, float scale, float *out,
                cudaStream_t stream);
void cuda_rmsnorm(const float *x, const weight_view &weight, float *out, uint32_t n_rows, uint32_t cols, float eps,
                  bool weight_plus_one, cudaStream_t stream);

struct rope_args {
    float *q, *k, *v;
    const float *inverse_frequency;
    float clip; /* 0: none */
    const int32_t *positions;
    const uint32_t *slots;
    kv_view kv;
    uint32_t n_rows, n_heads, layer;
};
void cuda_rope_kv(const rope_args &args, cudaStream_t stream);

void cuda_add(float *out, const float *x, size_t n, cudaStream_t stream);
void cuda_gather_rows(const float *x, const uint32_t *rows, float *out, uint32_t n_rows, uint32_t cols,
                      cudaStream_t stream);

#endif
