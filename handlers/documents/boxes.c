/* boxes.c: the programs that read documents in a box of their own, and what each may see of the machine. */
#include "handlers/documents/sandbox_layers.h"

#include "worker/base/alloc.h"

#include <string.h>

static const char *const plain_environment[] = {"LANG=C.UTF-8", "LC_ALL=C.UTF-8", "OMP_THREAD_LIMIT=1", NULL};
static const char *const poppler_data[] = {"/usr/share/poppler",    "/usr/share/fonts",      "/etc/fonts",
                                           "/usr/share/fontconfig", "/var/cache/fontconfig", NULL};
/* %u: the last page to read. */
static const char *const pdftotext[] = {"pdftotext", "-enc", "UTF-8", "-l", "%u", "-", "-", NULL};

static const struct box boxes[] = {
    {"pdftotext", "/usr/bin/pdftotext", pdftotext, plain_environment, poppler_data, 30, GIB},
};

const struct box *box_at(size_t index)
{
    return index < ARRAY_LENGTH(boxes) ? &boxes[index] : NULL;
}

const struct box *box_find(const char *name, size_t *index)
{
    for (size_t i = 0; i < ARRAY_LENGTH(boxes); i++) {
        if (strcmp(boxes[i].name, name) != 0) continue;
        *index = i;
        return &boxes[i];
    }
    return NULL;
}
