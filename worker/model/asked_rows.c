/* asked_rows.c: cuts a batch down to the rows that are asked for. */
#include "worker/model/asked_rows.h"

#include "worker/base/alloc.h"

bool asked_rows_init(struct asked_rows *a, size_t max_rows, size_t max_sequences, size_t max_outputs)
{
    *a = (struct asked_rows){.max_rows = asked_rows_most(max_rows), .max_sequences = max_sequences};
    a->rows = mem_zalloc(a->max_rows + 1, sizeof(*a->rows));
    a->outputs = mem_zalloc(max_outputs + 1, sizeof(*a->outputs));
    a->token_ids = mem_zalloc(a->max_rows + 1, sizeof(*a->token_ids));
    a->positions = mem_zalloc(a->max_rows + 1, sizeof(*a->positions));
    a->slots = mem_zalloc(a->max_rows + 1, sizeof(*a->slots));
    a->sequences = mem_zalloc(max_sequences + 1, sizeof(*a->sequences));
    return a->rows && a->outputs && a->token_ids && a->positions && a->slots && a->sequences;
}

void asked_rows_free(struct asked_rows *a)
{
    void *all[] = {a->rows, a->outputs, a->token_ids, a->positions, a->slots, a->sequences};
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) mem_free(all[i]);
    *a = (struct asked_rows){0};
}

/* Rows [first, end) of the whole batch, of sequence `from`. */
static void keep(struct asked_rows *a, const struct kernels_batch_desc *whole, const struct kernels_sequence *from,
                 uint32_t first, uint32_t end)
{
    struct kernels_sequence *s = &a->sequences[a->batch.n_sequences++];
    *s = *from;
    s->first_row = (uint32_t)a->batch.n_rows;
    s->n_rows = end - first;
    s->own.n_slots = from->own.n_slots - (from->first_row + from->n_rows - end);
    for (uint32_t row = first; row < end; row++) {
        size_t at = a->batch.n_rows++;
        a->rows[at] = row;
        a->token_ids[at] = whole->token_ids[row];
        a->positions[at] = whole->positions[row];
        a->slots[at] = whole->slots[row];
    }
}

bool asked_rows_choose(struct asked_rows *a, const struct kernels_batch_desc *whole, const uint32_t *rows,
                       size_t n_outputs)
{
    size_t at = 0, most = whole->n_rows / 2 < a->max_rows ? whole->n_rows / 2 : a->max_rows;
    a->batch = (struct kernels_batch_desc){
        .token_ids = a->token_ids, .positions = a->positions, .slots = a->slots, .sequences = a->sequences};
    for (size_t i = 0; i < whole->n_sequences && at < n_outputs; i++) {
        const struct kernels_sequence *s = &whole->sequences[i];
        uint32_t first = s->first_row, end = first + s->n_rows;
        size_t past = at;
        while (past < n_outputs && rows[past] >= first && rows[past] < end) past++;
        if (past == at) continue;
        if (!s->parent) first = rows[at], end = rows[past - 1] + 1;
        if (first >= end || end - first > most - a->batch.n_rows || a->batch.n_sequences == a->max_sequences)
            return false;
        for (; at < past; at++) {
            if (rows[at] < first || rows[at] >= end) return false; /* they do not ascend */
            a->outputs[at] = (uint32_t)a->batch.n_rows + rows[at] - first;
        }
        keep(a, whole, s, first, end);
    }
    return at == n_outputs;
}
