/* known_answer.c: a pass over tokens that a rule picks, and logits of the last one. */
#include "worker/model/known_answer.h"

#include "kernels/formats/half.h"

#include <string.h>

enum status known_answer_check(struct known_answer *answer, struct transformer *transformer,
                               const struct transformer_limits *limits, const struct model_config *config,
                               struct error *err)
{
    int32_t ids[KNOWN_ANSWER_TOKENS], positions[KNOWN_ANSWER_TOKENS], asked[KNOWN_ANSWER_LOGITS];
    uint32_t slots[KNOWN_ANSWER_TOKENS], outputs[KNOWN_ANSWER_LOGITS] = {0};
    float logits[KNOWN_ANSWER_LOGITS];
    uint32_t n = KNOWN_ANSWER_TOKENS;
    if (n > limits->max_rows) n = (uint32_t)limits->max_rows;
    for (uint32_t i = 0; i < n; i++) {
        ids[i] = (int32_t)((i * 7919u + 13u) % config->vocab);
        positions[i] = (int32_t)i;
        slots[i] = (uint32_t)limits->kv_slots + i;
    }
    for (uint32_t i = 0; i < KNOWN_ANSWER_LOGITS; i++) asked[i] = (int32_t)((i * 104729u + 1u) % config->vocab);
    const struct kernels_sequence sequence = {.n_rows = n, .own = {slots[0], n, 0}};
    const struct kernels_batch_desc batch = {n, 1, ids, positions, slots, &sequence};
    const uint32_t last = n - 1;
    enum status st = transformer_forward(transformer, &batch, &last, 1, NULL, err);
    if (st == DOCKET_OK) st = transformer_gather_logits(transformer, outputs, asked, KNOWN_ANSWER_LOGITS, logits, err);
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
