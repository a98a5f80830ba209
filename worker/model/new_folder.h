/* new_folder.h: a folder that appears whole under its name or not at all: filled beside it under a temporary name, synced, renamed.
 * Knows nothing of what is in it. */
#ifndef DOCKET_MODEL_NEW_FOLDER_H
#define DOCKET_MODEL_NEW_FOLDER_H

#include "worker/base/status.h"

#include <stddef.h>

/* {0} is valid: nothing to remove. */
struct new_folder {
    char *path; /* where files are put until then */
    char *final;
};

/* Makes PATH.tmp-…, PATH's parents too. REFUSED if something has that name already. Temporary folders of the same name that are older
 * than a day are removed: their makers were killed. */
enum status new_folder_open(struct new_folder *out, const char *path, struct error *err);
/* A whole file into it, synced. */
enum status new_folder_put(const struct new_folder *folder, const char *name, const void *bytes, size_t length,
                           struct error *err);
/* Syncs the folder and gives it its name. REFUSED if another has taken it meanwhile; nothing is ever overwritten. */
enum status new_folder_publish(struct new_folder *folder, struct error *err);
/* Removes what was not published. */
void new_folder_close(struct new_folder *folder);

/* Removes the folder and all that is in it, links not followed; missing is fine. IO names what could not be removed. */
enum status folder_remove(const char *path, struct error *err);

#endif
