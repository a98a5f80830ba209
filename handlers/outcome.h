/* outcome.h: what is known of one document when it is done, and how that is kept on disk until the job is answered. */
#ifndef DOCKET_HANDLERS_OUTCOME_H
#define DOCKET_HANDLERS_OUTCOME_H

#include "handlers/documents/document.h"

#define MAX_CHUNKS 64 /* of one long document; later ones are dropped and counted */

struct chunk_evidence {
    size_t n_tokens;
    uint32_t label; /* most probable of this chunk */
    double confidence;
};

struct outcome {
    struct document document; /* its text only when it has to be returned; its error is the document's */
    bool custom_id;
    size_t input_index;            /* which of the job's documents it is, or is a member of */
    double *probabilities;         /* [n_labels]; NULL with an error */
    struct chunk_evidence *chunks; /* NULL unless it was cut into chunks */
    size_t n_chunks;
    bool resumed; /* taken from an earlier run of the job */
    /* Plain numbers, kept as they stand. */
    struct outcome_numbers {
        size_t input_tokens, cached_tokens, tokens_dropped;
        double tokenize_seconds, wait_seconds, inference_seconds;
        double
            work_seconds; /* its weight when the job's price is split: its share of the device, reading, tokenizing */
    } numbers;
};

/* {0} is valid and freeable. */
void outcome_free(struct outcome *outcome);

/* A record for job_services.partial_keep. */
enum status outcome_pack(struct buffer *out, const struct outcome *outcome, size_t n_labels, struct error *err);
/* Fills everything but document from a record of the same document (id and SHA-256 agree) and label count; false: not usable. */
bool outcome_unpack(struct outcome *outcome, const void *record, size_t length, size_t n_labels);

#endif
