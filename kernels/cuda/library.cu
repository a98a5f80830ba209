/* library.cu: see library.cuh. The weight that comes next is expanded to 16 bits on a second stream while the one before is multiplied:
 * two slots, by turns, with an event each way. Where several weights are small, a slot holds those of several experts, so that one
 * launch expands them.
 *
 * Which regime makes a product is a matter of the device's options and the pass's limits, not of the rows that come: cuBLASLt adds in
 * another order than multiply_tiles.cuh, so a row that was in both would have two results. KERNELS_PRODUCTS_BY_ROWS gives that up. */
#include "kernels/cuda/expand.cuh"
#include "kernels/cuda/library_parts.cuh"

#include <stdio.h>
#include <stdlib.h>

extern "C" {
#include "kernels/error.h"
}

struct cuda_library {
    struct gemm_lt *gemm;
    enum kernels_products wanted;
    bool on, is_bf16;
    char note[128];
    cudaStream_t second;
    cudaEvent_t seen, ready[2], released[2];
    unsigned turn;
    uint32_t *starts; /* [KERNELS_MAX_EXPERTS + 1], pinned: where each expert's rows begin */
};

static enum kernels_status make_streams(struct kernels_device *device, struct cuda_library *l)
{
    int lowest = 0, highest = 0; /* blocks of the second stream go first: else they wait for the last of a product's */
    enum kernels_status s = cuda_check(device, cudaDeviceGetStreamPriorityRange(&lowest, &highest), "stream");
    if (s == KERNELS_OK)
        s = cuda_check(device, cudaStreamCreateWithPriority(&l->second, cudaStreamNonBlocking, highest), "stream");
    cudaEvent_t *events[] = {&l->seen, &l->ready[0], &l->ready[1], &l->released[0], &l->released[1]};
    for (size_t i = 0; i < 5 && s == KERNELS_OK; i++)
        s = cuda_check(device, cudaEventCreateWithFlags(events[i], cudaEventDisableTiming), "event");
    if (s == KERNELS_OK)
        s = cuda_check(device, cudaMallocHost((void **)&l->starts, (KERNELS_MAX_EXPERTS + 1) * sizeof *l->starts),
                       "cudaMallocHost");
    return s;
}

enum kernels_status cuda_library_open(struct kernels_device *device, const struct kernels_options *options,
                                      bool is_bf16)
{
    struct cuda_library *l = (struct cuda_library *)calloc(1, sizeof *l);
    if (!l) return cuda_fail(device, KERNELS_NO_MEMORY, "no memory");
    device->library = l;
    l->wanted = options ? options->products : KERNELS_PRODUCTS_AUTO;
    l->is_bf16 = is_bf16;
    l->on = l->wanted == KERNELS_PRODUCTS_LIBRARY;
    if (l->wanted == KERNELS_PRODUCTS_OWN) return KERNELS_OK;
    l->gemm = gemm_lt_open(is_bf16, l->note, sizeof l->note);
    if (!l->gemm && l->wanted != KERNELS_PRODUCTS_AUTO)
        return cuda_fail(device, KERNELS_UNSUPPORTED, "products through cuBLASLt: %s", l->note);
    return l->gemm ? make_streams(device, l) : KERNELS_OK;
}

void cuda_library_close(struct kernels_device *device)
{
    struct cuda_library *l = device->library;
    if (!l) return;
    if (l->second) cudaStreamSynchronize(l->second);
    gemm_lt_close(l->gemm);
    const cudaEvent_t events[] = {l->seen, l->ready[0], l->ready[1], l->released[0], l->released[1]};
    for (cudaEvent_t event : events)
        if (event) cudaEventDestroy(event);
    if (l->second) cudaStreamDestroy(l->second);
    if (l->starts) cudaFreeHost(l->starts);
    free(l);
    device->library = NULL;
}

void cuda_library_describe(const struct kernels_device *device, char *text, size_t size)
{
    const struct cuda_library *l = device->library;
    size_t version = l && l->gemm ? gemm_lt_version(l->gemm) : 0;
    if (!l || l->wanted == KERNELS_PRODUCTS_OWN)
        snprintf(text, size, "own kernels");
    else if (!l->gemm)
        snprintf(text, size, "own kernels: %s", l->note);
    else
        snprintf(text, size, "cuBLASLt %zu.%zu%s%s", version / 10000, version / 100 % 100,
                 l->is_bf16 ? "" : " in f16, cut at 65504",
                 l->on                                   ? ""
                 : l->wanted == KERNELS_PRODUCTS_BY_ROWS ? " for many rows"
                                                         : " if passes are large");
}

