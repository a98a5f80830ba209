/* scores.h: log-probabilities of continuations → calibrated probabilities of labels and a decision. Arithmetic only. */
#ifndef DOCKET_HANDLERS_SCORES_H
#define DOCKET_HANDLERS_SCORES_H

#include "handlers/job_input.h"

/* Probabilities [n_labels] of one document from its log-probabilities and, unless NULL, those of the content-free document
 * (contextual calibration: p / prior, made to sum to one; of multi_label the same for each yes/no pair). log_p is [n_labels], or
 * [2 * n_labels] for multi_label in pairs yes, no. */
void scores_from_log(const struct job_input *input, const double *log_p, const double *log_prior,
                     double *probabilities);

struct decision {
    size_t order[MAX_LABELS + 1]; /* labels, most probable first; equal ones in the order of the job */
    double confidence, margin;    /* of the first; against the second */
    bool abstained;
    size_t n_chosen; /* of multi_label: labels at or above their thresholds */
    bool chosen[MAX_LABELS + 1];
};
void scores_decide(struct decision *out, const struct job_input *input, const double *probabilities);

#endif
