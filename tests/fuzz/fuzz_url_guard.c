/* Any URL, resolver's answers and redirect: the guard never says yes to an address that is not public, by a judgement of its own here.
 * Input: lines: the URL, the addresses (with spaces between), the redirect's Location. */
#include "worker/http/url_guard.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Of IPv4 what is blocked, written another way than in the guard. */
static bool blocked_v4(uint32_t a)
{
    unsigned b0 = a >> 24, b1 = a >> 16 & 255, b2 = a >> 8 & 255;
    return b0 == 0 || b0 == 10 || b0 == 127 || b0 >= 224 || (b0 == 100 && b1 >= 64 && b1 < 128) ||
           (b0 == 169 && b1 == 254) || (b0 == 172 && b1 >= 16 && b1 < 32) || (b0 == 192 && b1 == 168) ||
           (b0 == 192 && b1 == 0 && (b2 == 0 || b2 == 2)) || (b0 == 192 && b1 == 88 && b2 == 99) ||
           (b0 == 198 && (b1 == 18 || b1 == 19)) || (b0 == 198 && b1 == 51 && b2 == 100) ||
           (b0 == 203 && b1 == 0 && b2 == 113) || a == 0xa83f8110u;
}

static bool blocked(const struct url_address *a)
{
    const uint8_t *b = a->bytes;
    uint32_t inner;
    if (!a->v6) {
        memcpy(&inner, b, 4);
        return blocked_v4(ntohl(inner));
    }
    memcpy(&inner, b + 12, 4);
    static const uint8_t zero[12];
    bool carried = memcmp(b, zero, 12) == 0 || (memcmp(b, zero, 10) == 0 && b[10] == 0xff && b[11] == 0xff) ||
                   (memcmp(b, zero, 8) == 0 && b[8] == 0xff && b[9] == 0xff && b[10] == 0 && b[11] == 0) ||
                   (memcmp(b, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12) == 0);
    if (carried) return blocked_v4(ntohl(inner));
    unsigned first = (unsigned)b[0] << 8 | b[1], second = (unsigned)b[2] << 8 | b[3];
    return (b[0] >> 5) != 1 || (first == 0x2001 && (second < 0x200 || second == 0xdb8)) || first == 0x2002 ||
           (first == 0x3fff && second < 0x1000);
}

static enum status answer(void *context, const char *host, double timeout_seconds, const atomic_bool *stop,
                          struct url_addresses *out, struct error *err)
{
    const char *text = context;
    (void)host, (void)timeout_seconds, (void)stop, (void)err;
    out->n = 0;
    while (*text) {
        char one[64];
        size_t n = strcspn(text, " ");
        if (n && n < sizeof(one) && out->n < URL_MAX_ADDRESSES) {
            memcpy(one, text, n);
            one[n] = '\0';
            if (url_address_read(one, &out->items[out->n])) out->n++;
        }
        text += n + (text[n] == ' ');
    }
    return DOCKET_OK;
}

static void check(const struct url_guard *guard, struct url_target *t, struct error *err)
{
    struct url_address literal;
    assert(t->host[0] && t->port > 0 && strlen(t->url) < sizeof(t->url));
    assert(strncmp(t->url, t->https ? "https://" : "http://", t->https ? 8 : 7) == 0);
    for (const char *p = t->url; *p; p++) assert((unsigned char)*p > 0x20 && (unsigned char)*p < 0x7f && *p != '\\');
    size_t authority = strcspn(t->url + 8, "/?#") + 8;
    assert(!memchr(t->url, '@', authority));
    assert(t->literal == url_address_read(t->host, &literal));
    if (t->literal) assert(!blocked(&literal));
    assert(strcasecmp(t->host, "localhost") != 0);
    struct url_target again; /* what it wrote, it reads the same */
    assert(url_guard_read(guard, &again, t->url, err) != DOCKET_OK || strcmp(again.host, t->host) == 0);
    if (url_guard_resolve(guard, t, 1, NULL, err) == DOCKET_OK) {
        assert(t->addresses.n > 0 && t->addresses.n <= URL_MAX_ADDRESSES);
        for (size_t i = 0; i < t->addresses.n; i++) assert(!blocked(&t->addresses.items[i]));
    } else
        assert(t->addresses.n == 0 && err->code != CODE_NONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[3][4096] = {{0}};
    struct url_target target, next;
    struct error err = {0};
    size_t line = 0, at = 0;
    for (size_t i = 0; i < size && line < 3; i++) {
        if (data[i] == '\n' && line < 2) { /* the last may hold any byte */
            line++;
            at = 0;
        } else if (at < sizeof(text[0]) - 1)
            text[line][at++] = (char)data[i];
    }
    const struct url_guard guard = {.resolver = {answer, text[1]}};
    if (url_guard_read(&guard, &target, text[0], &err) != DOCKET_OK) {
        assert(err.code != CODE_NONE && err.message[0]);
        return 0;
    }
    check(&guard, &target, &err);
    if (url_guard_redirect(&guard, &next, &target, text[2], &err) == DOCKET_OK) {
        assert(next.https || !target.https);
        check(&guard, &next, &err);
    } else
        assert(err.code == CODE_url_redirect_refused);
    return 0;
}
