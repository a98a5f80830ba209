/* attention_plan.cu: which blocks attention has in a pass: made on the host when the first layer asks, kept for the others.
 *
 * Mostly a block takes 64 queries of one sequence through all the keys that they see. Where that gives fewer blocks than two a
 * multiprocessor (one row of a long context is g of them), each chunk of keys gets a block of its own. And rows of sequences that have
 * less than half a block of queries (the trees behind documents, rows of a step of generation) look at a first shared range together:
 * 32 such sequences behind one prefix read and multiply it 2 times (h / g = 4) instead of 32 times. */
#include "kernels/cuda/device.cuh"

#include <stdlib.h>
#include <string.h>

namespace
{

static_assert(sizeof(attention_item) == ATTENTION_ITEM_BYTES && sizeof(attention_merge) == ATTENTION_MERGE_BYTES, "plans count with it");

template <class type> struct list {
    type *at;
    size_t n, capacity;

    bool add(const type &value)
    {
        if (n == capacity) {
            const size_t more = capacity ? 2 * capacity : 64;
            type *moved = (type *)realloc(at, more * sizeof *moved);
            if (!moved) return false;
            at = moved, capacity = more;
        }
        at[n++] = value;
        return true;
    }
    void copy(unsigned char *to) const
    {
        if (n) memcpy(to, at, n * sizeof *at);
        memset(to + n * sizeof *at, 0, bytes() - n * sizeof *at);
    }
    size_t bytes() const
    {
        return (n * sizeof *at + 255) & ~(size_t)255;
    }
};

struct lists {
    list<attention_item> items;
    list<uint32_t> rows, partials_at;
    list<attention_merge> merges;
    uint32_t *leaders; /* of the sequences that look at shared[0] together: the first of them; ATTENTION_NONE: alone */
    bool *is_split;
    size_t n_partials;
};

void lists_free(lists *l)
{
    free(l->items.at);
    free(l->rows.at);
    free(l->partials_at.at);
    free(l->merges.at);
    free(l->leaders);
    free(l->is_split);
    *l = {};
}

uint32_t n_chunks_of(const kernels_sequence &s, uint32_t range)
{
    const uint32_t n = range < s.n_shared ? s.shared[range].n_slots : s.own.n_slots;
    return n / ATTENTION_CHUNK + (n % ATTENTION_CHUNK != 0);
}

uint32_t all_chunks_of(const kernels_sequence &s)
{
    uint32_t n = 0;
    for (uint32_t range = 0; range <= s.n_shared; range++) n += n_chunks_of(s, range);
    return n;
}

bool same_prefix(const kernels_sequence &a, const kernels_sequence &b)
{
    return a.shared[0].first_slot == b.shared[0].first_slot && a.shared[0].n_slots == b.shared[0].n_slots &&
           a.shared[0].first_position == b.shared[0].first_position;
}

/* Who looks at a prefix together, and whose chunks are computed one by one. */
void choose(lists *l, const kernels_batch *b, const attention_shape &shape, size_t n_multiprocessors)
{
    const size_t group = shape.n_heads / shape.n_kv_heads;
    const size_t most = gpu_most_partials(b->max_rows, shape.n_heads, shape.head_size);
    size_t n_blocks = 0, n_together = 0;
    uint32_t leader = ATTENTION_NONE;

    for (uint32_t i = 0; i < b->n_sequences; i++) {
        const kernels_sequence &s = b->host_sequences[i];
        l->leaders[i] = ATTENTION_NONE;
        n_blocks += (s.n_rows * group + ATTENTION_ROWS - 1) / ATTENTION_ROWS * shape.n_kv_heads;
        if (s.n_rows == 0 || s.n_rows * group > ATTENTION_ROWS / 2 || !s.n_shared || !s.shared[0].n_slots) continue;
        if (leader == ATTENTION_NONE || !same_prefix(b->host_sequences[leader], s)) {
            if (n_together == 1) l->leaders[leader] = ATTENTION_NONE; /* nobody came */
            leader = i, n_together = 0;
        }
        l->leaders[i] = leader;
        n_together++;
    }
    if (n_together == 1) l->leaders[leader] = ATTENTION_NONE;
    for (uint32_t i = 0; i < b->n_sequences; i++) {
        const kernels_sequence &s = b->host_sequences[i];
        const size_t chunks = all_chunks_of(s), more = chunks * s.n_rows;
        const bool wanted = l->leaders[i] != ATTENTION_NONE || (n_blocks < 2 * n_multiprocessors && chunks > 1);
        l->is_split[i] = wanted && s.n_rows && l->n_partials + more <= most;
        if (l->is_split[i]) l->n_partials += more;
    }
}

/* The items of queries [0, n), from the last on, which see the most: of all keys, or of the chunks of one range. */
bool add_items(lists *l, attention_item item, size_t n, uint32_t n_chunks, uint32_t first_chunk, uint32_t rows_a_block)
{
    for (size_t tiles = (n + rows_a_block - 1) / rows_a_block; tiles-- > 0;)
        for (uint32_t c = 0; c < n_chunks; c++) {
            item.first = (uint32_t)(tiles * rows_a_block);
            item.n = (uint32_t)(n - item.first < rows_a_block ? n - item.first : rows_a_block);
            item.begin = c * ATTENTION_CHUNK;
            item.chunk = first_chunk + c;
            if (!l->items.add(item)) return false;
        }
    return true;
}

bool add_split(lists *l, const kernels_sequence &s, uint32_t number, size_t group, uint32_t *next)
{
    const uint32_t chunks = all_chunks_of(s);
    uint32_t before = 0;
    for (uint32_t i = 0; i < s.n_rows; i++, *next += chunks) {
        l->partials_at.at[s.first_row + i] = *next;
        if (!l->merges.add({s.first_row + i, *next, chunks})) return false;
    }
    for (uint32_t range = 0; range <= s.n_shared; before += n_chunks_of(s, range), range++) {
        if (range == 0 && l->leaders[number] != ATTENTION_NONE) continue;
        if (!add_items(l, {number, s.first_row, 0, 0, range, 0, 0}, s.n_rows * group, n_chunks_of(s, range), before,
                       ATTENTION_ROWS))
            return false;
    }
    return true;
}

/* The rows that look at the leader's prefix together. */
bool add_together(lists *l, const kernels_batch *b, uint32_t leader, size_t group)
{
    const uint32_t at = (uint32_t)l->rows.n;
    for (uint32_t i = leader; i < b->n_sequences; i++)
        for (uint32_t row = 0; l->leaders[i] == leader && l->is_split[i] && row < b->host_sequences[i].n_rows; row++)
            if (!l->rows.add(b->host_sequences[i].first_row + row)) return false;
    return add_items(l, {leader, at, 0, 0, 0, 0, 0}, (l->rows.n - at) * group,
                     n_chunks_of(b->host_sequences[leader], 0), 0, ATTENTION_ROWS);
}

/* Passes of few rows get some more blocks, of nothing: so a pass whose contexts are a little longer has the same shape, and steps.cuh
 * can use what it recorded. A power of two, or 1.25, 1.5 or 1.75 times that, from eight on. */
bool pad(lists *l, size_t n_rows)
{
    size_t quarter = 2;
    if (n_rows > GPU_STEP_ROWS) return true;
    while (8 * quarter <= l->items.n) quarter *= 2;
    while (l->items.n % quarter)
        if (!l->items.add({0, 0, 0, 0, ATTENTION_NONE, 0, 0})) return false;
    while (l->merges.n && l->merges.n < n_rows)
        if (!l->merges.add({0, 0, 0})) return false;
    return true;
}

bool fill(lists *l, const kernels_batch *b, const attention_shape &shape, size_t n_multiprocessors)
{
    const size_t group = shape.exact ? 1 : shape.n_heads / shape.n_kv_heads;
    uint32_t next = 0;
    l->leaders = (uint32_t *)malloc((b->n_sequences + 1) * sizeof *l->leaders);
    l->is_split = (bool *)calloc(b->n_sequences + 1, sizeof *l->is_split);
    if (!l->leaders || !l->is_split) return false;
    for (size_t i = 0; i < b->n_rows; i++)
        if (!l->rows.add((uint32_t)i) || !l->partials_at.add(ATTENTION_NONE)) return false;
    if (!shape.exact) choose(l, b, shape, n_multiprocessors);
    for (uint32_t i = 0; i < b->n_sequences; i++) {
        const kernels_sequence &s = b->host_sequences[i];
        const attention_item all = {i, s.first_row, 0, 0, ATTENTION_NONE, 0, 0};
        if (l->is_split[i]) {
            if (!add_split(l, s, i, group, &next)) return false;
        } else if (!add_items(l, all, s.n_rows * group, 1, 0, shape.exact ? EXACT_ROWS : ATTENTION_ROWS))
            return false;
        if (!shape.exact && l->leaders[i] == i && !add_together(l, b, i, group)) return false;
    }
    return shape.exact || pad(l, b->n_rows);
}

bool same_shape(const attention_shape &a, const attention_shape &b)
{
    return a.n_heads == b.n_heads && a.n_kv_heads == b.n_kv_heads && a.head_size == b.head_size && a.exact == b.exact;
}

} // namespace

