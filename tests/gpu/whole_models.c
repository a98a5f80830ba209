/* whole_models.c: what docket bench measures, without the libraries that docket needs: whole models with random weights on the GPU, and
 * loading one from files that are made for it, in bf16 and stored quantized.
 * Usage: whole_models FILE CUDA_LIBRARY [tiny] [FOLDER]. Prints tables, writes the same as JSON; models are made in FOLDER, if one is
 * given, loaded, and removed. Asserts nothing about time. */
#include "handlers/tools/bench_subject.h"
#include "worker/base/alloc.h"
#include "worker/base/log.h"
#include "worker/model/checkpoint.h"
#include "worker/model/quantize.h"
#include "worker/model/synthetic.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

double ceiling_copy(size_t size_bytes);
double ceiling_products(size_t n);

#define MOST_OFF     0.02
#define MOST_ON_DISK (16 * (uint64_t)1000000000)

struct program {
    const char *library, *folder;
    bool tiny;
    FILE *json;
    size_t n_reports;
};

static void options_of(const struct program *p, struct bench_options *bench, struct model_options *model)
{
    struct error err;
    *bench = (struct bench_options){.prefill_tokens = p->tiny ? 32 : 512,
                                    .decode_tokens = p->tiny ? 2 : 64,
                                    .document_tokens = p->tiny ? 24 : 1000,
                                    .prefix_tokens = p->tiny ? 16 : 300,
                                    .n_labels = 16,
                                    .seconds = p->tiny ? 0.001 : 2,
                                    .only = p->tiny ? "quantize,prefill,decode,experts,documents" : NULL,
                                    .n_together = p->tiny ? 2 : 0,
                                    .device_copy = ceiling_copy,
                                    .device_products = p->tiny ? NULL : ceiling_products};
    *model = (struct model_options){.device = {.backend = "cuda", .cuda_library = p->library}};
    quantization_parse(&model->quantization, "QUANTIZATION", "nf4", &err);
}

static void report(struct program *p, const struct bench_report *r)
{
    struct buffer out = {0};
    bench_put_text(&out, r);
    if (out.data) printf("%s\n", out.data);
    fflush(stdout);
    buffer_clear(&out);
    bench_put_json(&out, r);
    if (out.data) fprintf(p->json, "%s\n    %s", p->n_reports++ ? "," : "", out.data);
    buffer_free(&out);
}

/* What was planned is taken: to the byte as the backend counts, but for the rounding of the driver as that does. */
static enum status check_memory(const struct program *p, const struct bench_report *r, struct error *err)
{
    for (size_t i = 0; i < r->n_memory; i++) {
        const struct bench_memory *m = &r->memory[i];
        const bool all = strcmp(m->what, "all") == 0, driver = strcmp(m->what, "all, as the driver counts") == 0;
        const double off = fabs((double)m->found_bytes - (double)m->planned_bytes);
        if ((all && off > 0) || (driver && !p->tiny && off > MOST_OFF * (double)m->planned_bytes))
            return fail(err, DOCKET_INTERNAL, CODE_NONE, "%s: memory, %s: %llu bytes were planned, %llu are taken",
                        r->model, m->what, (unsigned long long)m->planned_bytes, (unsigned long long)m->found_bytes);
    }
    return DOCKET_OK;
}

/* false: it does not fit, or failed; the error says which. */
static bool measure(struct program *p, const char *shape, size_t n_layers, enum kernels_products products,
                    const char *only, struct error *err)
{
    struct bench_subject *s = mem_zalloc(1, sizeof(*s));
    struct model_options options;
    if (!s) return false;
    options_of(p, &s->bench.options, &options);
    if (only) s->bench.options.only = only;
    options.device.products = products;
    bool good = bench_subject_make(s, shape, n_layers, &options, err) == DOCKET_OK;
    if (good) {
        bench_subject_measure(s);
        const size_t length = strlen(s->report.model);
        if (products == KERNELS_PRODUCTS_OWN)
            snprintf(s->report.model + length, sizeof(s->report.model) - length, ", own kernels");
        report(p, &s->report);
        good = check_memory(p, &s->report, err) == DOCKET_OK;
    }
    bench_subject_close(s);
    mem_free(s);
    return good;
}

/* --- loading --- */