static bool is_large(const struct cuda_library *l, const struct kernels_limits *limits)
{
    return l->gemm && l->wanted == KERNELS_PRODUCTS_AUTO && gpu_passes_are_large(limits);
}

/* For good: a smaller reserve later, of a self-test, changes nothing. */
void cuda_library_decide(struct kernels_device *device, const struct kernels_limits *limits)
{
    if (is_large(device->library, limits)) device->library->on = true;
}

bool cuda_library_may_serve(const struct kernels_device *device, const struct kernels_limits *limits)
{
    return cuda_library_may(device) || is_large(device->library, limits);
}

bool cuda_library_may(const struct kernels_device *device)
{
    const struct cuda_library *l = device->library;
    return l->gemm && (l->on || l->wanted == KERNELS_PRODUCTS_BY_ROWS);
}

struct gemm_lt *cuda_library_gemm(struct kernels_device *device)
{
    return device->library->gemm;
}

enum kernels_status cuda_library_check(struct kernels_device *device, int status, const char *what, size_t n, size_t k)
{
    if (status == 0) return KERNELS_OK;
    if (cuda_check_launch(device, what) == KERNELS_DEVICE_LOST)
        return KERNELS_DEVICE_LOST; /* which the library hides */
    return cuda_fail(device, gemm_lt_lacks_memory(status) ? KERNELS_NO_MEMORY : KERNELS_FAILED,
                     "%s: cuBLASLt: weights [%zu, %zu]: %s (%d)", what, n, k, gemm_lt_status_name(status), status);
}

/* Formats whose products are of 16-bit values. The others are exact: f32 and f16 in f32, int8 in whole numbers. */
static bool is_rounded(enum kernels_format format)
{
    return format == KERNELS_BF16 || (format >= KERNELS_NF4 && format <= KERNELS_Q1 && format != KERNELS_INT8);
}

/* Rows are read in pieces of 16 bytes, and cuBLASLt's algorithms were chosen for that. */
static bool is_aligned(const void *address)
{
    return (uintptr_t)address % 16 == 0;
}

/* The form that needs no expanding; NULL: there is none. */
static const uint16_t *form_of(const struct cuda_library *l, const struct kernels_weight *w)
{
    if (w->expanded) return w->expanded;
    return l->is_bf16 && w->desc.format == KERNELS_BF16 ? (const uint16_t *)w->view.data : NULL;
}

/* What the second stream reads was written on the first, when the weight was loaded. */
static enum kernels_status see(struct kernels_device *device, const struct kernels_weight *const *weights, size_t n)
{
    struct cuda_library *l = device->library;
    bool all = true;
    for (size_t i = 0; i < n; i++) all = all && weights[i]->is_seen;
    if (all) return KERNELS_OK;
    enum kernels_status s = cuda_check(device, cudaEventRecord(l->seen, device->stream), "event");
    if (s == KERNELS_OK) s = cuda_check(device, cudaStreamWaitEvent(l->second, l->seen, 0), "event");
    for (size_t i = 0; i < n && s == KERNELS_OK; i++) weights[i]->is_seen = true;
    return s;
}

/* The next slot, once nobody reads what is in it; NULL after a failure. */
static uint16_t *begin_slot(struct kernels_device *device, size_t size_bytes)
{
    struct cuda_library *l = device->library;
    l->turn ^= 1;
    uint16_t *slot =
        (uint16_t *)cuda_scratch_at_least(device, (enum cuda_scratch)(CUDA_SCRATCH_SLOT_0 + l->turn), size_bytes);
    if (slot && cuda_check(device, cudaStreamWaitEvent(l->second, l->released[l->turn], 0), "event") != KERNELS_OK)
        return NULL;
    return slot;
}

/* What was queued on the second stream for the slot of that turn is done before the first goes on. */
static enum kernels_status slot_is_ready(struct kernels_device *device, unsigned turn, const char *what)
{
    struct cuda_library *l = device->library;
    enum kernels_status s = cuda_check_launch(device, what);
    if (s == KERNELS_OK) s = cuda_check(device, cudaEventRecord(l->ready[turn], l->second), "event");
    if (s == KERNELS_OK) s = cuda_check(device, cudaStreamWaitEvent(device->stream, l->ready[turn], 0), "event");
    return s;
}

static enum kernels_status release_slot(struct kernels_device *device, unsigned turn)
{
    return cuda_check(device, cudaEventRecord(device->library->released[turn], device->stream), "event");
}

