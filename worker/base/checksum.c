/* checksum.c: XXH64 with seed 0: four lanes of eight bytes, each step invertible, so that one wrong word always shows. */
#include "worker/base/checksum.h"

#include <string.h>

#define STRIPE  32
#define PRIME_1 UINT64_C(0x9e3779b185ebca87)
#define PRIME_2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define PRIME_3 UINT64_C(0x165667b19e3779f9)
#define PRIME_4 UINT64_C(0x85ebca77c2b2ae63)
#define PRIME_5 UINT64_C(0x27d4eb2f165667c5)

static uint64_t rotate(uint64_t x, unsigned by)
{
    return x << by | x >> (64 - by);
}

static uint64_t word(const unsigned char *p)
{
    uint64_t x;
    memcpy(&x, p, sizeof(x));
    return x; /* little-endian, as every machine that docket runs on */
}

static uint64_t mix(uint64_t lane, uint64_t x)
{
    return rotate(lane + x * PRIME_2, 31) * PRIME_1;
}

static void add_stripe(uint64_t lanes[4], const unsigned char *p)
{
    for (unsigned i = 0; i < 4; i++) lanes[i] = mix(lanes[i], word(p + 8 * i));
}

void checksum_init(struct checksum *c)
{
    *c = (struct checksum){.lanes = {PRIME_1 + PRIME_2, PRIME_2, 0, 0 - PRIME_1}};
}

void checksum_add(struct checksum *c, const void *bytes, size_t length)
{
    const unsigned char *p = bytes;
    size_t held = (size_t)(c->length_bytes % STRIPE);
    c->length_bytes += length;
    if (held) {
        size_t n = length < STRIPE - held ? length : STRIPE - held;
        memcpy(c->rest + held, p, n);
        p += n;
        length -= n;
        if (held + n < STRIPE) return;
        add_stripe(c->lanes, c->rest);
    }
    for (; length >= STRIPE; p += STRIPE, length -= STRIPE) add_stripe(c->lanes, p);
    if (length) memcpy(c->rest, p, length);
}

uint64_t checksum_value(const struct checksum *c)
{
    const unsigned char *p = c->rest;
    size_t left = (size_t)(c->length_bytes % STRIPE);
    uint64_t h = PRIME_5;
    if (c->length_bytes >= STRIPE) {
        h = rotate(c->lanes[0], 1) + rotate(c->lanes[1], 7) + rotate(c->lanes[2], 12) + rotate(c->lanes[3], 18);
        for (unsigned i = 0; i < 4; i++) h = (h ^ mix(0, c->lanes[i])) * PRIME_1 + PRIME_4;
    }
    h += c->length_bytes;
    for (; left >= 8; p += 8, left -= 8) h = rotate(h ^ mix(0, word(p)), 27) * PRIME_1 + PRIME_4;
    if (left >= 4) {
        uint32_t half;
        memcpy(&half, p, sizeof(half));
        h = rotate(h ^ half * PRIME_1, 23) * PRIME_2 + PRIME_3;
        p += 4;
        left -= 4;
    }
    for (; left; p++, left--) h = rotate(h ^ *p * PRIME_5, 11) * PRIME_1;
    h = (h ^ h >> 33) * PRIME_2;
    h = (h ^ h >> 29) * PRIME_3;
    return h ^ h >> 32;
}
