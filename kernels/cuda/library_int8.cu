/* library_int8.cu: LLM.int8 through cuBLASLt: sums of bytes are whole numbers, so that every regime gives the same bits, and many rows
 * may go here and few elsewhere. The weight's codes are multiplied as they lie; rows go INT8_CHUNK at a time, for the sums take four
 * bytes each. */
#include "kernels/cuda/gemm_lt.cuh"
#include "kernels/cuda/int8_rows.cuh"
#include "kernels/cuda/library_parts.cuh"

/* Below this the own kernel, which reads a weight once per 32 rows, does it in one launch; a tile of the library's is mostly empty. */
#define INT8_ROWS   64u
#define INT8_MOST_K ((size_t)131072) /* 128 * 127 * k stays below 2^31 */

/* Scratch for a chunk of rows. */
struct space {
    int8_t *codes;
    float *absmax, *gate, *up;
    int32_t *sums;
};

/* f: values of gate and of up, or 0. */
static bool take_space(struct kernels_device *device, struct space *s, size_t rows, size_t n, size_t k, size_t f)
{
    s->codes = (int8_t *)cuda_scratch_at_least(device, CUDA_SCRATCH_ROWS16, rows * k);
    s->absmax = (float *)cuda_scratch_at_least(device, CUDA_SCRATCH_ABSMAX, rows * sizeof(float));
    s->gate = (float *)cuda_scratch_at_least(device, CUDA_SCRATCH_GATED, rows * (n + 2 * f) * sizeof(float));
    s->up = s->gate + rows * f;
    s->sums = (int32_t *)(s->gate + 2 * rows * f);
    return s->codes && s->absmax && s->gate;
}

static bool takes(struct kernels_device *device, const struct kernels_weight *w, enum kernels_status *status)
{
    int failed = 0;
    if (w->desc.format != KERNELS_INT8 || w->desc.cols > INT8_MOST_K) return false;
    bool taken = gemm_lt_takes(cuda_library_gemm(device), true, w->desc.rows, w->desc.cols, w->desc.rows, &failed);
    *status = cuda_library_check(device, failed, "choosing an algorithm", w->desc.rows, w->desc.cols);
    return taken || *status != KERNELS_OK;
}

/* out = the product of m rows, at most INT8_CHUNK, whose codes are in `s`. */
static enum kernels_status multiply_chunk(struct kernels_device *device, const struct space *s, const float *x,
                                          const uint32_t *rows, size_t m, const struct kernels_weight *w, float *out,
                                          bool accumulate, const char *what)
{
    const size_t n = w->desc.rows, k = w->desc.cols;
    const struct gemm_lt_product p = {s->codes, w->view.data, s->sums, m, n, k, n, false, true};
    enum kernels_status status = cuda_library_multiply(device, &p, what);
    if (status != KERNELS_OK) return status;
    const int8_finish_args finish = {s->sums, x, s->absmax, rows, w->view, out, (uint32_t)m, accumulate};
    cuda_int8_finish_rows(finish, device->stream);
    return cuda_check_launch(device, what);
}

bool cuda_library_int8_linear(struct kernels_device *device, const struct kernels_linear *a,
                              enum kernels_status *status)
{
    const size_t n = a->weight->desc.rows, k = a->weight->desc.cols;
    struct space s = {};
    *status = KERNELS_OK;
    if (!cuda_library_may(device) || a->n_rows < INT8_ROWS || !takes(device, a->weight, status)) return false;
    if (*status == KERNELS_OK && !take_space(device, &s, gpu_smaller(a->n_rows, INT8_CHUNK), n, k, 0))
        *status = device->failure.code;
    for (size_t row = 0; row < a->n_rows && *status == KERNELS_OK; row += INT8_CHUNK) {
        const size_t m = gpu_smaller(a->n_rows - row, INT8_CHUNK);
        const float *x = a->x + row * k;
        cuda_int8_split_rows(x, NULL, (uint32_t)m, (uint32_t)k, s.codes, s.absmax, device->stream);
        *status = cuda_check_launch(device, "linear");
        if (*status == KERNELS_OK)
            *status = multiply_chunk(device, &s, x, NULL, m, a->weight, a->out + row * n, a->accumulate, "linear");
    }
    return true;
}

bool cuda_library_int8_takes_experts(struct kernels_device *device, const struct kernels_expert_ffn *a,
                                     size_t n_experts, size_t n_pairs, enum kernels_status *status)
{
    *status = KERNELS_OK;
    return cuda_library_may(device) && n_pairs >= n_experts * INT8_ROWS && takes(device, a->gate[0], status) &&
           (*status != KERNELS_OK || takes(device, a->down[0], status));
}

static enum kernels_status multiply_expert(struct kernels_device *device, const struct kernels_expert_ffn *a, size_t e,
                                           const struct space *s, const float *x, const uint32_t *rows, size_t m,
                                           float *results)
{
    const size_t f = a->gate[e]->desc.rows, k = a->gate[e]->desc.cols;
    cuda_int8_split_rows(x, rows, (uint32_t)m, (uint32_t)k, s->codes, s->absmax, device->stream);
    enum kernels_status status = cuda_check_launch(device, "expert_ffn");
    if (status == KERNELS_OK) status = multiply_chunk(device, s, x, rows, m, a->gate[e], s->gate, false, "expert_ffn");
    if (status == KERNELS_OK) status = multiply_chunk(device, s, x, rows, m, a->up[e], s->up, false, "expert_ffn");
    if (status != KERNELS_OK) return status;
    cuda_int8_gate(s->gate, s->up, m * f, a->activation, device->stream);
    cuda_int8_split_rows(s->gate, NULL, (uint32_t)m, (uint32_t)f, s->codes, s->absmax, device->stream);
    status = cuda_check_launch(device, "expert_ffn");
    return status == KERNELS_OK ? multiply_chunk(device, s, s->gate, NULL, m, a->down[e], results, false, "expert_ffn")
                                : status;
}

enum kernels_status cuda_library_int8_experts(struct kernels_device *device, const struct cuda_library_experts *e,
                                              float *results)
{
    const struct kernels_expert_ffn *a = e->args;
    const size_t f = a->gate[0]->desc.rows, k = a->gate[0]->desc.cols;
    const uint32_t *starts = NULL;
    struct space s = {};
    if (!take_space(device, &s, gpu_smaller(e->n_pairs, INT8_CHUNK), gpu_larger(f, k), gpu_larger(f, k), f))
        return device->failure.code;
    enum kernels_status status = cuda_library_fetch_starts(device, e, &starts);
    for (size_t i = 0; i < e->n_experts && status == KERNELS_OK; i++)
        for (size_t row = starts[i]; row < starts[i + 1] && status == KERNELS_OK; row += INT8_CHUNK)
            status = multiply_expert(device, a, i, &s, e->rows ? a->x : a->x + row * k, e->rows ? e->rows + row : NULL,
                                     gpu_smaller(starts[i + 1] - row, INT8_CHUNK), results + row * k);
    return status;
}
