/* url_guard.c: a URL's spelling, scheme and host, and the addresses behind it. Our own refusals come first; all else is read by the
 * parser that also connects, so that there are no two opinions on where a URL leads. */
#include "worker/http/url_guard.h"

#include "worker/base/alloc.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Names that mean this machine, its network or the services that hand out credentials, whatever they resolve to today. */
static const char *const private_names[] = {"localhost",
                                            "internal",
                                            "metadata",
                                            "metadata.goog",
                                            "instance-data",
                                            "kubernetes.default",
                                            "kubernetes.default.svc"};
static const char *const private_endings[] = {".localhost", ".internal", ".svc.cluster.local"};

static bool one_of(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(name, names[i]) == 0) return true;
    return false;
}

static bool private_name(const char *host)
{
    size_t n = strlen(host);
    if (one_of(host, private_names, ARRAY_LENGTH(private_names))) return true;
    for (size_t i = 0; i < ARRAY_LENGTH(private_endings); i++) {
        size_t m = strlen(private_endings[i]);
        if (n > m && strcmp(host + n - m, private_endings[i]) == 0) return true;
    }
    return false;
}

static enum status invalid(struct error *err, const char *why)
{
    return fail(err, DOCKET_BAD_INPUT, CODE_url_invalid, "%s", why);
}

/* Bytes that mean one thing to one reader of URLs and another to the next. */
static enum status check_bytes(const char *url, struct error *err)
{
    size_t length = strnlen(url, URL_MAX_BYTES + 1);
    if (length == 0) return invalid(err, "empty");
    if (length > URL_MAX_BYTES)
        return fail(err, DOCKET_BAD_INPUT, CODE_url_invalid, "longer than %d bytes", URL_MAX_BYTES);
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)url[i];
        const char *what = c == ' '                ? "a space"
                           : c == '\\'             ? "a backslash"
                           : c < 0x20 || c == 0x7f ? "a control character"
                                                   : NULL;
        if (what) return fail(err, DOCKET_BAD_INPUT, CODE_url_invalid, "%s at byte %zu", what, i);
    }
    return DOCKET_OK;
}

static enum status check_scheme(const char *url, const char **rest, struct error *err)
{
    size_t n = 0;
    while (isalnum((unsigned char)url[n]) || (n > 0 && url[n] && strchr("+-.", url[n]))) n++;
    if (n == 0 || url[n] != ':' || !isalpha((unsigned char)url[0])) return invalid(err, "want http:// or https://");
    if (!(n == 4 && strncasecmp(url, "http", 4) == 0) && !(n == 5 && strncasecmp(url, "https", 5) == 0))
        return fail(err, DOCKET_BAD_INPUT, CODE_url_scheme_not_allowed, "want http or https, got %.*s",
                    (int)(n < 20 ? n : 20), url);
    *rest = url + n + 1;
    return DOCKET_OK;
}

static enum status check_authority(const char *rest, struct error *err)
{
    if (strncmp(rest, "//", 2) != 0 || rest[2] == '/') return invalid(err, "want exactly two slashes before the host");
    rest += 2;
    size_t n = strcspn(rest, "/?#");
    if (n == 0) return invalid(err, "no host");
    if (memchr(rest, '@', n)) return invalid(err, "a user or password in the URL is not supported");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)rest[i];
        if (c >= 0x80) return invalid(err, "the host is not ASCII; want its xn-- form");
        if (c == '%' && rest[0] != '[') return invalid(err, "the host is percent-encoded");
    }
    return DOCKET_OK;
}

static bool is_name(const char *host)
{
    size_t length = strlen(host), label = 0;
    if (length == 0 || length > 253) return false;
    for (size_t i = 0; i <= length; i++) {
        if (host[i] == '.' || host[i] == '\0') {
            if (label == 0 || label > 63) return false;
            label = 0;
        } else if (isalnum((unsigned char)host[i]) || host[i] == '-' || host[i] == '_')
            label++;
        else
            return false;
    }
    return true;
}

