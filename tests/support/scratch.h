/* scratch.h: a folder of a test's own, the nth-allocation torture, and a few shorthands for tests of files. */
#ifndef DOCKET_TESTS_SUPPORT_SCRATCH_H
#define DOCKET_TESTS_SUPPORT_SCRATCH_H

#include "worker/base/status.h"

#include <stddef.h>

/* Makes an empty folder; the path is the caller's buffer. Ends the test on failure. */
void scratch_make(char *path, size_t path_bytes);
void scratch_remove(const char *path); /* with all that is in it */
/* Path of `name` in the folder, in one of a few static buffers. */
const char *scratch_path(const char *folder, const char *name);
/* Writes folder/name, making the folders between. */
void scratch_write(const char *folder, const char *name, const void *bytes, size_t length);
void scratch_write_text(const char *folder, const char *name, const char *text);
void scratch_link(const char *folder, const char *name, const char *target);
void scratch_folder(const char *folder, const char *name);
size_t open_files(void); /* of this process */

/* Runs `run` with the 1st, 2nd, 3rd ... allocation failing, alone and with all later ones, until a run needs fewer. Each must say
 * NO_MEMORY, or have done without (a list for a message), and leave no file open; `run` itself looks whether what it got
 * is right. Returns the number of allocations. */
size_t torture(enum status (*run)(void *context, struct error *err), void *context);

#endif
