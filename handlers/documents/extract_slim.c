/* extract_slim.c: the extract server's twin without the libraries of readers: to fork a process costs what is mapped in it, and a plain
 * text, or the start of a boxed program, needs next to nothing of it. Knows no document. */
#include "handlers/documents/sandbox_layers.h"
#include "handlers/documents/sandbox_protocol.h"

#include "worker/base/alloc.h"

#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_PARTS 1024

struct part {
    void *at;
    size_t length;
};

struct parts {
    size_t n, page;
    struct part items[MAX_PARTS];
};

/* What a light reader, a boxed start and the C library call. All symbols are bound at the start (LD_BIND_NOW): nobody looks for one in what is
 * gone. */
static bool needed(const char *path)
{
    static const char *const names[] = {"linux-vdso", "ld-linux",    "libc.so", "libm.so",
                                        "libseccomp", "libutf8proc", "libz.so", "libgcc_s"};
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    if (*name == '\0') return true; /* this program */
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0) return true;
    return false;
}

static int note_parts(struct dl_phdr_info *info, size_t size, void *context)
{
    struct parts *parts = context;
    (void)size;
    if (needed(info->dlpi_name)) return 0;
    for (size_t i = 0; i < info->dlpi_phnum && parts->n < MAX_PARTS; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type != PT_LOAD) continue;
        uintptr_t from = (info->dlpi_addr + h->p_vaddr) & ~(uintptr_t)(parts->page - 1);
        uintptr_t to = (info->dlpi_addr + h->p_vaddr + h->p_memsz + parts->page - 1) & ~(uintptr_t)(parts->page - 1);
        parts->items[parts->n++] = (struct part){(void *)from, to - from};
    }
    return 0;
}

void slim_shed_libraries(void)
{
    static struct parts parts;    /* counted first: the list itself is read from what goes away */
    if (LAYERS_SANITIZED) return; /* their run-time goes everywhere */
    parts = (struct parts){.page = (size_t)sysconf(_SC_PAGESIZE)};
    dl_iterate_phdr(note_parts, &parts);
    for (size_t i = 0; i < parts.n; i++) munmap(parts.items[i].at, parts.items[i].length);
}
