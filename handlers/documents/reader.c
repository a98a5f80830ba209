/* reader.c: the threads of a job that fetch and read ahead, and what holds them back: the order of the input, places at hosts, bytes. */
#include "handlers/documents/reader.h"

#include "handlers/job_input.h"
#include "worker/base/alloc.h"
#include "worker/base/clock.h"

#include <pthread.h>
#include <string.h>

#define POLL_NS      (50 * NS_PER_MS) /* how late a stop, or a place that a host has again, may be seen */
#define MAX_THREADS  64
#define PHASE_BYTES  4096
#define LIST_BYTES   (32 * MIB)
#define THREAD_STACK (1024 * KIB)

struct reader {
    struct reader_options options;
    struct downloads *downloads;
    atomic_size_t held; /* bytes of all jobs */
};

enum state { WAITS, FETCHING, READING, READ };

struct slot {
    enum state state;
    uint64_t host;
    size_t held; /* bytes of it that count */
    struct document_list list;
    enum status status; /* of READ: OK, NO_MEMORY or CANCELLED */
    struct error error;
};

struct ahead {
    struct reader *reader;
    struct ahead_options options;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct slot *slots;                 /* one a document of the input */
    size_t n, taken, n_reading, n_idle; /* of the threads: those that could begin something */
    atomic_bool cancel;                 /* what downloads watch: the end, or the job's stop */
    pthread_t threads[MAX_THREADS];
    size_t n_threads;               /* of the caller's thread alone */
    struct download_client *client; /* of the caller's thread */
};

enum status reader_open(struct reader **out, const struct reader_options *options, struct error *err)
{
    struct reader *r = mem_zalloc(1, sizeof(*r));
    if (!r) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read documents");
    r->options = *options;
    struct reader_options *o = &r->options;
    if (o->n_fetches == 0) o->n_fetches = 16;
    if (o->n_fetches > MAX_THREADS) o->n_fetches = MAX_THREADS;
    if (o->n_readings == 0) o->n_readings = 2;
    if (o->n_ahead == 0) o->n_ahead = 64;
    if (o->held_bytes == 0) o->held_bytes = 128 * MIB;
    enum status st = downloads_open(&r->downloads, &o->downloads, err);
    if (st == DOCKET_OK)
        *out = r;
    else
        mem_free(r);
    return st;
}

void reader_close(struct reader *reader)
{
    if (!reader) return;
    downloads_close(reader->downloads);
    mem_free(reader);
}

size_t reader_held_bytes(const struct reader *reader)
{
    return atomic_load(&reader->held);
}

static size_t most_bytes(const struct reader *r)
{
    size_t of_document = r->options.limits.max_bytes ? r->options.limits.max_bytes : 64 * MIB;
    size_t of_download = r->options.max_download_bytes;
    return of_download && of_download < of_document ? of_download : of_document;
}

/* Under the lock. The document that the job waits for is never held back, so that the others' bytes are freed in time. */
static bool may_hold(const struct ahead *a, size_t i, size_t bytes)
{
    if (i == a->taken) return true;
    size_t others = atomic_load(&a->reader->held) - a->slots[i].held;
    return bytes <= a->reader->options.held_bytes && others <= a->reader->options.held_bytes - bytes;
}

static void hold(struct ahead *a, size_t i, size_t bytes)
{
    struct slot *s = &a->slots[i];
    if (bytes >= s->held)
        atomic_fetch_add(&a->reader->held, bytes - s->held);
    else
        atomic_fetch_sub(&a->reader->held, s->held - bytes);
    s->held = bytes;
}

struct room {
    struct ahead *ahead;
    size_t i;
};

static bool ask_room(void *context, size_t bytes)
{
    const struct room *room = context;
    struct ahead *a = room->ahead;
    pthread_mutex_lock(&a->lock);
    bool yes = may_hold(a, room->i, bytes);
    if (yes) hold(a, room->i, bytes);
    pthread_mutex_unlock(&a->lock);
    return yes;
}

static bool stopped(const struct ahead *a)
{
    return atomic_load(&a->cancel) || (a->options.stop && atomic_load(a->options.stop));
}

/* Waits a moment, or until something changed; under the lock. */
static void wait_changed(struct ahead *a)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + POLL_NS;
    until.tv_sec += (time_t)(ns / NS_PER_SECOND);
    until.tv_nsec = (long)(ns % NS_PER_SECOND);
    pthread_cond_timedwait(&a->changed, &a->lock, &until);
    if (a->options.stop && atomic_load(a->options.stop)) atomic_store(&a->cancel, true);
}

static size_t text_bytes(const struct document_list *list)
{
    size_t sum = 0;
    for (size_t i = 0; i < list->n; i++) sum += list->items[i].text_length;
    return sum;
}

