/* transfer.c: threads that each ask for a run of pieces that nobody has, and the calling thread, which sums them up in order as
 * they come. The list of pieces is only appended to, after the bytes: a kill leaves it behind the truth, never ahead. */
#include "worker/hub/transfer.h"

#include "worker/base/alloc.h"
#include "worker/base/buffer.h"
#include "worker/base/clock.h"
#include "worker/base/digest.h"
#include "worker/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define RUN_PIECES      16u /* of one request */
#define MAX_CONNECTIONS 32
#define TICK_NS         (200 * NS_PER_MS)
#define LIST_BYTES      (64 * MIB)

enum piece_state { FREE, TAKEN, DONE };

struct state {
    const struct transfer *transfer;
    const char *etag;
    uint64_t size;
    size_t piece, n_pieces;
    int fd, list;
    char *path, *list_path;

    pthread_mutex_t lock; /* guards all that follows */
    pthread_cond_t changed;
    struct hub_place place;
    unsigned place_number; /* counts up when the place is renewed */
    unsigned char *pieces; /* enum piece_state */
    bool no_ranges;
    unsigned failures;      /* in a row, of all connections */
    unsigned running, busy; /* connections; those with a run in hand */
    enum status status;
    struct error error;
    atomic_bool over;
};

/* The list's first line says what the pieces are of. */
static void list_head(char *out, size_t out_bytes, uint64_t size, size_t piece)
{
    snprintf(out, out_bytes, "docket pieces 1 %llu %zu\n", (unsigned long long)size, piece);
}

/* Marks the pieces of an earlier try; returns their number. Anything odd: none. */
static size_t read_list(unsigned char *pieces, size_t n_pieces, const char *path, uint64_t size, size_t piece)
{
    char head[80];
    struct buffer text;
    size_t found = 0;
    list_head(head, sizeof(head), size, piece);
    size_t n = strlen(head);
    buffer_init(&text, LIST_BYTES);
    if (file_read_all(&text, path, NULL) == DOCKET_OK && text.length >= n && memcmp(text.data, head, n) == 0) {
        for (const char *at = text.data + n; at + 9 <= text.data + text.length; at += 9) {
            char *end;
            size_t which = strtoul(at, &end, 16);
            if (end != at + 8 || *end != '\n' || which >= n_pieces) break; /* torn */
            if (pieces[which] != DONE) found++;
            pieces[which] = DONE;
        }
    }
    buffer_free(&text);
    return found;
}

static size_t count_pieces(uint64_t size, size_t piece)
{
    return (size_t)(size / piece + (size % piece != 0));
}

uint64_t transfer_left_over(const struct cache_repository *cache, const char *etag, uint64_t size_bytes,
                            size_t piece_bytes)
{
    size_t piece = piece_bytes ? piece_bytes : TRANSFER_PIECE_BYTES, n = count_pieces(size_bytes, piece);
    char *path = cache_blob_path(cache, etag, ".docket.parts");
    unsigned char *pieces = mem_zalloc(n + 1, 1);
    uint64_t found = path && pieces ? (uint64_t)read_list(pieces, n, path, size_bytes, piece) * piece : 0;
    mem_free(pieces);
    mem_free(path);
    return found < size_bytes ? found : size_bytes;
}

static enum status io_error(struct error *err, const char *path, const char *doing)
{
    int e = errno;
    return fail(err, DOCKET_IO, CODE_NONE, "%s: %s: %s%s", path, doing, strerrordesc_np(e),
                e == ENOSPC || e == EDQUOT ? "; what came so far stays for the next try" : "");
}

static enum status open_files(struct state *s, struct error *err)
{
    char head[80];
    struct stat facts;
    const int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW;
    list_head(head, sizeof(head), s->size, s->piece);
    s->fd = open(s->path, flags, 0644);
    if (s->fd < 0) return io_error(err, s->path, "cannot open");
    if (fstat(s->fd, &facts) != 0) return io_error(err, s->path, "cannot read its facts");
    bool again =
        (uint64_t)facts.st_size == s->size && read_list(s->pieces, s->n_pieces, s->list_path, s->size, s->piece) > 0;
    s->list = open(s->list_path, flags | O_APPEND | (again ? 0 : O_TRUNC), 0644);
    if (s->list < 0) return io_error(err, s->list_path, "cannot open");
    if (again) return DOCKET_OK;
    if (ftruncate(s->fd, 0) != 0 || ftruncate(s->fd, (off_t)s->size) != 0)
        return io_error(err, s->path, "cannot set its size");
    return file_write_all(s->list, head, strlen(head), s->list_path, err);
}

