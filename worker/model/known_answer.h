/* known_answer.h: what the loaded model says to a prompt that never changes. The same bits have to come out as long as the worker lives:
 * memory that loses bits is noticed, though nothing failed. */
#ifndef DOCKET_MODEL_KNOWN_ANSWER_H
#define DOCKET_MODEL_KNOWN_ANSWER_H

#include "worker/model/transformer.h"

#define KNOWN_ANSWER_TOKENS 16u
#define KNOWN_ANSWER_LOGITS 8u

/* {0} has not been learned. */
struct known_answer {
    bool learned;
    float logits[KNOWN_ANSWER_LOGITS];
};

/* One pass. The first time it learns; then INTERNAL (internal_error) with what was expected and found where a bit differs. Other failures
 * are those of a pass. `limits` are the transformer's, with running slots. */
enum status known_answer_check(struct known_answer *answer, struct transformer *transformer,
                               const struct transformer_limits *limits, const struct model_config *config,
                               struct error *err);

#endif
