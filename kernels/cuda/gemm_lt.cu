/* gemm_lt.cu: handles, layouts and algorithms of cuBLASLt: see gemm_lt.cuh.
 *
 * Matrices of kernels.h are row-major, cuBLASLt's column-major: out[m, n] is its D [n x m], and D = A^T B with A the weight [k x n] and
 * B the activations [k x m]. */
#include "kernels/cuda/gemm_lt.cuh"

#include <blas.cuh>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Rows that an algorithm is asked for: a large pass, where it matters. */
#define USUAL_ROWS  4096
#define MOST_SHAPES 64
#define ALIGNMENT   16u

struct shape {
    size_t n, k, stride;
    bool is_int8;
    bool there; /* an algorithm is */
    struct blas_algorithm algorithm;
};

struct gemm_lt {
    struct blas_functions f;
    blas_handle_t handle;
    blas_desc_t desc, int8_desc;
    blas_preference_t preference;
    int type;
    struct shape shapes[MOST_SHAPES]; /* a model has four or five */
    size_t n_shapes;
};

struct layouts {
    blas_layout_t a, b, d;
};

static int make_preference(struct gemm_lt *g)
{
    const uint64_t workspace = GEMM_LT_WORKSPACE_BYTES;
    const uint32_t no_parts = 0, alignment = ALIGNMENT;
    int s = g->f.preference_create(&g->preference);
    if (s == BLAS_OK) s = g->f.preference_set(g->preference, BLAS_PREFERENCE_WORKSPACE, &workspace, sizeof workspace);
    if (s == BLAS_OK) s = g->f.preference_set(g->preference, BLAS_PREFERENCE_REDUCTIONS, &no_parts, sizeof no_parts);
    for (int side = BLAS_PREFERENCE_ALIGNMENT_A; side <= BLAS_PREFERENCE_ALIGNMENT_D && s == BLAS_OK; side++)
        s = g->f.preference_set(g->preference, side, &alignment, sizeof alignment);
    return s;
}

struct gemm_lt *gemm_lt_open(bool is_bf16, char *why, size_t size)
{
    const int32_t transposed = BLAS_TRANSPOSED;
    struct gemm_lt *g = (struct gemm_lt *)calloc(1, sizeof *g);
    if (!g) {
        snprintf(why, size, "no memory");
        return NULL;
    }
    if (!blas_open(&g->f, why, size)) {
        free(g);
        return NULL;
    }
    g->type = is_bf16 ? BLAS_BF16 : BLAS_F16;
    int s = g->f.create(&g->handle);
    if (s == BLAS_OK) s = g->f.desc_create(&g->desc, BLAS_SUMS_F32, BLAS_F32);
    if (s == BLAS_OK) s = g->f.desc_set(g->desc, BLAS_DESC_TRANSPOSE_A, &transposed, sizeof transposed);
    if (s == BLAS_OK) s = g->f.desc_create(&g->int8_desc, BLAS_SUMS_I32, BLAS_I32);
    if (s == BLAS_OK) s = g->f.desc_set(g->int8_desc, BLAS_DESC_TRANSPOSE_A, &transposed, sizeof transposed);
    if (s == BLAS_OK) s = make_preference(g);
    if (s == BLAS_OK) return g;
    snprintf(why, size, "cuBLASLt: %s (%d)", gemm_lt_status_name(s), s);
    gemm_lt_close(g);
    return NULL;
}

void gemm_lt_close(struct gemm_lt *g)
{
    if (!g) return;
    if (g->preference) g->f.preference_destroy(g->preference);
    if (g->desc) g->f.desc_destroy(g->desc);
    if (g->int8_desc) g->f.desc_destroy(g->int8_desc);
    if (g->handle) g->f.destroy(g->handle);
    blas_close(&g->f);
    free(g);
}

size_t gemm_lt_version(const struct gemm_lt *g)
{
    return g->f.version();
}

static void free_layouts(struct gemm_lt *g, const struct layouts *l)
{
    if (l->a) g->f.layout_destroy(l->a);
    if (l->b) g->f.layout_destroy(l->b);
    if (l->d) g->f.layout_destroy(l->d);
}

static int make_layouts(struct gemm_lt *g, struct layouts *l, bool is_int8, size_t m, size_t n, size_t k, size_t stride)
{
    const int type = is_int8 ? BLAS_I8 : g->type;
    int s = g->f.layout_create(&l->a, type, k, n, (int64_t)k);
    if (s == BLAS_OK) s = g->f.layout_create(&l->b, type, k, m, (int64_t)k);
    if (s == BLAS_OK) s = g->f.layout_create(&l->d, is_int8 ? BLAS_I32 : BLAS_F32, n, m, (int64_t)stride);
    return s;
}

