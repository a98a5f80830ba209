/* sandbox.h: documents are read in processes that can do no harm: a server, started before anything else is in this process's memory,
 * forks a child for each document; the child gets the bytes, and a pipe. What comes through the pipe is checked here. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_SANDBOX_H
#define DOCKET_HANDLERS_DOCUMENTS_SANDBOX_H

#include "handlers/documents/extract.h"

#include "worker/base/buffer.h"

/* Layers, one bit each. */
enum sandbox_layer {
    LAYER_LIMITS,    /* rlimits */
    LAYER_NO_PRIVS,  /* no new privileges, not dumpable, no capabilities */
    LAYER_LANDLOCK,  /* files and more, by the kernel's rules */
    LAYER_SECCOMP,   /* system calls */
    LAYER_EXEC_ONCE, /* a boxed program starts no other */
    N_LAYERS,
};
const char *sandbox_layer_name(enum sandbox_layer layer);

/* What the server says about itself when it is ready. */
struct sandbox_facts {
    unsigned layers;       /* bits that hold */
    unsigned landlock_abi; /* 0: the kernel has none */
    bool tested;           /* a child tried two forbidden acts, and failed */
    int pid, slim_pid;     /* of the server and its twin for light work; 0: there is none */
};

struct sandbox;
struct sandbox_options {
    double timeout_seconds; /* wall clock, a document; 60 */
    double silence_seconds; /* without a byte from the child; 20 */
    const char *mode;       /* for tests: passed to the server; NULL */
};

/* Starts the server; returns at once. To be called before there are threads, keys or devices. Fails with NO_MEMORY only. */
enum status sandbox_open(struct sandbox **out, const struct sandbox_options *options, struct error *err);
void sandbox_close(struct sandbox *s); /* NULL is fine */
/* Later, when settings are known; 0: as it is. */
void sandbox_set_times(struct sandbox *s, double timeout_seconds, double silence_seconds);
/* Waits until the server is ready. sandbox_unavailable if it does not come. */
enum status sandbox_ready(struct sandbox *s, struct sandbox_facts *facts, struct error *err);
/* "no_privileges seccomp landlock:7 …" */
void sandbox_describe(struct buffer *out, const struct sandbox_facts *facts);

/* As extract_document, in a child. Errors besides a reader's: document_extract_timeout, document_extract_memory, document_extract_crashed,
 * document_sandbox_violation, sandbox_unavailable. Several threads at a time. */
enum status sandbox_extract(struct sandbox *s, const struct extract_input *in, struct extract_receiver *to,
                            struct error *err);

/* A boxed program (boxes.h): bytes are its standard input, `output` gets its standard output as it is. */
struct box_run {
    const char *box; /* or NULL: `index`, for tests */
    size_t index;
    const void *bytes;
    size_t length;
    unsigned numbers[2]; /* for the %u of its arguments */
    const char *word;    /* for their %s: letters, digits, _ and +, at most 127; or NULL */
    double seconds;      /* for this run, silent or not; 0: as for documents */
    bool (*output)(void *context, const void *bytes,
                   size_t length); /* false: no more is wanted; the run then ends well */
    bool (*again)(void *context);  /* a second try begins: forget what came; NULL or false: there is none */
    void *context;
    int exit_code;
    char errors[2048]; /* the beginning of what it said on standard error; NUL-terminated; for us, not for answers */
    size_t n_errors;
};
/* DOCKET_OK with exit_code, or as sandbox_extract. */
enum status sandbox_run_box(struct sandbox *s, struct box_run *run, struct error *err);

/* The server's side: the first thing in main. true: this process is a server and has ended with *exit_code. */
bool sandbox_is_server(int argc, char **argv, int *exit_code);

#endif
