/* places.cpp: barriers and waits by the place in the sources where they stand: one can be left out (EMULATION_SKIP), and which a program
 * came to can be written down (EMULATION_REACHED). Compiled without a sanitizer, as emulation.cpp is. */
#include "tests/cuda_emulation/emulation.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace emulation
{
namespace
{

struct reached {
    const char *file;
    int line;
    double seconds; /* since the first of all */
};
constexpr size_t MOST_PLACES = 1024;
reached places[MOST_PLACES];
size_t n_places;
const char *skipped_file, *list_path;
int skipped_line;
bool is_set_up, was_skipped;
double begin;

double seconds_now()
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

void write_list()
{
    FILE *file = fopen(list_path, "w");
    for (const reached &place : places)
        if (file && place.file) fprintf(file, "%s:%d %.3f\n", place.file, place.line, place.seconds);
    if (!file || fclose(file)) fprintf(stderr, "emulation: EMULATION_REACHED: %s cannot be written\n", list_path);
}

void set_up()
{
    const char *skip = getenv("EMULATION_SKIP");
    if (is_set_up) return;
    is_set_up = true;
    list_path = getenv("EMULATION_REACHED");
    begin = seconds_now();
    if (list_path) atexit(write_list);
    if (!skip) return;
    const char *colon = strrchr(skip, ':');
    char *end = nullptr;
    skipped_line = colon ? (int)strtol(colon + 1, &end, 10) : 0;
    if (skipped_line <= 0 || *end) {
        fprintf(stderr, "emulation: EMULATION_SKIP is \"%s\"; it has to be FILE:LINE of a barrier or a wait\n", skip);
        exit(2);
    }
    skipped_file = strndup(skip, (size_t)(colon - skip));
    atexit([] {
        if (!was_skipped) fprintf(stderr, "emulation: no thread came to the barrier that is left out\n");
    });
}

void note(const char *file, int line)
{
    size_t i = ((uintptr_t)file + (size_t)line * 61) % MOST_PLACES;
    while (places[i].file && (places[i].file != file || places[i].line != line)) i = (i + 1) % MOST_PLACES;
    if (places[i].file || n_places == MOST_PLACES - 1) return;
    places[i] = {file, line, seconds_now() - begin};
    n_places++;
}

/* Not strcmp: a sanitizer would see its reads as the fiber's own. */
bool ends_with(const char *text, const char *end)
{
    int n = 0, m = 0;
    while (text[n]) n++;
    while (end[m]) m++;
    while (m > 0 && n > 0 && text[n - 1] == end[m - 1]) n--, m--;
    return m == 0;
}

} // namespace

bool left_out(const char *file, int line)
{
    set_up();
    if (list_path) note(file, line);
    if (line != skipped_line || !ends_with(file, skipped_file)) return false;
    was_skipped = true;
    return true;
}

} // namespace emulation
