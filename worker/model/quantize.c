/* quantize.c: the loader's pipeline with a checkpoint at its end instead of a model. */
#include "worker/model/quantize.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"
#include "worker/model/new_folder.h"
#include "worker/model/quantized_form.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#define CONFIG_BYTES (4 * MIB)
#define OTHER_BYTES  (256 * MIB) /* of a file that is copied */

static enum status put_weight(void *context, const struct device *device, const char *name,
                              const struct kernels_weight *weight, struct error *err)
{
    struct checkpoint_maker *m = context;
    const struct tensor_info *source = tensor_find(m->files, name);
    m->n_quantized++;
    return quantized_form_put(m->out, device, name, source ? source->dtype : DTYPE_BF16, weight, err);
}

static enum status put_stored(void *context, const struct tensor_info *t, uint64_t at, const void *bytes, size_t length,
                              struct error *err)
{
    struct checkpoint_maker *m = context;
    enum status st = DOCKET_OK;
    if (at == 0) {
        m->n_stored++;
        st = checkpoint_begin(m->out, t->name, t->dtype, t->rank, t->shape, err);
    }
    if (st == DOCKET_OK && length) st = checkpoint_append(m->out, bytes, length, err);
    return st;
}

void checkpoint_maker_watch(struct checkpoint_maker *maker, bool release, struct load_watch *out)
{
    *out = (struct load_watch){.context = maker, .release = release, .quantized = put_weight, .stored = put_stored};
}

static bool ends_with(const char *name, const char *tail)
{
    size_t n = strlen(name), t = strlen(tail);
    return n > t && strcmp(name + n - t, tail) == 0;
}

/* Text that belongs to a model; not its weights in whatever form, nor code. */
static bool is_copied(const char *name)
{
    static const char *const tails[] = {".json", ".txt", ".model", ".jinja", ".md", ".tiktoken"};
    static const char *const heads[] = {"LICENSE", "LICENCE", "NOTICE", "USE_POLICY"};
    if (strcmp(name, "config.json") == 0 || ends_with(name, ".index.json")) return false;
    for (size_t i = 0; i < ARRAY_LENGTH(tails); i++)
        if (ends_with(name, tails[i])) return true;
    for (size_t i = 0; i < ARRAY_LENGTH(heads); i++)
        if (strncmp(name, heads[i], strlen(heads[i])) == 0) return true;
    return false;
}

static enum status copy_others(const struct new_folder *to, const struct model_location *from, struct error *err)
{
    DIR *open = opendir(from->folder);
    struct dirent *entry;
    enum status st = DOCKET_OK;
    if (!open) return fail(err, DOCKET_IO, CODE_NONE, "%s: %s", from->folder, strerrordesc_np(errno));
    while (st == DOCKET_OK && (entry = readdir(open))) {
        char *bytes = NULL;
        size_t length = 0;
        if (!is_copied(entry->d_name) || !model_has_file(from, entry->d_name)) continue;
        st = model_read_file(&bytes, &length, from, entry->d_name, OTHER_BYTES, err);
        if (st == DOCKET_OK) st = new_folder_put(to, entry->d_name, bytes, length, err);
        mem_free(bytes);
    }
    closedir(open);
    return st;
}

struct work {
    struct model_location location;
    struct model_config config;
    struct tensor_files *files;
    struct device device;
    struct new_folder folder;
    struct checkpoint *checkpoint;
    char *config_text;
    size_t config_length;
    struct buffer new_config;
};

static void work_free(struct work *w)
{
    checkpoint_close(w->checkpoint);
    new_folder_close(&w->folder);
    device_close(&w->device);
    tensor_files_close(w->files);
    model_location_free(&w->location);
    mem_free(w->config_text);
    buffer_free(&w->new_config);
    *w = (struct work){0};
}

/* All that can be said before anything is written. */
static enum status prepare(struct work *w, const struct quantize_options *o, struct error *err)
{
    size_t bytes = 0;
    enum status st = hub_locate(&w->location, &o->hub, err);
    if (st == DOCKET_OK)
        st = model_read_file(&w->config_text, &w->config_length, &w->location, "config.json", CONFIG_BYTES, err);
    if (st == DOCKET_OK) st = model_config_parse(&w->config, w->config_text, w->config_length, err);
    if (st == DOCKET_OK)
        st = quantized_form_config(&w->new_config, w->config_text, w->config_length, &o->quantization,
                                   w->config.n_experts > 0, err);
    if (st == DOCKET_OK) st = tensor_files_open(&w->files, &w->location, err);
    if (st == DOCKET_OK) st = device_open(&w->device, &o->device, err);
    if (st == DOCKET_OK) st = load_predict(&bytes, &w->device, &w->config, w->files, &o->quantization, err);
    if (st == DOCKET_OK) st = new_folder_open(&w->folder, o->out, err);
    if (st != DOCKET_OK) return st;
    uint64_t free_bytes = file_free_bytes(w->folder.path);
    if (free_bytes && free_bytes < bytes)
        return fail(err, DOCKET_IO, CODE_NONE, "%s: about %.2f GB are needed, %.2f GB are free there", o->out,
                    (double)bytes / 1e9, (double)free_bytes / 1e9);
    return DOCKET_OK;
}

enum status quantize_model(struct quantize_report *report, const struct quantize_options *o, const atomic_bool *stop,
                           struct error *err)
{
    struct work w = {0};
    struct model_weights none = {0};
    struct load_report load = {0};
    struct load_watch watch;
    uint64_t start = clock_now_ns();
    if (quantization_is_none(&o->quantization))
        return fail(err, DOCKET_BAD_INPUT, CODE_NONE, "none: nothing would be quantized; want another format");
    enum status st = prepare(&w, o, err);
    if (st == DOCKET_OK) st = checkpoint_open(&w.checkpoint, w.folder.path, o->shard_bytes, err);
    if (st == DOCKET_OK) {
        struct checkpoint_maker maker = {w.checkpoint, w.files, 0, 0};
        checkpoint_maker_watch(&maker, true, &watch);
        st = load_weights(&none, &load, &w.device, &w.config, w.files, &o->quantization, &watch, stop, err);
        if (st == DOCKET_OK) st = checkpoint_finish(w.checkpoint, err);
        report->n_quantized = maker.n_quantized;
        report->n_stored = maker.n_stored;
    }
    if (st == DOCKET_OK) st = new_folder_put(&w.folder, "config.json", w.new_config.data, w.new_config.length, err);
    if (st == DOCKET_OK) st = copy_others(&w.folder, &w.location, err);
    if (st == DOCKET_OK) {
        report->n_shards = checkpoint_n_shards(w.checkpoint);
        report->written_bytes = checkpoint_bytes(w.checkpoint);
        report->read_bytes = load.bytes_read;
        st = new_folder_publish(&w.folder, err);
    }
    report->seconds = clock_seconds_since(start);
    work_free(&w);
    return st;
}
