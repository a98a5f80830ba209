/* report.h: outcomes → the job's `output`, and the checks that stand between it and the queue. Does not know where numbers
 * came from. */
#ifndef DOCKET_HANDLERS_REPORT_H
#define DOCKET_HANDLERS_REPORT_H

#include "handlers/job_input.h"
#include "handlers/outcome.h"
#include "worker/base/file.h"
#include "worker/observe/cost.h"
#include "worker/observe/gpu_stats.h"

/* The results where the job wanted them, as they were accepted there. */
struct results_place {
    char *url; /* without its query, which may be a key */
    size_t bytes, count;
    char sha256[SHA256_HEX_BYTES];
};

struct report {
    const struct job_input *input;
    const struct outcome *outcomes;
    size_t n_outcomes;
    const char *fingerprint;
    /* model */
    const char *model_name, *revision, *quantization, *compute_dtype;
    bool calibrated;
    /* seconds of the job; negative: not measured */
    double queue_seconds, cold_start_seconds, execution_seconds, inference_seconds;
    double billed_seconds; /* its share of the worker's wall time */
    struct price price;
    /* memory of the device, or of the process without one */
    const char *device_name;
    uint64_t memory_total, memory_used, memory_free, memory_peak; /* GPU_UNKNOWN: null, here and below */
    uint64_t ecc_errors;                                          /* uncorrected, since the card was reset */
    double energy_joules, utilization;                            /* of the card while the job ran; NAN: null */
    const char *driver;                                           /* NULL: null */
    size_t layers_on_gpu, layers_total;
    const char *worker_id, *version;
    const struct results_place *results; /* or NULL: they are here alone */
    bool elsewhere;                      /* there alone: too many for an answer */
    const char *output_failed;           /* why they are not there; or NULL */
    const char *results_kept;            /* where the worker keeps them instead, too many for an answer; or NULL */
    bool compact; /* leaves out scores and document facts, when the full result is too large for the queue */
};

/* Sums over the outcomes, for the log. */
struct report_totals {
    size_t ok, failed, abstained, input_tokens, cached_tokens, ocr_pages;
    double ocr_seconds;
    double compute_usd; /* NAN: unknown */
};
void report_sum(struct report_totals *out, const struct report *report);

/* Appends the results, each a line. Errors as below. */
enum status report_write_lines(struct buffer *out, const struct report *report, struct error *err);
/* Appends the output. INTERNAL (internal_error) when a score or a count cannot be: nothing is posted then. */
enum status report_write(struct buffer *out, const struct report *report, struct error *err);

#endif
