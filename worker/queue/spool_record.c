/* spool_record.c: the format of a spooled result. "docket-spool 1 <sha256 of all that follows>", a line with age and lengths, a
 * line with the id, the body. Knows bytes; knows neither folders nor HTTP. */
#include "worker/queue/spool_record.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"
#include "worker/queue/queue.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC        "docket-spool "
#define VERSION      1
#define HEADER_BYTES (sizeof(MAGIC) - 1 + 2 + 64 + 1) /* "docket-spool 1 <64 hex>\n" */

static const char *const suffixes[] = {[SPOOL_FULL] = "rec", [SPOOL_ERROR] = "fail", [SPOOL_SMALL] = "small"};

void spool_key_make(struct spool_key *key, const char *id, const void *input, size_t input_bytes)
{
    char hex[SHA256_HEX_BYTES];
    sha256_hex(id, strlen(id), hex);
    memcpy(key->id, hex, 32);
    key->id[32] = '\0';
    sha256_hex(input, input_bytes, hex);
    memcpy(key->input, hex, 32);
    key->input[32] = '\0';
}

bool spool_key_same(const struct spool_key *a, const struct spool_key *b)
{
    return strcmp(a->id, b->id) == 0 && strcmp(a->input, b->input) == 0;
}

void spool_entry_name(struct spool_entry *e)
{
    snprintf(e->name, sizeof(e->name), "%020" PRIu64 "-%s-%s-%" PRIu64 ".%s", e->created_ns, e->key.id, e->key.input,
             e->body_bytes, suffixes[e->kind]);
}

static bool hex32(const char *text)
{
    return strspn(text, "0123456789abcdef") >= 32;
}

static bool digits(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text[i] < '0' || text[i] > '9') return false;
    return true;
}

bool spool_entry_parse(struct spool_entry *e, const char *name)
{
    size_t length = strlen(name);
    struct spool_entry out = {0};
    if (length >= SPOOL_NAME_BYTES || length < 20 + 1 + 32 + 1 + 32 + 1 + 1 + 4) return false;
    if (!digits(name, 20) || name[20] != '-' || !hex32(name + 21) || name[53] != '-' || !hex32(name + 54) ||
        name[86] != '-')
        return false;
    const char *size = name + 87;
    size_t n = strspn(size, "0123456789");
    if (n == 0 || n > 12) return false;
    bool known = false;
    for (unsigned i = 0; i < ARRAY_LENGTH(suffixes); i++)
        if (size[n] == '.' && strcmp(size + n + 1, suffixes[i]) == 0) {
            out.kind = (enum spool_kind)i;
            known = true;
        }
    if (!known) return false;
    out.created_ns = strtoull(name, NULL, 10);
    out.body_bytes = strtoull(size, NULL, 10);
    memcpy(out.key.id, name + 21, 32);
    memcpy(out.key.input, name + 54, 32);
    spool_entry_name(&out);
    if (strcmp(out.name, name) != 0) return false; /* 06 for 6: nobody here wrote it */
    *e = out;
    return true;
}

void spool_record_write(struct buffer *out, const struct spool_entry *entry, const char *id, const void *body,
                        size_t body_bytes)
{
    char hex[SHA256_HEX_BYTES];
    size_t start = out->length;
    buffer_reserve(out, HEADER_BYTES + 64 + strlen(id) + body_bytes);
    buffer_printf(out, MAGIC "%d %064d\n", VERSION, 0);
    buffer_printf(out, "%" PRIu64 " %zu %zu\n", entry->created_ns, strlen(id), body_bytes);
    buffer_append_str(out, id);
    buffer_append_char(out, '\n');
    buffer_append(out, body, body_bytes);
    if (out->failed) return;
    sha256_hex(out->data + start + HEADER_BYTES, out->length - start - HEADER_BYTES, hex);
    memcpy(out->data + start + HEADER_BYTES - 65, hex, 64);
}

enum status spool_record_read(struct spool_text *out, struct buffer *bytes, const char *name, struct error *err)
{
    char hex[SHA256_HEX_BYTES];
    unsigned long long created = 0;
    size_t id_bytes = 0, body_bytes = 0;
    int used = 0;
    const char *text = bytes->data;
    if (!text || bytes->length < HEADER_BYTES || memcmp(text, MAGIC, sizeof(MAGIC) - 1) != 0)
        return fail(err, DOCKET_CORRUPT, CODE_NONE, "%s: no result record, or only half of one", name);
    if (text[sizeof(MAGIC) - 1] != '0' + VERSION || text[sizeof(MAGIC)] != ' ')
        return fail(err, DOCKET_UNSUPPORTED, CODE_NONE, "%s: a record of another version", name);
    sha256_hex(text + HEADER_BYTES, bytes->length - HEADER_BYTES, hex);
    if (memcmp(hex, text + HEADER_BYTES - 65, 64) != 0)
        return fail(err, DOCKET_CORRUPT, CODE_NONE, "%s: the checksum does not fit the %zu bytes that are there", name,
                    bytes->length);
    /* from here on the bytes are what some docket wrote; lengths are checked all the same */
    if (sscanf(text + HEADER_BYTES, "%20llu %7zu %12zu%n", &created, &id_bytes, &body_bytes, &used) != 3 ||
        id_bytes == 0 || id_bytes > QUEUE_MAX_ID_BYTES ||
        HEADER_BYTES + (size_t)used + 1 + id_bytes + 1 + body_bytes != bytes->length)
        return fail(err, DOCKET_CORRUPT, CODE_NONE, "%s: lengths do not add up", name);
    size_t at = HEADER_BYTES + (size_t)used + 1;
    bytes->data[at + id_bytes] = '\0';
    *out = (struct spool_text){bytes->data + at, bytes->data + at + id_bytes + 1, body_bytes, created};
    return DOCKET_OK;
}
