/* spool_undelivered.c: results that nobody could be given: the place that their job named did not take them, and its answer has no room. They wait
 * for a person. */
#include "worker/base/file.h"
#include "worker/queue/spool_internal.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void clear_old(const struct spool *s)
{
    DIR *dir = opendir(s->folders[SPOOL_UNDELIVERED]);
    struct stat facts;
    const time_t now = time(NULL);
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.' && fstatat(dirfd(dir), e->d_name, &facts, AT_SYMLINK_NOFOLLOW) == 0 &&
            S_ISREG(facts.st_mode) && difftime(now, facts.st_mtime) > s->ttl_seconds)
            unlinkat(dirfd(dir), e->d_name, 0);
    closedir(dir);
}

enum status spool_keep_results(struct spool *s, const struct spool_key *key, const void *bytes, size_t length,
                               const char *ending, char *name, size_t name_bytes, struct error *err)
{
    int n = snprintf(name, name_bytes, "undelivered/%s-%s.jsonl%s", key->id, key->input, ending);
    if (n < 0 || (size_t)n >= name_bytes)
        return fail(err, DOCKET_INTERNAL, CODE_internal_error, "the name of kept results has no room");
    char *path = path_join(s->own, name);
    if (!path) return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory to keep results");
    clear_old(s);
    enum status st = file_publish(path, bytes, length, err);
    mem_free(path);
    return st;
}
