/* readers.h: how the files of this folder work together. Nobody else includes it, but for tests and fuzz targets. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_READERS_H
#define DOCKET_HANDLERS_DOCUMENTS_READERS_H

#include "handlers/documents/document.h"

/* base64.c: standard and URL alphabet, white space anywhere; padding may be left out but must not be wrong. Errors
 * (content_base64_invalid, NO_MEMORY) name the offset. */
enum status base64_decode(struct buffer *out, const char *text, size_t length, struct error *err);

/* source.c: the regular file at `path` beneath `root`, without following any link and without blocking on anything. Error codes
 * path_not_allowed, path_not_found, path_not_regular_file, document_too_large, document_corrupt (cannot be read); NO_MEMORY. */
enum status source_read_path(struct buffer *out, const char *root, const char *path, size_t max_bytes,
                             struct error *err);
/* openat beneath a folder, no links: by openat2, or part by part where the kernel has none. -1 with errno. */
int source_open_beneath(int root_fd, const char *path, int flags);
int source_open_parts(int root_fd, const char *path, int flags);

/* sniff.c: what bytes are. */
enum document_kind {
    KIND_TEXT,
    KIND_ZIP,
    KIND_TAR,
    KIND_7Z,
    KIND_RAR,
    KIND_GZIP, /* from here to KIND_LZ4: a compressed tar or a compressed single file */
    KIND_BZIP2,
    KIND_XZ,
    KIND_ZSTD,
    KIND_LZ4,
    KIND_LATER,  /* known; read if extract.c has a reader for its media type */
    KIND_UNREAD, /* known or unknown, and not read */
};
struct document_type {
    enum document_kind kind;
    const char *media_type;  /* NULL: unknown */
    const char *detected_by; /* "content" or "name" */
};
/* By content first, by name where content leaves it open. KIND_TEXT still has to be decoded, which may find that it is none. */
struct document_type sniff_bytes(const void *bytes, size_t length, const char *filename);
/* Bytes that begin as a PDF are one, whatever else they are. */
bool sniff_is_pdf(const void *bytes, size_t length);
/* Of decoded text: plain text and its relatives, or KIND_LATER (HTML, e-mail). */
struct document_type sniff_text(const char *text, size_t length, const char *filename);
/* The media type that a name stands for; NULL: none. */
const char *sniff_name(const char *filename);

/* text.c: UTF-8 from anywhere, piece by piece → what a reader would see. {0} is valid and freeable. */
struct text_cleaner {
    struct buffer out;
    size_t characters, hidden, controls;
    bool visible, carriage_return;
    unsigned char tail[4]; /* of a character that the next piece may finish */
    size_t n_tail;
};
bool text_clean(struct text_cleaner *k, const void *utf8,
                size_t length); /* false: no memory, or the ceiling of `out` */
/* What was cleaned becomes the document's: text, text_length, characters and the two counts, or document->error: document_empty,
 * document_no_text. Fails with NO_MEMORY. */
enum status text_finish(struct document *document, struct text_cleaner *k, struct error *err);
void text_cleaner_free(struct text_cleaner *k);
/* The first 64 KiB, decoded and cleaned, to tell kinds of text apart. false: the bytes are no text. */
bool text_look(struct text_cleaner *k, const void *bytes, size_t length);

/* names.c: names that can be shown. */
/* Parts joined by '/', without "..", roots and characters that act; at most 255 bytes a part and 1,024 in all, never empty. The
 * caller frees; NULL: no memory. */
char *name_clean(const char *raw, size_t length);
const char *name_last_part(const char *name);
/* Ids that are taken. {0} is valid and freeable. */
struct name_set {
    struct name_slot *slots;
    size_t n, capacity;
};
bool name_set_add(struct name_set *set, const char *id); /* false: no memory */
/* `id`, or "name (2).txt" and so on where that is taken; it is then taken. The caller frees; NULL: no memory. */
char *name_set_unique(struct name_set *set, const char *id);
void name_set_free(struct name_set *set);

/* document.c: one document of the input with everything inside it. */
struct open_archive {
    const char *sha256;
    const struct open_archive *outer;
};
struct reading {
    struct document_list *out;
    struct document_limits limits; /* none of them 0 */
    const struct job_input *input; /* whose ids members must not take; or NULL */
    struct name_set names;
    const struct open_archive *open; /* innermost; NULL outside of archives */
    size_t depth, n_members, n_folders;
    uint64_t expanded, max_expanded;
    struct error stop; /* a limit of the whole was reached: nothing more is read */
};
enum status document_start(struct document *d, const char *id, const char *filename, struct error *err);
/* Moves it into the list. */
enum status document_append(struct document_list *list, struct document *d, struct error *err);
/* reading.c: appends what the bytes are: one document or an archive's members. seconds: what it took to get them. */
enum status reading_add_bytes(struct reading *r, const char *id, const char *filename, const void *bytes, size_t length,
                              double seconds, struct error *err);
/* Appends a document that is nothing but its error. */
enum status reading_add_error(struct reading *r, const char *id, const char *filename, const struct error *why,
                              struct error *err);

/* The name to use in messages. */
const char *document_shown(const struct document *document);

#endif
