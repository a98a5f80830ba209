/* bench.h: inside of docket bench: what is measured, how a measurement is taken beside the ceiling of the same moment, and the
 * report. Knows a model by its config and weights on a device; no files, no documents. */
#ifndef DOCKET_HANDLERS_TOOLS_BENCH_H
#define DOCKET_HANDLERS_TOOLS_BENCH_H

#include "handlers/tools/ceilings.h"
#include "worker/base/buffer.h"
#include "worker/model/engine.h"
#include "worker/observe/gpu_stats.h"

#define BENCH_MAX_ROWS 48

/* Best rates, of the wall's clock and (without a GPU) of the processor's: what it would be with the cores to itself. */
struct bench_rate {
    double wall, processor; /* a second; 0: not measured */
};

enum bench_ceiling {
    BENCH_READ = N_CEILINGS, /* bytes a second, read by the host, or copied by the device (read and written) */
    BENCH_PRODUCTS,          /* operations a second of the device's best matrix product */
    N_BENCH_CEILINGS,
};

/* One line of the report. */
struct bench_row {
    char step[24]; /* "prefill": stable, for machines */
    char what[80]; /* "1 sequence of 512 tokens" */
    const char *unit;
    double seconds, amount;   /* of the best round */
    double operations, bytes; /* that a round needs; 0: not counted */
    struct bench_rate rate;   /* amount */
    struct bench_rate ceilings[N_BENCH_CEILINGS];
    size_t n_rounds;
    double joules; /* of the GPU, for each of amount's; 0: not known */
    double share;  /* of what would be ideal; 0: none */
    char of[64];   /* what that is */
    char problem[200];
};

struct bench_memory {
    const char *what;
    uint64_t planned_bytes, found_bytes; /* found 0: not counted by the device */
};

struct bench_report {
    char model[160], quantization[QUANTIZATION_NAME_BYTES], kv_format[16];
    char device[96], variant[32], arithmetic[8];
    bool is_gpu, interrupted;
    unsigned n_threads;
    size_t n_layers;
    uint64_t parameters, parameters_a_token;
    struct bench_rate ceilings[N_BENCH_CEILINGS]; /* the best of all rows */
    const char *products_name;                    /* what BENCH_PRODUCTS multiplies */
    struct bench_row rows[BENCH_MAX_ROWS];
    size_t n_rows;
    struct bench_memory memory[6];
    size_t n_memory;
    uint64_t driver_used_bytes, driver_total_bytes; /* of the whole card, or GPU_UNKNOWN */
    double make_seconds;                            /* random weights; 0: they were loaded */
};

struct bench_options {
    size_t prefill_tokens, decode_tokens, n_together, document_tokens, prefix_tokens, n_labels;
    double seconds;   /* each measurement goes on for about that long */
    const char *only; /* steps, separated by commas; NULL: all of them */
    const atomic_bool *stop;
    bool shows_progress;      /* on standard error, which is a terminal */
    const char *nvml_library; /* gpu_stats.h */
    /* What a GPU does at best, if the caller can measure it; else the backend's own operations stand in. */
    double (*device_copy)(size_t size_bytes);
    double (*device_products)(size_t n);
};

struct bench {
    struct bench_options options;
    const struct device *device;
    const struct model_config *config;
    const struct model_weights *weights;
    struct engine *engine; /* nothing else runs in it */
    size_t max_tokens;     /* that it takes */
    size_t engine_rows;    /* of its passes */
    enum kernels_format kv_format;
    bool is_gpu, tiny;
    unsigned char *memory; /* to read for BENCH_READ */
    size_t memory_bytes;
    struct bench_rate device_ceilings[2]; /* of a GPU, measured once */
    struct gpu_stats *stats;              /* NULL: nobody tells */
    struct bench_report *report;
};

/* bench_measure.c. Of the whole card, everybody's together, as its driver counts: GPU_UNKNOWN on a CPU, and where nobody tells. */
void bench_card_memory(struct bench *bench, const struct device *device, uint64_t *used_bytes, uint64_t *total_bytes);
/* The first fills everything below `weights` from what stands above it. */
enum status bench_open(struct bench *b, struct error *err);
void bench_close(struct bench *b);
/* One round; the number of things done (tokens, documents) goes to *amount. */
struct bench_work {
    enum status (*run)(void *context, double *amount, struct error *err);
    void *context;
    const char *unit;
    double operations, bytes; /* of a round; filled before or by it through the row */
};
/* A row for it, with rounds until the time is over, each beside the ceilings that matter. A failure goes into the row; NULL when there
 * is no room for a row, or the user has stopped. */
struct bench_row *bench_measure(struct bench *b, const char *step, const struct bench_work *work, const char *what, ...)
    __attribute__((format(printf, 4, 5)));
/* A row without a measurement: why there is none. */
void bench_impossible(struct bench *b, const char *step, const char *why, ...) __attribute__((format(printf, 3, 4)));
bool bench_stopped(const struct bench *b);
/* The step was asked for and nobody has stopped. */
bool bench_wants(const struct bench *b, const char *step);
int32_t bench_token(const struct bench *b, uint64_t *state); /* a random one */

/* bench_count.c: what the model needs by arithmetic. */
uint64_t
bench_parameters_a_token(const struct model_config *config); /* that a token is multiplied with, the head not */
/* Of n tokens behind n_before, of which the last n_outputs are asked for: the last layer leaves out what no other needs. */
double bench_operations(const struct model_config *config, size_t n, size_t n_before, size_t n_outputs);
/* Bytes of weights that a pass of n single tokens reads, head included: of experts those that n tokens are expected to choose. */
double bench_weight_bytes(const struct bench *b, size_t n);

/* The steps; each adds its rows. */
void bench_quantize(struct bench *b, enum kernels_format format); /* bench_layers.c */
void bench_experts(struct bench *b);
void bench_passes(struct bench *b);    /* bench_passes.c: prefill and decode */
void bench_documents(struct bench *b); /* bench_documents.c: documents, labels, shared prefix */

/* bench_memory.c */
enum status bench_plan(struct bench_report *report, const struct device *device, const struct model_config *config,
                       const struct quantization *quantization, enum kv_format kv, const struct engine_options *engine,
                       uint64_t weight_bytes, uint64_t weights_found, uint64_t all_found, struct error *err);

/* bench_report.c */
void bench_put_json(struct buffer *out, const struct bench_report *report);
void bench_put_text(struct buffer *out, const struct bench_report *report);

#endif