enum kernels_status cuda_library_multiply(struct kernels_device *device, const struct gemm_lt_product *p,
                                          const char *what)
{
    void *workspace = cuda_scratch_at_least(device, CUDA_SCRATCH_WORKSPACE, GEMM_LT_WORKSPACE_BYTES);
    if (!workspace) return device->failure.code;
    return cuda_library_check(device, gemm_lt_multiply(device->library->gemm, p, workspace, device->stream), what, p->n,
                              p->k);
}

/* Multiprocessors that expand while the others multiply: expand.cu. */
static unsigned beside(const struct kernels_device *device)
{
    return ((unsigned)device->n_multiprocessors + 1) / 2;
}

static bool takes(struct kernels_device *device, const struct kernels_weight *w, size_t stride,
                  enum kernels_status *status)
{
    int failed = 0;
    if (!is_rounded(w->desc.format)) return false;
    bool taken = gemm_lt_takes(device->library->gemm, false, w->desc.rows, w->desc.cols, stride, &failed);
    *status = cuda_library_check(device, failed, "choosing an algorithm", w->desc.rows, w->desc.cols);
    return taken || *status != KERNELS_OK;
}

bool cuda_library_linear(struct kernels_device *device, const struct kernels_linear *a, enum kernels_status *status)
{
    struct cuda_library *l = device->library;
    const struct kernels_weight *w = a->weight;
    const size_t n = w->desc.rows, k = w->desc.cols;
    *status = KERNELS_OK;
    if (!l->gemm || a->as_gathered || !is_aligned(a->x) || !is_aligned(a->out)) return false;
    if (w->desc.format == KERNELS_INT8) return cuda_library_int8_linear(device, a, status);
    if (!l->on && (l->wanted != KERNELS_PRODUCTS_BY_ROWS || a->n_rows < LIBRARY_ROWS)) return false;
    if (!takes(device, w, n, status)) return false;
    if (*status != KERNELS_OK || a->n_rows == 0) return true;

    const uint16_t *form = form_of(l, w);
    const bool in_slot = !form;
    uint16_t *x = (uint16_t *)cuda_scratch_at_least(device, CUDA_SCRATCH_ROWS16, a->n_rows * k * sizeof *x);
    if (x && in_slot && (*status = see(device, &w, 1)) == KERNELS_OK) {
        uint16_t *slot = begin_slot(device, n * k * sizeof *slot);
        if (slot) cuda_expand_weight(w->view, l->is_bf16, slot, beside(device), l->second);
        form = slot;
    }
    if (*status == KERNELS_OK && (!x || !form)) *status = device->failure.code;
    if (*status != KERNELS_OK) return true;
    cuda_round_rows(a->x, NULL, (uint32_t)a->n_rows, (uint32_t)k, l->is_bf16, x, device->stream);
    *status = in_slot ? slot_is_ready(device, l->turn, "linear") : cuda_check_launch(device, "linear");
    const struct gemm_lt_product product = {x, form, a->out, a->n_rows, n, k, n, a->accumulate, false};
    if (*status == KERNELS_OK) *status = cuda_library_multiply(device, &product, "linear");
    if (*status == KERNELS_OK && in_slot) *status = release_slot(device, l->turn);
    return true;
}

bool cuda_library_takes_experts(struct kernels_device *device, const struct kernels_expert_ffn *a, size_t n_experts,
                                size_t n_pairs, enum kernels_status *status)
{
    const struct cuda_library *l = device->library;
    *status = KERNELS_OK;
    if (!l->gemm || !is_aligned(a->x)) return false;
    if (a->gate[0]->desc.format == KERNELS_INT8)
        return cuda_library_int8_takes_experts(device, a, n_experts, n_pairs, status);
    if (!l->on && (l->wanted != KERNELS_PRODUCTS_BY_ROWS || n_pairs < n_experts * LIBRARY_ROWS)) return false;
    return takes(device, a->gate[0], 2 * a->gate[0]->desc.rows, status) &&
           (*status != KERNELS_OK || takes(device, a->down[0], a->down[0]->desc.rows, status));
}

/* Where each expert's rows begin, on the host: the one word that the device sends back in a layer. */
enum kernels_status cuda_library_fetch_starts(struct kernels_device *device, const struct cuda_library_experts *e,
                                              const uint32_t **starts)
{
    struct cuda_library *l = device->library;
    l->starts[0] = 0, l->starts[1] = (uint32_t)e->n_pairs;
    *starts = l->starts;
    if (!e->starts) return KERNELS_OK;
    enum kernels_status s = cuda_check(device,
                                       cudaMemcpyAsync(l->starts, e->starts, (e->n_experts + 1) * sizeof *l->starts,
                                                       cudaMemcpyDeviceToHost, device->stream),
                                       "expert_ffn");
    if (s == KERNELS_OK) s = cuda_check(device, cudaEventRecord(l->seen, device->stream), "event");
    return s == KERNELS_OK ? cuda_check(device, cudaEventSynchronize(l->seen), "expert_ffn") : s;
}

