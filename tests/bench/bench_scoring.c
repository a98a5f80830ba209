/* bench_scoring.c: what more labels cost, and what a shared prefix saves, with a real model through the batch engine: processor time of
 * the same documents, one way and the other in turn, best of several. Usage: bench_scoring MODEL_NAME HUB_CACHE [threads] [attempts]. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "worker/base/alloc.h"
#include "worker/base/log.h"
#include "worker/model/model.h"

enum { DOCUMENTS = 16, PREFIX = 300, MOST_TOKENS = 1300, MOST_LABELS = 256 };

static int attempts = 9;
static int32_t tokens[DOCUMENTS][MOST_TOKENS];
static double answers[DOCUMENTS][MOST_LABELS];

static double now_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* n continuations: of one token each, or of three, ten and more of which begin alike. */
static struct token_trie make_trie(size_t n, bool deep, size_t vocab)
{
    struct token_list lists[MOST_LABELS] = {{0}};
    struct token_trie trie = {0};
    struct error err = {0};
    size_t a, b;
    for (size_t i = 0; i < n; i++) {
        int32_t first = (int32_t)((deep ? i / 10 * 13 + 7 : i * 13 + 7) % vocab);
        if (!token_list_append(&lists[i], first)) exit(1);
        if (deep && (!token_list_append(&lists[i], (int32_t)(i / 5 % 2 + 20)) ||
                     !token_list_append(&lists[i], (int32_t)(i + 40))))
            exit(1);
    }
    if (token_trie_build(&trie, lists, n, 2, &a, &b, &err) != DOCKET_OK) exit(1);
    for (size_t i = 0; i < n; i++) token_list_free(&lists[i]);
    return trie;
}

/* Processor time of n documents; with `shared`, their first PREFIX tokens once. Each time another prefix, so that none is kept. */
static double score(struct model *m, size_t n, size_t length, bool shared, const struct token_trie *trie)
{
    static int32_t times;
    struct score_request requests[DOCUMENTS] = {{0}};
    struct engine_prefix *prefix = NULL;
    struct error err = {0};
    times++;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < PREFIX; j++)
            tokens[i][j] = (int32_t)(((size_t)times * 31 + j * 7 + 3) % m->config.vocab);
    double begin = now_seconds();
    if (shared && engine_prefix_open(m->engine, tokens[0], PREFIX, &prefix, &err) != DOCKET_OK) exit(1);
    for (size_t i = 0; i < n; i++) {
        size_t skip = shared ? PREFIX : 0;
        requests[i] = (struct score_request){.prefix = prefix,
                                             .tokens = tokens[i] + skip,
                                             .n_tokens = length - skip,
                                             .trie = trie,
                                             .log_probabilities = answers[i]};
        engine_submit(m->engine, &requests[i]);
    }
    for (size_t i = 0; i < n; i++) {
        engine_wait(m->engine, &requests[i]);
        if (requests[i].status != DOCKET_OK) exit(1);
    }
    engine_prefix_close(m->engine, prefix);
    return now_seconds() - begin;
}

static void compare_labels(struct model *m, size_t length)
{
    struct token_trie two = make_trie(2, false, m->config.vocab), flat = make_trie(256, false, m->config.vocab),
                      deep = make_trie(256, true, m->config.vocab);
    double best[3] = {1e30, 1e30, 1e30};
    for (int i = 0; i < attempts; i++) {
        const struct token_trie *tries[] = {&two, &flat, &deep};
        for (int t = 0; t < 3; t++) {
            double took = score(m, 1, length, false, tries[t]);
            if (took < best[t]) best[t] = took;
        }
    }
    printf("%zu tokens: 2 labels %.2f ms; 256 of one token x %.3f; 256 of three tokens (%zu more rows) x %.3f\n",
           length, 1e3 * best[0], best[1] / best[0], deep.n_fed, best[2] / best[0]);
    token_trie_free(&two);
    token_trie_free(&flat);
    token_trie_free(&deep);
}

static void compare_prefix(struct model *m, size_t length)
{
    struct token_trie trie = make_trie(8, false, m->config.vocab);
    double best[2] = {1e30, 1e30};
    for (int i = 0; i < attempts; i++)
        for (int shared = 0; shared < 2; shared++) {
            double took = score(m, DOCUMENTS, length, shared, &trie);
            if (took < best[shared]) best[shared] = took;
        }
    double saved = 1 - best[1] / best[0], most = (double)PREFIX / (double)length;
    double once = most * (DOCUMENTS - 1) / DOCUMENTS; /* the prefix itself must be computed */
    printf("%d documents of %d + %zu tokens: %.1f ms alone, %.1f ms behind a shared prefix: saved %.1f %%, that is "
           "%.1f %% of "
           "P/(P+D), %.1f %% of what is left of that with the prefix once\n",
           DOCUMENTS, PREFIX, length - PREFIX, 1e3 * best[0], 1e3 * best[1], 100 * saved, 100 * saved / most,
           100 * saved / once);
    token_trie_free(&trie);
}

int main(int argc, char **argv)
{
    struct model model = {0};
    struct error err = {0};
    struct model_options options = {.hub = {.hub_cache = argc > 2 ? argv[2] : NULL},
                                    .device = {.backend = "cpu", .n_threads = argc > 3 ? (unsigned)atoi(argv[3]) : 1}};
    if (argc < 3) return 2;
    if (argc > 4) attempts = atoi(argv[4]);
    options.hub.model = argv[1];
    log_open(&(struct log_options){.level = LOG_OFF, .fd = STDERR_FILENO}, NULL);
    if (model_open(&model, &options, NULL, &err) != DOCKET_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    for (size_t i = 0; i < DOCUMENTS; i++)
        for (size_t j = 0; j < MOST_TOKENS; j++)
            tokens[i][j] = (int32_t)((i * 977 + j * j * 31 + j) % model.config.vocab);
    compare_labels(&model, 300);
    compare_labels(&model, 1000);
    compare_prefix(&model, 400);
    compare_prefix(&model, 600);
    compare_prefix(&model, 1300);
    model_close(&model);
    return 0;
}