static struct shape *find_shape(struct gemm_lt *g, bool is_int8, size_t n, size_t k, size_t stride)
{
    for (size_t i = 0; i < g->n_shapes; i++)
        if (g->shapes[i].is_int8 == is_int8 && g->shapes[i].n == n && g->shapes[i].k == k &&
            g->shapes[i].stride == stride)
            return &g->shapes[i];
    return NULL;
}

/* An algorithm for m rows; *found: whether there is one. Returns cuBLASLt's status. */
static int choose(struct gemm_lt *g, bool is_int8, size_t m, size_t n, size_t k, size_t stride,
                  struct blas_algorithm *algorithm, bool *found)
{
    struct layouts l = {};
    struct blas_choice choice = {};
    int n_found = 0;
    int s = make_layouts(g, &l, is_int8, m, n, k, stride);
    if (s == BLAS_OK)
        s = g->f.choose(g->handle, is_int8 ? g->int8_desc : g->desc, l.a, l.b, l.d, l.d, g->preference, 1, &choice,
                        &n_found);
    free_layouts(g, &l);
    if (s == BLAS_NOT_SUPPORTED) s = BLAS_OK, n_found = 0;
    *found =
        s == BLAS_OK && n_found > 0 && choice.status == BLAS_OK && choice.workspace_bytes <= GEMM_LT_WORKSPACE_BYTES;
    *algorithm = choice.algorithm;
    return s;
}

bool gemm_lt_takes(struct gemm_lt *g, bool is_int8, size_t n, size_t k, size_t stride, int *status)
{
    struct shape *known = find_shape(g, is_int8, n, k, stride), found = {};
    *status = BLAS_OK;
    if (known) return known->there;
    if (n == 0 || k == 0 || stride < n || g->n_shapes == MOST_SHAPES) return false;
    if (k * (is_int8 ? 1 : 2) % ALIGNMENT || n * sizeof(float) % ALIGNMENT || stride * sizeof(float) % ALIGNMENT)
        return false;
    int s = choose(g, is_int8, USUAL_ROWS, n, k, stride, &found.algorithm, &found.there);
    *status = s;
    if (s != BLAS_OK) return false; /* not kept: it may be another time */
    found.is_int8 = is_int8, found.n = n, found.k = k, found.stride = stride;
    g->shapes[g->n_shapes++] = found;
    return found.there;
}

static int run(struct gemm_lt *g, const struct gemm_lt_product *p, const struct blas_algorithm *algorithm,
               void *workspace, cudaStream_t stream)
{
    const float one = 1, kept = p->accumulate ? 1.0f : 0.0f;
    const int32_t whole_one = 1, none = 0;
    struct layouts l = {};
    int s = make_layouts(g, &l, p->is_int8, p->m, p->n, p->k, p->stride);
    if (s == BLAS_OK)
        s = g->f.multiply(g->handle, p->is_int8 ? g->int8_desc : g->desc, p->is_int8 ? (const void *)&whole_one : &one,
                          p->w, l.a, p->x, l.b, p->is_int8 ? (const void *)&none : &kept, p->out, l.d, p->out, l.d,
                          algorithm, workspace, GEMM_LT_WORKSPACE_BYTES, stream);
    free_layouts(g, &l);
    return s;
}

int gemm_lt_multiply(struct gemm_lt *g, const struct gemm_lt_product *p, void *workspace, cudaStream_t stream)
{
    const struct shape *shape = find_shape(g, p->is_int8, p->n, p->k, p->stride);
    struct blas_algorithm other;
    bool found = false;
    if (p->m == 0) return BLAS_OK;
    if (!shape || !shape->there) return BLAS_NOT_SUPPORTED;
    int s = run(g, p, &shape->algorithm, workspace, stream);
    if (s != BLAS_NOT_SUPPORTED && s != BLAS_BAD_VALUE) return s;
    int chosen = choose(g, p->is_int8, p->m, p->n, p->k, p->stride, &other, &found);
    if (chosen != BLAS_OK) return chosen;
    return found ? run(g, p, &other, workspace, stream) : s;
}

bool gemm_lt_lacks_memory(int status)
{
    return status == BLAS_NO_MEMORY;
}

const char *gemm_lt_status_name(int status)
{
    switch (status) {
    case BLAS_NOT_INITIALIZED:
        return "not initialized: no driver, or no memory";
    case BLAS_NO_MEMORY:
        return "no memory";
    case BLAS_BAD_VALUE:
        return "an argument that cannot be";
    case BLAS_OTHER_GPU:
        return "not for this GPU";
    case BLAS_NOT_RUN:
        return "the product could not be run";
    case BLAS_NOT_SUPPORTED:
        return "not supported";
    default:
        return "failed";
    }
}
