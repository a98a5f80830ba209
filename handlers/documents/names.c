/* names.c: names from outside, made fit to be shown, and ids that are unique. Opens nothing by them. */
#include "handlers/characters.h"
#include "handlers/documents/readers.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <stdio.h>
#include <string.h>

#define MAX_PART_BYTES 255
#define MAX_NAME_BYTES 1024
#define LEFT_OUT       "\xe2\x80\xa6/" /* an ellipsis for the folders in front */

/* One part without what acts, bytes that are no UTF-8 as U+FFFD. */
static void clean_part(struct buffer *out, const char *raw, size_t length)
{
    char bytes[4];
    uint32_t c;
    for (size_t at = 0, n; at < length; at += n) {
        n = utf8_next(raw + at, length - at, &c);
        if (n == 0) {
            n = 1;
            c = 0xfffd;
        } else if (character_is_control(c) || character_is_hidden(c) || c == 0x2028 || c == 0x2029)
            c = '_';
        buffer_append(out, bytes, utf8_put(c, bytes));
    }
}

/* At most 255 bytes from `start` on, the extension kept. */
static void shorten_part(struct buffer *b, size_t start)
{
    size_t length = b->length - start, keep = 0;
    if (b->failed || length <= MAX_PART_BYTES) return;
    const char *part = b->data + start, *point = memrchr(part, '.', length);
    if (point && length - (size_t)(point - part) <= 16) keep = length - (size_t)(point - part);
    size_t cut = MAX_PART_BYTES - keep;
    while (cut > 0 && ((unsigned char)part[cut] & 0xc0) == 0x80) cut--;
    memmove(b->data + start + cut, b->data + b->length - keep, keep);
    b->length = start + cut + keep;
    b->data[b->length] = '\0';
}

static bool skipped_part(const char *part, size_t n)
{
    return n == 0 || (n == 1 && part[0] == '.') || (n == 2 && part[0] == '.' && part[1] == '.');
}

char *name_clean(const char *raw, size_t length)
{
    struct buffer b = {0};
    for (size_t at = 0; at <= length;) {
        size_t n = 0;
        while (at + n < length && raw[at + n] != '/' && raw[at + n] != '\\') n++;
        if (!skipped_part(raw + at, n)) {
            if (b.length > 0) buffer_append_char(&b, '/');
            size_t start = b.length;
            clean_part(&b, raw + at, n);
            shorten_part(&b, start);
        }
        at += n + 1;
    }
    if (b.length == 0) buffer_append_str(&b, "unnamed");
    if (!b.failed && b.length > MAX_NAME_BYTES) { /* the last parts say most */
        const char *from = b.data + b.length - (MAX_NAME_BYTES - strlen(LEFT_OUT));
        from = strchr(from, '/') + 1; /* parts are shorter than that */
        char *shorter = str_format("%s%s", LEFT_OUT, from);
        buffer_free(&b);
        return shorter;
    }
    if (b.failed) {
        buffer_free(&b);
        return NULL;
    }
    return buffer_take(&b, NULL);
}

const char *name_last_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* Sets: open addressing; a slot remembers which number to try next, so that many equal names stay cheap. */
struct name_slot {
    char *id; /* NULL: free */
    uint64_t hash;
    size_t next;
};

static uint64_t hash_of(const char *id)
{
    uint64_t h = UINT64_C(1469598103934665603);
    for (; *id; id++) h = (h ^ (unsigned char)*id) * UINT64_C(1099511628211);
    return h ^ h >> 31;
}

static struct name_slot *find(const struct name_set *set, const char *id, uint64_t hash)
{
    if (set->capacity == 0) return NULL;
    for (size_t i = hash % set->capacity;; i = (i + 1) % set->capacity) {
        struct name_slot *slot = &set->slots[i];
        if (!slot->id || (slot->hash == hash && strcmp(slot->id, id) == 0)) return slot;
    }
}

static bool grow(struct name_set *set)
{
    if (set->n * 2 < set->capacity) return true;
    struct name_set larger = {.n = set->n, .capacity = set->capacity ? set->capacity * 2 : 64};
    larger.slots = mem_zalloc(larger.capacity, sizeof(*larger.slots));
    if (!larger.slots) return false;
    for (size_t i = 0; i < set->capacity; i++)
        if (set->slots[i].id) *find(&larger, set->slots[i].id, set->slots[i].hash) = set->slots[i];
    mem_free(set->slots);
    *set = larger;
    return true;
}

bool name_set_add(struct name_set *set, const char *id)
{
    if (!grow(set)) return false;
    uint64_t hash = hash_of(id);
    struct name_slot *slot = find(set, id, hash);
    if (slot->id) return true;
    char *copy = str_dup(id);
    if (!copy) return false;
    *slot = (struct name_slot){copy, hash, 2};
    set->n++;
    return true;
}

static bool taken(const struct name_set *set, const char *id)
{
    const struct name_slot *slot = find(set, id, hash_of(id));
    return slot && slot->id;
}

char *name_set_unique(struct name_set *set, const char *id)
{
    char *name = NULL;
    struct name_slot *first = find(set, id, hash_of(id));
    if (!first || !first->id)
        name = str_dup(id);
    else {
        const char *part = name_last_part(id), *point = strrchr(part, '.');
        size_t stem = point && point > part ? (size_t)(point - id) : strlen(id);
        do {
            mem_free(name);
            name = str_format("%.*s (%zu)%s", (int)stem, id, first->next++, id + stem);
        } while (name && taken(set, name));
    }
    if (name && !name_set_add(set, name)) {
        mem_free(name);
        return NULL;
    }
    return name;
}

void name_set_free(struct name_set *set)
{
    for (size_t i = 0; i < set->capacity; i++) mem_free(set->slots[i].id);
    mem_free(set->slots);
    *set = (struct name_set){0};
}
