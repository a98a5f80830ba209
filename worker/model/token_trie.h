/* token_trie.h: the continuations that are scored against each other, as a tree of tokens. Knows no labels and no model. */
#ifndef DOCKET_MODEL_TOKEN_TRIE_H
#define DOCKET_MODEL_TOKEN_TRIE_H

#include "worker/model/tokenizer.h"

struct trie_node {
    int32_t token; /* of the root: -1 */
    uint32_t parent;
    uint32_t first_child, n_children; /* children stand one after the other */
    int32_t leaf;                     /* number of the continuation that ends here, or -1 */
    int32_t fed;                      /* place in `fed`, or -1 */
    int32_t branch;                   /* place in `branches`, or -1 */
};

/* {0} is valid and freeable. Node 0 is the root. */
struct token_trie {
    struct trie_node *nodes;
    size_t n_nodes, n_leaves;
    uint32_t
        *fed; /* nodes whose token must go through the model, parents first: those with a choice at or below them */
    size_t n_fed;
    uint32_t *branches; /* nodes with two or more children, the root first if it is one */
    size_t n_branches;
    size_t n_choices; /* children of all branches together: the logits that are needed */
};

/* Where one continuation is the beginning of another, end_token closes the shorter one. BAD_INPUT (labels_invalid) when one is
 * empty or two are equal: *first and *second are their numbers (equal when one is empty). */
enum status token_trie_build(struct token_trie *out, const struct token_list *continuations, size_t n,
                             int32_t end_token, size_t *first, size_t *second, struct error *err);
void token_trie_free(struct token_trie *trie);

/* logits[n_choices]: for each branch in order, of its children in order → log-probability of each continuation: the sum over its path
 * of the log-softmax among siblings. false if any logit is not finite. */
bool token_trie_score(const struct token_trie *trie, const float *logits, double *log_probabilities);

#endif
