/* job_input.h: the `input` of a classification job, checked and in plain structs. Knows the schema; reads no document. */
#ifndef DOCKET_HANDLERS_JOB_INPUT_H
#define DOCKET_HANDLERS_JOB_INPUT_H

#include "handlers/documents/document.h"
#include "worker/base/buffer.h"

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_LABELS      256 /* none_label comes on top */
#define MAX_DOCUMENTS   10000
#define MAX_LABEL_BYTES 100
#define MAX_EXAMPLES    32
#define MAX_ID_BYTES    512

struct label {
    const char *name; /* as given; unique once invisible characters are gone and white space is folded; case counts */
    const char *description; /* or NULL */
    double threshold;        /* of multi_label; options.threshold where the label has none */
};

struct example {
    const char *text;
    const char *labels[8]; /* names from the label set */
    size_t n_labels;
};

enum document_source_kind { SOURCE_TEXT, SOURCE_URL, SOURCE_BASE64, SOURCE_PATH, SOURCE_INVALID };

/* One element of `documents`, not read yet. */
struct document_input {
    const char *id;       /* given or made up */
    bool custom_id;       /* echo it as custom_id */
    const char *filename; /* or NULL */
    enum document_source_kind kind;
    const char *content; /* text, URL, base64 or path */
    size_t content_length;
    const char *ocr_languages;    /* "eng+deu", or NULL: the job's */
    size_t first_page, last_page; /* of a PDF or an image that are read, from 1; last 0: to the end; first 0: all */
    size_t nul_dropped;           /* NUL characters that were taken out of the text */
    size_t line;                  /* of the list at documents_url, from 1; 0: it stands in the job */
    struct error error;           /* of SOURCE_INVALID: document_source_invalid */
};

/* Where the results go besides: one JSON object a line. */
struct job_output {
    const char *url; /* or NULL: nowhere */
    enum output_packing { OUTPUT_PLAIN, OUTPUT_GZIP, OUTPUT_ZSTD } packing;
};

enum long_documents { LONG_TRUNCATE, LONG_CHUNK };

struct job_options {
    size_t top_k;     /* 0: all labels */
    double threshold; /* 0.5 */
    bool has_abstain;
    double abstain_below;
    const char *abstain_label;  /* or NULL */
    const char *none_label;     /* or NULL: one more label that means none of the others */
    size_t max_document_tokens; /* 0: what the context has room for */
    enum long_documents long_documents;
    enum ocr_mode ocr;
    const char *ocr_languages; /* "eng+deu", or NULL: as the worker is set */
    size_t ocr_max_pages;      /* 0: as the worker is set */
    bool calibrate;            /* true */
    bool return_text, refresh_worker;
};

/* Owns its strings through `tree`. {0} is valid and freeable. */
struct job_input {
    cJSON *tree; /* the whole job; metadata is at input.metadata, JSON_NUL_MARK where a string of it holds U+0000 */
    struct label *labels; /* none_label is appended as the last one when set */
    size_t n_labels;
    bool multi_label;
    const char *instructions; /* or NULL */
    struct example examples[MAX_EXAMPLES];
    size_t n_examples;
    struct document_input *documents;
    size_t n_documents;        /* 0 only with documents_url, until job_input_add_list */
    const char *documents_url; /* or NULL */
    struct job_options options;
    struct job_output output;
    bool has_metadata;
    char digest[65]; /* SHA-256 of the input's text as it was delivered */
};

/* From the text of a whole job (`{"id":…, "input": {…}}`). Errors name the JSON path below input (`labels[3].name: …`); keys of
 * the job beside input are the platform's and not looked at. null is the same as a key that is absent.
 *
 * Shapes that are read: `documents`, or exactly one of `text` (a string), `document` (a string, or an object as in documents),
 * `inputs` (a string or an array of strings), `documents_url` (a list that has yet to be fetched); labels in `labels` or in `parameters.candidate_labels` (array, or "a, b"), and
 * multi_label beside either. Defaults: threshold 0.5, calibrate true, the other switches false.
 * What later versions bring is job_field_invalid and says so: prompt, questions, openai_route,
 * openai_input, children of labels. `explain: false` changes nothing and is accepted;
 * true is refused.
 * U+0000 is dropped from texts (documents count it), and job_field_invalid in labels, ids, file names and paths. */
enum status job_input_parse(struct job_input *out, const char *job_json, size_t length, struct error *err);
/* The list that documents_url led to: one document a line, as in `documents`; empty lines do not count. A line that is none of
 * that, or whose id an earlier one has, is a document with an error that names the line. Fails with BAD_INPUT (job_field_invalid:
 * no document, more than MAX_DOCUMENTS) and NO_MEMORY; the input can then only be freed. */
enum status job_input_add_list(struct job_input *input, const char *lines, size_t length, struct error *err);
void job_input_free(struct job_input *input);

#endif
