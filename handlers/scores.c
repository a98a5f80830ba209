/* scores.c: calibration and decision. */
#include "handlers/scores.h"

#include <math.h>
#include <string.h>

static void single(const struct job_input *input, const double *log_p, const double *log_prior, double *p)
{
    double top = -INFINITY, sum = 0;
    for (size_t i = 0; i < input->n_labels; i++) {
        p[i] = log_p[i] - (log_prior ? log_prior[i] : 0);
        if (p[i] > top) top = p[i];
    }
    for (size_t i = 0; i < input->n_labels; i++) sum += p[i] = exp(p[i] - top);
    for (size_t i = 0; i < input->n_labels; i++) p[i] /= sum;
}

static void multiple(const struct job_input *input, const double *log_p, const double *log_prior, double *p)
{
    for (size_t i = 0; i < input->n_labels; i++) {
        double odds = log_p[2 * i] - log_p[2 * i + 1];
        if (log_prior) odds -= log_prior[2 * i] - log_prior[2 * i + 1];
        p[i] = odds >= 0 ? 1 / (1 + exp(-odds)) : exp(odds) / (1 + exp(odds));
    }
}

void scores_from_log(const struct job_input *input, const double *log_p, const double *log_prior, double *probabilities)
{
    if (input->multi_label)
        multiple(input, log_p, log_prior, probabilities);
    else
        single(input, log_p, log_prior, probabilities);
}

void scores_decide(struct decision *out, const struct job_input *input, const double *p)
{
    *out = (struct decision){0};
    for (size_t i = 0; i < input->n_labels; i++) { /* insertion: few labels, stable */
        size_t at = i;
        while (at > 0 && p[out->order[at - 1]] < p[i]) {
            out->order[at] = out->order[at - 1];
            at--;
        }
        out->order[at] = i;
    }
    out->confidence = p[out->order[0]];
    out->margin = input->n_labels > 1 ? out->confidence - p[out->order[1]] : out->confidence;
    out->abstained = input->options.has_abstain && out->confidence < input->options.abstain_below;
    for (size_t i = 0; input->multi_label && i < input->n_labels; i++) {
        out->chosen[i] = p[i] >= input->labels[i].threshold;
        out->n_chosen += out->chosen[i];
    }
}