/* As many layers as fit half of what is free on the disk. */
static size_t layers_for(const struct model_config *c, const char *folder)
{
    struct statvfs facts;
    uint64_t layer = 2 * ((uint64_t)c->dim * c->head_size * (2 * c->n_heads + 2 * c->n_kv_heads) +
                          3 * (uint64_t)c->dim * c->ffn_dim * (c->n_experts ? c->n_experts : 1));
    uint64_t fixed = 4 * (uint64_t)c->vocab * c->dim, room = 0;
    if (statvfs(folder, &facts) == 0) room = (uint64_t)facts.f_bavail * facts.f_frsize / 2;
    if (room > MOST_ON_DISK) room = MOST_ON_DISK;
    if (room < fixed + layer) return 0;
    return (room - fixed) / layer < c->n_layers ? (size_t)((room - fixed) / layer) : c->n_layers;
}

static void remove_all(const char *folder)
{
    DIR *list = opendir(folder);
    for (const struct dirent *entry; list && (entry = readdir(list));)
        if (entry->d_name[0] != '.') unlinkat(dirfd(list), entry->d_name, 0);
    if (list) closedir(list);
    rmdir(folder);
}

struct loading {
    struct bench_subject *subject;
    struct device device;
    struct tensor_files *files;
    struct bench_files raw;
    struct load_report load;
    struct model_weights weights;
};

static enum status loading_open(struct loading *l, const struct program *p, char *folder, struct error *err)
{
    const struct model_location location = {.folder = folder, .boundary = folder, .name = folder};
    struct model_options options;
    *l = (struct loading){.subject = mem_zalloc(1, sizeof(*l->subject))};
    if (!l->subject) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a report");
    options_of(p, &l->subject->bench.options, &options);
    l->subject->quantization = options.quantization;
    enum status st = device_open(&l->device, &options.device, err);
    if (st == DOCKET_OK) st = tensor_files_open(&l->files, &location, err);
    return st == DOCKET_OK ? bench_files_of(&l->raw, &location, l->files, err) : st;
}

static void loading_close(struct loading *l)
{
    bench_files_close(&l->raw);
    tensor_files_close(l->files);
    if (l->device.backend) model_weights_free(&l->weights, &l->device);
    device_close(&l->device);
    mem_free(l->subject);
}

static void loading_report(struct loading *l, struct program *p, const struct model_config *config, const char *form)
{
    struct bench_report *r = &l->subject->report;
    struct kernels_description facts;
    const struct kernels_limits least = {.max_rows = 1, .max_sequences = 1, .dim = 1, .ffn_dim = 1};
    l->device.backend->reserve(l->device.handle, &least, NULL); /* the end of loading: its stages are added up */
    l->device.backend->describe(l->device.handle, &facts);
    l->load.copied = facts.copied;
    l->load.quantized = facts.quantized;
    snprintf(r->model, sizeof(r->model), "files of %.1f GB in %s", (double)l->load.bytes_read / 1e9, form);
    snprintf(r->device, sizeof(r->device), "%s", facts.name);
    snprintf(r->variant, sizeof(r->variant), "%s", facts.variant);
    snprintf(r->quantization, sizeof(r->quantization), "nf4");
    snprintf(r->kv_format, sizeof(r->kv_format), "none");
    r->is_gpu = facts.is_gpu;
    r->n_layers = config->n_layers;
    r->driver_used_bytes = r->driver_total_bytes = GPU_UNKNOWN;
    l->subject->bench.report = r;
    l->subject->bench.device = &l->device;
    l->subject->bench.config = config;
    bench_files_measure(l->subject, &l->raw, &l->load);
    report(p, r);
}

static enum status measure_load(struct program *p, const struct model_config *config, char *folder, const char *form,
                                struct error *err)
{
    struct loading l;
    enum status st = loading_open(&l, p, folder, err);
    if (st == DOCKET_OK)
        st = load_weights(&l.weights, &l.load, &l.device, config, l.files, &l.subject->quantization, NULL, NULL, err);
    if (st == DOCKET_OK) loading_report(&l, p, config, form);
    loading_close(&l);
    return st;
}

