/* tokenizer_bpe.c: byte-pair merging of one piece of text. A text is cut wherever no merge can ever reach across, which gives
 * words; a long stretch without such a place goes through a heap, so that time stays n log n. */
#include "worker/model/tokenizer_inner.h"

#include "worker/base/json.h"

#include <string.h>

#define SHORT_WORD 24 /* up to here looking through all pairs beats a heap */
#define NO_RANK    UINT32_MAX
#define END        UINT32_MAX
#define DEAD       (-1)
#define WIDE       8 /* children of a heap's node */

static inline uint64_t pair_of(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}

static inline size_t bucket_of(const struct tokenizer *t, uint64_t pair, unsigned shift)
{
    return (size_t)((pair * t->hash_factor ^ pair >> 29) * UINT64_C(0x9e3779b97f4a7c15) >> shift);
}

struct merge *bpe_merge_bucket(const struct tokenizer *t, int32_t left, int32_t right)
{
    uint64_t pair = pair_of(left, right);
    size_t at = bucket_of(t, pair, t->merge_shift);
    while (t->merges[at].pair != pair && t->merges[at].pair != MERGE_FREE) at = (at + 1) & (t->n_merge_buckets - 1);
    return &t->merges[at];
}

enum status bpe_reserve_merges(struct tokenizer *t, size_t n, struct error *err)
{
    t->n_merge_buckets = 16;
    while (t->n_merge_buckets < 2 * n) t->n_merge_buckets *= 2;
    t->merge_shift = 64 - (unsigned)__builtin_ctzll(t->n_merge_buckets);
    t->merges = mem_alloc(t->n_merge_buckets * sizeof(*t->merges));
    if (!t->merges) return tokenizer_no_memory(err);
    memset(t->merges, 0xff, t->n_merge_buckets * sizeof(*t->merges)); /* MERGE_FREE */
    return DOCKET_OK;
}

/* NULL if the two do not merge, or would make a special token of ordinary text. */
static inline const struct merge *find_allowed(const struct tokenizer *t, bool special, int32_t left, int32_t right)
{
    const struct merge *m = bpe_merge_bucket(t, left, right);
    return m->pair != MERGE_FREE && (special || !(m->rank & MERGE_SPECIAL)) ? m : NULL;
}

static inline uint32_t rank_of(const struct merge *m)
{
    return m->rank & ~MERGE_SPECIAL;
}

static uint64_t *find_joint(const struct tokenizer *t, uint64_t pair)
{
    size_t at = bucket_of(t, pair, t->joint_shift);
    while (t->joints[at] != pair && t->joints[at] != MERGE_FREE) at = (at + 1) & (t->n_joint_buckets - 1);
    return &t->joints[at];
}

static inline int32_t character_id(const struct tokenizer *t, uint32_t code_point)
{
    const int32_t *page = t->characters[code_point >> 8];
    return page ? page[code_point & 0xff] : -1;
}

static bool add_joint(struct tokenizer *t, uint64_t pair)
{
    if (2 * t->n_joints >= t->n_joint_buckets) {
        size_t n = t->n_joint_buckets ? 2 * t->n_joint_buckets : 1024;
        uint64_t *old = t->joints, *grown = mem_alloc(n * sizeof(*grown));
        if (!grown) return false;
        memset(grown, 0xff, n * sizeof(*grown));
        size_t n_old = t->n_joint_buckets;
        t->joints = grown;
        t->n_joint_buckets = n;
        t->joint_shift = 64 - (unsigned)__builtin_ctzll(n);
        for (size_t i = 0; i < n_old; i++)
            if (old[i] != MERGE_FREE) *find_joint(t, old[i]) = old[i];
        mem_free(old);
    }
    uint64_t *bucket = find_joint(t, pair);
    if (*bucket == MERGE_FREE) {
        *bucket = pair;
        t->n_joints++;
    }
    return true;
}

static bool is_byte_token(const struct tokenizer *t, int32_t id)
{
    const char *text = token_text(t, id);
    if (!t->byte_fallback || t->tokens[id].length != 6 || strncmp(text, "<0x", 3) != 0) return false;
    for (int i = 0; i < 256; i++)
        if (t->byte_ids[i] == id) return true;
    return false;
}

