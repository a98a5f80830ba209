/* bench_disk.c: loading beside what the disk gives at best: large reads past the page cache, several at a time. */
#include "handlers/tools/bench_subject.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE     (16 * MIB)
#define N_READERS 4

/* Past the page cache; where the file system cannot, -1. What the cache holds of the file is dropped, as far as nobody else uses it. */
static int open_direct(int fd)
{
    char path[40];
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
}

enum status bench_files_of(struct bench_files *files, const struct model_location *location,
                           const struct tensor_files *tensors, struct error *err)
{
    enum status st = DOCKET_OK;
    size_t n = tensor_files_count(tensors);
    if (n > ARRAY_LENGTH(files->fds)) n = 0; /* bench_files_measure says so */
    for (size_t i = 0; i < n && st == DOCKET_OK; i++) {
        int fd = -1;
        st = model_open_file(&fd, location, tensor_file_name(tensors, (unsigned)i), err);
        if (st != DOCKET_OK) break;
        files->fds[files->n++] = open_direct(fd);
        close(fd);
    }
    return st;
}

enum status bench_files_open(struct bench_files *files, const struct hub_options *where, struct error *err)
{
    struct tensor_files *tensors = NULL;
    enum status st = hub_locate(&files->location, where, err);
    if (st == DOCKET_OK) st = tensor_files_open(&tensors, &files->location, err);
    if (st == DOCKET_OK) st = bench_files_of(files, &files->location, tensors, err);
    tensor_files_close(tensors);
    return st;
}

void bench_files_close(struct bench_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        if (files->fds[i] >= 0) close(files->fds[i]);
    model_location_free(&files->location);
    files->n = 0;
}

/* --- reading --- */

struct raw {
    const struct bench_files *files;
    uint64_t ends[256]; /* pieces of all files up to and with each */
    const atomic_bool *stop;
    atomic_size_t next;
    atomic_uint_least64_t bytes;
    atomic_int failure; /* errno */
};

static void *read_pieces(void *context)
{
    struct raw *r = context;
    unsigned char *memory = mem_alloc_aligned(PIECE, 4096);
    if (!memory) atomic_store(&r->failure, ENOMEM);
    while (memory && !atomic_load(&r->failure)) {
        size_t piece = atomic_fetch_add(&r->next, 1), file = 0;
        while (file < r->files->n && piece >= r->ends[file]) file++;
        if (file == r->files->n) break;
        uint64_t at = (piece - (file ? r->ends[file - 1] : 0)) * PIECE;
        ssize_t n;
        do n = pread(r->files->fds[file], memory, PIECE, (off_t)at);
        while (n < 0 && errno == EINTR);
        if (n < 0 || (r->stop && atomic_load(r->stop)))
            atomic_store(&r->failure, n < 0 ? errno : ECANCELED);
        else
            atomic_fetch_add(&r->bytes, (uint64_t)n);
    }
    mem_free(memory);
    return NULL;
}

/* Bytes a second, of all of it; 0 and why not. */
static double read_raw(const struct bench_files *files, const atomic_bool *stop, double *seconds, uint64_t *bytes,
                       struct error *err)
{
    struct raw r = {.files = files, .stop = stop};
    pthread_t threads[N_READERS];
    size_t started = 0;
    struct stat facts;
    for (size_t i = 0; i < files->n; i++) {
        if (files->fds[i] < 0 || fstat(files->fds[i], &facts) != 0) {
            fail(err, DOCKET_UNSUPPORTED, CODE_NONE, "this file system cannot be read past the page cache");
            return 0;
        }
        r.ends[i] = (i ? r.ends[i - 1] : 0) + ((uint64_t)facts.st_size + PIECE - 1) / PIECE;
    }
    uint64_t start = clock_now_ns();
    while (started < N_READERS && pthread_create(&threads[started], NULL, read_pieces, &r) == 0) started++;
    for (size_t i = 0; i < started; i++) pthread_join(threads[i], NULL);
    *seconds = clock_seconds_since(start);
    *bytes = r.bytes;
    if (!started) fail(err, DOCKET_NO_MEMORY, CODE_NONE, "cannot start a reading thread");
    if (r.failure) fail(err, DOCKET_IO, CODE_NONE, "reading past the page cache: %s", strerrordesc_np(r.failure));
    return started && !r.failure && *seconds > 0 ? (double)*bytes / *seconds : 0;
}

static struct bench_row *add_row(struct bench *b, const char *step, const char *what, double bytes, double seconds)
{
    if (bench_stopped(b) || b->report->n_rows == BENCH_MAX_ROWS) return NULL;
    struct bench_row *row = &b->report->rows[b->report->n_rows++];
    *row = (struct bench_row){.unit = "bytes", .amount = bytes, .seconds = seconds, .n_rounds = 1};
    row->rate.wall = seconds > 0 ? bytes / seconds : 0;
    snprintf(row->step, sizeof(row->step), "%s", step);
    snprintf(row->what, sizeof(row->what), "%s", what);
    return row;
}

void bench_files_measure(struct bench_subject *s, const struct bench_files *files, const struct load_report *load)
{
    struct bench *b = &s->bench;
    struct error err = {0};
    double seconds = 0, rate;
    uint64_t bytes = 0;
    char what[80];
    snprintf(what, sizeof(what), "%zu files, %s", files->n,
             model_config_is_stored_quantized(b->config) ? "quantized when they were stored" : "quantizing included");
    struct bench_row *row = add_row(b, "load", what, (double)load->bytes_read, load->seconds);
    if (!row) return;
    if (load->copied.bytes)
        add_row(b, "load", "copies to the GPU alone", (double)load->copied.bytes, load->copied.seconds);
    if (load->quantized.bytes)
        add_row(b, "load", "quantizing there alone", (double)load->quantized.bytes, load->quantized.seconds);
    if (!files->n) {
        bench_impossible(b, "disk", "too many files");
        return;
    }
    if ((rate = read_raw(files, b->options.stop, &seconds, &bytes, &err)) <= 0) {
        bench_impossible(b, "disk", "%s", err.message);
        return;
    }
    snprintf(what, sizeof(what), "%zu files past the page cache, %d reads at a time", files->n, N_READERS);
    add_row(b, "disk", what, (double)bytes, seconds);
    row->share = row->rate.wall / rate;
    snprintf(row->of, sizeof(row->of), "of a raw read of the same files");
}
