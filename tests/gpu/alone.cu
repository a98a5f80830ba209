/* alone.cu: for bench.c, kernels that the table shows only behind a copy from the host: quantizing and expanding, over memory that is
 * there; and how fast mma.sync is where nothing has to be read, which is what attention can reach at best. Seconds; 0: not measured. */
#include "kernels/cuda/expand.cuh"
#include "kernels/cuda/quantize.cuh"

#include <launch.cuh>
#include <mma.cuh>

#include <chrono>

namespace
{

constexpr uint32_t THREADS = 256, CHAINS = 8, ROUNDS = 512;

struct timer {
    cudaStream_t stream;
    int n_each;

    /* The best of some rounds, the first of which warms up. */
    template <class function> double best(const function &work) const
    {
        double best = 0;
        for (int round = 0; round < 6; round++) {
            const auto begin = std::chrono::steady_clock::now();
            for (int i = 0; i < n_each; i++) work();
            if (cudaGetLastError() != cudaSuccess || cudaStreamSynchronize(stream) != cudaSuccess) return 0;
            const double took =
                std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count() / n_each;
            if (round > 0 && (best == 0 || took < best)) best = took;
        }
        return best;
    }
};

/* Chains that do not wait for each other: 8 products of a warp are under way at a time. */
__global__ void __launch_bounds__(THREADS) multiply_registers(float *out)
{
    float sums[CHAINS][4] = {};
    const uint32_t a[4] = {threadIdx.x, 1, 2, 3}, b[2] = {4, 5};
    UNROLL_BY(4)
    for (uint32_t i = 0; i < ROUNDS; i++) UNROLL for (uint32_t c = 0; c < CHAINS; c++) mma_f16(sums[c], a, b);
    float sum = 0;
    UNROLL for (uint32_t c = 0; c < CHAINS; c++) sum += sums[c][0] + sums[c][1] + sums[c][2] + sums[c][3];
    out[(size_t)blockIdx.x * THREADS + threadIdx.x] = sum;
}

/* n bytes of the device, of small numbers in every format; NULL: there is no room. */
template <class type> type *take(const timer &t, size_t n_bytes)
{
    void *memory = nullptr;
    if (cudaMalloc(&memory, n_bytes) != cudaSuccess) return nullptr;
    cudaMemsetAsync(memory, 0x3c, n_bytes, t.stream);
    return (type *)memory;
}

timer open_timer(int n_each)
{
    timer t = {nullptr, n_each};
    if (cudaStreamCreateWithFlags(&t.stream, cudaStreamNonBlocking) != cudaSuccess) t.stream = nullptr;
    return t;
}

} // namespace

/* n values of 16 or 32 bits to NF4. */
extern "C" double alone_quantize(size_t n, enum kernels_format source_format, bool tiny)
{
    const timer t = open_timer(tiny ? 1 : 8);
    uint8_t *source = take<uint8_t>(t, n * (source_format == KERNELS_F32 ? 4 : 2)), *codes = take<uint8_t>(t, n / 2);
    float *absmax = take<float>(t, n / 64 * sizeof(float));
    source_flags *flags = take<source_flags>(t, sizeof *flags);
    const source_view view = {source, (uint32_t)source_format, 0, n, NULL, 0, 0};
    double took = 0;
    if (t.stream && source && codes && absmax && flags)
        took = t.best([&] { cuda_quantize_4bit(view, n, false, codes, absmax, flags, t.stream); });
    if (t.stream) cudaStreamDestroy(t.stream);
    cudaFree(source), cudaFree(codes), cudaFree(absmax), cudaFree(flags);
    return took;
}

/* A weight of NF4 with nested scales [rows, cols] to bf16, over so many multiprocessors. */
extern "C" double alone_expand(uint32_t rows, uint32_t cols, unsigned n_multiprocessors, bool tiny)
{
    const timer t = open_timer(tiny ? 1 : 8);
    const size_t n = (size_t)rows * cols;
    uint8_t *codes = take<uint8_t>(t, n / 2), *absmax = take<uint8_t>(t, n / 64);
    float *nested = take<float>(t, (n / 64 / 256 + 1) * sizeof(float)), *map = take<float>(t, 256 * sizeof(float));
    uint16_t *to = take<uint16_t>(t, n * 2);
    weight_view w = {};
    w.data = codes, w.absmax_codes = absmax, w.nested_absmax = nested, w.nested_map = map;
    w.rows = rows, w.cols = cols, w.format = KERNELS_NF4_NESTED, w.block_shift = 6;
    double took = 0;
    if (t.stream && codes && absmax && nested && map && to)
        took = t.best([&] { cuda_expand_weight(w, true, to, n_multiprocessors, t.stream); });
    if (t.stream) cudaStreamDestroy(t.stream);
    cudaFree(codes), cudaFree(absmax), cudaFree(nested), cudaFree(map), cudaFree(to);
    return took;
}

/* Operations a second of mma.sync, f16 with f32 sums, 16 warps a multiprocessor. */
extern "C" double ceiling_mma(unsigned n_multiprocessors)
{
    const timer t = open_timer(4);
    const unsigned n_blocks = 2 * n_multiprocessors;
    float *out = take<float>(t, (size_t)n_blocks * THREADS * sizeof(float));
    double took = 0;
    if (t.stream && out)
        took = t.best([&] { LAUNCH(multiply_registers, dim3(n_blocks), dim3(THREADS), 0, t.stream, out); });
    if (t.stream) cudaStreamDestroy(t.stream);
    cudaFree(out);
    return took > 0 ? 4096.0 * n_blocks * (THREADS / WARP_SIZE) * CHAINS * ROUNDS / took : 0;
}

extern "C" unsigned alone_multiprocessors(void)
{
    cudaDeviceProp facts;
    return cudaGetDeviceProperties(&facts, 0) == cudaSuccess ? (unsigned)facts.multiProcessorCount : 0;
}
