/* id_list.c: a triple buffer of text. */
#include "worker/queue/id_list.h"

#include "worker/base/alloc.h"

#include <stdatomic.h>
#include <string.h>

#define FRESH 4u /* the waiting buffer was published after the last read */

struct id_list {
    char text[3][ID_LIST_BYTES + 1];
    atomic_uint waiting; /* index, and FRESH */
    unsigned writing, reading;
    size_t length;
    bool cut;
};

enum status id_list_open(struct id_list **out, struct error *err)
{
    struct id_list *list = mem_zalloc(1, sizeof(*list));
    if (!list) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the list of jobs");
    list->writing = 0;
    list->reading = 1;
    atomic_init(&list->waiting, 2);
    *out = list;
    return DOCKET_OK;
}

void id_list_close(struct id_list *list)
{
    mem_free(list);
}

void id_list_begin(struct id_list *list)
{
    list->length = 0;
    list->cut = false;
}

bool id_list_add(struct id_list *list, const char *id)
{
    static const char digits[] = "0123456789ABCDEF";
    char *text = list->text[list->writing];
    size_t at = list->length;
    if (list->cut) return false;
    if (at > 0 && at + 3 <= ID_LIST_BYTES) {
        memcpy(text + at, "%2C", 3);
        at += 3;
    }
    for (const unsigned char *p = (const unsigned char *)id; *p; p++) {
        bool plain = (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || *p == '-' ||
                     *p == '_' || *p == '.' || *p == '~';
        if (at + 3 > ID_LIST_BYTES) {
            list->cut = true;
            return false;
        }
        if (plain)
            text[at++] = (char)*p;
        else {
            text[at++] = '%';
            text[at++] = digits[*p >> 4];
            text[at++] = digits[*p & 15];
        }
    }
    list->length = at;
    return true;
}

void id_list_publish(struct id_list *list)
{
    list->text[list->writing][list->length] = '\0';
    list->writing = atomic_exchange(&list->waiting, list->writing | FRESH) & 3u;
}

const char *id_list_read(struct id_list *list)
{
    if (atomic_load(&list->waiting) & FRESH) list->reading = atomic_exchange(&list->waiting, list->reading) & 3u;
    return list->text[list->reading];
}
