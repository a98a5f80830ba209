/* job_input_parts.h: what the two halves of the job's schema share: labels and options, and the documents around them. */
#ifndef DOCKET_HANDLERS_JOB_INPUT_PARTS_H
#define DOCKET_HANDLERS_JOB_INPUT_PARTS_H

#include "handlers/job_input.h"
#include "worker/base/json.h"

/* A job while it is read. Strings that are made up are kept in `made`, an array inside the tree. */
struct job_reader {
    struct job_input *job;
    const cJSON *input;
    const cJSON *parameters; /* of the zero-shot shape, or NULL */
    cJSON *made;
    struct error *err;
};

/* The parts of `input`, in this order. */
enum status job_read_options(struct job_reader *r);
enum status job_read_labels(struct job_reader *r);
enum status job_read_examples(struct job_reader *r);
enum status job_read_instructions(struct job_reader *r);
enum status job_read_documents(struct job_reader *r);
/* id or custom_id of a document object; NULL where there is none. Needs no memory. */
enum status job_read_id(struct job_reader *r, struct document_input *d, const cJSON *object, const char *path);
enum status job_read_output(struct job_reader *r);
/* One document object into *d. */
enum status job_read_document(struct job_reader *r, struct document_input *d, const cJSON *item, const char *path);

/* A string from which U+0000 is dropped and counted (n_nul may be NULL), or in which it is refused. */
enum status job_get_text(struct job_reader *r, const cJSON *object, const char *path, const char *key, const char **out,
                         size_t *n_nul, bool *present);
enum status job_get_plain(struct job_reader *r, const cJSON *object, const char *path, const char *key,
                          const char **out, bool *present);
size_t job_drop_nul(char *text);
bool job_only_space(const char *text);
/* The first of the keys that has a value: job_field_invalid, comes in a later version. */
enum status job_refuse_later(struct job_reader *r, const cJSON *object, const char *path, const char *const *keys);
/* ocr_languages of an object, as tesseract takes them: "eng+deu". Stays as it is where there are none. */
enum status job_get_languages(struct job_reader *r, const cJSON *object, const char *path, const char **out);
/* A copy that lives as long as the tree; NULL: no memory. */
const char *job_keep_string(struct job_reader *r, const char *text);
enum status job_no_memory(struct job_reader *r);

#endif
