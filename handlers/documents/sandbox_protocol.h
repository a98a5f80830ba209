/* sandbox_protocol.h: what the two sides of the sandbox say to each other. Both are the same program, so structs travel as they are. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_SANDBOX_PROTOCOL_H
#define DOCKET_HANDLERS_DOCUMENTS_SANDBOX_PROTOCOL_H

#include "handlers/documents/sandbox.h"

#include <sys/types.h>

#define SERVER_WORD      "extract-server" /* the hidden subcommand */
#define SERVER_SOCKET    3                /* the descriptor that the server finds it at */
#define SERVER_MAGIC     0x646f636bu
#define EXIT_NOT_ENTERED 112 /* of a child: a layer that should hold could not be put on */
#define EXIT_NOT_STARTED 113 /* of a child: the box's program is not there */
#define EXIT_NOT_LIGHT   114 /* of a child of the slim server: more than plain text, nothing was said yet */

/* Server → worker, first; with it comes the socket of its twin, the slim server, which takes the same requests. */
struct hello {
    uint32_t magic;
    uint32_t layers, landlock_abi, tested;
    int32_t slim_pid; /* 0: there is none */
};

/* Worker → server, with descriptors: input, output, control, errors. */
enum { FD_INPUT, FD_OUTPUT, FD_CONTROL, FD_ERRORS, N_REQUEST_FDS };
struct request {
    uint32_t magic;
    uint32_t boxed; /* 0: a reader of ours */
    uint32_t light; /* for the slim server: to be read only if extract_light can */
    uint32_t box, numbers[2];
    uint32_t has_filename;
    uint64_t length, max_characters, max_members, max_part_bytes, max_expanded;
    char filename[256];
    char word[128];
};

/* Server → worker, on the control socket: that the child runs, and how it ended. What the worker sends there, or its hanging up, kills. */
struct child_started {
    uint32_t magic;
};
struct child_ended {
    uint32_t magic;
    int32_t status;
    uint32_t killed; /* by us */
    uint64_t cpu_us, peak_kb;
};

/* In the slim server, which has forked from the other: lets go of all libraries but those of light work. No exit() after it. */
void slim_shed_libraries(void);

/* For tests, whose programs are servers too. */
struct server_hooks {
    extractor *replace;      /* instead of all readers */
    const struct box *boxes; /* instead of boxes.c */
    size_t n_boxes;
    bool hasty; /* no pause after crashes */
};
bool sandbox_is_server_with(int argc, char **argv, const struct server_hooks *hooks, int *exit_code);

#endif