/* "1.2.3", "x.0x7f": some resolvers take these for addresses. */
static bool ends_in_number(const char *host)
{
    const char *dot = strrchr(host, '.'), *last = dot ? dot + 1 : host;
    if (last[0] == '0' && last[1] == 'x') return last[2 + strspn(last + 2, "0123456789abcdef")] == '\0';
    return last[strspn(last, "0123456789")] == '\0';
}

static char *part_of(CURLU *u, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    return curl_url_get(u, part, &text, flags) == CURLUE_OK ? text : NULL;
}

/* Lower case, no brackets, no final dot. */
static enum status take_host(CURLU *u, struct url_target *out, struct error *err)
{
    char *host = part_of(u, CURLUPART_HOST, 0);
    size_t n = host ? strlen(host) : 0;
    const char *from = host;
    enum status st = DOCKET_OK;
    if (n >= 2 && host[0] == '[') {
        from++;
        n -= 2;
    } else if (n > 1 && host[n - 1] == '.')
        n--;
    if (n == 0 || n >= sizeof(out->host)) {
        st = invalid(err, n ? "the host's name is too long" : "no host");
        goto done;
    }
    for (size_t i = 0; i < n; i++) out->host[i] = (char)tolower((unsigned char)from[i]);
    out->host[n] = '\0';
    if (from == host && host[n] == '.' && curl_url_set(u, CURLUPART_HOST, out->host, 0) != CURLUE_OK)
        st = invalid(err, "the host cannot be read");
done:
    curl_free(host);
    return st;
}

static enum status judge_host(const struct url_guard *guard, CURLU *u, struct url_target *out, struct error *err)
{
    struct url_address address;
    char *zone = part_of(u, CURLUPART_ZONEID, 0);
    bool zoned = zone != NULL;
    curl_free(zone);
    out->literal = url_address_read(out->host, &address);
    if (!out->literal && (!is_name(out->host) || ends_in_number(out->host)))
        return invalid(err, "the host is neither a name nor an address");
    if (guard->allow_private) return DOCKET_OK;
    if (out->literal ? zoned || !url_guard_allows(guard, &address) : private_name(out->host))
        return fail(err, DOCKET_REFUSED, CODE_url_address_blocked, "%s is not on the public internet", out->host);
    return DOCKET_OK;
}