const attention_plan *cuda_attention_plan(struct kernels_device *device, const struct kernels_batch *b,
                                          const attention_shape &shape)
{
    lists l = {};
    attention_plan plan = {};
    unsigned char *memory = NULL, *whole = NULL;
    size_t total = 0;
    if (device->planned.batch == b && same_shape(device->planned.shape, shape)) return &device->planned.plan;
    device->planned.batch = NULL;
    if (b->n_rows > UINT32_MAX / shape.n_heads) {
        cuda_fail(device, KERNELS_BAD_SHAPE, "attention: %zu rows of %u heads", b->n_rows, shape.n_heads);
        return NULL;
    }
    if (!fill(&l, b, shape, (size_t)device->n_multiprocessors)) {
        cuda_fail(device, KERNELS_NO_MEMORY, "attention: no memory for a plan of %zu rows", b->n_rows);
        goto failed;
    }
    total = l.items.bytes() + l.rows.bytes() + l.partials_at.bytes() + l.merges.bytes();
    memory = (unsigned char *)cuda_scratch_at_least(device, CUDA_SCRATCH_PLAN, total);
    if (!memory) goto failed;
    if (l.n_partials) {
        plan.partials = (float *)cuda_scratch_at_least(
            device, CUDA_SCRATCH_PARTIALS, l.n_partials * shape.n_heads * (shape.head_size + 2) * sizeof(float));
        if (!plan.partials) goto failed;
    }
    plan.items = (const attention_item *)memory;
    plan.rows = (const uint32_t *)(memory + l.items.bytes());
    plan.partials_at = (const uint32_t *)((const unsigned char *)plan.rows + l.rows.bytes());
    plan.merges = (const attention_merge *)((const unsigned char *)plan.partials_at + l.partials_at.bytes());
    plan.n_items = (uint32_t)l.items.n, plan.n_merges = (uint32_t)l.merges.n;
    whole = (unsigned char *)malloc(total + 1);
    if (!whole) {
        cuda_fail(device, KERNELS_NO_MEMORY, "attention: no memory for a plan of %zu rows", b->n_rows);
        goto failed;
    }
    l.items.copy(whole);
    l.rows.copy(whole + ((const unsigned char *)plan.rows - memory));
    l.partials_at.copy(whole + ((const unsigned char *)plan.partials_at - memory));
    l.merges.copy(whole + ((const unsigned char *)plan.merges - memory));
    if (!cuda_put(device, memory, whole, total)) goto failed;
    free(whole);
    lists_free(&l);
    device->planned.batch = b;
    device->planned.shape = shape;
    device->planned.plan = plan;
    return &device->planned.plan;
failed:
    free(whole);
    lists_free(&l);
    return NULL;
}
