/* Any bytes as what a queue answers: to a take, to the stop channel, or as one job of a file. The first byte picks which. What comes out
 * can be answered: ids are fit for a URL, a job has its text or a problem. */
#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/queue/job_text.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_take(const struct queue_take *take, enum status st)
{
    size_t bad;
    assert(st == DOCKET_OK || st == DOCKET_NO_MEMORY);
    assert((take->n_malformed == 0) == (take->last_malformed.code == CODE_NONE));
    for (size_t i = 0; i < take->n_jobs; i++) {
        const struct queue_job *job = &take->jobs[i];
        assert(job_id_check(job->id, strlen(job->id), NULL) == DOCKET_OK);
        assert((job->json == NULL) == (job->problem.code != CODE_NONE));
        if (!job->json) continue;
        assert(utf8_valid(job->json, job->json_length, &bad));
        assert(job->input_at <= job->json_length && job->input_length <= job->json_length - job->input_at);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct queue_take take = {0};
    struct queue_stops stops = {0};
    struct error err = {0};
    if (size == 0) return 0;
    const char *text = (const char *)data + 1;
    size--;
    switch (data[0] % 4) {
    case 0:
    case 1:
        check_take(&take, job_text_read(&take, text, size, data[0] % 4, 1, &err));
        break;
    case 2:
        check_take(&take, job_text_read_one(&take, text, size, "local", 1, &err));
        break;
    default:
        if (job_text_read_stops(&stops, text, size, 16, &err) != DOCKET_OK) assert(err.message[0]);
        assert(stops.n_ids <= 16);
        for (size_t i = 0; i < stops.n_ids; i++) assert(stops.ids[i]);
    }
    queue_take_free(&take);
    queue_stops_free(&stops);
    return 0;
}
