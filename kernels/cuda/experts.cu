/* experts.cu: routing, sorting by expert and the weighted sum. No atomics in sums and no word from the host: the order of everything is
 * that of the rows. */
#include "kernels/cuda/experts.cuh"

namespace
{

constexpr uint32_t THREADS = 256, WARPS = THREADS / WARP_SIZE;

/* A warp a row. A logit is known by its rank, so that ties go to the lower index whoever asks. */
__global__ void __launch_bounds__(THREADS) route_rows(const float *logits, uint32_t m, uint32_t e, uint32_t top_k,
                                                      bool renormalize, int32_t *ids, float *weights)
{
    uint32_t row = blockIdx.x * WARPS + threadIdx.x / WARP_SIZE, lane = warp_lane();
    if (row >= m) return;
    const float *l = logits + (size_t)row * e;
    float largest = -INFINITY, sum = 0, kept = 0, chosen = 0, past = INFINITY;
    uint32_t past_index = 0;
    for (uint32_t i = lane; i < e; i += WARP_SIZE) largest = fmaxf(largest, l[i]);
    for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) largest = fmaxf(largest, warp_across(largest, mask));
    for (uint32_t i = lane; i < e; i += WARP_SIZE) sum += expf(l[i] - largest);
    for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) sum += warp_across(sum, mask);
    for (uint32_t t = 0; t < top_k; t++) { /* the largest that comes after the one before */
        float best = -INFINITY;
        uint32_t index = UINT32_MAX;
        for (uint32_t i = lane; i < e; i += WARP_SIZE) {
            bool after = t == 0 || l[i] < past || (l[i] == past && i > past_index);
            if (after && (index == UINT32_MAX || l[i] > best)) best = l[i], index = i;
        }
        for (unsigned mask = WARP_SIZE / 2; mask; mask /= 2) {
            float other = warp_across(best, mask);
            uint32_t other_index = warp_across_u32(index, mask);
            bool better = other_index != UINT32_MAX &&
                          (index == UINT32_MAX || other > best || (other == best && other_index < index));
            best = better ? other : best, index = better ? other_index : index;
        }
        past = best, past_index = index;
        float p = expf(best - largest);
        kept += p;
        chosen = lane == t ? p : chosen;
        if (lane == t) ids[(size_t)row * top_k + t] = (int32_t)index;
    }
    if (lane < top_k) weights[(size_t)row * top_k + lane] = chosen / (renormalize ? kept : sum);
}

/* One block: thread e counts and places expert e's pairs. Rows of a pass are at most tens of thousands, experts at most 256: it reads
 * ids once per expert, from the cache. */
__global__ void __launch_bounds__(KERNELS_MAX_EXPERTS) sort_pairs(sort_args a)
{
    SHARED_ARRAY(uint32_t, counts, [KERNELS_MAX_EXPERTS]);
    uint32_t e = threadIdx.x, n = a.n_rows * a.top_k, count = 0, at = 0;
    bool wrong = false;
    for (uint32_t i = 0; i < n; i++) {
        count += a.ids[i] == (int32_t)e;
        if (e == 0) wrong |= a.ids[i] < 0 || a.ids[i] >= (int32_t)a.n_experts;
    }
    counts[e] = count;
    BLOCK_BARRIER();
    for (uint32_t before = 0; before < e; before++) at += counts[before];
    if (e < a.n_experts) a.starts[e] = at;
    if (e + 1 == a.n_experts) a.starts[a.n_experts] = at + count;
    if (e == 0 && wrong) *a.wrong = 1;
    for (uint32_t i = 0; i < n && e < a.n_experts; i++)
        if (a.ids[i] == (int32_t)e) {
            a.rows[at] = i / a.top_k;
            a.pairs[at++] = i;
        }
}

__global__ void __launch_bounds__(THREADS) invert(const uint32_t *pairs, uint32_t *places, uint32_t n)
{
    uint32_t i = blockIdx.x * THREADS + threadIdx.x;
    if (i < n) places[pairs[i]] = i;
}

__global__ void __launch_bounds__(THREADS) combine_rows(combine_args a)
{
    uint32_t row = blockIdx.x;
    for (uint32_t c = threadIdx.x; c < a.cols; c += THREADS) {
        float sum = a.out[(size_t)row * a.cols + c];
        for (uint32_t t = 0; t < a.top_k; t++) {
            uint32_t pair = row * a.top_k + t, place = a.pairs ? a.places[pair] : pair;
            sum = fmaf(a.weights ? a.weights[pair] : 1.0f, a.results[(size_t)place * a.cols + c], sum);
        }
        a.out[(size_t)row * a.cols + c] = sum;
    }
}

} // namespace

void cuda_route(const float *logits, uint32_t m, uint32_t e, uint32_t top_k, bool renormalize, int32_t *ids,
                float *weights, cudaStream_t stream)
{
    if (m)
        LAUNCH(route_rows, dim3((m + WARPS - 1) / WARPS), dim3(THREADS), 0, stream, logits, m, e, top_k, renormalize,
               ids, weights);
}

void cuda_sort_by_expert(const sort_args &args, cudaStream_t stream)
{
    LAUNCH(sort_pairs, dim3(1), dim3(KERNELS_MAX_EXPERTS), 0, stream, args);
}

void cuda_combine(const combine_args &args, cudaStream_t stream)
{
    uint32_t n = args.n_rows * args.top_k;
    if (n == 0) return;
    if (args.pairs)
        LAUNCH(invert, dim3((n + THREADS - 1) / THREADS), dim3(THREADS), 0, stream, args.pairs, args.places, n);
    LAUNCH(combine_rows, dim3(args.n_rows), dim3(THREADS), 0, stream, args);
}
