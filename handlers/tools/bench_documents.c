/* bench_documents.c: documents against labels through the engine, as a worker asks for them: with a shared prefix and without, with
 * few labels and many. Tokens are random; so are the labels' continuations, as trees of the same shape as real ones. */
#include "handlers/tools/bench.h"

#include "worker/base/alloc.h"

#include <stdio.h>
#include <string.h>

#define MOST_DOCUMENTS 64
#define MOST_LABELS    256
#define LABEL_TOKENS   3

struct round {
    struct bench *bench;
    struct engine_prefix *prefix;           /* NULL: its tokens stand before each document's own */
    struct token_trie trie;                 /* of the labels now */
    size_t n_documents, n_prefix, n_tokens; /* of a prefix, of a document */
    int32_t *ids;                           /* prefix, then a document, for each of them */
    double *log_probabilities;              /* [n_documents, MOST_LABELS] */
    struct score_request requests[MOST_DOCUMENTS];
};

/* Continuations that differ in their first token (their trie needs no token of its own), or that begin by eights with the same one. */
static enum status make_trie(struct token_trie *out, struct bench *b, size_t n_labels, bool shared, struct error *err)
{
    static int32_t tokens[MOST_LABELS][LABEL_TOKENS];
    struct token_list lists[MOST_LABELS];
    size_t first, second, vocab = b->config->vocab;
    for (size_t i = 0; i < n_labels; i++) {
        int32_t own = (int32_t)((3 + i) % vocab), common = (int32_t)((3 + i / 8) % vocab);
        tokens[i][0] = shared ? common : own;
        tokens[i][1] = shared ? own : (int32_t)(5 % vocab);
        tokens[i][2] = (int32_t)(7 % vocab);
        lists[i] = (struct token_list){.ids = tokens[i], .length = LABEL_TOKENS, .capacity = LABEL_TOKENS};
    }
    return token_trie_build(out, lists, n_labels, 2, &first, &second, err);
}

static enum status run_round(void *context, double *amount, struct error *err)
{
    struct round *r = context;
    struct bench *b = r->bench;
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < r->n_documents; i++) {
        int32_t *ids = r->ids + i * (r->n_prefix + r->n_tokens);
        r->requests[i] = (struct score_request){.prefix = r->prefix,
                                                .tokens = r->prefix ? ids + r->n_prefix : ids,
                                                .n_tokens = r->n_tokens + (r->prefix ? 0 : r->n_prefix),
                                                .trie = &r->trie,
                                                .stop = b->options.stop,
                                                .log_probabilities = r->log_probabilities + i * MOST_LABELS};
        engine_submit(b->engine, &r->requests[i]);
    }
    for (size_t i = 0; i < r->n_documents; i++) {
        engine_wait(b->engine, &r->requests[i]);
        if (r->requests[i].status != DOCKET_OK && st == DOCKET_OK) {
            st = r->requests[i].status;
            *err = r->requests[i].error;
        }
    }
    *amount = (double)r->n_documents;
    return st;
}

/* A prefix that was never computed before: every round computes it once, as a new job does. */
static enum status run_round_with_prefix(void *context, double *amount, struct error *err)
{
    static int32_t turn;
    struct round *r = context;
    r->ids[0] = (int32_t)((size_t)++turn % r->bench->config->vocab);
    enum status st = engine_prefix_open(r->bench->engine, r->ids, r->n_prefix, &r->prefix, err);
    if (st == DOCKET_OK) st = run_round(r, amount, err);
    engine_prefix_close(r->bench->engine, r->prefix);
    r->prefix = NULL;
    return st;
}

static double operations_of(const struct round *r, bool shared_prefix)
{
    const struct model_config *c = r->bench->config;
    size_t n = r->n_documents, p = r->n_prefix, d = r->n_tokens, fed = r->trie.n_fed;
    double one = bench_operations(c, d, p, 1) + (double)fed * bench_operations(c, 1, p + d, 1);
    double prefix = bench_operations(c, p, 0, 0);
    return (double)n * one + (shared_prefix ? 1 : (double)n) * prefix;
}

static struct bench_row *measure(struct round *r, const char *step, size_t n_labels, bool shared_prefix)
{
    const struct bench_work work = {.run = shared_prefix ? run_round_with_prefix : run_round,
                                    .context = r,
                                    .unit = "documents",
                                    .operations = operations_of(r, shared_prefix)};
    return bench_measure(r->bench, step, &work, "%zu of %zu tokens, %zu labels, prefix of %zu%s", r->n_documents,
                         r->n_tokens, n_labels, r->n_prefix, shared_prefix ? "" : " in each");
}

