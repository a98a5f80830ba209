/* experts.cu: routing, sorting by expert and the weighted sum. No atomics in sums and no word from the host: the order of everything is
 * that of the rows. */
#include "kernels/cuda/early.cuh"
#include "kernels/cuda/experts.cuh"
#include "kernels/cuda/norm.cuh"

namespace
{

constexpr uint32_t THREADS = NORM_THREADS, WARPS = NORM_WARPS;

/* A warp makes a row; each lane reads the logits whose number is its own modulo 32. A logit is known by its rank, so that ties go to the
 * lower index whoever asks. */
__device__ __forceinline__ void choose_row(const float *l, uint32_t row, uint32_t e, uint32_t top_k, bool renormalize,
                                           int32_t *ids, float *weights)
{
    const uint32_t lane = warp_lane();
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

__global__ void __launch_bounds__(THREADS) route_rows(const float *logits, uint32_t m, uint32_t e, uint32_t top_k,
                                                      bool renormalize, int32_t *ids, float *weights)
{
    LET_NEXT_BEGIN();
    const uint32_t row = blockIdx.x * WARPS + threadIdx.x / WARP_SIZE;
    if (row < m) choose_row(logits + (size_t)row * e, row, e, top_k, renormalize, ids, weights);
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

/* All of it for one chunk, by one block: a pass of few rows. */
__device__ __forceinline__ void sort_chunk(const sort_args &a, int32_t *ids, uint32_t *counts, uint32_t *begins)
{
    load_ids(a, ids);
    BLOCK_BARRIER(); /* the ids are there */
    begins[threadIdx.x] = begin_of(a, counts, count_ids(ids));
    BLOCK_BARRIER(); /* and the begins */
    if (ids[threadIdx.x] >= 0) place_pair(a, ids, begins[ids[threadIdx.x]]);
}

__global__ void __launch_bounds__(CHUNK) sort_few(sort_args a)
{
    SHARED_ARRAY(int32_t, ids, [CHUNK]);
    SHARED_ARRAY(uint32_t, counts, [CHUNK]);
    SHARED_ARRAY(uint32_t, begins, [CHUNK]);
    LET_NEXT_BEGIN();
    sort_chunk(a, ids, counts, begins);
}

/* The router of few rows. A logit is the sum of chains of 1,024 products, as multiply_exact makes it; here every chain has a thread: a
 * warp a row, a lane an expert and one of its chains. So the router of one row of Mixtral is one block of 32 chains: 1,024 dependent
 * additions, 2.1 us at 1.98 GHz, where one block that goes through all chains one after the other takes 40. Values come in tiles of 128
 * of each chain, asked for one tile ahead. */
constexpr uint32_t CHAIN = 1024, PAIRS = WARP_SIZE, TILE = 128, ROUTE_CHUNKS = 5;
static_assert((PAIRS - 2) / ROUTE_LEAST_EXPERTS + 2 <= ROUTE_CHUNKS,
              "chains of different chunks that a warp has at most");

struct route_tile { /* a thread's share of one */
    float w[2][8];
    float4 x[ROUTE_CHUNKS];
};

template <int FORMAT>
__device__ __forceinline__ void load_route_weights(route_tile &to, const route_few_args &a, uint32_t first_pair,
                                                   uint32_t at)
{
    UNROLL for (uint32_t j = 0; j < 2; j++)
    {
        const uint32_t i = threadIdx.x + j * THREADS, pair = first_pair + i / (TILE / 8);
        const uint32_t k = pair / a.e * CHAIN + at + i % (TILE / 8) * 8;
        if (pair / a.e < a.n_chains)
            decode_eight<FORMAT>(a.weight, nullptr, pair % a.e, k, to.w[j]);
        else
            UNROLL for (uint32_t n = 0; n < 8; n++) to.w[j][n] = 0;
    }
}

__device__ __forceinline__ void load_route_rows(route_tile &to, const route_few_args &a, uint32_t first_pair,
                                                uint32_t at)
{
    UNROLL for (uint32_t j = 0; j < ROUTE_CHUNKS; j++)
    { /* a warp reads 128 values of its own row */
        const uint32_t row = blockIdx.y * WARPS + threadIdx.x / WARP_SIZE;
        const uint32_t k = (first_pair / a.e + j) * CHAIN + at + warp_lane() * 4;
        to.x[j] = row < a.m && k < a.weight.cols ? *(const float4 *)(a.x + (size_t)row * a.weight.cols + k)
                                                 : float4{0, 0, 0, 0};
    }
}

/* The lane's chain for the warp's row. All threads of the block come here. */
template <int FORMAT>
__device__ __forceinline__ float run_chains(const route_few_args &a, uint32_t first_pair, float (*w)[TILE + 1],
                                            float4 (*x)[ROUTE_CHUNKS][TILE / 4])
{
    const uint32_t warp = threadIdx.x / WARP_SIZE, lane = warp_lane();
    const uint32_t chunk = (first_pair + lane) / a.e - first_pair / a.e;
    const bool has_row = blockIdx.y * WARPS + warp < a.m;
    const uint32_t most = a.weight.cols < CHAIN ? a.weight.cols : CHAIN;
    route_tile tile;
    float sum = 0;
    load_route_weights<FORMAT>(tile, a, first_pair, 0);
    WAIT_FOR_FORMER();
    load_route_rows(tile, a, first_pair, 0);
    for (uint32_t at = 0; at < most; at += TILE) {
        BLOCK_BARRIER(); /* nobody reads the tile before any more */
        UNROLL for (uint32_t j = 0; j < 2; j++) UNROLL for (uint32_t n = 0; n < 8; n++)
        {
            const uint32_t i = threadIdx.x + j * THREADS;
            w[i / (TILE / 8)][i % (TILE / 8) * 8 + n] = tile.w[j][n];
        }
        UNROLL for (uint32_t j = 0; j < ROUTE_CHUNKS; j++) x[warp][j][lane] = tile.x[j];
        BLOCK_BARRIER(); /* the tile is there */
        if (at + TILE < most) {
            load_route_weights<FORMAT>(tile, a, first_pair, at + TILE);
            load_route_rows(tile, a, first_pair, at + TILE);
        }
        if (!has_row) continue;
        UNROLL_BY(8) for (uint32_t i = 0; i < TILE / 4; i++)
        {
            const float4 v = x[warp][chunk][i];
            sum = fmaf(v.x, w[lane][4 * i], sum);
            sum = fmaf(v.y, w[lane][4 * i + 1], sum);
            sum = fmaf(v.z, w[lane][4 * i + 2], sum);
            sum = fmaf(v.w, w[lane][4 * i + 3], sum);
        }
    }
    return sum;
}

/* The logit of the lane's expert from its chains. */
__device__ __forceinline__ float add_chains(const float *chains, uint32_t n_chains, uint32_t e, uint32_t expert)
{
    float sum = 0;
    for (uint32_t c = 0; c < n_chains; c++) sum += chains[c * e + expert];
    return sum;
}

/* All of it: chains of one warp's width, rows of one block. */
template <int FORMAT> __global__ void __launch_bounds__(THREADS) route_at_once(route_few_args a)
{
    SHARED_ARRAY(float, w, [PAIRS][TILE + 1]);
    SHARED_ARRAY(float4, x, [WARPS][ROUTE_CHUNKS][TILE / 4]);
    SHARED_ARRAY(float, chains, [WARPS][PAIRS]);
    SHARED_ARRAY(float, logits, [WARPS][PAIRS]);
    SHARED_ARRAY(int32_t, ids, [CHUNK]);
    SHARED_ARRAY(uint32_t, counts, [CHUNK]);
    SHARED_ARRAY(uint32_t, begins, [CHUNK]);
    LET_NEXT_BEGIN();
    const uint32_t row = threadIdx.x / WARP_SIZE, lane = warp_lane();
    chains[row][lane] = run_chains<FORMAT>(a, 0, w, x);
    BLOCK_BARRIER(); /* the chains are there */
    if (lane < a.e) logits[row][lane] = add_chains(chains[row], a.n_chains, a.e, lane);
    if (row < a.m) choose_row(logits[row], row, a.e, a.top_k, a.renormalize, a.ids, a.weights);
    BLOCK_BARRIER(); /* all rows have chosen */
    sort_chunk(a.sort, ids, counts, begins);
}

template <int FORMAT> __global__ void __launch_bounds__(THREADS) route_chains(route_few_args a)
{
    SHARED_ARRAY(float, w, [PAIRS][TILE + 1]);
    SHARED_ARRAY(float4, x, [WARPS][ROUTE_CHUNKS][TILE / 4]);
    LET_NEXT_BEGIN();
    const uint32_t row = blockIdx.y * WARPS + threadIdx.x / WARP_SIZE, pair = blockIdx.x * PAIRS + warp_lane();
    const float sum = run_chains<FORMAT>(a, blockIdx.x * PAIRS, w, x);
    if (row < a.m && pair < a.n_chains * a.e) a.chains[(size_t)row * a.n_chains * a.e + pair] = sum;
}

/* One block. With one chain a logit takes its place. */
__global__ void __launch_bounds__(THREADS) route_few(route_few_args a)
{
    SHARED_ARRAY(int32_t, ids, [CHUNK]);
    SHARED_ARRAY(uint32_t, counts, [CHUNK]);
    SHARED_ARRAY(uint32_t, begins, [CHUNK]);
    LET_NEXT_BEGIN();
    for (uint32_t row = threadIdx.x / WARP_SIZE; row < a.m; row += WARPS) {
        float *l = a.logits + (size_t)row * a.e;
        for (uint32_t i = warp_lane(); i < a.e; i += WARP_SIZE)
            l[i] = add_chains(a.chains + (size_t)row * a.n_chains * a.e, a.n_chains, a.e, i);
        choose_row(l, row, a.e, a.top_k, a.renormalize, a.ids, a.weights);
    }
    BLOCK_BARRIER(); /* all rows have chosen */
    sort_chunk(a.sort, ids, counts, begins);
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

/* One value of a row's sum. */
__device__ __forceinline__ float combine_one(const combine_args &a, uint32_t row, uint32_t c)
{
    float sum = a.out[(size_t)row * a.cols + c];
    for (uint32_t t = 0; t < a.top_k; t++) {
        uint32_t pair = row * a.top_k + t, place = a.places ? a.places[pair] : pair;
        sum = fmaf(a.weights ? a.weights[pair] : 1.0f, a.results[(size_t)place * a.cols + c], sum);
    }
    return sum;
}

__global__ void __launch_bounds__(THREADS) combine_rows(combine_args a)
{
    LET_NEXT_BEGIN();
    uint32_t row = blockIdx.x;
    for (uint32_t c = threadIdx.x; c < a.cols; c += THREADS) a.out[(size_t)row * a.cols + c] = combine_one(a, row, c);
}

/* And the norm that follows, by the threads that rmsnorm_rows gives the same values to. */
template <int FORMAT>
__global__ void __launch_bounds__(THREADS)
    combine_norm_rows(combine_args a, weight_view weight, float *normed, float eps, bool plus_one)
{
    SHARED_ARRAY(double, scratch, [WARPS]);
    float *const row = a.out + (size_t)blockIdx.x * a.cols;
    LET_NEXT_BEGIN();
    WAIT_FOR_FORMER();
    double sum = 0;
    for (uint32_t c = threadIdx.x; c < a.cols; c += THREADS) {
        const float value = combine_one(a, blockIdx.x, c);
        row[c] = value;
        sum += (double)value * value;
    }
    norm_row<FORMAT>(row, weight, normed + (size_t)blockIdx.x * a.cols, a.cols, norm_scale(sum, scratch, a.cols, eps),
                     plus_one);
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

template <int FORMAT> static void launch_route(const route_few_args &a, cudaStream_t stream)
{
    const uint32_t n_pairs = a.e * a.n_chains;
    const dim3 grid((n_pairs + PAIRS - 1) / PAIRS, (a.m + WARPS - 1) / WARPS), threads(THREADS);
    if (n_pairs <= PAIRS && a.m <= WARPS) {
        LAUNCH_EARLY(route_at_once<FORMAT>, dim3(1), threads, 0, stream, a);
        return;
    }
    LAUNCH_EARLY(route_chains<FORMAT>, grid, threads, 0, stream, a);
    LAUNCH(route_few, dim3(1), threads, 0, stream, a);
}

void cuda_route_few(const route_few_args &a, cudaStream_t stream)
{
    switch (a.weight.format) {
    case KERNELS_F32:
        launch_route<KERNELS_F32>(a, stream);
        break;
    case KERNELS_F16:
        launch_route<KERNELS_F16>(a, stream);
        break;
    default:
        launch_route<KERNELS_BF16>(a, stream);
        break;
    }
}

void cuda_combine_norm(const combine_args &args, const weight_view &w, float *normed, float eps, bool plus_one,
                       cudaStream_t stream)
{
    const dim3 grid(args.n_rows), threads(THREADS);
    switch (w.format) {
    case KERNELS_F32:
        LAUNCH_EARLY(combine_norm_rows<KERNELS_F32>, grid, threads, 0, stream, args, w, normed, eps, plus_one);
        break;
    case KERNELS_F16:
        LAUNCH_EARLY(combine_norm_rows<KERNELS_F16>, grid, threads, 0, stream, args, w, normed, eps, plus_one);
        break;
    default:
        LAUNCH_EARLY(combine_norm_rows<KERNELS_BF16>, grid, threads, 0, stream, args, w, normed, eps, plus_one);
        break;
    }
}

void cuda_combine(const combine_args &args, cudaStream_t stream)
{
    if (args.n_rows) LAUNCH(combine_rows, dim3(args.n_rows), dim3(THREADS), 0, stream, args);
}