/* The files of `from` quantized, as docket quantize stores them. */
static enum status store(const struct program *p, const struct model_config *config, char *from, const char *to,
                         struct error *err)
{
    struct loading l;
    struct load_watch watch;
    struct checkpoint *out = NULL;
    enum status st = loading_open(&l, p, from, err);
    if (st == DOCKET_OK) st = checkpoint_open(&out, to, 0, err);
    if (st == DOCKET_OK) {
        struct checkpoint_maker maker = {out, l.files, 0, 0};
        checkpoint_maker_watch(&maker, true, &watch);
        st = load_weights(&l.weights, &l.load, &l.device, config, l.files, &l.subject->quantization, &watch, NULL, err);
        if (st == DOCKET_OK) st = checkpoint_finish(out, err);
    }
    checkpoint_close(out);
    loading_close(&l);
    return st;
}

/* From bf16, and from what that is when it is stored in nf4. */
static enum status load_from(struct program *p, struct model_config *config, char *folder, char *stored,
                             struct error *err)
{
    uint64_t written = 0;
    enum status st = synthetic_write(folder, config, p->tiny ? 300000 : 0, &written, err);
    if (st == DOCKET_OK) st = measure_load(p, config, folder, "bf16", err);
    if (st == DOCKET_OK && mkdir(stored, 0700) != 0)
        st = fail(err, DOCKET_IO, CODE_NONE, "%s: %s", stored, strerrordesc_np(errno));
    if (st == DOCKET_OK) st = store(p, config, folder, stored, err);
    config->prequantized = PREQUANTIZED_BITSANDBYTES;
    return st == DOCKET_OK ? measure_load(p, config, stored, "nf4", err) : st;
}

static bool measure_loading(struct program *p, struct error *err)
{
    struct model_config config;
    char *folder = str_format("%s/docket-load-XXXXXX", p->folder), *stored = NULL;
    if (folder && mkdtemp(folder)) stored = str_format("%s-nf4", folder);
    if (!stored) {
        fail(err, DOCKET_IO, CODE_NONE, "%s: no folder can be made there", p->folder);
        mem_free(folder);
        return false;
    }
    enum status st = synthetic_config(&config, p->tiny ? "tiny" : "mistral-7b", 0, err);
    config.n_layers = layers_for(&config, folder);
    if (st == DOCKET_OK && config.n_layers == 0)
        st = fail(err, DOCKET_IO, CODE_NONE, "%s: not enough room for one layer", p->folder);
    if (st == DOCKET_OK) st = load_from(p, &config, folder, stored, err);
    remove_all(folder);
    remove_all(stored);
    mem_free(folder);
    mem_free(stored);
    return st == DOCKET_OK;
}

int main(int argc, char **argv)
{
    struct program p = {0};
    struct error err = {0};
    bool tiny = argc > 3 && strcmp(argv[3], "tiny") == 0;
    if (argc < 3 || argc > 4 + tiny) {
        fprintf(stderr, "usage: whole_models FILE CUDA_LIBRARY [tiny] [FOLDER]\n");
        return 2;
    }
    p.library = argv[2];
    p.tiny = tiny;
    p.folder = argc == 4 + tiny ? argv[3 + tiny] : NULL;
    if (!(p.json = fopen(argv[1], "w"))) {
        perror(argv[1]);
        return 1;
    }
    const struct log_options quiet = {.level = LOG_WARN, .fd = STDERR_FILENO};
    bool good = log_open(&quiet, &err) == DOCKET_OK;
    fprintf(p.json, "[");
    if (good && tiny) good = measure(&p, "tiny", 1, KERNELS_PRODUCTS_AUTO, NULL, &err);
    if (good && !tiny) {
        const char *shape = "mixtral-8x7b";
        good = measure(&p, shape, 0, KERNELS_PRODUCTS_AUTO, NULL, &err);
        if (!good && err.status == DOCKET_NO_MEMORY) { /* what does not fit is no failure: a smaller one instead */
            printf("%s: %s\n\n", shape, err.message);
            shape = "mixtral-4-layers";
            good = measure(&p, shape, 0, KERNELS_PRODUCTS_AUTO, NULL, &err);
        }
        /* Large passes make all products cuBLASLt's; one that generates text would be started so. */
        good = good && measure(&p, shape, 0, KERNELS_PRODUCTS_OWN, "decode", &err);
        good = good && measure(&p, "mistral-7b", 0, KERNELS_PRODUCTS_AUTO, NULL, &err);
    }
    if (p.folder && good) good = measure_loading(&p, &err);
    if (!good) fprintf(stderr, "whole_models: %s\n", err.message);
    fprintf(p.json, "\n  ]\n");
    log_close();
    if (fclose(p.json) != 0) {
        perror(argv[1]);
        return 1;
    }
    return good ? 0 : 1;
}
