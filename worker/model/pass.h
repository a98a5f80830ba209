/* pass.h: puts token sequences and label trees end to end into one packed batch. Knows slots and positions, not requests. */
#ifndef DOCKET_MODEL_PASS_H
#define DOCKET_MODEL_PASS_H

#include "kernels/kernels.h"
#include "worker/model/token_trie.h"

#define PASS_MAX_SEQUENCES 256

/* The arrays of one pass, allocated once for max_rows. {0} is valid and freeable. */
struct pass {
    int32_t *token_ids, *positions, *parents;
    uint32_t *slots, *outputs; /* outputs: rows whose hidden state is asked for */
    struct kernels_sequence *sequences;
    size_t n_rows, n_sequences, n_outputs, n_parents;
    /* The logits that are asked for: of output row and token. Grows. */
    uint32_t *item_outputs;
    int32_t *item_tokens;
    float *logits;
    size_t items_capacity;
};

bool pass_init(struct pass *pass, size_t max_rows); /* false: no memory */
void pass_free(struct pass *pass);
void pass_clear(struct pass *pass);
struct kernels_batch_desc pass_batch(const struct pass *pass);

/* n tokens ids[fed..] of a sequence whose slots begin at own_slot and whose first token stands at first_position; `fed` of them are in
 * the cache already. prefix: what all of them see in front, or NULL. The caller has checked that there is room. */
void pass_add_tokens(struct pass *pass, const int32_t *ids, size_t n, size_t fed, const struct kernels_range *prefix,
                     uint32_t own_slot, size_t first_position);
/* The fed nodes of the trie behind the document whose last token is the last row so far: each sees prefix, document and its
 * ancestors. Returns the number of the first of its n_branches outputs. */
uint32_t pass_add_trie(struct pass *pass, const struct token_trie *trie, const struct kernels_range *prefix,
                       const struct kernels_range *document, uint32_t own_slot);
/* Lists the logits of all choices of the trie whose outputs begin at first_output; `at` counts the items so far. */
size_t pass_list_choices(struct pass *pass, const struct token_trie *trie, uint32_t first_output, size_t at);
bool pass_room_for_items(struct pass *pass, size_t n); /* false: no memory */

#endif
