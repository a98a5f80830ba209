/* tiles.cuh: what the kernels of matrix products share: which rows a block makes, activations, how a result is stored. */
#ifndef DOCKET_KERNELS_CUDA_TILES_CUH
#define DOCKET_KERNELS_CUDA_TILES_CUH

#include "kernels/cuda/multiply.cuh"

/* Columns of the output and steps of k that a block works on; its threads. */
constexpr uint32_t COLUMNS = 64, DEPTH = 64, THREADS = 128;

struct tile {
    uint32_t group, first, end; /* rows of out */
    bool none;
};

/* Which rows the block's tile holds: tiles of group 0, then those of group 1, and so on. The starts are asked for eight at a time: the
 * block begins with waiting for them. */
template <uint32_t ROWS> static __device__ __forceinline__ tile find_tile(const multiply_args &a, uint32_t number)
{
    constexpr uint32_t AT_ONCE = 8;
    if (!a.starts) return {0, number * ROWS, a.m, number * ROWS >= a.m};
    uint32_t begin = a.starts[0], ends[AT_ONCE];
    for (uint32_t e = 0; e < a.n_groups; e += AT_ONCE) {
        UNROLL for (uint32_t i = 0; i < AT_ONCE; i++) ends[i] = a.starts[e + i < a.n_groups ? e + i + 1 : a.n_groups];
        UNROLL for (uint32_t i = 0; i < AT_ONCE; i++)
        { /* those behind the last group are empty */
            const uint32_t n = (ends[i] - begin + ROWS - 1) / ROWS;
            if (number < n) return {e + i, begin + number * ROWS, ends[i], false};
            number -= n;
            begin = ends[i];
        }
    }
    return {0, 0, 0, true};
}

static __device__ __forceinline__ float activate(enum kernels_activation activation, float x)
{
    if (activation == KERNELS_SILU) return x / (1.0f + expf(-x));
    double wide = x, z = 2 * 0.7978845608028654 * (wide + 0.044715 * wide * wide * wide); /* sqrt(2 / pi) */
    float whole = (float)z; /* exp of the rest, which is below an ulp of z, is 1 + rest */
    return x / (1.0f + expf(-whole) * (1.0f - (float)(z - whole)));
}

static __device__ __forceinline__ void store(const multiply_args &a, uint32_t row, uint32_t column, float value)
{
    float *to = a.out + (size_t)row * a.n + column;
    *to = a.accumulate ? *to + value : value;
}

#endif
