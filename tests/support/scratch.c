/* scratch.c: folders for tests, and allocations that fail one after the other. */
#include "tests/support/scratch.h"
#include "tests/support/cmocka.h"
#include "worker/base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void scratch_make(char *path, size_t path_bytes)
{
    const char *base = getenv("TMPDIR");
    snprintf(path, path_bytes, "%s/docket-test-XXXXXX", base ? base : "/tmp");
    if (!mkdtemp(path)) fail_msg("%s: %s", path, strerror(errno));
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *where)
{
    (void)facts, (void)kind, (void)where;
    return remove(path);
}

void scratch_remove(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const char *folder, const char *name)
{
    static char paths[8][4096];
    static unsigned at;
    char *path = paths[at++ % 8];
    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static void make_parents(const char *path)
{
    char copy[4096];
    snprintf(copy, sizeof(copy), "%s", path);
    for (char *p = copy + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        mkdir(copy, 0700);
        *p = '/';
    }
}

void scratch_write(const char *folder, const char *name, const void *bytes, size_t length)
{
    const char *path = scratch_path(folder, name);
    make_parents(path);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, length, f) != length || fclose(f) != 0) fail_msg("%s: %s", path, strerror(errno));
}

void scratch_write_text(const char *folder, const char *name, const char *text)
{
    scratch_write(folder, name, text, strlen(text));
}

void scratch_link(const char *folder, const char *name, const char *target)
{
    const char *path = scratch_path(folder, name);
    make_parents(path);
    if (symlink(target, path) != 0) fail_msg("%s: %s", path, strerror(errno));
}

void scratch_folder(const char *folder, const char *name)
{
    const char *path = scratch_path(folder, name);
    make_parents(path);
    if (mkdir(path, 0700) != 0) fail_msg("%s: %s", path, strerror(errno));
}

size_t open_files(void)
{
    size_t n = 0;
    DIR *folder = opendir("/proc/self/fd");
    while (folder && readdir(folder)) n++;
    if (folder) closedir(folder);
    return n;
}

size_t torture(enum status (*run)(void *context, struct error *err), void *context)
{
    size_t files = open_files();
    for (size_t n = 1;; n++) {
        for (int persistent = 0; persistent < 2; persistent++) {
            struct error err = {0};
            mem_fail_at(n, persistent != 0);
            enum status st = run(context, &err);
            size_t used = mem_count();
            mem_fail_at(0, false);
            if (open_files() != files) fail_msg("allocation %zu failed: a file stays open", n);
            if (used < n) {
                if (st != DOCKET_OK) fail_msg("no allocation failed: %s: %s", status_name(st), err.message);
                return n - 1;
            }
            if (st != DOCKET_NO_MEMORY && st != DOCKET_OK)
                fail_msg("allocation %zu failed: %s: %s", n, status_name(st), err.message);
        }
    }
}
