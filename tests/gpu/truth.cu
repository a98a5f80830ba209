/* truth.cu: what warp.cuh, mma.cuh and copy.cuh do to random bits. Built twice, for the GPU and for its emulation: one build writes its results
 * to a file, the other compares.
 * Usage: truth device | truth write FILE | truth compare FILE. device: says which there is; exit code 3: none that can be used. */
#include <launch.cuh>

#include <copy.cuh>
#include <mma.cuh>
#include <warp.cuh>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace
{

constexpr uint32_t WARPS = 2048, LANES = WARPS * 32, INPUTS = 8;
enum section {
    FROM_LANE,
    ACROSS,
    ACROSS_U32,
    ACROSS_F64,
    BITS,
    F16_TO_F32,
    F32_TO_F16,
    TO_BF16,
    LOAD_ONCE,
    MMA,
    MMA_TURNED,
    FROM_LANE_U32,
    F16_PAIR,
    MMA_F16,
    MATRICES,
    TRANSPOSED,
    COPY,
    EXP2,
    MMA_S8,
    STORED,
    BYTE_OF,
    COLUMN,
    N_SECTIONS
};
const char *const names[N_SECTIONS] = {
    "warp_from_lane", "warp_across",  "warp_across_u32", "warp_across_f64",  "float_from_bits", "float_from_f16",
    "f16_from_float", "bf16_pair",    "load_once",       "mma_bf16",         "mma_bf16 turned", "warp_from_lane_u32",
    "f16_pair",       "mma_f16",      "load_matrices",   "load_matrices_tr", "copy_async_16",   "exp2_fast",
    "mma_s8",         "store_vector", "byte_of",         "load_column"};
constexpr uint32_t WORDS = 4; /* of a result */
constexpr size_t RESULTS = (size_t)N_SECTIONS * LANES * WORDS;

/* Eight random words a lane in, four a section and lane out; `finite` are bf16 pairs for the products, and f16 pairs too. */
__global__ void truth(const uint32_t *random, const uint32_t *finite, uint32_t *out)
{
    uint32_t lane = blockIdx.x * 32 + threadIdx.x, word = random[lane * INPUTS], other = random[lane * INPUTS + 1];
    uint32_t mask = 1u << (blockIdx.x % 5), from = random[blockIdx.x * 32 * INPUTS] % 32;
    uint32_t *to[N_SECTIONS];
    UNROLL for (int s = 0; s < N_SECTIONS; s++)
    {
        to[s] = out + ((size_t)s * LANES + lane) * WORDS;
        UNROLL for (uint32_t i = 0; i < WORDS; i++) to[s][i] = 0;
    }
    to[FROM_LANE][0] = bits_from_float(warp_from_lane(float_from_bits(word), from));
    to[FROM_LANE][1] =
        bits_from_float(warp_from_lane(float_from_bits(word), other)); /* of which five bits say the lane */
    to[ACROSS][0] = bits_from_float(warp_across(float_from_bits(word), mask));
    to[ACROSS_U32][0] = warp_across_u32(word, mask);
    union {
        double value;
        uint32_t words[2];
    } wide;
    wide.words[0] = word, wide.words[1] = other;
    wide.value = warp_across_f64(wide.value, mask);
    to[ACROSS_F64][0] = wide.words[0], to[ACROSS_F64][1] = wide.words[1];
    to[BITS][0] = bits_from_float(float_from_bits(word));
    to[F16_TO_F32][0] = bits_from_float(float_from_f16((uint16_t)lane)); /* all of them */
    to[F32_TO_F16][0] = f16_from_float(float_from_bits(word));
    float small = float_from_bits((other & 0x87ffffffu) | 0x30000000u); /* around what f16 can hold */
    to[F32_TO_F16][1] = f16_from_float(small);
    to[TO_BF16][0] = bf16_pair(float_from_bits(word), small);
    to[TO_BF16][1] = bf16_pair(float_from_bits(other), float_from_bits(word ^ other));
    const uint2 eight = load_once(random + (size_t)lane * INPUTS + 2);
    to[LOAD_ONCE][0] = eight.x, to[LOAD_ONCE][1] = eight.y;
    const uint32_t *mine = finite + lane * INPUTS;
    float sum[4] = {0, 1, -1, 0.5f};
    mma_bf16(sum, mine, mine + 4);
    UNROLL for (uint32_t i = 0; i < WORDS; i++) to[MMA][i] = bits_from_float(sum[i]);
    to[FROM_LANE_U32][0] = warp_from_lane_u32(word, other % 32); /* each lane its own */
    to[FROM_LANE_U32][1] = warp_from_lane_u32(word, other), to[FROM_LANE_U32][2] = bits_set(other);
    store_vector(to[STORED], {word, other, eight.x, eight.y});
    to[F16_PAIR][0] = f16_pair(float_from_bits(word), small);
    to[F16_PAIR][1] = f16_pair(small, float_from_bits(word));
    sum[0] = 0, sum[1] = 1, sum[2] = -1, sum[3] = 0.5f;
    mma_f16(sum, mine, mine + 4);
    UNROLL for (uint32_t i = 0; i < WORDS; i++) to[MMA_F16][i] = bits_from_float(sum[i]);
    int whole[4] = {0, 1, -1, 0x7fffffff}; /* the last wraps where products are positive */
    mma_s8(whole, random + (size_t)lane * INPUTS, random + (size_t)lane * INPUTS + 4);
    UNROLL for (uint32_t i = 0; i < WORDS; i++) to[MMA_S8][i] = (uint32_t)whole[i];

    UNROLL for (uint32_t i = 0; i < WORDS; i++) to[BYTE_OF][i] = byte_of(word, i);
    SHARED_ARRAY(uint32_t, column, [WORDS][32]);
    UNROLL for (uint32_t i = 0; i < WORDS; i++) column[i][threadIdx.x] = other + i;
    BLOCK_BARRIER();
    to[COLUMN][0] = load_column(&column[0][threadIdx.x], word % WORDS);
    to[COLUMN][1] = load_column(&column[1][threadIdx.x], other % (WORDS - 1));

    to[EXP2][0] = bits_from_float(exp2_fast((float)(word % 20000) / 128.0f - 140.0f));
    to[EXP2][1] = bits_from_float(exp2_fast(0.0f));
    to[EXP2][2] = bits_from_float(exp2_fast(-INFINITY));

    /* Two groups of copies, waited for one after the other; every eighth is not there. Rows of matrices begin at any multiple of 16. */
    SHARED_ARRAY(uint4, pieces, [2][32]);
    const uint32_t turned = (threadIdx.x + from) % 32;
    copy_async_16(&pieces[0][turned], random + (size_t)lane * INPUTS, word % 8 != 0);
    copy_commit();
    copy_async_16(&pieces[1][turned], random + (size_t)lane * INPUTS + 4, other % 8 != 0);
    copy_commit();
    copy_wait<1>();
    const uint4 own = pieces[0][turned];
    to[COPY][0] = own.x ^ own.y, to[COPY][1] = own.z ^ own.w;
    copy_wait<0>();
    BLOCK_BARRIER();
    const uint4 others = pieces[1][threadIdx.x];
    to[COPY][2] = others.x ^ others.y, to[COPY][3] = others.z ^ others.w;
    load_matrices(to[MATRICES], &pieces[threadIdx.x % 2][(threadIdx.x * 5 + from) % 32]);
    load_matrices_transposed(to[TRANSPOSED], &pieces[threadIdx.x % 2][(threadIdx.x * 5 + from) % 32]);

    /* The same products with the operands' places exchanged, as multiply_few.cu and multiply_codes.cu have them: the same bits, so 0. */
    const uint32_t turned_a[4] = {mine[4], 0, mine[5], 0}, turned_b[2] = {mine[0], mine[2]}, g = warp_lane() / 4;
    float straight[4] = {0, 0, 0, 0}, exchanged[4] = {0, 0, 0, 0};
    mma_bf16(straight, mine, mine + 4);
    mma_bf16(exchanged, turned_a, turned_b);
    UNROLL for (uint32_t i = 0; i < 2; i++)
    {
        const uint32_t source = (warp_lane() % 4 * 2 + i) * 4 + g / 2;
        const float even = warp_from_lane(exchanged[0], source), odd = warp_from_lane(exchanged[1], source);
        to[MMA_TURNED][i] = bits_from_float(g % 2 ? odd : even) ^ bits_from_float(straight[i]);
    }
}

void demand(cudaError_t result, const char *what)
{
    if (result == cudaSuccess) return;
    fprintf(stderr, "truth: %s: %s\n", what, cudaGetErrorString(result));
    exit(1);
}

float as_float(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The largest sum of magnitudes that a product can have: operands are below 2. */
constexpr float MMA_LIMIT = 16 * 4 * 17 * 0x1p-23f;

bool same_half(uint32_t got, uint32_t want)
{
    const bool both_nan = (got & 0x7fff) > 0x7c00 && (want & 0x7fff) > 0x7c00;
    return both_nan || (got & 0xffff) == (want & 0xffff);
}

bool same_bf16(uint32_t got, uint32_t want)
{
    return got == want || ((got & 0x7fff) > 0x7f80 && (want & 0x7fff) > 0x7f80);
}

bool same(int section, uint32_t got, uint32_t want)
{
    if (section == MMA_TURNED) return got == 0 && want == 0;
    if (got == want) return true;
    if (section == MMA || section == MMA_F16)
        return fabsf(as_float(got) - as_float(want)) <= MMA_LIMIT; /* another order of adding */
    if (section == F16_TO_F32) return std::isnan(as_float(got)) && std::isnan(as_float(want));
    if (section == TO_BF16) /* each half: any NaN for NaN */
        return same_bf16(got & 0xffff, want & 0xffff) && same_bf16(got >> 16, want >> 16);
    if (section == F32_TO_F16) return (got & 0x7fff) > 0x7c00 && (want & 0x7fff) > 0x7c00; /* any NaN */
    if (section == EXP2 && as_float(want) != 0 && as_float(want) != 1)
        return fabsf(as_float(got) - as_float(want)) <= 0x1p-21f * as_float(want) + 0x1p-125f;
    if (section == F16_PAIR) return same_half(got, want) && same_half(got >> 16, want >> 16);
    return false;
}

int compare(const std::vector<uint32_t> &got, const std::vector<uint32_t> &want)
{
    int n_wrong = 0;
    for (int s = 0; s < N_SECTIONS; s++) {
        size_t wrong = 0;
        for (size_t i = (size_t)s * LANES * WORDS; i < (size_t)(s + 1) * LANES * WORDS; i++)
            if (!same(s, got[i], want[i]) && wrong++ == 0)
                fprintf(stderr, "truth: %s: lane %zu, word %zu: 0x%08x, should be 0x%08x\n", names[s],
                        i / WORDS % LANES, i % WORDS, got[i], want[i]);
        printf("  %-16s %s (%zu of %u differ)\n", names[s], wrong ? "FAILED" : "ok", wrong, LANES * WORDS);
        n_wrong += wrong != 0;
    }
    return n_wrong != 0;
}

/* What a GPU is, or in one line why there is none. */
int tell_device()
{
    struct cudaDeviceProp facts;
    int n = 0, driver = 0, runtime = 0;
    size_t left = 0, all = 0;
    void *memory = nullptr;
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    cudaError_t result = cudaGetDeviceCount(&n);
    if (result == cudaSuccess) result = cudaGetDeviceProperties(&facts, 0);
    if (result == cudaSuccess) result = cudaMalloc(&memory, 1 << 20); /* makes the context */
    if (result == cudaSuccess) result = cudaMemGetInfo(&left, &all);
    if (result != cudaSuccess) {
        printf("no GPU can be used: %s (driver for CUDA %d.%d, programs for %d.%d)\n", cudaGetErrorString(result),
               driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
        return 3;
    }
    cudaFree(memory);
    printf("%s, compute capability %d.%d, %d multiprocessors, %.1f GB of memory, %.1f GB free, driver for CUDA %d.%d, "
           "programs for "
           "%d.%d\n",
           facts.name, facts.major, facts.minor, facts.multiProcessorCount, (double)all / 1e9, (double)left / 1e9,
           driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    return 0;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "device")) return tell_device();
    if (argc != 3 || (strcmp(argv[1], "write") && strcmp(argv[1], "compare"))) {
        fprintf(stderr, "usage: truth device | truth write|compare FILE\n");
        return 2;
    }
    std::vector<uint32_t> random(LANES * INPUTS), finite(LANES * INPUTS), got(RESULTS), want(RESULTS);
    uint64_t state = 1;
    for (size_t i = 0; i < random.size(); i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        random[i] = (uint32_t)(state >> 32);
        finite[i] = (random[i] & 0x81ff81ffu) | 0x3e003e00u; /* pairs of bf16, magnitudes from 1/8 to 2 */
    }
    uint32_t *device[3];
    const size_t bytes = random.size() * 4;
    cudaStream_t stream;
    demand(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream");
    demand(cudaMalloc(&device[0], bytes), "memory");
    demand(cudaMalloc(&device[1], bytes), "memory");
    demand(cudaMalloc(&device[2], RESULTS * 4), "memory");
    demand(cudaMemcpyAsync(device[0], random.data(), bytes, cudaMemcpyHostToDevice, stream), "copying");
    demand(cudaMemcpyAsync(device[1], finite.data(), bytes, cudaMemcpyHostToDevice, stream), "copying");
    LAUNCH(truth, dim3(WARPS), dim3(32), 0, stream, device[0], device[1], device[2]);
    demand(cudaGetLastError(), "launching");
    demand(cudaMemcpyAsync(got.data(), device[2], RESULTS * 4, cudaMemcpyDeviceToHost, stream), "copying back");
    demand(cudaStreamSynchronize(stream), "waiting");
    for (uint32_t *memory : device) demand(cudaFree(memory), "freeing");
    demand(cudaStreamDestroy(stream), "freeing");

    FILE *file = fopen(argv[2], argv[1][0] == 'w' ? "wb" : "rb");
    if (!file) {
        perror(argv[2]);
        return 1;
    }
    if (argv[1][0] == 'w') {
        bool written = fwrite(got.data(), 4, RESULTS, file) == RESULTS;
        if (fclose(file) != 0 || !written) {
            perror(argv[2]);
            return 1;
        }
        return 0;
    }
    bool whole = fread(want.data(), 4, RESULTS, file) == RESULTS && fgetc(file) == EOF;
    fclose(file);
    if (!whole) {
        fprintf(stderr, "truth: %s is not what truth writes\n", argv[2]);
        return 1;
    }
    return compare(got, want);
}