/* The last part of the URL's path, as a name for the file; NULL: it has none. false: no memory. */
static bool name_in_url(char **out, const char *url)
{
    const char *path = strstr(url, "://");
    path = path ? path + 3 : url;
    size_t end = strcspn(path, "?#"), begin = end;
    while (begin > 0 && path[begin - 1] != '/') begin--;
    size_t host = strcspn(path, "/?#");
    *out = NULL;
    if (begin <= host || begin == end) return true;
    char *name = str_dup_n(path + begin, end - begin), *to = name;
    if (!name) return false;
    for (const char *p = name; *p; p++) {
        static const char digits[] = "0123456789abcdef";
        const char *high = p[0] == '%' && p[1] ? strchr(digits, p[1] | 0x20) : NULL;
        const char *low = high && p[2] ? strchr(digits, p[2] | 0x20) : NULL;
        int byte = low ? (int)((high - digits) * 16 + (low - digits)) : 0;
        if (byte) p += 2;
        *to++ = byte ? (char)byte : *p;
    }
    *to = '\0';
    *out = name;
    return true;
}

/* Waits for its turn to read and says what is being read. */
static bool begin_reading(struct ahead *a, size_t i)
{
    char ids[PHASE_BYTES] = "";
    size_t length = 0;
    pthread_mutex_lock(&a->lock);
    while (a->n_reading >= a->reader->options.n_readings && i != a->taken && !stopped(a)) wait_changed(a);
    bool go = !stopped(a);
    if (go) {
        a->n_reading++;
        a->slots[i].state = READING;
        size_t last = a->taken + a->reader->options.n_ahead;
        for (size_t k = a->taken; k < a->n && k <= last; k++) {
            const char *id = a->options.input->documents[k].id;
            size_t n = strlen(id);
            if (a->slots[k].state != READING || length + n + 3 > sizeof(ids)) continue;
            if (length) {
                memcpy(ids + length, ", ", 2);
                length += 2;
            }
            memcpy(ids + length, id, n + 1);
            length += n;
        }
    }
    pthread_mutex_unlock(&a->lock);
    if (go && a->options.phase) a->options.phase(a->options.context, "read", ids);
    return go;
}