/* How much longer the second took, by processor time where there is one. */
static double times(const struct bench_row *first, const struct bench_row *second)
{
    if (!first || !second || first->problem[0] || second->problem[0]) return 0;
    if (first->rate.processor > 0 && second->rate.processor > 0) return first->rate.processor / second->rate.processor;
    return second->rate.wall > 0 ? first->rate.wall / second->rate.wall : 0;
}

/* Against that many labels; NULL: no memory for their tree. */
static struct bench_row *with_labels(struct round *r, const char *step, size_t n, bool shared)
{
    struct error err = {0};
    if (make_trie(&r->trie, r->bench, n, shared, &err) != DOCKET_OK) {
        bench_impossible(r->bench, step, "%s", err.message);
        return NULL;
    }
    struct bench_row *row = measure(r, step, n, true);
    token_trie_free(&r->trie);
    return row;
}

static void labels(struct round *r)
{
    size_t most = r->bench->config->vocab > MOST_LABELS + 8 ? MOST_LABELS : 16;
    const struct bench_row *few = with_labels(r, "labels", 2, false);
    for (int shared = 0; shared < 2; shared++) {
        struct bench_row *row = with_labels(r, "labels", most, shared);
        double longer = times(few, row);
        if (longer <= 0) continue;
        row->share = longer;
        snprintf(row->of, sizeof(row->of), "of the time with 2%s", shared ? " (first tokens shared by 8)" : "");
    }
}

/* P of P + D tokens are computed once instead of for every document: what that saves of the time, beside what it could. */
static void documents(struct round *r, size_t n_labels)
{
    struct error err = {0};
    if (make_trie(&r->trie, r->bench, n_labels, false, &err) != DOCKET_OK) {
        bench_impossible(r->bench, "documents", "%s", err.message);
        return;
    }
    struct bench_row *shared = measure(r, "documents", n_labels, true);
    double p = (double)r->n_prefix, d = (double)r->n_tokens, n = (double)r->n_documents;
    double ideal = p / (p + d) * (n - 1) / n;
    struct bench_row *alone = n > 1 ? measure(r, "documents", n_labels, false) : NULL;
    double longer = times(shared, alone); /* alone's time over shared's */
    if (longer > 0) {
        shared->share = (1 - 1 / longer) / ideal;
        snprintf(shared->of, sizeof(shared->of), "of the saving by the prefix, %.1f %%", 100 * ideal);
    }
    token_trie_free(&r->trie);
}

void bench_documents(struct bench *b)
{
    struct round r = {.bench = b, .n_prefix = b->options.prefix_tokens, .n_tokens = b->options.document_tokens};
    uint64_t state = 11;
    double rate = 0;
    size_t one = r.n_prefix + r.n_tokens;
    bool asks = bench_wants(b, "documents"), compares = bench_wants(b, "labels");
    if (!asks && !compares) return;
    for (size_t i = 0; i < b->report->n_rows; i++)
        if ((strcmp(b->report->rows[i].step, "prefill") == 0 || strcmp(b->report->rows[i].step, "packed") == 0) &&
            b->report->rows[i].rate.wall > rate)
            rate = b->report->rows[i].rate.wall;
    if (rate <= 0) rate = 1; /* not measured: as few as can be */
    if (one + LABEL_TOKENS + MOST_LABELS / 8 > b->max_tokens) {
        bench_impossible(b, "documents",
                         rate <= 0 ? "the prefill could not be measured" : "%zu tokens: the context has %zu", one,
                         b->max_tokens);
        return;
    }
    /* As many as take the time of a measurement, within reason. */
    double fit = rate * b->options.seconds / (double)one;
    r.n_documents = fit < 2 ? 2 : fit > MOST_DOCUMENTS ? MOST_DOCUMENTS : (size_t)fit;
    r.ids = mem_alloc(r.n_documents * one * sizeof(*r.ids));
    r.log_probabilities = mem_alloc(r.n_documents * MOST_LABELS * sizeof(double));
    if (r.ids && r.log_probabilities) {
        for (size_t i = 0; i < r.n_documents * one; i++) r.ids[i] = bench_token(b, &state);
        if (asks) documents(&r, b->options.n_labels);
        if (compares) labels(&r);
    } else
        bench_impossible(b, "documents", "no memory for %zu documents", r.n_documents);
    mem_free(r.ids);
    mem_free(r.log_probabilities);
}