enum status bpe_find_joints(struct tokenizer *t, struct error *err)
{
    t->joints_known = true;
    for (size_t i = 0; i < t->n_merge_buckets; i++) {
        const struct merge *m = &t->merges[i];
        if (m->pair == MERGE_FREE) continue;
        int32_t left = (int32_t)(m->pair >> 32), right = (int32_t)(m->pair & UINT32_MAX);
        if (left == t->unk_id || right == t->unk_id || is_byte_token(t, left) || is_byte_token(t, right)) {
            t->joints_known = false; /* such symbols do not stand for their own characters */
            break;
        }
        const char *text = token_text(t, left);
        uint32_t last = 0, first = 0;
        for (size_t at = 0, n; at < t->tokens[left].length; at += n) {
            n = utf8_next(text + at, t->tokens[left].length - at, &last);
            if (n == 0) break;
        }
        utf8_next(token_text(t, right), t->tokens[right].length, &first);
        int32_t a = character_id(t, last), b = character_id(t, first);
        if (a >= 0 && b >= 0 && !add_joint(t, pair_of(a, b))) return tokenizer_no_memory(err);
    }
    if (!t->joints && !add_joint(t, pair_of(0, 0))) return tokenizer_no_memory(err); /* never empty */
    return DOCKET_OK;
}

void bpe_work_free(struct bpe_work *w)
{
    mem_free(w->ids);
    mem_free(w->next);
    mem_free(w->previous);
    mem_free(w->heap);
    *w = (struct bpe_work){0};
}

static bool push_symbol(struct bpe_work *w, int32_t id)
{
    if (w->length == w->capacity) {
        size_t n = w->capacity ? 2 * w->capacity : 256;
        int32_t *ids = mem_resize(w->ids, n, sizeof(*ids));
        if (!ids) return false;
        w->ids = ids;
        w->capacity = n;
    }
    w->ids[w->length++] = id;
    return true;
}

/* Up to SHORT_WORD symbols: the lowest rank, leftmost first, again and again. */
static bool merge_short(const struct tokenizer *t, struct bpe_work *w, bool special, struct token_list *out)
{
    uint32_t ranks[SHORT_WORD];
    int32_t results[SHORT_WORD], *ids = w->ids;
    size_t n = w->length;
    for (size_t i = 0; i < n; i++) {
        const struct merge *m = i + 1 < n ? find_allowed(t, special, ids[i], ids[i + 1]) : NULL;
        ranks[i] = m ? rank_of(m) : NO_RANK;
        results[i] = m ? m->id : 0;
    }
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (ranks[i] < ranks[best]) best = i;
        if (ranks[best] == NO_RANK) break;
        ids[best] = results[best];
        for (size_t i = best + 1; i + 1 < n; i++) {
            ids[i] = ids[i + 1];
            ranks[i] = ranks[i + 1];
            results[i] = results[i + 1];
        }
        n--;
        for (size_t i = best ? best - 1 : 0; i <= best && i + 1 < n; i++) {
            const struct merge *m = find_allowed(t, special, ids[i], ids[i + 1]);
            ranks[i] = m ? rank_of(m) : NO_RANK;
            results[i] = m ? m->id : 0;
        }
    }
    return token_list_append_all(out, ids, n);
}

/* A heap of eight children each: a third of the levels of a binary one, and the children lie side by side in the cache. */
static void sift_down(uint64_t *heap, size_t n, size_t at)
{
    uint64_t moving = heap[at];
    for (size_t first; (first = WIDE * at + 1) < n;) {
        size_t end = first + WIDE < n ? first + WIDE : n, least = first;
        for (size_t child = first + 1; child < end; child++)
            if (heap[child] < heap[least]) least = child;
        if (heap[least] >= moving) break;
        heap[at] = heap[least];
        at = least;
    }
    heap[at] = moving;
}

static bool reserve_heap(struct bpe_work *w, size_t n)
{
    if (n <= w->heap_capacity) return true;
    uint64_t *heap = mem_resize(w->heap, n, sizeof(*heap));
    if (!heap) return false;
    w->heap = heap;
    w->heap_capacity = n;
    return true;
}

static void push_heap(struct bpe_work *w, uint64_t key)
{
    size_t at = w->heap_length++;
    for (size_t parent; at > 0 && w->heap[parent = (at - 1) / WIDE] > key; at = parent) w->heap[at] = w->heap[parent];
    w->heap[at] = key;
}

static uint64_t pop_heap(struct bpe_work *w)
{
    uint64_t top = w->heap[0];
    w->heap[0] = w->heap[--w->heap_length];
    if (w->heap_length > 0) sift_down(w->heap, w->heap_length, 0);
    return top;
}

/* The pair at `at` as a heap entry: rank, then place. */
static inline uint64_t key_at(const struct tokenizer *t, const struct bpe_work *w, bool special, uint32_t at,
                              const struct merge **merge)
{
    uint32_t next = w->next[at];
    *merge = next == END ? NULL : find_allowed(t, special, w->ids[at], w->ids[next]);
    return *merge ? (uint64_t)rank_of(*merge) << 32 | at : UINT64_MAX;
}

