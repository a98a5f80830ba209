/* replay.c: gives a fuzz target the files that are named, folders with all that is in them, without a fuzzer: for the ordinary test
 * run and for looking at one finding. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t n_files;

static void replay_file(const char *path, size_t size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(size + 1);
    if (!f || !data || fread(data, 1, size, f) != size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(66);
    }
    fclose(f);
    /* A copy of exactly that size, so that a read beyond it is seen. */
    uint8_t *exact = malloc(size ? size : 1);
    if (!exact) exit(71);
    memcpy(exact, data, size);
    free(data);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    n_files++;
}

static void replay(const char *path)
{
    struct stat facts;
    struct dirent *entry;
    char inner[4096];
    if (stat(path, &facts) != 0) {
        fprintf(stderr, "%s: not there\n", path);
        exit(66);
    }
    if (!S_ISDIR(facts.st_mode)) {
        replay_file(path, (size_t)facts.st_size);
        return;
    }
    DIR *dir = opendir(path);
    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.') continue;
        snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
        replay(inner);
    }
    if (dir) closedir(dir);
}

int main(int argc, char **argv)
{
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) replay(argv[i]);
    printf("%zu files replayed\n", n_files);
    return 0;
}
