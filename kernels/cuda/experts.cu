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

/* The sort works on chunks of as many pairs as there are threads: thread e counts expert e's in a chunk, chunks and experts are summed
 * up, and thread i places pair i behind the pairs before it that have its expert. Every place is known from counts, so nothing depends
 * on who comes first. A chunk is read from shared memory 256 times, a few microseconds however many there are. */
constexpr uint32_t CHUNK = SORT_CHUNK;
static_assert(CHUNK == KERNELS_MAX_EXPERTS && CHUNK == THREADS, "a thread for each expert, and for each pair");

/* The chunk's ids; -1 behind the last. A pair whose id is no expert is said, and gets a place that can be read. */
__device__ __forceinline__ void load_ids(const sort_args &a, int32_t *ids)
{
    uint32_t i = blockIdx.x * CHUNK + threadIdx.x;
    int32_t id = i < a.n_rows * a.top_k ? a.ids[i] : -1;
    bool wrong = i < a.n_rows * a.top_k && (id < 0 || id >= (int32_t)a.n_experts);
    if (wrong) {
        flag_set(a.wrong);
        a.places[i] = 0;
    }
    ids[threadIdx.x] = wrong ? -1 : id;
}

__device__ __forceinline__ uint32_t count_ids(const int32_t *ids)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < CHUNK; i++) count += ids[i] == (int32_t)threadIdx.x;
    return count;
}

/* Pair i of the chunk goes behind those before it; `begin`: of the chunk's pairs of that expert. */
__device__ __forceinline__ void place_pair(const sort_args &a, const int32_t *ids, uint32_t begin)
{
    uint32_t pair = blockIdx.x * CHUNK + threadIdx.x, at = begin;
    for (uint32_t i = 0; i < threadIdx.x; i++) at += ids[i] == ids[threadIdx.x];
    a.rows[at] = pair / a.top_k;
    a.places[pair] = at;
}

/* Where expert e begins, from the number of each one's pairs; all threads come here. */
__device__ __forceinline__ uint32_t begin_of(const sort_args &a, uint32_t *counts, uint32_t count)
{
    uint32_t at = 0;
    counts[threadIdx.x] = count;
    BLOCK_BARRIER(); /* all counts are there */
    for (uint32_t before = 0; before < threadIdx.x; before++) at += counts[before];
    if (threadIdx.x < a.n_experts) a.starts[threadIdx.x] = at;
    if (threadIdx.x + 1 == a.n_experts) a.starts[a.n_experts] = at + count;
    return at;
}

/* All of it for one chunk: a pass of few rows. */
__global__ void __launch_bounds__(CHUNK) sort_few(sort_args a)
{
    SHARED_ARRAY(int32_t, ids, [CHUNK]);
    SHARED_ARRAY(uint32_t, counts, [CHUNK]);
    SHARED_ARRAY(uint32_t, begins, [CHUNK]);
    load_ids(a, ids);
    BLOCK_BARRIER(); /* the ids are there */
    begins[threadIdx.x] = begin_of(a, counts, count_ids(ids));
    BLOCK_BARRIER(); /* and the begins */
    if (ids[threadIdx.x] >= 0) place_pair(a, ids, begins[ids[threadIdx.x]]);
}

__global__ void __launch_bounds__(CHUNK) count_chunks(sort_args a)
{
    SHARED_ARRAY(int32_t, ids, [CHUNK]);
    load_ids(a, ids);
    BLOCK_BARRIER(); /* the ids are there */
    if (threadIdx.x < a.n_experts) a.counts[(size_t)blockIdx.x * a.n_experts + threadIdx.x] = count_ids(ids);
}

/* One block: counts of chunks become sums of the chunks before. */
__global__ void __launch_bounds__(CHUNK) sum_chunks(sort_args a, uint32_t n_chunks)
{
    SHARED_ARRAY(uint32_t, counts, [CHUNK]);
    uint32_t sum = 0;
    for (uint32_t chunk = 0; chunk < n_chunks && threadIdx.x < a.n_experts; chunk++) {
        uint32_t *at = &a.counts[(size_t)chunk * a.n_experts + threadIdx.x], count = *at;
        *at = sum;
        sum += count;
    }
    begin_of(a, counts, sum);
}

__global__ void __launch_bounds__(CHUNK) place_chunks(sort_args a)
{
    SHARED_ARRAY(int32_t, ids, [CHUNK]);
    load_ids(a, ids);
    BLOCK_BARRIER(); /* the ids are there */
    int32_t id = ids[threadIdx.x];
    if (id >= 0) place_pair(a, ids, a.starts[id] + a.counts[(size_t)blockIdx.x * a.n_experts + (uint32_t)id]);
}

__global__ void __launch_bounds__(THREADS) combine_rows(combine_args a)
{
    uint32_t row = blockIdx.x;
    for (uint32_t c = threadIdx.x; c < a.cols; c += THREADS) {
        float sum = a.out[(size_t)row * a.cols + c];
        for (uint32_t t = 0; t < a.top_k; t++) {
            uint32_t pair = row * a.top_k + t, place = a.places ? a.places[pair] : pair;
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
    const uint32_t n = args.n_rows * args.top_k, n_chunks = (n + CHUNK - 1) / CHUNK;
    const dim3 threads(CHUNK);
    if (n_chunks <= 1) {
        LAUNCH(sort_few, dim3(1), threads, 0, stream, args);
        return;
    }
    LAUNCH(count_chunks, dim3(n_chunks), threads, 0, stream, args);
    LAUNCH(sum_chunks, dim3(1), threads, 0, stream, args, n_chunks);
    LAUNCH(place_chunks, dim3(n_chunks), threads, 0, stream, args);
}

void cuda_combine(const combine_args &args, cudaStream_t stream)
{
    if (args.n_rows) LAUNCH(combine_rows, dim3(args.n_rows), dim3(THREADS), 0, stream, args);
}