static void end_reading(struct ahead *a)
{
    pthread_mutex_lock(&a->lock);
    a->n_reading--;
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

static enum status fetch_and_read(struct ahead *a, size_t i, struct download_client *client, struct document_list *list,
                                  struct error *err)
{
    const struct document_input *in = &a->options.input->documents[i];
    const struct document_limits *limits = a->options.limits ? a->options.limits : &a->reader->options.limits;
    struct room room = {a, i};
    struct buffer bytes = {0};
    struct error why = {0};
    char *name = NULL;
    enum status st = DOCKET_OK;
    bool fetched = in->kind == SOURCE_URL;
    uint64_t begun = clock_now_ns();
    if (fetched) {
        const struct download_request request = {.url = in->content,
                                                 .host = a->slots[i].host,
                                                 .max_bytes = most_bytes(a->reader),
                                                 /* Nobody else would pass the job's stop on to it. */
                                                 .stop = client == a->client ? a->options.stop : &a->cancel,
                                                 .room = ask_room,
                                                 .context = &room};
        st = download(client, &request, &bytes, &why);
        if (!in->filename && !name_in_url(&name, in->content))
            st = fail(&why, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read a document");
    }
    const struct document_bytes got = {.filename = name,
                                       .bytes = bytes.data,
                                       .length = bytes.length,
                                       .why = st != DOCKET_OK ? &why : NULL,
                                       .seconds = clock_seconds_since(begun)};
    if (st == DOCKET_NO_MEMORY || st == DOCKET_CANCELLED)
        *err = why;
    else if (!begin_reading(a, i))
        st = fail(err, DOCKET_CANCELLED, CODE_NONE, "stopped");
    else {
        st = fetched ? documents_read_got(list, a->options.input, i, &got, limits, err)
                     : documents_read(list, a->options.input, i, limits, err);
        end_reading(a);
    }
    buffer_free(&bytes);
    mem_free(name);
    return st;
}

/* One document from beginning to end; its slot is FETCHING. */
static void work_on(struct ahead *a, size_t i, struct download_client *client)
{
    struct document_list list = {0};
    struct error err = {0};
    enum status st = fetch_and_read(a, i, client, &list, &err);
    pthread_mutex_lock(&a->lock);
    struct slot *s = &a->slots[i];
    s->list = list;
    s->status = st;
    s->error = err;
    s->state = READ;
    hold(a, i, text_bytes(&list));
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
}

/* The first document that may begin, under the lock; its host's place is then taken. a->n: none now. *left: some will be later. */
static size_t pick(struct ahead *a, bool *left)
{
    size_t last = a->taken + a->reader->options.n_ahead;
    *left = last < a->n;
    if (last > a->n) last = a->n;
    for (size_t i = a->taken; i < last; i++) {
        struct slot *s = &a->slots[i];
        if (s->state != WAITS) continue;
        *left = true;
        const struct document_input *in = &a->options.input->documents[i];
        if (!may_hold(a, i, in->kind == SOURCE_URL ? 1 : in->content_length)) continue;
        if (!downloads_enter(a->reader->downloads, s->host)) continue;
        s->state = FETCHING;
        return i;
    }
    return a->n;
}

static void *thread_run(void *context)
{
    struct ahead *a = context;
    struct download_client *client = NULL;
    bool left = download_client_open(&client, a->reader->downloads, NULL) == DOCKET_OK;
    pthread_mutex_lock(&a->lock);
    while (left && !stopped(a)) {
        size_t i = pick(a, &left);
        if (i == a->n) {
            a->n_idle++;
            if (left) wait_changed(a);
            a->n_idle--;
            continue;
        }
        pthread_mutex_unlock(&a->lock);
        work_on(a, i, client);
        pthread_mutex_lock(&a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    download_client_close(client);
    return NULL;
}

static void start_threads(struct ahead *a)
{
    const struct reader_options *o = &a->reader->options;
    bool urls = false;
    for (size_t i = 0; i < a->n && !urls; i++) urls = a->options.input->documents[i].kind == SOURCE_URL;
    size_t want = urls ? o->n_fetches : o->n_readings;
    if (want > a->n) want = a->n;
    if (want > MAX_THREADS) want = MAX_THREADS;
    if (a->options.one_by_one || a->n < 2) want = 0;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    while (a->n_threads < want && pthread_create(&a->threads[a->n_threads], &attributes, thread_run, a) == 0)
        a->n_threads++; /* fewer are slower, and that is all */
    pthread_attr_destroy(&attributes);
}

enum status ahead_begin(struct ahead **out, struct reader *reader, const struct ahead_options *options,
                        struct error *err)
{
    struct ahead *a = mem_zalloc(1, sizeof(*a));
    if (!a) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read documents");
    pthread_condattr_t monotonic;
    a->reader = reader;
    a->options = *options;
    a->n = options->input->n_documents;
    pthread_mutex_init(&a->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&a->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    a->slots = mem_zalloc(a->n, sizeof(*a->slots));
    enum status st = a->slots ? download_client_open(&a->client, reader->downloads, err)
                              : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to read documents");
    if (st != DOCKET_OK) {
        ahead_end(a);
        return st;
    }
    for (size_t i = 0; i < a->n; i++)
        if (options->input->documents[i].kind == SOURCE_URL)
            a->slots[i].host = downloads_host(reader->downloads, options->input->documents[i].content);
    start_threads(a);
    *out = a;
    return DOCKET_OK;
}

bool ahead_ready(struct ahead *a)
{
    pthread_mutex_lock(&a->lock);
    bool ready = a->taken < a->n && (a->slots[a->taken].state == READ || a->n_threads == 0);
    pthread_mutex_unlock(&a->lock);
    return ready;
}

/* The caller does it: there are no threads, or all wait for bytes that are held by what comes behind it. Under the lock. */
static void read_here(struct ahead *a)
{
    struct slot *s = &a->slots[a->taken];
    s->state = FETCHING;
    pthread_mutex_unlock(&a->lock);
    bool entered = downloads_enter(a->reader->downloads, s->host);
    while (!entered && clock_sleep(0.05, a->options.stop)) entered = downloads_enter(a->reader->downloads, s->host);
    if (entered) work_on(a, a->taken, a->client);
    pthread_mutex_lock(&a->lock);
}

enum status ahead_next(struct ahead *a, struct document_list *out, struct error *err)
{
    pthread_mutex_lock(&a->lock);
    struct slot *s = &a->slots[a->taken];
    while (s->state != READ && !stopped(a)) {
        if (s->state == WAITS && a->n_idle == 0)
            read_here(a);
        else
            wait_changed(a);
    }
    enum status st = s->state == READ ? s->status : DOCKET_CANCELLED;
    if (stopped(a)) st = DOCKET_CANCELLED;
    if (st == DOCKET_OK) {
        MOVE(*out, s->list);
        hold(a, a->taken, 0);
        a->taken++;
        pthread_cond_broadcast(&a->changed);
    } else if (st == DOCKET_CANCELLED)
        fail(err, st, CODE_document_not_reached, "the job was stopped");
    else if (err)
        *err = s->error;
    pthread_mutex_unlock(&a->lock);
    return st;
}

void ahead_end(struct ahead *a)
{
    if (!a) return;
    pthread_mutex_lock(&a->lock);
    atomic_store(&a->cancel, true);
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&a->lock);
    for (size_t i = 0; i < a->n_threads; i++) pthread_join(a->threads[i], NULL);
    for (size_t i = 0; a->slots && i < a->n; i++) {
        hold(a, i, 0);
        document_list_free(&a->slots[i].list);
    }
    download_client_close(a->client);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    mem_free(a->slots);
    mem_free(a);
}

/* Lists */

static enum status say_unreachable(const struct error *why, struct error *err)
{
    switch (why->code) {
    case CODE_url_invalid:
    case CODE_url_scheme_not_allowed:
    case CODE_url_address_blocked:
    case CODE_url_redirect_refused:
        return fail(err, why->status, CODE_job_field_invalid, "documents_url: %.400s", why->message);
    case CODE_fetch_too_large:
        return fail(err, DOCKET_LIMIT, CODE_job_too_large, "documents_url: %.400s", why->message);
    default:
        return fail(err, DOCKET_NETWORK, CODE_documents_list_unreachable, "documents_url: %.400s", why->message);
    }
}

static enum status fetch_list(struct reader *r, const char *url, const atomic_bool *stop, struct buffer *out,
                              struct error *err)
{
    struct download_client *client = NULL;
    struct error why = {0};
    struct download_request request = {.url = url,
                                       .host = downloads_host(r->downloads, url),
                                       .max_bytes = most_bytes(r) < LIST_BYTES ? most_bytes(r) : LIST_BYTES,
                                       .stop = stop};
    enum status st = download_client_open(&client, r->downloads, err);
    if (st != DOCKET_OK) return st;
    while (!downloads_enter(r->downloads, request.host))
        if (!clock_sleep(0.05, stop)) {
            download_client_close(client);
            return fail(err, DOCKET_CANCELLED, CODE_document_not_reached, "the job was stopped");
        }
    st = download(client, &request, out, &why);
    download_client_close(client);
    if (st == DOCKET_OK) return st;
    if (st == DOCKET_CANCELLED) return fail(err, st, CODE_document_not_reached, "the job was stopped");
    if (st == DOCKET_NO_MEMORY) return fail(err, st, CODE_NONE, "no memory for the list at documents_url");
    return say_unreachable(&why, err);
}

/* JSON lines as they are, or what they were packed in (gzip, zstd): read as a document, whose limits then hold. */
static bool is_packed(const struct buffer *bytes)
{
    unsigned char first = bytes->length ? (unsigned char)bytes->data[0] : 0;
    return first == 0x1f || first == 0x28 || first == 'B' || first == 0xfd;
}

static enum status unpack_list(const struct reader *r, const struct buffer *bytes, struct document_list *out,
                               struct error *err)
{
    struct document_limits limits = r->options.limits;
    limits.max_bytes = LIST_BYTES;
    limits.max_expanded = LIST_BYTES;
    limits.max_members = 1;
    limits.max_depth = 1;
    enum status st = documents_from_bytes(out, "documents_url", NULL, bytes->data, bytes->length, &limits, err);
    if (st != DOCKET_OK) return st;
    if (out->n == 1 && out->items[0].error.code == CODE_NONE) return DOCKET_OK;
    return fail(err, DOCKET_BAD_INPUT, CODE_job_field_invalid,
                "documents_url: want lines of JSON, plain or packed: %.400s",
                out->n ? out->items[out->n - 1].error.message : "empty");
}

enum status reader_fetch_list(struct reader *reader, struct job_input *input, const atomic_bool *stop,
                              struct error *err)
{
    struct buffer bytes = {0};
    struct document_list unpacked = {0};
    enum status st = fetch_list(reader, input->documents_url, stop, &bytes, err);
    bool packed = st == DOCKET_OK && is_packed(&bytes);
    if (packed) st = unpack_list(reader, &bytes, &unpacked, err);
    if (st != DOCKET_OK) goto done;
    if (packed)
        st = job_input_add_list(input, unpacked.items[0].text, unpacked.items[0].text_length, err);
    else
        st = job_input_add_list(input, bytes.length ? bytes.data : "", bytes.length, err);
done:
    document_list_free(&unpacked);
    buffer_free(&bytes);
    return st;
}

enum status reader_allows_url(const struct reader *reader, const char *url, struct error *err)
{
    return downloads_allow(reader->downloads, url, err);
}

enum status reader_upload(struct reader *reader, const struct upload_request *request, struct error *err)
{
    struct download_client *client = NULL;
    enum status st = download_client_open(&client, reader->downloads, err);
    if (st == DOCKET_OK) st = upload(client, request, err);
    download_client_close(client);
    return st;
}
