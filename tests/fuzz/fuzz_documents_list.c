/* Any bytes as the list at documents_url: a document or an error for each line, with ids that differ. */
#include "handlers/job_input.h"
#include "worker/base/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "{\"input\":{\"labels\":[\"a\",\"b\"],\"documents_url\":\"u\"}}";
    struct job_input job = {0};
    struct error err = {0};
    size_t bad, line = 0;
    assert(job_input_parse(&job, text, sizeof(text) - 1, &err) == DOCKET_OK);
    if (job_input_add_list(&job, (const char *)data, size, &err) != DOCKET_OK) {
        assert(err.status == DOCKET_BAD_INPUT && err.code == CODE_job_field_invalid);
        job_input_free(&job);
        return 0;
    }
    assert(job.n_documents >= 1 && job.n_documents <= MAX_DOCUMENTS);
    const char **ids = malloc(job.n_documents * sizeof(*ids));
    assert(ids);
    for (size_t i = 0; i < job.n_documents; i++) {
        const struct document_input *d = &job.documents[i];
        assert(d->line > line);
        line = d->line;
        assert(d->id && d->id[0] && strlen(d->id) <= MAX_ID_BYTES && utf8_valid(d->id, strlen(d->id), &bad));
        ids[i] = d->id;
        if (d->kind == SOURCE_INVALID)
            assert(d->error.code == CODE_document_source_invalid &&
                   utf8_valid(d->error.message, strlen(d->error.message), &bad));
        else
            assert(strlen(d->content) == d->content_length && d->error.code == CODE_NONE);
    }
    qsort(ids, job.n_documents, sizeof(*ids), by_text);
    for (size_t i = 1; i < job.n_documents; i++) assert(strcmp(ids[i - 1], ids[i]) != 0);
    free(ids);
    job_input_free(&job);
    return 0;
}
