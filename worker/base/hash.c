/* hash.c: SipHash-1-3 (Aumasson and Bernstein), the key from the system. */
#include "worker/base/hash.h"

#include <pthread.h>
#include <string.h>
#include <sys/random.h>

static uint64_t key[2] = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};
static pthread_once_t drawn = PTHREAD_ONCE_INIT;

static void draw_key(void)
{
#ifndef DOCKET_FUZZ /* fuzzing wants the same run twice */
    uint64_t fresh[2];
    if (getrandom(fresh, sizeof(fresh), 0) == (ssize_t)sizeof(fresh)) memcpy(key, fresh, sizeof(key));
#endif
}

static inline uint64_t rotate(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

static inline void mix(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[0] = rotate(v[0], 32);
    v[2] += v[3];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[2] = rotate(v[2], 32);
}

uint64_t hash_bytes(const void *bytes, size_t length, uint64_t seed)
{
    pthread_once(&drawn, draw_key);
    uint64_t k0 = key[0] ^ seed, k1 = key[1], word;
    uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                     k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    const unsigned char *p = bytes;
    size_t left = length;
    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        v[3] ^= word;
        mix(v);
        v[0] ^= word;
    }
    word = (uint64_t)length << 56;
    for (size_t i = 0; i < left; i++) word |= (uint64_t)p[i] << (8 * i);
    v[3] ^= word;
    mix(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++) mix(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
