/* url_guard.h: which URLs of outsiders are fetched: scheme, spelling, and every address that the host has. Decides; opens no
 * connection. Whoever connects asks again with the address that is really dialled. */
#ifndef DOCKET_HTTP_URL_GUARD_H
#define DOCKET_HTTP_URL_GUARD_H

#include "worker/base/status.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define URL_MAX_BYTES     2048
#define URL_MAX_ADDRESSES 256 /* of one host; more are refused, because all have to be checked */
#define URL_MAX_REDIRECTS 5

/* Network order; of IPv4 the first four bytes. */
struct url_address {
    bool v6;
    uint8_t bytes[16];
};

struct url_addresses {
    struct url_address items[URL_MAX_ADDRESSES];
    size_t n; /* more than URL_MAX_ADDRESSES: there were more, which are not kept */
};

/* Finds a host's addresses. OK with n > 0, or NETWORK / TIMEOUT (fetch_dns_failed), CANCELLED, NO_MEMORY. */
struct url_resolver {
    enum status (*resolve)(void *context, const char *host, double timeout_seconds, const atomic_bool *stop,
                           struct url_addresses *out, struct error *err);
    void *context;
};

struct url_guard {
    bool allow_private;                                 /* any host and address; scheme and spelling still count */
    struct url_resolver resolver;                       /* resolve NULL: the system's */
    bool (*allowed)(const struct url_address *address); /* which addresses are public; NULL: url_address_public */
};

/* A URL that passed. */
struct url_target {
    char url[3 * URL_MAX_BYTES + 16]; /* as libcurl writes it, which may encode bytes; without fragment */
    char host[256];                   /* lower case, without brackets */
    uint16_t port;
    bool https;
    bool literal;                   /* the host is an address */
    struct url_addresses addresses; /* all of the host, all allowed; none with allow_private */
};

/* Scheme and spelling only; addresses stay empty. BAD_INPUT: url_invalid, url_scheme_not_allowed; REFUSED: url_address_blocked
 * (names and literal addresses that are never public); NO_MEMORY. Messages hold no more of the URL than its host. */
enum status url_guard_read(const struct url_guard *guard, struct url_target *out, const char *url, struct error *err);
/* Finds and checks the addresses of what was read: one that is not allowed refuses all (url_address_blocked). */
enum status url_guard_resolve(const struct url_guard *guard, struct url_target *target, double timeout_seconds,
                              const atomic_bool *stop, struct error *err);
/* Where a redirect leads, read as above. REFUSED (url_redirect_refused) for whatever is wrong with it, a step from https to http
 * among it. Its addresses are not resolved yet. */
enum status url_guard_redirect(const struct url_guard *guard, struct url_target *out, const struct url_target *from,
                               const char *location, struct error *err);

/* Public unicast; forms that carry an IPv4 address are judged by it. */
bool url_address_public(const struct url_address *address);
/* What the guard says of one address; private ones with allow_private. */
bool url_guard_allows(const struct url_guard *guard, const struct url_address *address);
/* The address of a socket; false: neither IPv4 nor IPv6. */
bool url_address_of(const struct sockaddr *socket_address, struct url_address *out);
/* From text, an address and nothing else. */
bool url_address_read(const char *text, struct url_address *out);
/* "192.0.2.1" or "[2001:db8::1]"; out has at least 50 bytes. */
void url_address_write(const struct url_address *address, char *out, size_t out_bytes);
bool url_address_equal(const struct url_address *a, const struct url_address *b);

/* The system's resolver, in a thread that is left behind when it takes too long. At most 64 such threads: then fetch_dns_failed. */
enum status url_resolve_system(void *context, const char *host, double timeout_seconds, const atomic_bool *stop,
                               struct url_addresses *out, struct error *err);

#endif
