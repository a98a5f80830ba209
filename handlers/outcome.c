/* outcome.c: the record of one document's outcome. Read back by the same program version only: its version stands in front. */
#include "handlers/outcome.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <math.h>
#include <string.h>

#define RECORD_VERSION 1

struct record_head {
    char check[16]; /* of all that follows, in hex */
    uint32_t version, code, status, n_chunks;
    uint64_t n_labels, id_length, message_length;
    char sha256[64];
    struct outcome_numbers numbers;
};

static void make_check(char out[16], const char *record, size_t length)
{
    char hash[SHA256_HEX_BYTES];
    size_t from = sizeof(((struct record_head *)0)->check);
    sha256_hex(record + from, length - from, hash);
    memcpy(out, hash, from);
}

void outcome_free(struct outcome *o)
{
    document_free(&o->document);
    mem_free(o->probabilities);
    mem_free(o->chunks);
    *o = (struct outcome){0};
}

enum status outcome_pack(struct buffer *out, const struct outcome *o, size_t n_labels, struct error *err)
{
    const struct error *e = &o->document.error;
    const char *id = o->document.id ? o->document.id : "";
    struct record_head head;
    size_t start = out->length;
    memset(&head, 0, sizeof(head));
    head.version = RECORD_VERSION;
    head.code = (uint32_t)e->code;
    head.status = (uint32_t)e->status;
    head.n_chunks = (uint32_t)o->n_chunks;
    head.n_labels = n_labels;
    head.id_length = strlen(id);
    head.message_length = e->code == CODE_NONE ? 0 : strlen(e->message);
    memcpy(head.sha256, o->document.sha256, sizeof(head.sha256));
    head.numbers = o->numbers;
    buffer_append(out, &head, sizeof(head));
    buffer_append(out, id, (size_t)head.id_length);
    buffer_append(out, e->message, (size_t)head.message_length);
    if (e->code == CODE_NONE) {
        buffer_append(out, o->probabilities, n_labels * sizeof(double));
        buffer_append(out, o->chunks, o->n_chunks * sizeof(*o->chunks));
    }
    if (!out->failed) make_check(out->data + start, out->data + start, out->length - start);
    return buffer_check(out, "a partial result", err);
}

bool outcome_unpack(struct outcome *o, const void *record, size_t length, size_t n_labels)
{
    struct record_head head;
    char check[sizeof(head.check)];
    const char *at = record, *end = at + length;
    if (length < sizeof(head)) return false;
    memcpy(&head, at, sizeof(head));
    make_check(check, record, length);
    if (memcmp(check, head.check, sizeof(check)) != 0) return false;
    at += sizeof(head);
    const char *id = o->document.id ? o->document.id : "";
    if (head.version != RECORD_VERSION || head.n_labels != n_labels || head.id_length != strlen(id) ||
        head.n_chunks > MAX_CHUNKS || head.message_length >= sizeof(o->document.error.message) ||
        head.code >= N_ERROR_CODES || memcmp(head.sha256, o->document.sha256, sizeof(head.sha256)) != 0)
        return false;
    size_t numbers = head.code == CODE_NONE ? n_labels * sizeof(double) : 0;
    size_t chunks = head.code == CODE_NONE ? head.n_chunks * sizeof(*o->chunks) : 0;
    if ((size_t)(end - at) != head.id_length + head.message_length + numbers + chunks) return false;
    if (memcmp(at, id, (size_t)head.id_length) != 0) return false;
    at += head.id_length;
    if (head.code != CODE_NONE) {
        fail(&o->document.error, (enum status)head.status, (enum error_code)head.code, "%.*s", (int)head.message_length,
             at);
        o->numbers = head.numbers;
        return o->resumed = true;
    }
    o->probabilities = mem_dup(at, numbers);
    o->chunks = chunks ? mem_dup(at + numbers, chunks) : NULL;
    bool good = o->probabilities && (o->chunks || !chunks);
    for (size_t i = 0; good && i < n_labels; i++) good = o->probabilities[i] >= 0 && o->probabilities[i] <= 1;
    for (size_t i = 0; good && i < head.n_chunks; i++) good = o->chunks[i].label < n_labels;
    if (!good) {
        mem_free(o->probabilities);
        mem_free(o->chunks);
        o->probabilities = NULL;
        o->chunks = NULL;
        return false;
    }
    o->n_chunks = head.n_chunks;
    o->numbers = head.numbers;
    return o->resumed = true;
}
