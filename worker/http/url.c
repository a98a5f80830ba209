/* url.c: URLs from templates, and the questions that may be asked of one. Parsing of whole URLs is libcurl's, so that
 * there is one opinion on where a host ends. */
#include "worker/http/url.h"

#include "worker/base/alloc.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <string.h>
#include <strings.h>

static bool unreserved(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

static void append_hex(struct buffer *out, unsigned char c)
{
    static const char digits[] = "0123456789ABCDEF";
    char hex[3] = {'%', digits[c >> 4], digits[c & 15]};
    buffer_append(out, hex, 3);
}

void url_encode(struct buffer *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        bool step = *p == '.' && ((p > text && p[-1] == '.') || p[1] == '.' || (p == text && p[1] == '\0'));
        if (unreserved((unsigned char)*p) && !step)
            buffer_append_char(out, *p);
        else
            append_hex(out, (unsigned char)*p);
    }
}

static bool name_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

void url_expand(struct buffer *out, const char *template_text, const struct url_value *values, size_t n_values)
{
    bool query = false;
    for (const char *p = template_text; *p;) {
        if (*p == '$') {
            size_t length = 0;
            const struct url_value *hit = NULL;
            while (name_byte(p[1 + length])) length++;
            for (size_t i = 0; i < n_values; i++)
                if (values[i].value && strlen(values[i].name) == length && memcmp(values[i].name, p + 1, length) == 0)
                    hit = &values[i];
            if (hit) {
                url_encode(out, hit->value);
                p += 1 + length;
                continue;
            }
        }
        unsigned char c = (unsigned char)*p++;
        if (c == '?') query = true;
        if (c == ' ')
            buffer_append_str(out, query ? "+" : "%20");
        else if (c < 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}", c))
            append_hex(out, c);
        else
            buffer_append_char(out, (char)c);
    }
}

void url_add_encoded(struct buffer *url, const char *key, const char *value)
{
    const char *mark = url->data ? strchr(url->data, '?') : NULL;
    if (!mark)
        buffer_append_char(url, '?');
    else if (mark[1] != '\0' && url->data[url->length - 1] != '&')
        buffer_append_char(url, '&');
    buffer_append_str(url, key);
    buffer_append_char(url, '=');
    buffer_append_str(url, value);
}

void url_add(struct buffer *url, const char *key, const char *value)
{
    struct buffer encoded = {0};
    buffer_append_str(&encoded, "");
    url_encode(&encoded, value);
    if (encoded.failed)
        url->failed = true;
    else
        url_add_encoded(url, key, encoded.data);
    buffer_free(&encoded);
}

bool url_swap(struct buffer *out, const char *url, const char *from, const char *to)
{
    const char *at = strstr(url, from);
    const char *query = strchr(url, '?');
    if (!at || (query && at > query)) return false;
    buffer_append(out, url, (size_t)(at - url));
    buffer_append_str(out, to);
    buffer_append_str(out, at + strlen(from));
    return true;
}

char *url_resolve(const char *base, const char *location)
{
    char *text = NULL, *copy = NULL;
    CURLU *u = curl_url();
    if (u && curl_url_set(u, CURLUPART_URL, base, 0) == CURLUE_OK &&
        curl_url_set(u, CURLUPART_URL, location, 0) == CURLUE_OK &&
        curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK)
        copy = str_dup(text);
    curl_free(text);
    curl_url_cleanup(u);
    return copy;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part, unsigned flags)
{
    char *x = NULL, *y = NULL;
    bool same = curl_url_get(a, part, &x, flags) == CURLUE_OK && curl_url_get(b, part, &y, flags) == CURLUE_OK &&
                strcasecmp(x, y) == 0;
    curl_free(x);
    curl_free(y);
    return same;
}

bool url_same_origin(const char *a, const char *b)
{
    CURLU *x = curl_url(), *y = curl_url();
    bool same = x && y && curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
                curl_url_set(y, CURLUPART_URL, b, 0) == CURLUE_OK && same_part(x, y, CURLUPART_SCHEME, 0) &&
                same_part(x, y, CURLUPART_HOST, 0) && same_part(x, y, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    curl_url_cleanup(x);
    curl_url_cleanup(y);
    return same;
}

static bool private_v4(uint32_t a)
{
    return (a >> 24) == 127 || (a >> 24) == 10 || (a >> 24) == 0 || (a >> 20) == 0xac1 || (a >> 16) == 0xc0a8 ||
           (a >> 16) == 0xa9fe || (a >> 22) == (0x64400000u >> 22);
}

/* Names and addresses to which a key may go in clear text: it does not leave this machine or its own network. */
static bool private_host(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    char bare[64];
    size_t n = strlen(host);
    if (host[0] == '[' && n > 2 && n - 2 < sizeof(bare)) {
        memcpy(bare, host + 1, n - 2);
        bare[n - 2] = '\0';
        if (inet_pton(AF_INET6, bare, &v6) != 1) return false;
        return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6) || (v6.s6_addr[0] & 0xfe) == 0xfc;
    }
    if (inet_pton(AF_INET, host, &v4) == 1) return private_v4(ntohl(v4.s_addr));
    if (!strchr(host, '.')) return true;
    return (n > 6 && strcasecmp(host + n - 6, ".local") == 0) || (n > 9 && strcasecmp(host + n - 9, ".internal") == 0);
}

enum status url_check_setting(const char *url, const char *what, bool allow_clear_text, struct error *err)
{
    enum status st = DOCKET_OK;
    struct buffer tidy = {0};
    char *scheme = NULL, *host = NULL, *user = NULL, *password = NULL;
    CURLU *u = curl_url();

    for (const char *p = url; *p && st == DOCKET_OK; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            st = fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "%s: holds a control character at byte %zu", what,
                      (size_t)(p - url));
    if (st != DOCKET_OK) goto done;
    url_expand(&tidy, url, NULL, 0);
    if (!u || tidy.failed) {
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory to read it", what);
        goto done;
    }
    if (!tidy.data || curl_url_set(u, CURLUPART_URL, tidy.data, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
        st = fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "%s: want an http or https URL", what);
        goto done;
    }
    if (curl_url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK ||
        curl_url_get(u, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK)
        st = fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "%s: a user or password in the URL is not supported", what);
    else if (strcmp(scheme, "http") == 0 && !allow_clear_text && !private_host(host))
        st = fail(err, DOCKET_BAD_CONFIG, CODE_NONE,
                  "%s: http to the public host %s would send the key in clear text; want https", what, host);
done:
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(password);
    curl_url_cleanup(u);
    buffer_free(&tidy);
    return st;
}
