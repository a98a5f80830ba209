/* local.c: hands out its one job, prints the result, and then has no more. Knows neither network nor spool. */
#include "worker/queue/local.h"

#include "worker/base/alloc.h"
#include "worker/base/clock.h"
#include "worker/base/file.h"
#include "worker/base/json.h"
#include "worker/queue/job_text.h"

#include <string.h>

#define DEFAULT_ID    "local_test"
#define DEFAULT_FILE  "test_input.json"
#define MAX_JOB_BYTES (20 * MIB)

struct local {
    struct queue table;
    struct queue_take take; /* the job, until it is handed out */
    int fd;
    bool handed_out;
    atomic_bool answered, failed;
};

static void local_take(void *self, unsigned n_wanted, bool in_progress, const atomic_bool *stop, struct queue_take *out)
{
    struct local *q = self;
    (void)n_wanted;
    (void)in_progress;
    (void)stop;
    memset(out, 0, sizeof(*out));
    out->answer.retry_after_seconds = -1;
    out->answer.verdict = QUEUE_FINISHED;
    if (q->handed_out) return;
    q->handed_out = true;
    MOVE(*out, q->take);
    out->answer.verdict = QUEUE_DONE;
    out->jobs[0].taken_at_ns = clock_now_ns();
}

/* The body is one object that docket wrote itself: a failed job's begins with, or has, the key "error" on its first level. */
static bool is_failure(const char *body, size_t length)
{
    cJSON *root = NULL;
    const struct json_limits limits = {
        .max_bytes = 64 * MIB, .max_depth = 64, .max_values = 10000000, .nul_in_values = true};
    bool failed =
        json_parse(&root, body, length, &limits, NULL) == DOCKET_OK && cJSON_GetObjectItemCaseSensitive(root, "error");
    cJSON_Delete(root);
    return failed;
}

static void local_result(void *self, unsigned poster, const char *job_id, const char *body, size_t body_bytes,
                         const atomic_bool *stop, struct queue_answer *out)
{
    struct local *q = self;
    struct buffer line = {0};
    (void)poster;
    (void)job_id;
    (void)stop;
    memset(out, 0, sizeof(*out));
    out->retry_after_seconds = -1;
    buffer_append_str(&line, "Job result: ");
    buffer_append(&line, body, body_bytes);
    buffer_append_char(&line, '\n');
    bool written =
        !line.failed && file_write_all(q->fd, line.data, line.length, "standard output", &out->error) == DOCKET_OK;
    atomic_store(&q->failed, !written || is_failure(body, body_bytes));
    atomic_store(&q->answered, true);
    buffer_free(&line);
    out->verdict = QUEUE_DONE; /* there is nobody to try again for */
}

enum status local_open(struct queue **out, const struct local_options *o, struct error *err)
{
    enum status st = DOCKET_OK;
    struct buffer text = {0};
    const char *name = o->test_input ? "--test-input" : o->file ? o->file : DEFAULT_FILE;
    struct local *q = mem_zalloc(1, sizeof(*q));
    if (!q) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the local job");
    buffer_init(&text, MAX_JOB_BYTES);
    if (o->test_input)
        buffer_append_str(&text, o->test_input);
    else if ((st = file_read_all(&text, name, err)) == DOCKET_NOT_FOUND)
        fail(err, st, CODE_NONE, "%s not found, exiting.", name); /* the SDK's words */
    if (st == DOCKET_OK) st = buffer_check(&text, name, err);
    if (st == DOCKET_OK) st = job_text_read_one(&q->take, text.data, text.length, DEFAULT_ID, 0, err);
    if (st != DOCKET_OK) goto failed;
    if (q->take.n_jobs == 0) {
        st = fail(err, DOCKET_BAD_INPUT, CODE_job_malformed, "%s: %s", name, q->take.last_malformed.message);
        goto failed;
    }
    const struct queue_job *job = &q->take.jobs[0];
    if (job->problem.code != CODE_NONE) {
        st = fail(err, DOCKET_BAD_INPUT, job->problem.code, "%s: %s", name, job->problem.message);
        goto failed;
    }
    if (job->input_length == 4 && memcmp(job->json + job->input_at, "null", 4) == 0) {
        st = fail(err, DOCKET_BAD_INPUT, CODE_job_field_invalid, "%s: input: want a value, got null", name);
        goto failed;
    }
    q->fd = o->fd;
    q->table = (struct queue){.self = q, .name = "local", .take = local_take, .result = local_result};
    buffer_free(&text);
    *out = &q->table;
    return DOCKET_OK;
failed:
    buffer_free(&text);
    local_close(&q->table);
    return st;
}

void local_close(struct queue *queue)
{
    if (!queue) return;
    struct local *q = (struct local *)queue; /* the table is its first member */
    queue_take_free(&q->take);
    mem_free(q);
}

int local_exit_code(const struct queue *queue)
{
    const struct local *q = (const struct local *)queue;
    return atomic_load(&q->answered) && !atomic_load(&q->failed) ? 0 : 1;
}