static void stop_with(struct state *s, enum status status, const struct error *error)
{
    if (s->status == DOCKET_OK) {
        s->status = status;
        s->error = *error;
        if (error->code != CODE_NONE || status == DOCKET_NETWORK) error_prefix(&s->error, "%s", s->transfer->name);
    }
    atomic_store(&s->over, true);
    pthread_cond_broadcast(&s->changed);
}

/* The next run of pieces that nobody has; false if there is none. */
static bool take_run(struct state *s, size_t *first, size_t *n)
{
    size_t at = 0;
    if (s->no_ranges) { /* all or nothing, by one connection */
        bool left = false;
        if (s->busy > 0) return false;
        for (size_t i = 0; i < s->n_pieces; i++) left = left || s->pieces[i] == FREE;
        *first = 0;
        *n = s->n_pieces;
        for (size_t i = 0; left && i < s->n_pieces; i++)
            if (s->pieces[i] == FREE) s->pieces[i] = TAKEN;
        return left;
    }
    while (at < s->n_pieces && s->pieces[at] != FREE) at++;
    *first = at;
    /* Towards the end the runs get shorter, so that no connection is left alone with a long one. */
    size_t left = 0, most;
    for (size_t i = at; i < s->n_pieces; i++) left += s->pieces[i] == FREE;
    most = left / (2 * (size_t)s->running + 1) + 1;
    if (most > RUN_PIECES) most = RUN_PIECES;
    for (*n = 0; *n < most && at + *n < s->n_pieces && s->pieces[at + *n] == FREE; ++*n) s->pieces[at + *n] = TAKEN;
    return *n > 0;
}

struct run {
    struct state *state;
    uint64_t done_to; /* all before it was written in this run, from a piece's start on */
    enum status status;
    struct error error;
};

/* Writes what came; a piece that is whole now goes on the list. */
static bool take_bytes(void *context, uint64_t offset, const char *bytes, size_t length)
{
    struct run *run = context;
    struct state *s = run->state;
    if (atomic_load(&s->over)) return false;
    atomic_fetch_add(s->transfer->bytes, length);
    for (size_t done = 0; done < length;) {
        ssize_t n = pwrite(s->fd, bytes + done, length - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            run->status = io_error(&run->error, s->path, "cannot write");
            return false;
        }
        done += (size_t)n;
    }
    uint64_t end = offset + length;
    for (;;) {
        size_t which = (size_t)(run->done_to / s->piece);
        uint64_t piece_end = ((uint64_t)which + 1) * s->piece < s->size ? ((uint64_t)which + 1) * s->piece : s->size;
        char line[16];
        if (run->done_to >= s->size || end < piece_end) return true;
        run->done_to = piece_end;
        pthread_mutex_lock(&s->lock);
        bool fresh = s->pieces[which] != DONE;
        snprintf(line, sizeof(line), "%08zx\n", which);
        if (fresh) run->status = file_write_all(s->list, line, 9, s->list_path, &run->error);
        if (fresh && run->status == DOCKET_OK) {
            s->pieces[which] = DONE;
            s->failures = 0;
            pthread_cond_broadcast(&s->changed);
        }
        pthread_mutex_unlock(&s->lock);
        if (run->status != DOCKET_OK) return false;
    }
}

/* The signed address of a file ends some day. */
static enum status renew_place(struct state *s, struct hub *hub, unsigned number, struct error *err)
{
    const struct transfer *t = s->transfer;
    struct hub_place fresh = {0};
    enum status st = hub_resolve(hub, &fresh, t->repository, t->commit, t->name, err);
    if (st != DOCKET_OK) return st;
    pthread_mutex_lock(&s->lock);
    if (strcmp(fresh.etag, s->place.etag) != 0 || fresh.size_bytes != s->place.size_bytes) {
        st = fail(err, DOCKET_CORRUPT, CODE_hub_answer_invalid, "the hub names another checksum or size than before");
    } else if (s->place_number == number) {
        struct hub_place old = s->place;
        s->place = fresh;
        fresh = old;
        s->place_number++;
    }
    pthread_mutex_unlock(&s->lock);
    hub_place_free(&fresh);
    return st;
}

