/* size_text.c: see size_text.h. */
#include "worker/base/size_text.h"

#include "worker/base/alloc.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <strings.h>

bool size_text_read(uint64_t *out, const char *text)
{
    static const struct {
        const char *name;
        double bytes;
    } units[] = {{"", 1},
                 {"b", 1},
                 {"kib", 1024},
                 {"mib", 1048576},
                 {"gib", 1073741824},
                 {"kb", 1000},
                 {"mb", 1000 * 1000},
                 {"gb", 1000 * 1000 * 1000},
                 {"g", 1073741824},
                 {"m", 1048576}};
    char *end;
    if (!(text[0] >= '0' && text[0] <= '9')) return false;
    double value = strtod(text, &end);
    while (*end == ' ') end++;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        if (strcasecmp(end, units[i].name) != 0) continue;
        value *= units[i].bytes;
        if (!isfinite(value) || value < 1 || value > 1e18) return false;
        *out = (uint64_t)value;
        return true;
    }
    return false;
}