/* Some experts, one after the other, and the 16-bit forms of their weights. */
struct unit {
    size_t first, end;
    const uint16_t *slot; /* of those that have no form of their own, in order */
    unsigned turn;
};

/* Queues the expanding of one or two lists of the unit's weights, gate and up or down alone, that have rows and no form. */
static enum kernels_status expand_unit(struct kernels_device *device, const struct cuda_library_experts *e,
                                       const struct kernels_weight *const *lists[2], size_t n_lists, size_t first_view,
                                       struct unit *u)
{
    struct cuda_library *l = device->library;
    const struct kernels_weight_desc *desc = &lists[0][0]->desc;
    expand_list list = {};
    enum kernels_status s = KERNELS_OK;
    for (size_t i = u->first; i < u->end; i++)
        for (size_t j = 0; j < n_lists && l->starts[i + 1] > l->starts[i]; j++) {
            if (form_of(l, lists[j][i])) continue;
            list.numbers[list.n++] = (uint16_t)(first_view + j * e->n_experts + i);
            if (s == KERNELS_OK) s = see(device, &lists[j][i], 1);
        }
    u->slot = NULL;
    if (list.n == 0 || s != KERNELS_OK) return s;
    uint16_t *slot = begin_slot(device, list.n * desc->rows * desc->cols * sizeof *slot);
    if (!slot) return device->failure.code;
    u->slot = slot, u->turn = l->turn;
    if (e->starts) /* the host has waited for them, and so for the views, which were staged on the first stream */
        cuda_expand_weights(e->views, list, lists[0][u->first]->view, l->is_bf16, slot, beside(device), l->second);
    else
        for (size_t i = 0; i < list.n; i++, slot += desc->rows * desc->cols)
            cuda_expand_weight(lists[list.numbers[i] - first_view][0]->view, l->is_bf16, slot, beside(device),
                               l->second);
    return slot_is_ready(device, u->turn, "expert_ffn");
}

/* The form of a weight of the unit; those without one of their own lie in the slot in the order in which they are asked for. */
static const uint16_t *next_form(const struct cuda_library *l, const struct kernels_weight *w, const uint16_t **slot)
{
    const uint16_t *form = form_of(l, w);
    if (form) return form;
    form = *slot;
    *slot += w->desc.rows * w->desc.cols;
    return form;
}

/* Gate and up of one expert for its rows, GATED_ROWS at a time, then what is between them and down. */
static enum kernels_status multiply_gated(struct kernels_device *device, const struct kernels_expert_ffn *a, size_t i,
                                          const uint16_t *x, float *gated, uint16_t *hidden, const uint16_t **slot)
{
    const struct cuda_library *l = device->library;
    const size_t f = a->gate[i]->desc.rows, k = a->gate[i]->desc.cols, end = l->starts[i + 1];
    const uint16_t *gate = next_form(l, a->gate[i], slot), *up = next_form(l, a->up[i], slot);
    enum kernels_status s = KERNELS_OK;
    for (size_t row = l->starts[i]; row < end && s == KERNELS_OK; row += GATED_ROWS) {
        const size_t m = gpu_smaller(end - row, GATED_ROWS);
        struct gemm_lt_product p = {x + row * k, gate, gated, m, f, k, 2 * f, false, false};
        s = cuda_library_multiply(device, &p, "expert_ffn");
        p.w = up, p.out = gated + f;
        if (s == KERNELS_OK) s = cuda_library_multiply(device, &p, "expert_ffn");
        if (s != KERNELS_OK) break;
        cuda_gate_rows(gated, (uint32_t)m, (uint32_t)f, a->activation, l->is_bf16, hidden + row * f, device->stream);
        s = cuda_check_launch(device, "expert_ffn");
    }
    return s;
}

