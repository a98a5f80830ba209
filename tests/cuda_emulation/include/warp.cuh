/* warp.cuh on the host. */
#ifndef DOCKET_TESTS_CUDA_EMULATION_WARP_CUH
#define DOCKET_TESTS_CUDA_EMULATION_WARP_CUH

#include "launch.cuh"

extern "C" {
#include "kernels/formats/half.h"
}

#define WARP_SIZE 32u
#define FULL_WARP 0xffffffffu

static inline unsigned warp_lane(void)
{
    return emulation::lane_index();
}

template <class value_type> static inline value_type warp_exchanged(int kind, value_type value, unsigned lane)
{
    value_type all[32];
    emulation::warp_exchange(FULL_WARP, kind, &value, sizeof value, all);
    return all[lane];
}

static inline float warp_from_lane(float value, unsigned lane)
{
    return warp_exchanged(1, value, lane % 32u);
}

static inline float warp_across(float value, unsigned mask)
{
    return warp_exchanged(2, value, warp_lane() ^ mask);
}

static inline uint32_t warp_across_u32(uint32_t value, unsigned mask)
{
    return warp_exchanged(3, value, warp_lane() ^ mask);
}

static inline uint32_t warp_from_lane_u32(uint32_t value, unsigned lane)
{
    return warp_exchanged(7, value, lane % 32u);
}

static inline double warp_across_f64(double value, unsigned mask)
{
    return warp_exchanged(6, value, warp_lane() ^ mask);
}

static inline void warp_meet(void)
{
    char nothing = 0, all[32];
    emulation::warp_exchange(FULL_WARP, 4, &nothing, sizeof nothing, all, true);
}

static inline float float_from_bits(uint32_t bits)
{
    return half_f32_from_bits(bits);
}

static inline uint32_t bits_from_float(float value)
{
    return half_bits_from_f32(value);
}

static inline float float_from_f16(uint16_t bits)
{
    return half_f16_to_f32(bits);
}

static inline uint16_t f16_from_float(float value)
{
    return half_f16_from_f32(value);
}

static inline uint32_t bits_set(uint32_t word)
{
    return (uint32_t)__builtin_popcount(word);
}

static inline float exp2_fast(float x)
{
    const float out = exp2f(x);
    return out < 0x1p-126f ? 0.0f : out;
}

static inline uint32_t f16_pair(float earlier, float later)
{
    return half_f16_from_f32(earlier) | (uint32_t)half_f16_from_f32(later) << 16;
}

static inline uint32_t byte_of(uint32_t word, unsigned which)
{
    return word >> 8 * which & 255u;
}

static inline uint32_t load_column(const uint32_t *column, uint32_t row)
{
    return column[row * WARP_SIZE];
}

/* sum + the products of four signed bytes each. */
static inline int dot_bytes(uint32_t a, uint32_t b, int sum)
{
    for (unsigned i = 0; i < 32; i += 8) sum += (int)(int8_t)(a >> i) * (int)(int8_t)(b >> i);
    return sum;
}

static inline uint2 load_once(const void *from)
{
    return *(const uint2 *)from;
}

static inline void store_vector(void *to, uint4 value)
{
    *(uint4 *)to = value;
}

static inline uint32_t bf16_pair(float earlier, float later)
{
    return half_bf16_from_f32(earlier) | (uint32_t)half_bf16_from_f32(later) << 16;
}

static inline void flag_set(uint32_t *flag)
{
    __atomic_store_n(flag, 1u, __ATOMIC_RELAXED);
}

#endif