static bool merge_long(const struct tokenizer *t, struct bpe_work *w, bool special, struct token_list *out)
{
    const struct merge *m;
    size_t n = w->length;
    uint32_t *next = mem_resize(w->next, n, sizeof(*next));
    if (next) w->next = next;
    uint32_t *previous = mem_resize(w->previous, n, sizeof(*previous));
    if (previous) w->previous = previous;
    /* n - 1 pairs at first; a merge takes one entry out and puts at most two in, n - 1 times */
    if (!next || !previous || !reserve_heap(w, 2 * n)) return false;
    for (size_t i = 0; i < n; i++) {
        next[i] = i + 1 < n ? (uint32_t)i + 1 : END;
        previous[i] = i > 0 ? (uint32_t)i - 1 : END;
    }
    w->heap_length = 0;
    for (size_t i = 0; i + 1 < n; i++) {
        uint64_t key = key_at(t, w, special, (uint32_t)i, &m);
        if (m) w->heap[w->heap_length++] = key;
    }
    for (size_t i = (w->heap_length + WIDE - 2) / WIDE; i-- > 0;) sift_down(w->heap, w->heap_length, i);
    while (w->heap_length > 0) {
        uint64_t key = pop_heap(w);
        uint32_t at = (uint32_t)key;
        if (w->ids[at] == DEAD || key_at(t, w, special, at, &m) != key) continue; /* merged meanwhile */
        uint32_t right = next[at];
        w->ids[at] = m->id;
        w->ids[right] = DEAD;
        next[at] = next[right];
        if (next[at] != END) previous[next[at]] = at;
        key = key_at(t, w, special, at, &m);
        if (m) push_heap(w, key);
        if (previous[at] == END) continue;
        key = key_at(t, w, special, previous[at], &m);
        if (m) push_heap(w, key);
    }
    for (uint32_t at = 0; at != END; at = next[at])
        if (!token_list_append(out, w->ids[at])) return false;
    return true;
}

static bool flush_word(const struct tokenizer *t, struct bpe_work *w, bool special, struct token_list *out)
{
    bool good = w->length == 0            ? true
                : w->length == 1          ? token_list_append(out, w->ids[0])
                : w->length <= SHORT_WORD ? merge_short(t, w, special, out)
                                          : merge_long(t, w, special, out);
    w->length = 0;
    return good;
}

/* One symbol more; the word before it ends here when nothing can join the two. */
static bool add_symbol(const struct tokenizer *t, struct bpe_work *w, int32_t id, bool joins, bool special,
                       struct token_list *out)
{
    bool cut = t->joints_known && w->length > 0 &&
               (!joins || *find_joint(t, pair_of(w->ids[w->length - 1], id)) == MERGE_FREE);
    if (cut && !flush_word(t, w, special, out)) return false;
    return push_symbol(w, id);
}

bool bpe_encode(const struct tokenizer *t, struct bpe_work *w, const char *text, size_t length, bool special,
                struct token_list *out)
{
    if (t->ignore_merges) {
        int32_t whole = tokenizer_find(t, text, length);
        bool allowed =
            whole >= 0 && (size_t)whole < t->n_model && (special || !(t->tokens[whole].flags & TOKEN_SPECIAL));
        if (allowed) return token_list_append(out, whole);
    }
    bool after_unknown = false, joins_before = false;
    w->length = 0;
    for (size_t at = 0; at < length;) {
        uint32_t code_point = 0;
        size_t n = utf8_next(text + at, length - at, &code_point);
        int32_t id = n ? character_id(t, code_point) : -1;
        if (n == 0) n = 1; /* never: the text is valid */
        if (id >= 0 && !special && (t->tokens[id].flags & TOKEN_SPECIAL)) id = -1;
        bool good = true, joins = id >= 0;
        if (id >= 0)
            good = add_symbol(t, w, id, joins_before, special, out);
        else if (t->byte_fallback)
            for (size_t i = 0; i < n && good; i++)
                good = add_symbol(t, w, t->byte_ids[(unsigned char)text[at + i]], false, special, out);
        else if (t->unk_id >= 0 && !(after_unknown && t->fuse_unk))
            good = add_symbol(t, w, t->unk_id, false, special, out);
        if (!good) return false;
        if (id >= 0 || t->byte_fallback ||
            t->unk_id >= 0) { /* a dropped character leaves its neighbours side by side */
            joins_before = joins;
            after_unknown = id < 0;
        }
        at += n;
    }
    return flush_word(t, w, special, out);
}
