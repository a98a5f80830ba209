/* engine.h: many jobs share one model: requests go in from any thread, one batch thread packs them into passes and is the only
 * one that calls the backend. A result does not depend on what else was in its pass. Knows tokens, not labels or documents. */
#ifndef DOCKET_MODEL_ENGINE_H
#define DOCKET_MODEL_ENGINE_H

#include "worker/model/quantization.h"
#include "worker/model/token_trie.h"
#include "worker/model/transformer.h"

#include <stdatomic.h>

struct engine;
struct engine_prefix;

struct engine_options {
    size_t max_tokens; /* of one sequence: prefix, document and continuation */
    size_t max_rows;   /* tokens of one pass; 0: chosen */
    size_t kv_slots;   /* tokens in the cache: prefixes, and documents longer than what is left of a pass; 0: chosen */
    double safety;     /* share of the cache that requests may take together, 0 < s <= 1; 0: 0.90 */
    uint64_t check_passes; /* passes between two looks at the known answer; 0: 1000 */
    double check_seconds;  /* of idleness until one; 0: 600 */
    double stall_seconds;  /* that a pass may take beyond 5 times what is predicted; 0: 60 */
    enum kv_format kv_format;
};

/* The fewest slots of a cache for sequences of that many tokens: one fits, with VRAM_SAFETY as it is by default. */
size_t engine_least_slots(size_t max_tokens);
/* Fills zeros in; the limits that engine_open will use. */
void engine_limits(const struct model_config *config, const struct engine_options *options,
                   struct transformer_limits *out);
/* device, config and weights are borrowed until close. */
enum status engine_open(struct engine **out, const struct device *device, const struct model_config *config,
                        const struct model_weights *weights, const struct engine_options *options, struct error *err);
/* Requests that wait are answered CANCELLED. */
void engine_close(struct engine *engine);
size_t engine_max_tokens(const struct engine *engine);

/* Tokens that several requests begin with; computed once, when first needed, and shared with every prefix of equal tokens
 * (compared token by token). An empty prefix is NULL. */
enum status engine_prefix_open(struct engine *engine, const int32_t *ids, size_t n, struct engine_prefix **out,
                               struct error *err);
void engine_prefix_close(struct engine *engine, struct engine_prefix *prefix); /* NULL is fine */

/* One document against a trie of continuations. Fields in the first group are the caller's and must stay until it is done. */
struct score_request {
    struct engine_prefix *prefix;
    const int32_t *tokens; /* what follows the prefix, at least one */
    size_t n_tokens;
    const struct token_trie *trie;
    const atomic_bool *stop;   /* NULL: cannot be stopped */
    double *log_probabilities; /* [trie->n_leaves], filled on success */

    enum status status; /* CANCELLED, LIMIT, DEVICE or INTERNAL (inference_not_finite) besides OK */
    struct error error;
    double wait_seconds;      /* from submit to its first pass */
    double inference_seconds; /* from its first pass to its result */
    double device_seconds;    /* its share of the passes by tokens, and of the computed prefix */
    size_t cached_tokens;     /* of its prefix, when another had it computed */
    size_t trie_tokens;       /* of the trie that went through the model */

    struct score_request *next; /* from here on the engine's own */
    uint64_t submitted_ns, started_ns;
    size_t n_fed;
    uint32_t first_slot;
    bool has_slots, done, again, moved, last_chunk; /* has_slots: of the cache, until it is done */
    uint32_t first_output, n_rows;
};

void engine_submit(struct engine *engine, struct score_request *request);
/* Returns when the request is done. */
void engine_wait(struct engine *engine, struct score_request *request);

/* From now on the model's answer to a known prompt is looked at, first at once: the weights are as they will stay. When it changes, what
 * waits is answered INTERNAL and the engine is not healthy any more. */
void engine_start_checks(struct engine *engine);

struct engine_state {
    uint64_t tokens, passes;               /* through the model since open */
    uint64_t checks;                       /* looks at the known answer */
    uint64_t splits;                       /* passes that the device had no memory for, and that were halved */
    double busy_seconds, idle_seconds_now; /* since the last pass ended, 0 while one runs */
    size_t waiting;                        /* requests not done */
    struct kernels_memory memory;          /* of the device, at most a second older than the last pass */
};
void engine_state(struct engine *engine, struct engine_state *out);
/* false and err filled once the device failed or gave a wrong known answer, or when a pass takes more than 5 times its predicted time +
 * stall_seconds (ten times that where nothing is known yet). */
bool engine_healthy(struct engine *engine, struct error *err);

#endif
