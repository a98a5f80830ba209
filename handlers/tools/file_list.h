/* file_list.h: the files that names on the command line stand for. */
#ifndef DOCKET_HANDLERS_TOOLS_FILE_LIST_H
#define DOCKET_HANDLERS_TOOLS_FILE_LIST_H

#include "worker/base/status.h"

#include <stddef.h>

struct file_item {
    char *shown; /* as the user would write it; UTF-8 */
    char *path;  /* absolute, links resolved as far as they lead; UTF-8 */
    char *raw;   /* the same as the bytes that the disk has */
};
/* {0} is valid and freeable. */
struct file_list {
    struct file_item *items;
    size_t n, capacity;
    size_t n_unreadable; /* folders; each was named on standard error */
};

/* Files as they are, also those that are not there; of folders what lies in them and their folders: sorted by name, hidden ones
 * (.name) left out, links in them not followed. No file stands twice. "-" stays as it is. Fails with NO_MEMORY only. */
enum status file_list_make(struct file_list *list, const char *const *names, size_t n, struct error *err);
void file_list_free(struct file_list *list);

#endif
