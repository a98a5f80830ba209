/* sandbox_internal.h: how sandbox.c and sandbox_server.c work together. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_SANDBOX_INTERNAL_H
#define DOCKET_HANDLERS_DOCUMENTS_SANDBOX_INTERNAL_H

#include "handlers/documents/sandbox_protocol.h"

#include <pthread.h>

struct sandbox {
    struct sandbox_options options;
    pthread_mutex_t lock; /* of what follows */
    int socket;           /* to the server; -1: there is none */
    int slim;             /* to its twin, for light and boxed requests; -1: there is none, the server does its work */
    pid_t pid;
    bool ready;
    struct sandbox_facts facts;
    pthread_rwlock_t alone; /* read: a document among others; write: a second try by itself */
};

/* Whether there is a slim server to ask; what there is may go at any time. */
bool sandbox_has_slim(struct sandbox *s);
/* Sends a request and its descriptors; starts the server anew if it is gone. sandbox_unavailable. */
enum status sandbox_send(struct sandbox *s, const struct request *q, const int *fds, int *pid, struct error *err);

#endif
