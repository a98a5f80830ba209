/* calibration.h: what a prompt answers to a document without content, remembered per prompt. */
#ifndef DOCKET_HANDLERS_CALIBRATION_H
#define DOCKET_HANDLERS_CALIBRATION_H

#include "handlers/prompt.h"
#include "worker/model/engine.h"

struct calibration;

enum status calibration_open(struct calibration **out, struct error *err);
void calibration_close(struct calibration *calibration);

/* Log-probabilities [trie.n_leaves] of the content-free document under the prompt; from memory, or by one pass. Any thread. */
enum status calibration_prior(struct calibration *calibration, struct engine *engine, const struct tokenizer *tokenizer,
                              const struct prompt *prompt, struct engine_prefix *prefix, const atomic_bool *stop,
                              double *log_prior, struct error *err);

#endif
