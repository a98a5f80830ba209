/* cost.c: the table of prices and the look-up. */
#include "worker/observe/cost.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* USD a second, flexible workers, of RunPod's price page as changed on this day. The first name that stands in the device's name
 * counts, so longer names come first. */
#define TABLE_DATE "2026-06-08"
static const struct {
    const char *name;
    double per_second;
} table[] = {
    {"RTX PRO 6000", 0.00111}, {"RTX 6000 Ada", 0.00053}, {"RTX 4000", 0.00016},  {"RTX 4090", 0.00031},
    {"RTX 3090", 0.00019},     {"RTX A6000", 0.00034},    {"RTX A5000", 0.00019}, {"RTX A4500", 0.00016},
    {"RTX A4000", 0.00016},    {"L40S", 0.00053},         {"L40", 0.00053},       {"A100", 0.00076},
    {"B200", 0.00240},         {"H200", 0.00155},         {"H100", 0.00116},      {"A40", 0.00034},
    {"L4", 0.00019},
};

/* The name as a word: "A40" is not in "A4000". */
static bool names(const char *device, const char *card)
{
    size_t n = strlen(card);
    for (const char *at = device; (at = strstr(at, card)); at++) {
        char before = at > device ? at[-1] : ' ', after = at[n];
        bool starts = before == ' ' || before == '-', ends = after == '\0' || after == ' ' || after == '-';
        if (starts && ends) return true;
    }
    return false;
}

void price_find(struct price *out, double set, const char *device_name)
{
    *out = (struct price){0};
    if (set >= 0) {
        out->known = true;
        out->per_second = set;
        snprintf(out->source, sizeof(out->source), "GPU_PRICE_PER_SECOND");
        return;
    }
    for (size_t i = 0; device_name && i < sizeof(table) / sizeof(table[0]); i++) {
        if (!names(device_name, table[i].name)) continue;
        out->known = true;
        out->per_second = table[i].per_second;
        snprintf(out->source, sizeof(out->source), "table:%s:%s", table[i].name, TABLE_DATE);
        return;
    }
}
