/* blas.cpp: cuBLASLt's calls on the host: the plain product, in double. Any call can be made to fail, as those of runtime.h; arguments
 * that cuBLASLt would refuse are refused. */
#include "tests/cuda_emulation/streams.h"

#include <blas.cuh>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

extern "C" {
#include "kernels/formats/half.h"
}

struct blas_handle {
    int unused;
};
struct blas_desc {
    int compute, scale_type;
    bool transposed;
};
struct blas_layout {
    int type;
    uint64_t rows, cols;
    int64_t stride;
};
struct blas_preference {
    uint64_t workspace_bytes;
    uint32_t alignment[4], reductions;
};

namespace
{

constexpr uint64_t ALGORITHM = 0x646f636b6574; /* what `choose` writes and `multiply` wants to see again */

int status_of(cudaError_t error)
{
    return error == cudaSuccess ? BLAS_OK : error == cudaErrorMemoryAllocation ? BLAS_NO_MEMORY : BLAS_NOT_RUN;
}

template <class type> int make(type **out)
{
    int status = status_of(emulation::count_call());
    *out = status == BLAS_OK ? new type() : nullptr;
    if (*out) emulation::count_live(1);
    return status;
}

template <class type> int destroy(type *gone)
{
    if (gone) emulation::count_live(-1);
    delete gone;
    return status_of(emulation::count_call());
}

size_t version()
{
    return 130000;
}

int desc_create(blas_desc_t *out, int compute, int scale_type)
{
    int status = make(out);
    if (*out) (*out)->compute = compute, (*out)->scale_type = scale_type;
    return status;
}

int desc_set(blas_desc_t desc, int attribute, const void *value, size_t size)
{
    int32_t number = 0;
    if (attribute != BLAS_DESC_TRANSPOSE_A || size != sizeof number) return BLAS_BAD_VALUE;
    std::memcpy(&number, value, size);
    desc->transposed = number == BLAS_TRANSPOSED;
    return status_of(emulation::count_call());
}

int layout_create(blas_layout_t *out, int type, uint64_t rows, uint64_t cols, int64_t stride)
{
    int status = make(out);
    if (*out) **out = {type, rows, cols, stride};
    return status;
}

int preference_set(blas_preference_t preference, int attribute, const void *value, size_t size)
{
    if (attribute == BLAS_PREFERENCE_WORKSPACE && size == 8)
        std::memcpy(&preference->workspace_bytes, value, size);
    else if (attribute == BLAS_PREFERENCE_REDUCTIONS && size == 4)
        std::memcpy(&preference->reductions, value, size);
    else if (attribute >= BLAS_PREFERENCE_ALIGNMENT_A && attribute <= BLAS_PREFERENCE_ALIGNMENT_D && size == 4)
        std::memcpy(&preference->alignment[attribute - BLAS_PREFERENCE_ALIGNMENT_A], value, size);
    else
        return BLAS_BAD_VALUE;
    return status_of(emulation::count_call());
}

bool fits(const blas_desc *desc, const blas_layout *a, const blas_layout *b, const blas_layout *d)
{
    bool is_half = (a->type == BLAS_BF16 || a->type == BLAS_F16) && d->type == BLAS_F32 &&
                   desc->compute == BLAS_SUMS_F32 && desc->scale_type == BLAS_F32;
    bool is_int8 = a->type == BLAS_I8 && d->type == BLAS_I32 && desc->compute == BLAS_SUMS_I32 &&
                   desc->scale_type == BLAS_I32 && a->rows % 4 == 0;
    return (is_half || is_int8) && desc->transposed && a->type == b->type && a->rows == b->rows && d->rows == a->cols &&
           d->cols == b->cols && a->stride >= (int64_t)a->rows && b->stride >= (int64_t)b->rows &&
           d->stride >= (int64_t)d->rows;
}

/* Columns too narrow for the alignment have no algorithm, as with the real one. */
int choose(blas_handle_t, blas_desc_t desc, blas_layout_t a, blas_layout_t b, blas_layout_t c, blas_layout_t d,
           blas_preference_t preference, int n_wanted, blas_choice *out, int *n_found)
{
    int status = status_of(emulation::count_call());
    *n_found = 0;
    if (status != BLAS_OK) return status;
    if (!fits(desc, a, b, d) || c != d || n_wanted != 1) return BLAS_BAD_VALUE;
    if (preference->reductions != 0) return BLAS_NOT_SUPPORTED; /* sums have to stay whole */
    for (uint32_t alignment : preference->alignment)
        if (alignment > 16) return BLAS_NOT_SUPPORTED;
    std::memset(out, 0, sizeof *out);
    out->algorithm.data[0] = ALGORITHM, out->algorithm.data[1] = a->cols, out->algorithm.data[2] = a->rows;
    out->algorithm.data[3] = b->cols;
    out->workspace_bytes = preference->workspace_bytes / 2;
    *n_found = 1;
    return BLAS_OK;
}

float value_of(const void *from, int type, size_t i)
{
    if (type == BLAS_I8) return ((const int8_t *)from)[i];
    uint16_t bits = ((const uint16_t *)from)[i];
    return type == BLAS_BF16 ? half_bf16_to_f32(bits) : half_f16_to_f32(bits);
}

size_t size_of(int type)
{
    return type == BLAS_I8 ? 1 : 2;
}

std::vector<float> read(const void *from, const blas_layout *l)
{
    std::vector<float> out(l->rows * l->cols);
    for (size_t column = 0; column < l->cols; column++)
        for (size_t row = 0; row < l->rows; row++)
            out[column * l->rows + row] = value_of(from, l->type, column * (size_t)l->stride + row);
    return out;
}

/* EMULATION_BLAS_ROWS=N: an algorithm that was chosen for other rows refuses fewer than N. */
bool refuses(const blas_algorithm *algorithm, uint64_t rows)
{
    static const char *const text = std::getenv("EMULATION_BLAS_ROWS");
    return text && rows < std::strtoull(text, nullptr, 10) && algorithm->data[3] != rows;
}

bool is_aligned(const void *address)
{
    return (uintptr_t)address % 16 == 0;
}

bool is_one(const void *alpha, int type)
{
    return type == BLAS_I32 ? *(const int32_t *)alpha == 1 : *(const float *)alpha == 1;
}

struct product {
    blas_layout a, b, d;
    const void *w, *x;
    void *out, *workspace;
    size_t workspace_bytes;
    float kept;
};

void compute(const product &p)
{
    std::memset(p.workspace, 0xff, p.workspace_bytes < 4096 ? p.workspace_bytes : 4096);
    emulation::reads(p.w, (size_t)p.a.stride * p.a.cols * size_of(p.a.type));
    emulation::reads(p.x, (size_t)p.b.stride * p.b.cols * size_of(p.b.type));
    const std::vector<float> w = read(p.w, &p.a), x = read(p.x, &p.b);
    const bool is_whole = p.d.type == BLAS_I32;
    const size_t k = p.a.rows;
    for (size_t i = 0; i < p.d.cols; i++) {
        emulation::writes((float *)p.out + i * (size_t)p.d.stride, p.d.rows * sizeof(float));
        for (size_t j = 0; j < p.d.rows; j++) {
            size_t place = i * (size_t)p.d.stride + j;
            float *to = (float *)p.out + place;
            double sum = 0;
            for (size_t at = 0; at < k; at++) sum += (double)w[j * k + at] * x[i * k + at];
            if (is_whole)
                ((int32_t *)p.out)[place] = (int32_t)sum;
            else
                *to = p.kept != 0 ? *to * p.kept + (float)sum : (float)sum;
        }
    }
}

int multiply(blas_handle_t, blas_desc_t desc, const void *alpha, const void *a, blas_layout_t a_layout, const void *b,
             blas_layout_t b_layout, const void *beta, const void *c, blas_layout_t, void *d, blas_layout_t d_layout,
             const blas_algorithm *algorithm, void *workspace, size_t workspace_bytes, cudaStream_t stream)
{
    const emulation::alone here;
    int status = status_of(emulation::count_call());
    if (status != BLAS_OK) return status;
    if (!fits(desc, a_layout, b_layout, d_layout) || c != d || !workspace || !workspace_bytes || !is_aligned(a) ||
        !is_aligned(b) || !is_aligned(d) || !is_one(alpha, d_layout->type))
        return BLAS_BAD_VALUE;
    if (algorithm->data[0] != ALGORITHM || algorithm->data[1] != a_layout->cols || algorithm->data[2] != a_layout->rows)
        return BLAS_NOT_SUPPORTED;
    if (refuses(algorithm, d_layout->cols)) return BLAS_NOT_SUPPORTED;
    const bool is_whole = d_layout->type == BLAS_I32;
    if (is_whole && *(const int32_t *)beta != 0) return BLAS_BAD_VALUE;
    const product p = {
        *a_layout, *b_layout, *d_layout, a, b, d, workspace, workspace_bytes, is_whole ? 0 : *(const float *)beta};
    emulation::stream_queue(stream, [p] { compute(p); });
    return BLAS_OK;
}

} // namespace

bool blas_open(struct blas_functions *f, char *why, size_t size)
{
    cudaError_t error = emulation::count_call();
    const char *there = std::getenv("EMULATION_BLAS");
    if (there && !std::strcmp(there, "none")) {
        std::snprintf(why, size, "libcublasLt.so.12: cannot open shared object file");
        return false;
    }
    *f = {make<blas_handle>,
          destroy<blas_handle>,
          version,
          desc_create,
          desc_set,
          destroy<blas_desc>,
          layout_create,
          destroy<blas_layout>,
          make<blas_preference>,
          preference_set,
          destroy<blas_preference>,
          choose,
          multiply,
          f};
    if (error != cudaSuccess) std::snprintf(why, size, "libcublasLt.so: %s", cudaGetErrorString(error));
    return error == cudaSuccess;
}

void blas_close(struct blas_functions *f)
{
    f->library = nullptr;
}
