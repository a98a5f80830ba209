/* known_answer.c: a pass over tokens that a rule picks, and logits of the last one. */
#include "worker/model/known_answer.h"

#include "kernels/formats/half.h"
#include "worker/model/one_sequence.h"

#include <string.h>

enum status known_answer_check(struct known_answer *answer, struct transformer *transformer,
                               const struct transformer_limits *limits, const struct model_config *config,
                               struct error *err)
{
    int32_t ids[KNOWN_ANSWER_TOKENS], asked[KNOWN_ANSWER_LOGITS];
    float logits[KNOWN_ANSWER_LOGITS];
    size_t n = KNOWN_ANSWER_TOKENS;
    if (n > limits->max_rows) n = limits->max_rows;
    for (uint32_t i = 0; i < n; i++) ids[i] = (int32_t)((i * 7919u + 13u) % config->vocab);
    for (uint32_t i = 0; i < KNOWN_ANSWER_LOGITS; i++) asked[i] = (int32_t)((i * 104729u + 1u) % config->vocab);
    enum status st =
        one_sequence_forward(transformer, ids, n, 0, limits->kv_slots, asked, KNOWN_ANSWER_LOGITS, logits, err);
    if (st != DOCKET_OK) return st;
    if (!answer->learned) memcpy(answer->logits, logits, sizeof(logits));
    answer->learned = true;
    for (size_t i = 0; i < KNOWN_ANSWER_LOGITS; i++)
        if (half_bits_from_f32(answer->logits[i]) != half_bits_from_f32(logits[i]))
            return fail(
                err, DOCKET_INTERNAL, CODE_internal_error,
                "self-test: the logit of token %d behind a known prompt was %.9g when the model was loaded, now "
                "it is %.9g: memory has changed",
                asked[i], (double)answer->logits[i], (double)logits[i]);
    return DOCKET_OK;
}
