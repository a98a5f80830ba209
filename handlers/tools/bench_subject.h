/* bench_subject.h: inside of docket bench: what is measured, made or taken over, and all steps in their order. Needs no tokenizer and
 * no document, so that it also links on a bare machine. */
#ifndef DOCKET_HANDLERS_TOOLS_BENCH_SUBJECT_H
#define DOCKET_HANDLERS_TOOLS_BENCH_SUBJECT_H

#include "handlers/tools/bench.h"
#include "worker/model/model.h"

/* {0} is valid and may be closed. Must not move between opening and closing. */
struct bench_subject {
    struct bench bench; /* options are set before */
    struct bench_report report;
    struct quantization quantization;
    /* of a synthetic one */
    struct device own_device;
    struct model_config own_config;
    struct model_weights own_weights;
    struct engine *own_engine;
    uint64_t driver_before; /* the card's bytes in use before anything of it was there; 0: not known */
};

/* Random weights. Of `options` device, formats, max_model_len and memory_utilization count. BAD_CONFIG naming a shape that is not known;
 * NO_MEMORY with the numbers before anything is made that would not fit. */
enum status bench_subject_make(struct bench_subject *s, const char *shape, size_t n_layers,
                               const struct model_options *options, struct error *err);
/* The model is borrowed until close; nobody else may use it meanwhile. */
enum status bench_subject_of_model(struct bench_subject *s, struct model *model, struct error *err);
void bench_subject_measure(struct bench_subject *s);
void bench_subject_close(struct bench_subject *s);

/* The weight files of a model, without what the page cache holds of them. */
struct bench_files {
    struct model_location location;
    int fds[256]; /* that read past the page cache, or -1 */
    size_t n;
};
enum status bench_files_open(struct bench_files *files, const struct hub_options *where, struct error *err);
enum status bench_files_of(struct bench_files *files, const struct model_location *location,
                           const struct tensor_files *tensors, struct error *err);
void bench_files_close(struct bench_files *files);
/* Rows: how fast they were loaded, and how fast they can be read. The config says whether they were quantized before. */
void bench_files_measure(struct bench_subject *s, const struct bench_files *files, const struct load_report *load);

#endif
