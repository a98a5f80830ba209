/* id_list.h: the ids in hand, published by the threads that work and read by the heartbeat without a lock. Three buffers go round:
 * one is being written, one waits, one is being read. */
#ifndef DOCKET_QUEUE_ID_LIST_H
#define DOCKET_QUEUE_ID_LIST_H

#include "worker/base/status.h"

#include <stddef.h>

#define ID_LIST_BYTES ((size_t)64 * 1024) /* longer lists are cut at the last whole id, as the SDK does */

struct id_list;
enum status id_list_open(struct id_list **out, struct error *err);
void id_list_close(struct id_list *list); /* NULL is fine */

/* Replaces the list: begin, add each, publish. One writer at a time (the caller's lock). add returns false once it is cut. */
void id_list_begin(struct id_list *list);
bool id_list_add(struct id_list *list, const char *id);
void id_list_publish(struct id_list *list);

/* The newest list: ids percent-encoded, joined by "%2C"; "" for none. Valid until the next call. One reader; never blocks. */
const char *id_list_read(struct id_list *list);

#endif
