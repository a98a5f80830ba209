/* reader.h: a job's documents, fetched and read by threads ahead of whoever takes them, and handed out in the order of the input:
 * which of them came first changes nothing. Knows no model and no labels. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_READER_H
#define DOCKET_HANDLERS_DOCUMENTS_READER_H

#include "handlers/documents/document.h"
#include "worker/http/download.h"

struct reader_options {
    struct document_limits limits; /* root is borrowed until close */
    struct download_options downloads;
    size_t max_download_bytes; /* of one file from a URL, besides limits.max_bytes; 0: no further limit */
    size_t n_fetches;          /* URLs of one job that are fetched at one time; 0: 16 */
    size_t n_readings;         /* documents of one job that are read at one time; 0: 2 */
    size_t n_ahead;            /* documents of one job that are begun before they are wanted; 0: 64 */
    size_t
        held_bytes; /* of all jobs, fetched and read ahead; the document that a job waits for may exceed it; 0: 128 MiB */
};

/* What the jobs of a process share. */
struct reader;
enum status reader_open(struct reader **out, const struct reader_options *options, struct error *err);
void reader_close(struct reader *reader); /* NULL is fine; no ahead may be open */
/* What counts against held_bytes now. Any thread. */
size_t reader_held_bytes(const struct reader *reader);

/* The list that input->documents_url names, fetched and read into `input`. Job codes: job_field_invalid (the URL, the list),
 * job_too_large, documents_list_unreachable; or CANCELLED, NO_MEMORY. */
enum status reader_fetch_list(struct reader *reader, struct job_input *input, const atomic_bool *stop,
                              struct error *err);

/* Whether `url` is one that may be written to: errors as of url_guard_read. */
enum status reader_allows_url(const struct reader *reader, const char *url, struct error *err);
/* Puts bytes there, see upload(). */
enum status reader_upload(struct reader *reader, const struct upload_request *request, struct error *err);

struct ahead_options {
    const struct job_input *input;
    const atomic_bool *stop;
    bool one_by_one; /* nothing ahead: each document is read when it is asked for, in the caller's thread */
    /* Called by any thread with the ids of the documents that are being read. */
    void (*phase)(void *context, const char *phase, const char *items);
    void *context;
    const struct document_limits *limits; /* as the job wants them; NULL: the reader's */
};

/* One job's. Input, stop, context and limits are borrowed until end. One thread calls these. */
struct ahead;
enum status ahead_begin(struct ahead **out, struct reader *reader, const struct ahead_options *options,
                        struct error *err);
/* true when the next document can be had without waiting. */
bool ahead_ready(struct ahead *ahead);
/* The next of the input's documents, into an empty list: itself, or the members of an archive. Fails with NO_MEMORY or CANCELLED
 * only. Not to be called more often than there are documents. */
enum status ahead_next(struct ahead *ahead, struct document_list *out, struct error *err);
/* Stops what is under way and frees all. NULL is fine. */
void ahead_end(struct ahead *ahead);

#endif
