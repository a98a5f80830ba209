/* kept_copy.c: the life of kept copies. Many workers may share the volume: a copy appears by a rename that never replaces, is never
 * changed, and goes by a rename too, so that whoever reads it reads on. */
#include "worker/model/kept_copy.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/log.h"
#include "worker/model/kept_manifest.h"
#include "worker/model/new_folder.h"
#include "worker/model/quantize.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FOLDER ".docket"

/* One attempt to use or make the copy. */
struct kept {
    const struct device *device;
    const struct kept_source_model *source;
    const struct quantization *quantization;
    char *path;
    char name[QUANTIZATION_NAME_BYTES];
    struct kept_identity identity;
    struct stat facts; /* of the folder that was looked at */
    bool there;
};

char *kept_copy_path(const struct model_location *location, const struct quantization *quantization)
{
    char name[QUANTIZATION_NAME_BYTES];
    return str_format("%s/" FOLDER "/%.12s-%s", location->boundary, location->revision ? location->revision : "folder",
                      quantization_name(quantization, name));
}

static enum status kept_init(struct kept *k, struct error *err)
{
    const struct kept_source_model *s = k->source;
    k->path = kept_copy_path(s->location, k->quantization);
    if (!k->path) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the name of the kept copy");
    k->identity = (struct kept_identity){.quantization = quantization_name(k->quantization, k->name),
                                         .revision = s->location->revision ? s->location->revision : "-",
                                         .files = s->files};
    sha256_hex(s->config_text, s->config_length, k->identity.config_hash);
    return DOCKET_OK;
}

/* The copy as a model of its own: no links, nothing outside its folder. */
static enum status open_copy(struct kept *k, struct tensor_files **out, struct error *err)
{
    const struct model_location place = {.folder = k->path, .boundary = k->path, .name = k->path};
    struct kept_manifest manifest = {0};
    struct tensor_files *files = NULL;
    char *text = NULL;
    size_t length = 0;
    if (lstat(k->path, &k->facts) != 0) {
        if (errno == ENOENT || errno == ENOTDIR) return fail(err, DOCKET_NOT_FOUND, CODE_NONE, "there is none yet");
        return fail(err, DOCKET_IO, CODE_NONE, "%s: %s", k->path, strerrordesc_np(errno));
    }
    k->there = true;
    enum status st = S_ISDIR(k->facts.st_mode)
                         ? model_read_file(&text, &length, &place, KEPT_MANIFEST_NAME, KEPT_MANIFEST_BYTES, err)
                         : fail(err, DOCKET_CORRUPT, CODE_NONE, "%s: no folder", k->path);
    if (st == DOCKET_OK) st = kept_manifest_parse(&manifest, text, length, err);
    if (st == DOCKET_OK) st = kept_manifest_matches(&manifest, &k->identity, err);
    if (st == DOCKET_OK) st = tensor_files_open(&files, &place, err);
    if (st == DOCKET_OK) st = kept_manifest_expect(&manifest, files, err);
    if (st == DOCKET_OK)
        *out = files;
    else
        tensor_files_close(files);
    kept_manifest_free(&manifest);
    mem_free(text);
    return st;
}

/* Out of the way, unless another worker has done so and maybe put a good one there. One that was set aside before goes. */
static void set_aside(const struct kept *k)
{
    struct stat now;
    char *aside = str_format("%s.bad", k->path);
    if (aside && k->there && lstat(k->path, &now) == 0 && now.st_ino == k->facts.st_ino &&
        now.st_dev == k->facts.st_dev && folder_remove(aside, NULL) == DOCKET_OK)
        (void)rename(k->path, aside); /* on failure the new copy finds the place taken, and says so */
    mem_free(aside);
}

static void remove_set_aside(const struct kept *k)
{
    char *aside = str_format("%s.bad", k->path);
    if (aside) folder_remove(aside, NULL);
    mem_free(aside);
}

static void log_kept(enum log_level level, const struct kept *k, const char *state, const struct error *why)
{
    const struct log_field fields[] = {F_STR("state", state), F_STR("quantization", k->name),
                                       F_STR("folder", k->path ? k->path : "-"),
                                       F_STR("reason", why ? why->message : "")};
    log_write(level, EVENT_kept_copy, fields, why ? ARRAY_LENGTH(fields) : ARRAY_LENGTH(fields) - 1);
}

/* A copy in the making. Its failure is remembered and ends only itself. */
struct making {
    struct kept *kept;
    struct new_folder folder;
    struct checkpoint *checkpoint;
    struct checkpoint_maker maker;
    struct load_watch inner;
    enum status status;
    struct error why;
};

static enum status watch_quantized(void *context, const struct device *device, const char *name,
                                   const struct kernels_weight *weight, struct error *err)
{
    struct making *m = context;
    (void)err;
    if (m->status == DOCKET_OK) m->status = m->inner.quantized(m->inner.context, device, name, weight, &m->why);
    return DOCKET_OK;
}

static enum status watch_stored(void *context, const struct tensor_info *tensor, uint64_t at, const void *bytes,
                                size_t length, struct error *err)
{
    struct making *m = context;
    (void)err;
    if (m->status == DOCKET_OK) m->status = m->inner.stored(m->inner.context, tensor, at, bytes, length, &m->why);
    return DOCKET_OK;
}