/* One run, one try. Returns false when this connection is done for. */
static bool fetch_run(struct state *s, struct hub *hub, size_t first, size_t n)
{
    struct hub_place place = {0};
    struct run run = {.state = s, .done_to = (uint64_t)first * s->piece};
    struct error error = {0};
    double asked = -1;
    enum hub_got got = HUB_GOT_RANGE;
    uint64_t end = (uint64_t)(first + n) * s->piece;

    pthread_mutex_lock(&s->lock);
    unsigned number = s->place_number;
    place = s->place;
    place.url = str_dup(s->place.url);
    pthread_mutex_unlock(&s->lock);
    const struct hub_range range = {.first = (uint64_t)first * s->piece,
                                    .last = (end < s->size ? end : s->size) - 1,
                                    .total = s->size,
                                    .take = take_bytes,
                                    .context = &run,
                                    .stop = &s->over};
    enum status st = place.url ? hub_read(hub, &place, &range, &got, &asked, &error)
                               : fail(&error, DOCKET_NO_MEMORY, CODE_NONE, "no memory to ask the hub");
    hub_place_free(&place);
    if (run.status != DOCKET_OK) st = run.status, error = run.error;
    if (got == HUB_GOT_STALE && st != DOCKET_OK) {
        struct error inner = {0};
        enum status renewed = renew_place(s, hub, number, &inner);
        if (renewed == DOCKET_OK)
            st = DOCKET_NETWORK; /* and again, unless it goes on like that */
        else
            st = renewed, error = inner;
    }

    pthread_mutex_lock(&s->lock);
    for (size_t i = first; i < first + n; i++)
        if (s->pieces[i] == TAKEN) s->pieces[i] = FREE;
    bool only_whole = got == HUB_GOT_WHOLE && n < s->n_pieces;
    if (only_whole) s->no_ranges = true;
    pthread_cond_broadcast(&s->changed);
    bool go_on = st == DOCKET_OK || (only_whole && st == DOCKET_CANCELLED && !atomic_load(&s->over));
    unsigned failures = 0;
    if (!go_on && (st == DOCKET_NETWORK || st == DOCKET_TIMEOUT)) {
        failures = ++s->failures;
        go_on = failures < hub_max_failures(s->transfer->source) + s->running;
        if (!go_on) error_prefix(&error, "given up after %u tries", failures);
    }
    if (!go_on) stop_with(s, st, &error);
    pthread_mutex_unlock(&s->lock);
    if (failures && go_on) go_on = hub_wait(s->transfer->source, s->transfer->name, failures, asked, &error, &s->over);
    return go_on;
}

static void *connection(void *context)
{
    struct state *s = context;
    struct hub *hub = NULL;
    struct error error = {0};
    enum status st = hub_open(&hub, s->transfer->source, &error);
    pthread_mutex_lock(&s->lock);
    if (st != DOCKET_OK) stop_with(s, st, &error);
    while (!atomic_load(&s->over)) {
        size_t first, n;
        if (take_run(s, &first, &n)) {
            s->busy++;
            pthread_mutex_unlock(&s->lock);
            bool go_on = fetch_run(s, hub, first, n);
            pthread_mutex_lock(&s->lock);
            s->busy--;
            pthread_cond_broadcast(&s->changed);
            if (!go_on) break;
            continue;
        }
        bool left = false; /* what others have may come back */
        for (size_t i = 0; i < s->n_pieces && !left; i++) left = s->pieces[i] != DONE;
        if (!left) break;
        pthread_cond_wait(&s->changed, &s->lock);
    }
    s->running--;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    hub_close(hub);
    return NULL;
}

static bool stopped(const struct state *s)
{
    const atomic_bool *stop = s->transfer->source->stop;
    return stop && atomic_load(stop);
}

/* Waits for the piece; false if it will not come. */
static bool wait_for(struct state *s, size_t which)
{
    pthread_mutex_lock(&s->lock);
    while (s->pieces[which] != DONE && s->running > 0) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        uint64_t ns = (uint64_t)until.tv_nsec + TICK_NS;
        until.tv_sec += (time_t)(ns / NS_PER_SECOND);
        until.tv_nsec = (long)(ns % NS_PER_SECOND);
        pthread_cond_timedwait(&s->changed, &s->lock, &until);
        if (stopped(s)) {
            atomic_store(&s->over, true);
            pthread_cond_broadcast(&s->changed);
        }
        pthread_mutex_unlock(&s->lock);
        if (s->transfer->tick) s->transfer->tick(s->transfer->context);
        pthread_mutex_lock(&s->lock);
    }
    bool there = s->pieces[which] == DONE && !stopped(s);
    pthread_mutex_unlock(&s->lock);
    return there;
}

