/* pass.c: rows, positions and slots of one packed batch. */
#include "worker/model/pass.h"

#include "worker/base/alloc.h"

bool pass_init(struct pass *p, size_t rows)
{
    p->token_ids = mem_zalloc(rows, sizeof(*p->token_ids));
    p->positions = mem_zalloc(rows, sizeof(*p->positions));
    p->parents = mem_zalloc(rows, sizeof(*p->parents));
    p->slots = mem_zalloc(rows, sizeof(*p->slots));
    p->outputs = mem_zalloc(rows, sizeof(*p->outputs));
    p->sequences = mem_zalloc(PASS_MAX_SEQUENCES, sizeof(*p->sequences));
    return p->token_ids && p->positions && p->parents && p->slots && p->outputs && p->sequences;
}

void pass_free(struct pass *p)
{
    void *all[] = {p->token_ids, p->positions,    p->parents,     p->slots, p->outputs,
                   p->sequences, p->item_outputs, p->item_tokens, p->logits};
    for (size_t i = 0; i < ARRAY_LENGTH(all); i++) mem_free(all[i]);
    *p = (struct pass){0};
}

void pass_clear(struct pass *p)
{
    p->n_rows = p->n_sequences = p->n_outputs = p->n_parents = 0;
}

struct kernels_batch_desc pass_batch(const struct pass *p)
{
    return (struct kernels_batch_desc){.n_rows = p->n_rows,
                                       .n_sequences = p->n_sequences,
                                       .token_ids = p->token_ids,
                                       .positions = p->positions,
                                       .slots = p->slots,
                                       .sequences = p->sequences};
}

void pass_add_tokens(struct pass *p, const int32_t *ids, size_t n, size_t fed, const struct kernels_range *prefix,
                     uint32_t own_slot, size_t first_position)
{
    struct kernels_sequence *s = &p->sequences[p->n_sequences++];
    *s = (struct kernels_sequence){.first_row = (uint32_t)p->n_rows, .n_rows = (uint32_t)n};
    if (prefix) s->shared[s->n_shared++] = *prefix;
    s->own = (struct kernels_range){own_slot, (uint32_t)(fed + n), (uint32_t)first_position};
    for (size_t i = 0; i < n; i++, p->n_rows++) {
        p->token_ids[p->n_rows] = ids[fed + i];
        p->positions[p->n_rows] = (int32_t)(first_position + fed + i);
        p->slots[p->n_rows] = (uint32_t)(own_slot + fed + i);
    }
}

/* The tree's rows: a node stands one position behind its parent. */
static void add_nodes(struct pass *p, const struct token_trie *trie, uint32_t own_slot, int32_t first_position)
{
    int32_t *parents = p->parents + p->n_parents;
    size_t first_row = p->n_rows;
    for (size_t i = 0; i < trie->n_fed; i++, p->n_rows++) {
        const struct trie_node *node = &trie->nodes[trie->fed[i]];
        int32_t parent = trie->nodes[node->parent].fed;
        parents[i] = parent;
        p->token_ids[p->n_rows] = node->token;
        p->positions[p->n_rows] = parent < 0 ? first_position : p->positions[first_row + (size_t)parent] + 1;
        p->slots[p->n_rows] = own_slot + (uint32_t)i;
    }
    p->n_parents += trie->n_fed;
}

uint32_t pass_add_trie(struct pass *p, const struct token_trie *trie, const struct kernels_range *prefix,
                       const struct kernels_range *document, uint32_t own_slot)
{
    uint32_t first_row = (uint32_t)p->n_rows, first_output = (uint32_t)p->n_outputs;
    uint32_t first_position = document->first_position + document->n_slots;
    if (trie->n_fed > 0) {
        struct kernels_sequence *s = &p->sequences[p->n_sequences++];
        *s = (struct kernels_sequence){
            .first_row = first_row, .n_rows = (uint32_t)trie->n_fed, .parent = p->parents + p->n_parents};
        if (prefix) s->shared[s->n_shared++] = *prefix;
        s->shared[s->n_shared++] = *document;
        s->own = (struct kernels_range){own_slot, (uint32_t)trie->n_fed, first_position};
        add_nodes(p, trie, own_slot, (int32_t)first_position);
    }
    for (size_t i = 0; i < trie->n_branches; i++) {
        int32_t fed = trie->nodes[trie->branches[i]].fed;
        p->outputs[p->n_outputs++] = fed < 0 ? first_row - 1 : first_row + (uint32_t)fed;
    }
    return first_output;
}

size_t pass_list_choices(struct pass *p, const struct token_trie *trie, uint32_t first_output, size_t at)
{
    for (size_t b = 0; b < trie->n_branches; b++) {
        const struct trie_node *node = &trie->nodes[trie->branches[b]];
        for (uint32_t c = 0; c < node->n_children; c++, at++) {
            p->item_outputs[at] = first_output + (uint32_t)b;
            p->item_tokens[at] = trie->nodes[node->first_child + c].token;
        }
    }
    return at;
}

bool pass_room_for_items(struct pass *p, size_t n)
{
    if (n <= p->items_capacity) return true;
    uint32_t *outputs = mem_resize(p->item_outputs, n, sizeof(*outputs));
    if (outputs) p->item_outputs = outputs;
    int32_t *tokens = mem_resize(p->item_tokens, n, sizeof(*tokens));
    if (tokens) p->item_tokens = tokens;
    float *logits = mem_resize(p->logits, n, sizeof(*logits));
    if (logits) p->logits = logits;
    if (!outputs || !tokens || !logits) return false;
    p->items_capacity = n;
    return true;
}
