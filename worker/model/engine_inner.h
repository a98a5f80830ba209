/* engine_inner.h: the engine as its two files see it: engine.c, whose thread runs passes, and engine_gather.c, which fills them. */
#ifndef DOCKET_MODEL_ENGINE_INNER_H
#define DOCKET_MODEL_ENGINE_INNER_H

#include "worker/model/engine.h"
#include "worker/model/known_answer.h"
#include "worker/model/kv_slots.h"
#include "worker/model/pass.h"

#include <pthread.h>

struct engine_prefix {
    int32_t *ids;
    size_t n_ids, n_fed;
    uint32_t first_slot;
    bool has_slots;
    unsigned users; /* guarded by the engine's lock */
    bool charged;   /* a request has been charged with computing it */
    double device_seconds;
    uint64_t last_used; /* pass number */
    struct engine_prefix *next;
};

struct engine {
    const struct device *device;
    const struct model_config *config;
    struct transformer *transformer;
    struct transformer_limits limits;
    size_t max_tokens;
    pthread_t thread;
    bool started;
    struct pass pass;
    size_t running_used;             /* of the running slots, by this pass */
    size_t safe_slots;               /* of the cache; the rest is taken only by a request that is alone in it */
    size_t rows;                     /* of a pass: limits.max_rows, or fewer since the device had no memory for them */
    unsigned good_passes;            /* since then */
    struct engine_prefix *computing; /* the prefix that this pass computes, alone in it; NULL: it answers requests */
    struct kv_slots kv;              /* batch thread only */
    struct known_answer known;       /* batch thread only */
    uint64_t check_passes;
    double check_seconds, stall_seconds;

    pthread_mutex_t lock;
    pthread_cond_t submitted, finished;
    struct score_request *first, *last; /* not done, in order; guarded by lock */
    size_t n_waiting;
    struct engine_prefix *prefixes;
    bool closing;
    bool poisoned;
    struct error poison;
    bool checking;                                       /* the known answer is looked at */
    uint64_t tokens, passes, splits, checks, next_check; /* next_check: the pass before which it is due */
    double busy_seconds, seconds_a_token;
    uint64_t pass_started_ns, pass_ended_ns, pass_rows; /* pass_started_ns 0: none runs */
    struct kernels_memory memory;                       /* as the backend said it then */
    uint64_t memory_read_ns;
};

/* Fills the pass from the waiting requests, in their order: once one has to wait for slots, only those that hold some go on. Under the
 * lock. false: nothing could be added. */
bool engine_gather_pass(struct engine *engine);
size_t engine_prefix_length(const struct score_request *request);
/* A document's last token goes with its trie. */
size_t engine_least_rows(const struct score_request *request);
/* Gives back what the request holds of the cache. Under the lock. */
void engine_drop_slots(struct engine *engine, struct score_request *request);
/* Takes the request off the list and wakes whoever waits. Under the lock. */
void engine_finish(struct engine *engine, struct score_request *request, enum status status);

#endif
