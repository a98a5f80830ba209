/* url.h: URLs from templates: placeholders, percent-encoded ids, parameters, origins. Text only; nothing is fetched here. */
#ifndef DOCKET_HTTP_URL_H
#define DOCKET_HTTP_URL_H

#include "worker/base/buffer.h"

#include <stddef.h>

struct url_value {
    const char *name;  /* placeholder without its '$': "RUNPOD_POD_ID" */
    const char *value; /* inserted percent-encoded; NULL leaves the placeholder as it is */
};

/* Appends `text` so that it can stand in one path segment or one query value: all but A-Z a-z 0-9 - . _ ~ becomes %XX;
 * "." alone and dots in a row are encoded too, so that no path is shortened by them, however often it is decoded. */
void url_encode(struct buffer *out, const char *text);

/* Appends the template with every placeholder replaced. The longest name that fits wins ("$ID" does not touch "$IDX"). Bytes that
 * no URL may hold are encoded: a space as %20 in the path and '+' in the query, others as %XX; '%', '$' and '+' stay. */
void url_expand(struct buffer *out, const char *template_text, const struct url_value *values, size_t n_values);

/* Appends "?key=value" or "&key=value", whichever the URL in `url` needs; value is percent-encoded. */
void url_add(struct buffer *url, const char *key, const char *value);
/* The same for a value that is already encoded. */
void url_add_encoded(struct buffer *url, const char *key, const char *value);

/* Appends `url` with the first path segment `from` ("/job-take/") replaced by `to`. false, and nothing appended, if it is not there. */
bool url_swap(struct buffer *out, const char *url, const char *from, const char *to);

/* Where a redirect leads, as an absolute URL; the caller frees. NULL: no such place, or no memory. */
char *url_resolve(const char *base, const char *location);
/* Same scheme, host and port. */
bool url_same_origin(const char *a, const char *b);

/* What a setting must be before a key is sent there: http or https, a host, no user and password, no control characters; plain http
 * only to this machine or a private network (address, single name, .local, .internal) unless allow_clear_text.
 * BAD_CONFIG with a message that names `what` and never holds the URL's secrets. */
enum status url_check_setting(const char *url, const char *what, bool allow_clear_text, struct error *err);

#endif
