/* Any bytes as a job: read or refused with a code, and what is read keeps the schema's promises. */
#include "handlers/job_input.h"
#include "worker/base/json.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_label(const char *name)
{
    size_t bad;
    assert(name && name[0] && strlen(name) <= MAX_LABEL_BYTES && utf8_valid(name, strlen(name), &bad));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct job_input job = {0};
    struct error err = {0};
    size_t bad;
    enum status st = job_input_parse(&job, (const char *)data, size, &err);
    if (st != DOCKET_OK) {
        assert(st == DOCKET_BAD_INPUT && err.code != CODE_NONE && err.message[0]);
        assert(utf8_valid(err.message, strlen(err.message), &bad));
        assert(!job.tree && !job.labels && !job.documents);
        return 0;
    }
    assert(job.n_labels >= 2 && job.n_labels <= MAX_LABELS + 1);
    assert(job.n_documents <= MAX_DOCUMENTS && (job.n_documents >= 1) == !job.documents_url);
    assert(strlen(job.digest) == 64);
    for (size_t i = 0; i < job.n_labels; i++) {
        check_label(job.labels[i].name);
        assert(job.labels[i].threshold >= 0 && job.labels[i].threshold <= 1);
    }
    for (size_t i = 0; i < job.n_examples; i++) {
        assert(job.examples[i].text[0] && job.examples[i].n_labels >= 1);
        for (size_t k = 0; k < job.examples[i].n_labels; k++) check_label(job.examples[i].labels[k]);
    }
    for (size_t i = 0; i < job.n_documents; i++) {
        const struct document_input *d = &job.documents[i];
        assert(d->id && d->id[0] && strlen(d->id) <= MAX_ID_BYTES);
        assert((d->kind == SOURCE_INVALID) == (d->error.code != CODE_NONE));
        if (d->kind == SOURCE_INVALID) continue;
        assert(strlen(d->content) == d->content_length);
        assert(d->kind == SOURCE_BASE64 || utf8_valid(d->content, d->content_length, &bad));
    }
    job_input_free(&job);
    return 0;
}
