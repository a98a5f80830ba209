/* url_address.c: which addresses are on the public internet. The lists are those of IANA's registries for special purposes, with
 * the metadata addresses of clouds that lie outside of them. */
#include "worker/http/url_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

struct range {
    uint8_t bytes[16];
    unsigned bits;
};

static const struct range blocked_v4[] = {
    {{0}, 8},                 /* this network */
    {{10}, 8},                /* private */
    {{100, 64}, 10},          /* shared by carriers */
    {{127}, 8},               /* loopback */
    {{169, 254}, 16},         /* link-local, metadata */
    {{172, 16}, 12},          /* private */
    {{192, 0, 0}, 24},        /* protocols, metadata of one cloud */
    {{192, 0, 2}, 24},        /* documentation */
    {{192, 88, 99}, 24},      /* 6to4 relays */
    {{192, 168}, 16},         /* private */
    {{198, 18}, 15},          /* benchmarks */
    {{198, 51, 100}, 24},     /* documentation */
    {{203, 0, 113}, 24},      /* documentation */
    {{224}, 3},               /* multicast, reserved, broadcast */
    {{168, 63, 129, 16}, 32}, /* a cloud's own services on every machine */
};

static const struct range public_v6 = {{0x20}, 3};
static const struct range blocked_v6[] = {
    {{0x20, 0x01}, 23},             /* protocols, Teredo among them */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* documentation */
    {{0x20, 0x02}, 16},             /* 6to4: any IPv4 address, and nobody offers it any more */
    {{0x3f, 0xff}, 20},             /* documentation */
};

/* Where an IPv4 address stands inside an IPv6 one: behind a prefix of so many bits, at that byte. */
static const struct {
    struct range prefix;
    size_t at;
} carriers[] = {
    {{{0}, 96}, 12},                                        /* compatible (and ::, ::1: of 0/8) */
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, 12}, /* mapped */
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, 12},       /* translated */
    {{{0x00, 0x64, 0xff, 0x9b}, 96}, 12},                   /* NAT64 */
};

static bool within(const uint8_t *address, const struct range *range)
{
    size_t whole = range->bits / 8;
    unsigned rest = range->bits % 8;
    if (memcmp(address, range->bytes, whole) != 0) return false;
    return rest == 0 || (uint8_t)((address[whole] ^ range->bytes[whole]) >> (8 - rest)) == 0;
}

static bool public_v4(const uint8_t *address)
{
    for (size_t i = 0; i < sizeof(blocked_v4) / sizeof(blocked_v4[0]); i++)
        if (within(address, &blocked_v4[i])) return false;
    return true;
}

bool url_address_public(const struct url_address *address)
{
    const uint8_t *bytes = address->bytes;
    if (!address->v6) return public_v4(bytes);
    for (size_t i = 0; i < sizeof(carriers) / sizeof(carriers[0]); i++)
        if (within(bytes, &carriers[i].prefix)) return public_v4(bytes + carriers[i].at);
    if (!within(bytes, &public_v6)) return false;
    for (size_t i = 0; i < sizeof(blocked_v6) / sizeof(blocked_v6[0]); i++)
        if (within(bytes, &blocked_v6[i])) return false;
    return true;
}

bool url_guard_allows(const struct url_guard *guard, const struct url_address *address)
{
    if (guard->allow_private) return true;
    return guard->allowed ? guard->allowed(address) : url_address_public(address);
}

bool url_address_of(const struct sockaddr *socket_address, struct url_address *out)
{
    *out = (struct url_address){0};
    if (socket_address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, socket_address, sizeof(in));
        memcpy(out->bytes, &in.sin_addr, 4);
        return true;
    }
    if (socket_address->sa_family != AF_INET6) return false;
    struct sockaddr_in6 in6;
    memcpy(&in6, socket_address, sizeof(in6));
    memcpy(out->bytes, &in6.sin6_addr, 16);
    out->v6 = true;
    return true;
}

bool url_address_read(const char *text, struct url_address *out)
{
    *out = (struct url_address){0};
    if (inet_pton(AF_INET, text, out->bytes) == 1) return true;
    out->v6 = true;
    return inet_pton(AF_INET6, text, out->bytes) == 1;
}

void url_address_write(const struct url_address *address, char *out, size_t out_bytes)
{
    char text[INET6_ADDRSTRLEN] = "";
    inet_ntop(address->v6 ? AF_INET6 : AF_INET, address->bytes, text, sizeof(text));
    snprintf(out, out_bytes, address->v6 ? "[%s]" : "%s", text);
}

bool url_address_equal(const struct url_address *a, const struct url_address *b)
{
    return a->v6 == b->v6 && memcmp(a->bytes, b->bytes, a->v6 ? 16 : 4) == 0;
}
