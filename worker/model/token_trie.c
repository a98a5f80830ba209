/* token_trie.c: builds the tree breadth-first, so that siblings stand together and parents before children. */
#include "worker/model/token_trie.h"

#include "worker/base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const struct token_list *tokens;
    uint32_t number;
};

/* By tokens, a beginning before what continues it. */
static int by_tokens(const void *a, const void *b)
{
    const struct token_list *x = ((const struct entry *)a)->tokens, *y = ((const struct entry *)b)->tokens;
    size_t n = x->length < y->length ? x->length : y->length;
    for (size_t i = 0; i < n; i++)
        if (x->ids[i] != y->ids[i]) return x->ids[i] < y->ids[i] ? -1 : 1;
    if (x->length != y->length) return x->length < y->length ? -1 : 1;
    return 0;
}

/* A node that still has to be opened: sorted entries [begin, end) agree in their first `depth` tokens. */
struct span {
    size_t begin, end, depth;
};

/* Appends the children of node `at`. */
static void open_node(struct token_trie *t, struct span *spans, size_t at, const struct entry *sorted,
                      int32_t end_token)
{
    struct span s = spans[at];
    struct trie_node *node = &t->nodes[at];
    size_t begin = s.begin;
    bool ends = sorted[begin].tokens->length == s.depth; /* the shortest is first */
    if (ends && s.end - s.begin == 1) {
        node->leaf = (int32_t)sorted[begin].number;
        return;
    }
    node->first_child = (uint32_t)t->n_nodes;
    if (ends) {
        t->nodes[t->n_nodes] =
            (struct trie_node){.token = end_token, .parent = (uint32_t)at, .leaf = (int32_t)sorted[begin].number};
        spans[t->n_nodes++] = (struct span){0};
        begin++;
    }
    while (begin < s.end) {
        size_t end = begin + 1;
        int32_t token = sorted[begin].tokens->ids[s.depth];
        while (end < s.end && sorted[end].tokens->ids[s.depth] == token) end++;
        t->nodes[t->n_nodes] = (struct trie_node){.token = token, .parent = (uint32_t)at, .leaf = -1};
        spans[t->n_nodes++] = (struct span){begin, end, s.depth + 1};
        begin = end;
    }
    node->n_children = (uint32_t)t->n_nodes - node->first_child;
}

/* Marks what has a choice at or below it, leaves first, and numbers it parents first. */
static void mark(struct token_trie *t)
{
    for (size_t i = t->n_nodes; i-- > 0;) {
        struct trie_node *node = &t->nodes[i];
        bool choice = node->n_children >= 2 || node->fed > 0;
        if (choice && i > 0) t->nodes[node->parent].fed = 1;
        node->fed = choice;
    }
    for (size_t i = 0; i < t->n_nodes; i++) {
        struct trie_node *node = &t->nodes[i];
        bool fed = i > 0 && node->fed;
        node->fed = fed ? (int32_t)t->n_fed : -1;
        if (fed) t->fed[t->n_fed++] = (uint32_t)i;
        node->branch = node->n_children >= 2 ? (int32_t)t->n_branches : -1;
        if (node->branch < 0) continue;
        t->branches[t->n_branches++] = (uint32_t)i;
        t->n_choices += node->n_children;
    }
}

enum status token_trie_build(struct token_trie *out, const struct token_list *continuations, size_t n,
                             int32_t end_token, size_t *first, size_t *second, struct error *err)
{
    struct token_trie t = {.n_leaves = n};
    enum status st = DOCKET_OK;
    size_t ceiling = 1 + n;
    for (size_t i = 0; i < n; i++) ceiling += continuations[i].length;
    struct entry *sorted = mem_zalloc(n, sizeof(*sorted));
    struct span *spans = mem_zalloc(ceiling, sizeof(*spans));
    t.nodes = mem_zalloc(ceiling, sizeof(*t.nodes));
    t.fed = mem_zalloc(ceiling, sizeof(*t.fed));
    t.branches = mem_zalloc(ceiling, sizeof(*t.branches));
    if (!sorted || !spans || !t.nodes || !t.fed || !t.branches) {
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a tree of %zu tokens", ceiling);
        goto done;
    }
    for (size_t i = 0; i < n; i++) sorted[i] = (struct entry){&continuations[i], (uint32_t)i};
    qsort(sorted, n, sizeof(*sorted), by_tokens);
    for (size_t i = 0; i < n; i++) {
        bool empty = sorted[i].tokens->length == 0, twin = i > 0 && by_tokens(&sorted[i - 1], &sorted[i]) == 0;
        if (!empty && !twin) continue;
        *first = empty ? sorted[i].number : sorted[i - 1].number;
        *second = sorted[i].number;
        st = fail(err, DOCKET_BAD_INPUT, CODE_labels_invalid,
                  empty ? "a label has no tokens" : "two labels have the same tokens");
        goto done;
    }
    t.nodes[0] = (struct trie_node){.token = -1, .leaf = -1};
    t.n_nodes = 1;
    if (n > 0) spans[0] = (struct span){0, n, 0};
    for (size_t at = 0; at < t.n_nodes; at++)
        if (spans[at].end > spans[at].begin) open_node(&t, spans, at, sorted, end_token);
    mark(&t);
    MOVE(*out, t);
done:
    mem_free(spans);
    mem_free(sorted);
    token_trie_free(&t);
    return st;
}

void token_trie_free(struct token_trie *trie)
{
    mem_free(trie->nodes);
    mem_free(trie->fed);
    mem_free(trie->branches);
    *trie = (struct token_trie){0};
}

/* log(sum(exp(x))) in double. */
static double log_sum_exp(const float *x, size_t n)
{
    double top = x[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        if (x[i] > top) top = x[i];
    for (size_t i = 0; i < n; i++) sum += exp(x[i] - top);
    return top + log(sum);
}

bool token_trie_score(const struct token_trie *t, const float *logits, double *log_probabilities)
{
    for (size_t i = 0; i < t->n_choices; i++)
        if (!isfinite(logits[i])) return false;
    double *sums = mem_zalloc(t->n_nodes, sizeof(*sums)); /* along the path to each node */
    if (!sums) return false;
    size_t at = 0;
    for (size_t i = 0; i < t->n_nodes; i++) {
        const struct trie_node *node = &t->nodes[i];
        bool choice = node->branch >= 0;
        double all = choice ? log_sum_exp(logits + at, node->n_children) : 0;
        for (uint32_t c = 0; c < node->n_children; c++)
            sums[node->first_child + c] = sums[i] + (choice ? logits[at + c] - all : 0);
        if (choice) at += node->n_children;
        if (node->leaf >= 0) log_probabilities[node->leaf] = sums[i];
    }
    mem_free(sums);
    return true;
}
