/* xlsx_numbers.c: serial days to dates in both of Excel's calendars, the first with its 29 February 1900 that never was. */
#include "handlers/documents/xlsx_numbers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum number_kind number_kind_of_id(size_t id)
{
    if (id == 9 || id == 10) return NUMBER_PERCENT;
    if (id == 22) return NUMBER_DATE_TIME;
    if ((id >= 18 && id <= 21) || (id >= 45 && id <= 47)) return NUMBER_TIME;
    if ((id >= 14 && id <= 17) || (id >= 27 && id <= 31) || (id >= 34 && id <= 36) || (id >= 50 && id <= 58))
        return NUMBER_DATE; /* from 27: the calendars of East Asia */
    return id == 32 || id == 33 ? NUMBER_TIME : NUMBER_PLAIN;
}

enum number_kind number_kind_of_code(const char *code)
{
    bool day = false, time = false, month = false, percent = false;
    for (const char *p = code; *p && *p != ';'; p++) {
        if (*p == '"')
            while (p[1] && *++p != '"') {}
        else if (*p == '\\' || *p == '_' || *p == '*') {
            if (p[1]) p++;
        } else if (*p == '[') {
            /* [h] counts hours; [Red], [$-409] and conditions are no part of a date. */
            if (p[1] && strchr("hHmMsS", p[1]) && (p[2] == ']' || p[2] == p[1])) time = true;
            while (p[1] && *p != ']') p++;
        } else if (strncmp(p, "General", 7) == 0)
            p += 6;
        else if (*p == 'y' || *p == 'Y' || *p == 'd' || *p == 'D')
            day = true;
        else if (*p == 'h' || *p == 'H' || *p == 's' || *p == 'S')
            time = true;
        else if (*p == 'm' || *p == 'M')
            month = true;
        else if (*p == '%')
            percent = true;
    }
    if (day || (month && !time)) return time ? NUMBER_DATE_TIME : NUMBER_DATE;
    return time ? NUMBER_TIME : percent ? NUMBER_PERCENT : NUMBER_PLAIN;
}

/* Days since 1970-01-01 → a date of the Gregorian calendar, by eras of 400 years. */
static void civil(long days, long *year, unsigned *month, unsigned *day)
{
    long z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned of_era = (unsigned)(z - era * 146097);
    unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100), m = (5 * of_year + 2) / 153;
    *day = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (long)year_of_era + era * 400 + (*month <= 2);
}

static void show_time(char *out, size_t out_bytes, double days, enum number_kind kind, bool from_1904)
{
    long long seconds = llround(days * 86400);
    long whole = (long)(seconds / 86400), of_day = (long)(seconds % 86400), year;
    unsigned month, day;
    long h = of_day / 3600, m = of_day / 60 % 60, s = of_day % 60;
    if (kind == NUMBER_TIME) {
        snprintf(out, out_bytes, "%02lld:%02ld:%02ld", seconds / 3600, m, s);
        return;
    }
    civil(from_1904 ? whole - 24107 : whole < 60 ? whole - 25568 : whole - 25569, &year, &month, &day);
    if (!from_1904 && whole == 60) year = 1900, month = 2, day = 29;
    if (kind == NUMBER_DATE_TIME || (of_day && kind == NUMBER_DATE))
        snprintf(out, out_bytes, "%04ld-%02u-%02u %02ld:%02ld:%02ld", year, month, day, h, m, s);
    else
        snprintf(out, out_bytes, "%04ld-%02u-%02u", year, month, day);
}

void number_show(char out[NUMBER_BYTES], const char *value, enum number_kind kind, bool from_1904)
{
    char *end;
    double number = strtod(value, &end);
    bool dated = kind == NUMBER_DATE || kind == NUMBER_TIME || kind == NUMBER_DATE_TIME;
    if (end == value || *end || !isfinite(number))
        snprintf(out, NUMBER_BYTES, "%s", value);
    else if (dated && number >= 0 && number < 2958466) /* the year 10,000 */
        show_time(out, NUMBER_BYTES, number, kind, from_1904);
    else if (kind == NUMBER_PERCENT)
        snprintf(out, NUMBER_BYTES, "%.12g%%", number * 100);
    else
        snprintf(out, NUMBER_BYTES, "%.15g", number);
}