static enum kernels_status multiply_unit(struct kernels_device *device, const struct cuda_library_experts *e,
                                         struct unit u, const uint16_t *x, float *gated, uint16_t *hidden,
                                         float *results)
{
    const struct cuda_library *l = device->library;
    const struct kernels_expert_ffn *a = e->args;
    const size_t f = a->gate[0]->desc.rows, k = a->gate[0]->desc.cols;
    const struct kernels_weight *const *both[2] = {a->gate, a->up}, *const * down[2] = {a->down, NULL};
    enum kernels_status s = expand_unit(device, e, both, 2, 0, &u);
    const uint16_t *slot = u.slot;
    for (size_t i = u.first; i < u.end && s == KERNELS_OK; i++)
        if (l->starts[i + 1] > l->starts[i]) s = multiply_gated(device, a, i, x, gated, hidden, &slot);
    if (s == KERNELS_OK && u.slot) s = release_slot(device, u.turn);
    if (s == KERNELS_OK) s = expand_unit(device, e, down, 1, 2 * e->n_experts, &u);
    slot = u.slot;
    for (size_t i = u.first; i < u.end && s == KERNELS_OK; i++) {
        const size_t row = l->starts[i], m = l->starts[i + 1] - row;
        if (m == 0) continue;
        const struct gemm_lt_product p = {
            hidden + row * f, next_form(l, a->down[i], &slot), results + row * k, m, k, f, k, false, false};
        s = cuda_library_multiply(device, &p, "expert_ffn");
    }
    if (s == KERNELS_OK && u.slot) s = release_slot(device, u.turn);
    return s;
}

enum kernels_status cuda_library_multiply_experts(struct kernels_device *device, const struct cuda_library_experts *e,
                                                  float *results)
{
    const struct kernels_expert_ffn *a = e->args;
    const struct cuda_library *l = device->library;
    const size_t f = a->gate[0]->desc.rows, k = a->gate[0]->desc.cols;
    if (a->gate[0]->desc.format == KERNELS_INT8) return cuda_library_int8_experts(device, e, results);
    const size_t step = gpu_experts_a_slot(f, k, e->n_experts);
    uint16_t *x = (uint16_t *)cuda_scratch_at_least(device, CUDA_SCRATCH_ROWS16, e->n_pairs * k * sizeof *x);
    uint16_t *hidden = (uint16_t *)cuda_scratch_at_least(device, CUDA_SCRATCH_HIDDEN, e->n_pairs * f * sizeof *hidden);
    float *gated = (float *)cuda_scratch_at_least(device, CUDA_SCRATCH_GATED,
                                                  gpu_smaller(e->n_pairs, GATED_ROWS) * 2 * f * sizeof *gated);
    if (!x || !hidden || !gated) return device->failure.code;
    const uint32_t *starts = NULL;
    enum kernels_status s = cuda_library_fetch_starts(device, e, &starts);
    if (s != KERNELS_OK) return s;
    cuda_round_rows(a->x, e->rows, starts[e->n_experts], (uint32_t)k, l->is_bf16, x, device->stream);
    s = cuda_check_launch(device, "expert_ffn");
    for (size_t first = 0; first < e->n_experts && s == KERNELS_OK; first += step) {
        struct unit u = {first, gpu_smaller(first + step, e->n_experts), NULL, 0};
        s = multiply_unit(device, e, u, x, gated, hidden, results);
    }
    return s;
}

enum kernels_status cuda_weight_expand(struct kernels_device *device, struct kernels_weight *w,
                                       struct kernels_error *error)
{
    struct cuda_library *l = device->library;
    int failed = 0;
    if (!w || !w->finished) return kernels_fail(error, KERNELS_BAD_SHAPE, "cuda: weight_expand: not finished");
    const size_t bytes = w->n_elements * sizeof(uint16_t);
    if (!l->gemm || (!l->on && l->wanted != KERNELS_PRODUCTS_BY_ROWS) || !is_rounded(w->desc.format) ||
        !gemm_lt_takes(l->gemm, false, w->desc.rows, w->desc.cols, w->desc.rows, &failed))
        return kernels_fail(error, KERNELS_UNSUPPORTED, "cuda: weight [%zu, %zu] %s: no products use a 16-bit form",
                            w->desc.rows, w->desc.cols, docket_kernels_format_name(w->desc.format));
    if (form_of(l, w)) return KERNELS_OK;
    if (w->on_host)
        return kernels_fail(error, KERNELS_UNSUPPORTED, "cuda: weight [%zu, %zu]: lies in the host's memory",
                            w->desc.rows, w->desc.cols);
    uint16_t *form = (uint16_t *)cuda_take(device, bytes);
    if (!form)
        return kernels_fail(error, device->failure.code, "cuda: weight [%zu, %zu]: 16-bit form of %zu bytes: %s",
                            w->desc.rows, w->desc.cols, bytes, device->failure.message);
    cuda_expand_weight(w->view, l->is_bf16, form, (unsigned)device->n_multiprocessors, device->stream);
    if (cuda_check_launch(device, "weight_expand") != KERNELS_OK) {
        kernels_fail(error, device->failure.code, "cuda: weight_expand: %s", device->failure.message);
        cuda_release(device, form, bytes);
        return error ? error->code : device->failure.code;
    }
    w->expanded = form;
    return KERNELS_OK;
}