static enum status take_parts(const struct url_guard *guard, CURLU *u, struct url_target *out, struct error *err)
{
    enum status st = take_host(u, out, err);
    if (st != DOCKET_OK || (st = judge_host(guard, u, out, err)) != DOCKET_OK) return st;
    char *scheme = part_of(u, CURLUPART_SCHEME, 0), *port = part_of(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    unsigned number = 0;
    out->https = scheme && strcasecmp(scheme, "https") == 0;
    if (!port || sscanf(port, "%5u", &number) != 1 || number == 0 || number > 65535)
        st = fail(err, DOCKET_BAD_INPUT, CODE_url_invalid, "%s: want a port from 1 to 65535", out->host);
    out->port = (uint16_t)number;
    curl_free(scheme);
    curl_free(port);
    if (st != DOCKET_OK) return st;
    curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
    char *whole = part_of(u, CURLUPART_URL, 0);
    if (!whole)
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read a URL");
    else if (strlen(whole) >= sizeof(out->url))
        st = invalid(err, "too long once it is encoded");
    else
        memcpy(out->url, whole, strlen(whole) + 1);
    curl_free(whole);
    return st;
}

enum status url_guard_read(const struct url_guard *guard, struct url_target *out, const char *url, struct error *err)
{
    const char *rest = NULL;
    enum status st = check_bytes(url, err);
    if (st == DOCKET_OK) st = check_scheme(url, &rest, err);
    if (st == DOCKET_OK) st = check_authority(rest, err);
    if (st != DOCKET_OK) return st;
    memset(out, 0, sizeof(*out));
    CURLU *u = curl_url();
    if (!u) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read a URL");
    CURLUcode result = curl_url_set(u, CURLUPART_URL, url, CURLU_URLENCODE);
    if (result == CURLUE_OUT_OF_MEMORY)
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read a URL");
    else if (result != CURLUE_OK)
        st = invalid(err, result == CURLUE_BAD_PORT_NUMBER ? "want a port from 1 to 65535" : "cannot be read as a URL");
    else
        st = take_parts(guard, u, out, err);
    curl_url_cleanup(u);
    return st;
}

static enum status check_all(const struct url_guard *guard, const struct url_target *target, struct error *err)
{
    const struct url_addresses *a = &target->addresses;
    if (a->n > URL_MAX_ADDRESSES)
        return fail(err, DOCKET_REFUSED, CODE_url_address_blocked, "%s has more than %d addresses", target->host,
                    URL_MAX_ADDRESSES);
    for (size_t i = 0; i < a->n; i++)
        if (!url_guard_allows(guard, &a->items[i]))
            return fail(err, DOCKET_REFUSED, CODE_url_address_blocked, "%s is not on the public internet%s",
                        target->host, a->n > 1 ? " with all of its addresses" : "");
    return DOCKET_OK;
}

enum status url_guard_resolve(const struct url_guard *guard, struct url_target *target, double timeout_seconds,
                              const atomic_bool *stop, struct error *err)
{
    enum status st = DOCKET_OK;
    target->addresses.n = 0;
    if (guard->allow_private) return DOCKET_OK; /* the name may be one that only a proxy knows */
    if (target->literal)
        target->addresses.n = url_address_read(target->host, &target->addresses.items[0]) ? 1 : 0;
    else if (guard->resolver.resolve)
        st = guard->resolver.resolve(guard->resolver.context, target->host, timeout_seconds, stop, &target->addresses,
                                     err);
    else
        st = url_resolve_system(NULL, target->host, timeout_seconds, stop, &target->addresses, err);
    if (st == DOCKET_OK && target->addresses.n == 0)
        st = fail(err, DOCKET_NETWORK, CODE_fetch_dns_failed, "%s has no address", target->host);
    if (st == DOCKET_OK) st = check_all(guard, target, err);
    if (st != DOCKET_OK) target->addresses.n = 0;
    return st;
}

static char *join(const char *base, const char *location)
{
    char *text = NULL;
    CURLU *u = curl_url();
    if (u && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_URL, location, CURLU_URLENCODE) == CURLUE_OK)
        text = part_of(u, CURLUPART_URL, 0);
    curl_url_cleanup(u);
    return text;
}

enum status url_guard_redirect(const struct url_guard *guard, struct url_target *out, const struct url_target *from,
                               const char *location, struct error *err)
{
    struct error why = {0};
    char *joined = NULL;
    enum status st = check_bytes(location, &why);
    if (st == DOCKET_OK) {
        const char *rest = location;
        /* A scheme that the parser would only take for a path is refused by name. */
        bool absolute = strcspn(location, ":") < strcspn(location, "/?#");
        if (absolute && (st = check_scheme(location, &rest, &why)) == DOCKET_OK) st = check_authority(rest, &why);
    }
    if (st == DOCKET_OK && !(joined = join(from->url, location))) st = invalid(&why, "cannot be read as a URL");
    if (st == DOCKET_OK) st = url_guard_read(guard, out, joined, &why);
    curl_free(joined);
    if (st == DOCKET_OK && from->https && !out->https) st = invalid(&why, "a step from https to http");
    if (st == DOCKET_OK) return st;
    if (st == DOCKET_NO_MEMORY) return fail(err, st, CODE_NONE, "%s", why.message);
    return fail(err, DOCKET_REFUSED, CODE_url_redirect_refused, "%s redirects where nothing is fetched from: %s",
                from->host, why.message);
}