/* Sums the pieces up as they come. */
static enum status sum_up(struct state *s, struct error *err)
{
    struct digest *digest = NULL;
    char sum[DIGEST_HEX_BYTES] = "";
    char *bytes = mem_alloc(s->piece);
    enum status st = bytes ? DOCKET_OK : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for a checksum");
    if (st == DOCKET_OK)
        st = digest_open(&digest, strlen(s->etag) == 64 ? DIGEST_SHA256 : DIGEST_GIT_BLOB, s->size, err);
    for (size_t i = 0; st == DOCKET_OK && i < s->n_pieces; i++) {
        uint64_t at = (uint64_t)i * s->piece;
        size_t length = s->size - at < s->piece ? (size_t)(s->size - at) : s->piece;
        if (!wait_for(s, i)) {
            pthread_mutex_lock(&s->lock);
            st = s->status != DOCKET_OK ? s->status : fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
            if (s->status != DOCKET_OK && err) *err = s->error;
            pthread_mutex_unlock(&s->lock);
        } else if ((st = file_read_at(s->fd, bytes, length, at, s->path, err)) == DOCKET_OK) {
            digest_add(digest, bytes, length);
        }
    }
    if (st == DOCKET_OK && (!digest_end(digest, sum) || strcmp(sum, s->etag) != 0))
        st = fail(err, DOCKET_CORRUPT, CODE_model_checksum_wrong, "%s: the hub names %s, its bytes have %s",
                  s->transfer->name, s->etag, sum);
    digest_close(digest);
    mem_free(bytes);
    return st;
}

static enum status run_connections(struct state *s, struct error *err)
{
    pthread_t threads[MAX_CONNECTIONS];
    unsigned wanted = s->transfer->n_connections ? s->transfer->n_connections : TRANSFER_CONNECTIONS, started = 0;
    if (wanted > MAX_CONNECTIONS) wanted = MAX_CONNECTIONS;
    size_t missing = 0;
    for (size_t i = 0; i < s->n_pieces; i++) missing += s->pieces[i] != DONE;
    if (wanted > missing) wanted = (unsigned)missing;
    pthread_mutex_lock(&s->lock);
    s->running = wanted;
    pthread_mutex_unlock(&s->lock);
    while (started < wanted && pthread_create(&threads[started], NULL, connection, s) == 0) started++;
    pthread_mutex_lock(&s->lock);
    s->running -= wanted - started;
    pthread_mutex_unlock(&s->lock);
    enum status st = wanted > 0 && started == 0
                         ? fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no thread can be started for a connection")
                         : sum_up(s, err);
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->over, true);
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    for (unsigned i = 0; i < started; i++) pthread_join(threads[i], NULL);
    return st;
}

static enum status finish(struct state *s, const char *blob, struct error *err)
{
    char *slash;
    if (fsync(s->fd) != 0) return io_error(err, s->path, "cannot write to the disk");
    if (rename(s->path, blob) != 0) return io_error(err, blob, "cannot put it in its place");
    unlink(s->list_path);
    if ((slash = strrchr(s->path, '/'))) *slash = '\0';
    return file_sync_folder(s->path, err);
}

enum status transfer_blob(const struct transfer *transfer, const struct hub_place *place, struct error *err)
{
    struct state s = {.transfer = transfer, .etag = place->etag, .size = place->size_bytes, .fd = -1, .list = -1};
    pthread_mutex_init(&s.lock, NULL);
    pthread_cond_init(&s.changed, NULL);
    enum status st = DOCKET_OK;
    char *blob = cache_blob_path(transfer->cache, place->etag, "");
    s.piece = transfer->piece_bytes ? transfer->piece_bytes : TRANSFER_PIECE_BYTES;
    s.n_pieces = count_pieces(s.size, s.piece);
    s.path = cache_blob_path(transfer->cache, place->etag, ".docket.incomplete");
    s.list_path = cache_blob_path(transfer->cache, place->etag, ".docket.parts");
    s.place = *place;
    s.place.url = str_dup(place->url);
    s.pieces = mem_zalloc(s.n_pieces + 1, 1);
    if (!blob || !s.path || !s.list_path || !s.place.url || !s.pieces)
        st = fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory to fetch it", transfer->name);
    if (st == DOCKET_OK) st = open_files(&s, err);
    if (st == DOCKET_OK) st = run_connections(&s, err);
    if (st == DOCKET_OK) st = finish(&s, blob, err);
    if (s.fd >= 0) close(s.fd);
    if (s.list >= 0) close(s.list);
    if (st == DOCKET_CORRUPT && s.path && s.list_path) { /* nothing of it can be trusted */
        unlink(s.path);
        unlink(s.list_path);
    }
    hub_place_free(&s.place);
    mem_free(s.pieces);
    mem_free(s.path);
    mem_free(s.list_path);
    mem_free(blob);
    pthread_cond_destroy(&s.changed);
    pthread_mutex_destroy(&s.lock);
    return st;
}