static enum status check_space(const struct making *m, struct error *err)
{
    const struct kept *k = m->kept;
    size_t bytes = 0;
    enum status st = load_predict(&bytes, k->device, k->source->config, k->source->files, k->quantization, err);
    uint64_t free_bytes = file_free_bytes(m->folder.path);
    if (st == DOCKET_OK && free_bytes && free_bytes < bytes) {
        remove_set_aside(k);
        free_bytes = file_free_bytes(m->folder.path);
    }
    if (st != DOCKET_OK || !free_bytes || free_bytes >= bytes) return st;
    return fail(err, DOCKET_IO, CODE_NONE, "%s: about %.2f GB are needed, %.2f GB are free there", k->path,
                (double)bytes / 1e9, (double)free_bytes / 1e9);
}

static void making_begin(struct making *m, struct kept *k)
{
    *m = (struct making){.kept = k};
    m->status = new_folder_open(&m->folder, k->path, &m->why);
    if (m->status == DOCKET_OK) m->status = check_space(m, &m->why);
    if (m->status == DOCKET_OK) m->status = checkpoint_open(&m->checkpoint, m->folder.path, 0, &m->why);
    m->maker = (struct checkpoint_maker){.out = m->checkpoint, .files = k->source->files};
    checkpoint_maker_watch(&m->maker, false, &m->inner);
}

static enum status publish(struct making *m, struct error *err)
{
    struct buffer manifest = {0};
    enum status st = checkpoint_finish(m->checkpoint, err);
    if (st == DOCKET_OK) st = kept_manifest_write(&manifest, &m->kept->identity, m->checkpoint, err);
    if (st == DOCKET_OK) st = new_folder_put(&m->folder, KEPT_MANIFEST_NAME, manifest.data, manifest.length, err);
    if (st == DOCKET_OK) st = new_folder_publish(&m->folder, err);
    buffer_free(&manifest);
    return st;
}

/* Also when the load failed: then nothing is kept. */
static void making_end(struct making *m, bool loaded)
{
    uint64_t start = clock_now_ns();
    if (loaded && m->status == DOCKET_OK) m->status = publish(m, &m->why);
    if (loaded && m->status == DOCKET_OK) {
        remove_set_aside(m->kept);
        log_event(LOG_INFO, EVENT_kept_copy, F_STR("state", "written"), F_STR("quantization", m->kept->name),
                  F_STR("folder", m->kept->path), F_U64("bytes", checkpoint_bytes(m->checkpoint)),
                  F_F64("sync_seconds", clock_seconds_since(start)));
    } else if (loaded)
        log_kept(m->status == DOCKET_REFUSED ? LOG_INFO : LOG_WARN, m->kept, "not_written", &m->why);
    checkpoint_close(m->checkpoint);
    new_folder_close(&m->folder);
}

static enum status load_copy(struct kept *k, struct model_weights *out, struct load_report *report,
                             const atomic_bool *stop, struct error *err)
{
    static const struct quantization as_stored;
    struct tensor_files *files = NULL;
    struct model_weights weights = {0};
    struct model_config config = *k->source->config;
    if (config.prequantized == PREQUANTIZED_NONE) config.prequantized = PREQUANTIZED_DOCKET;
    enum status st = open_copy(k, &files, err);
    if (st == DOCKET_OK) st = load_weights(&weights, report, k->device, &config, files, &as_stored, NULL, stop, err);
    if (st == DOCKET_OK) st = tensor_files_verified(files, err);
    if (st == DOCKET_OK) MOVE(*out, weights);
    model_weights_free(&weights, k->device);
    tensor_files_close(files);
    return st;
}

static enum status load_source(struct kept *k, struct model_weights *out, struct load_report *report,
                               const atomic_bool *stop, struct error *err)
{
    struct making making;
    const struct load_watch watch = {.context = &making, .quantized = watch_quantized, .stored = watch_stored};
    making_begin(&making, k);
    enum status st =
        load_weights(out, report, k->device, k->source->config, k->source->files, k->quantization, &watch, stop, err);
    making_end(&making, st == DOCKET_OK);
    return st;
}

enum status kept_copy_load(struct model_weights *out, struct load_report *report, bool *hit,
                           const struct device *device, const struct kept_source_model *source,
                           const struct quantization *quantization, const atomic_bool *stop, struct error *err)
{
    struct kept k = {.device = device, .source = source, .quantization = quantization};
    struct error why = {0};
    *hit = false;
    enum status st = kept_init(&k, err);
    if (st != DOCKET_OK) return st;
    st = load_copy(&k, out, report, stop, &why);
    if (st == DOCKET_OK) {
        *hit = true;
        log_kept(LOG_INFO, &k, "hit", NULL);
    } else if (st == DOCKET_CANCELLED || st == DOCKET_NO_MEMORY || st == DOCKET_NO_DEVICE_MEMORY ||
               st == DOCKET_DEVICE) {
        if (err) *err = why; /* the source would end the same way */
    } else {
        log_kept(st == DOCKET_NOT_FOUND ? LOG_INFO : LOG_WARN, &k, k.there ? "set_aside" : "miss", &why);
        set_aside(&k);
        st = load_source(&k, out, report, stop, err);
    }
    mem_free(k.path);
    return st;
}
