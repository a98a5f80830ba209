/* calibration.c: the content-free prior (contextual calibration, arXiv 2102.09690) and its cache. */
#include "handlers/calibration.h"

#include "worker/base/alloc.h"

#include <pthread.h>
#include <string.h>

#define CONTENT_FREE "N/A"
#define N_KEPT       64

struct kept {
    char digest[65];
    double *log_prior;
    size_t n;
    uint64_t used;
};

struct calibration {
    pthread_mutex_t lock;
    struct kept kept[N_KEPT];
    uint64_t uses;
};

enum status calibration_open(struct calibration **out, struct error *err)
{
    *out = mem_zalloc(1, sizeof(**out));
    if (!*out) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for calibration");
    pthread_mutex_init(&(*out)->lock, NULL);
    return DOCKET_OK;
}

void calibration_close(struct calibration *c)
{
    if (!c) return;
    for (size_t i = 0; i < N_KEPT; i++) mem_free(c->kept[i].log_prior);
    pthread_mutex_destroy(&c->lock);
    mem_free(c);
}

static bool look_up(struct calibration *c, const char *digest, double *log_prior, size_t n)
{
    bool found = false;
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < N_KEPT && !found; i++) {
        struct kept *k = &c->kept[i];
        found = k->log_prior && k->n == n && strcmp(k->digest, digest) == 0;
        if (!found) continue;
        memcpy(log_prior, k->log_prior, n * sizeof(*log_prior));
        k->used = ++c->uses;
    }
    pthread_mutex_unlock(&c->lock);
    return found;
}

static void remember(struct calibration *c, const char *digest, const double *log_prior, size_t n)
{
    double *copy = mem_dup(log_prior, n * sizeof(*log_prior));
    if (!copy) return; /* only a cache */
    pthread_mutex_lock(&c->lock);
    struct kept *oldest = &c->kept[0];
    for (size_t i = 1; i < N_KEPT; i++)
        if (c->kept[i].used < oldest->used) oldest = &c->kept[i];
    mem_free(oldest->log_prior);
    oldest->log_prior = copy;
    oldest->n = n;
    oldest->used = ++c->uses;
    memcpy(oldest->digest, digest, sizeof(oldest->digest));
    pthread_mutex_unlock(&c->lock);
}

enum status calibration_prior(struct calibration *c, struct engine *engine, const struct tokenizer *tokenizer,
                              const struct prompt *prompt, struct engine_prefix *prefix, const atomic_bool *stop,
                              double *log_prior, struct error *err)
{
    struct token_list tokens = {0};
    size_t n = prompt->trie.n_leaves;
    if (look_up(c, prompt->digest, log_prior, n)) return DOCKET_OK;
    enum status st = tokenizer_encode(tokenizer, CONTENT_FREE, strlen(CONTENT_FREE), TOKENIZE_CONTINUE, &tokens, err);
    if (st == DOCKET_OK && !token_list_append_all(&tokens, prompt->suffix.ids, prompt->suffix.length))
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the content-free document");
    if (st == DOCKET_OK) {
        struct score_request request = {.prefix = prefix,
                                        .tokens = tokens.ids,
                                        .n_tokens = tokens.length,
                                        .trie = &prompt->trie,
                                        .stop = stop,
                                        .log_probabilities = log_prior};
        engine_submit(engine, &request);
        engine_wait(engine, &request);
        st = request.status;
        if (st == DOCKET_OK)
            remember(c, prompt->digest, log_prior, n);
        else if (err)
            *err = request.error;
    }
    token_list_free(&tokens);
    return st;
}
