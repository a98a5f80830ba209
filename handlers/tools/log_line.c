/* log_line.c: unwraps and parses lines of docket's log. Everything here may be cut, foreign or hostile. */
#include "handlers/tools/log_line.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES                                                                                                     \
    ((size_t)64 * 1024) /* docket's own are 4 KiB; with two layers of escapes around them less than this */
#define LAYERS 4

/* --- unwrapping: each returns the inner text in place, or NULL when it is not its kind of wrapping --- */

static bool stamp_at(const char *text)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd";
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != form[i]) return false;
    return true;
}

/* Seconds since 1970 of "2026-11-21T02:35:07.123Z". */
static double stamp_seconds(const char *text)
{
    int year, month, day, hour, minute;
    double second;
    if (!stamp_at(text) || sscanf(text, "%4d-%2d-%2dT%2d:%2d:%lf", &year, &month, &day, &hour, &minute, &second) != 6)
        return NAN;
    int y = year - (month <= 2), era = y / 400, in_era = y - era * 400; /* days by the civil calendar */
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    double days = era * 146097.0 + in_era * 365.0 + in_era / 4 - in_era / 100 + of_year - 719468;
    return days * 86400 + hour * 3600 + minute * 60 + second;
}

/* The string under `key` of a JSON object, copied over the text itself (it is never longer). */
static char *json_member(char *text, const char *key)
{
    const struct json_limits limits = {.max_bytes = LINE_BYTES, .max_values = 256};
    cJSON *tree = NULL;
    char *inner = NULL;
    size_t length = strlen(text);
    if (text[0] != '{' || json_parse(&tree, text, length, &limits, NULL) != DOCKET_OK) return NULL;
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tree, key));
    if (value && strlen(value) <= length) {
        memcpy(text, value, strlen(value) + 1);
        inner = text;
    }
    cJSON_Delete(tree);
    return inner;
}

static char *after_stamp(char *text)
{
    if (!stamp_at(text)) return NULL;
    char *space = strchr(text, ' ');
    return space && space - text < 40 ? space + 1 : NULL;
}

static char *without_colour(char *text)
{
    char *to = text;
    for (const char *p = text; *p;) {
        if (p[0] == '\033' && p[1] == '[') {
            for (p += 2; *p && !isalpha((unsigned char)*p); p++)
                ;
            if (*p) p++;
        } else
            *to++ = *p++;
    }
    while (to > text && (to[-1] == '\n' || to[-1] == '\r')) to--;
    *to = '\0';
    return text;
}

/* "stdout F " behind a time stamp; *piece: more of this line follows. */
static char *after_stream(char *text, bool *piece)
{
    if (strncmp(text, "stdout ", 7) != 0 && strncmp(text, "stderr ", 7) != 0) return NULL;
    if ((text[7] != 'F' && text[7] != 'P') || text[8] != ' ') return NULL;
    *piece = text[7] == 'P';
    return text + 9;
}

static char *unwrap(char *text, bool *piece)
{
    char *inner;
    *piece = false;
    for (int layer = 0; layer < LAYERS; layer++) {
        text = without_colour(text);
        while (*text == ' ' || *text == '\t') text++;
        if (strncmp(text, "data:", 5) == 0)
            text += 5;
        else if ((inner = after_stamp(text))) {
            text = inner;
            if ((inner = after_stream(text, piece))) text = inner;
            if (*piece) return text;
        } else if ((inner = json_member(text, "line")) || (inner = json_member(text, "log")))
            text = inner;
        else
            break;
    }
    return text;
}

/* --- the line itself --- */

static bool event_by_name(const char *name, enum log_event_id *out)
{
    for (int i = 0; i < N_LOG_EVENTS; i++)
        if (strcmp(log_event_name(i), name) == 0) {
            *out = (enum log_event_id)i;
            return true;
        }
    return false;
}

static void add_field(struct log_line *line, const char *key, const char *text)
{
    char *end;
    if (line->n_fields == LOG_LINE_FIELDS) return;
    double number = strtod(text, &end);
    line->fields[line->n_fields++] = (struct log_line_field){key, text, *text && !*end ? number : NAN};
}

static void take_known(struct log_line *line)
{
    double seq = log_line_number(line, "seq");
    line->has_seq = seq >= 1 && seq < 9e15;
    if (line->has_seq) line->seq = (uint64_t)seq;
    line->worker_id = log_line_text(line, "worker_id");
    line->seconds = stamp_seconds(log_line_text(line, "ts"));
}

/* Values become texts, one after the other in storage. */
static bool read_json(struct log_line *line, const char *text)
{
    const struct json_limits limits = {.max_bytes = LINE_BYTES, .max_values = 256};
    cJSON *tree = NULL;
    struct buffer all = {0};
    size_t keys[LOG_LINE_FIELDS], values[LOG_LINE_FIELDS], n = 0;
    bool known =
        text[0] == '{' && json_parse(&tree, text, strlen(text), &limits, NULL) == DOCKET_OK && cJSON_IsObject(tree);
    const char *event = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tree, "event"));
    const char *level = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(tree, "level"));
    known = known && event && level && event_by_name(event, &line->event) && log_level_by_name(level, &line->level);
    for (const cJSON *item = known ? tree->child : NULL; item && n < LOG_LINE_FIELDS; item = item->next) {
        keys[n] = all.length;
        buffer_append(&all, item->string, strlen(item->string) + 1);
        values[n++] = all.length;
        if (cJSON_IsString(item))
            buffer_append(&all, item->valuestring, strlen(item->valuestring));
        else if (cJSON_IsNumber(item))
            buffer_printf(&all, "%.17g", item->valuedouble);
        buffer_append_char(&all, '\0');
    }
    cJSON_Delete(tree);
    if (all.failed) known = false;
    line->storage = buffer_take(&all, NULL);
    for (size_t i = 0; known && line->storage && i < n; i++)
        add_field(line, line->storage + keys[i], line->storage + values[i]);
    return known && line->storage;
}

/* "INFO   | job-1 | model loaded event=model_loaded seq=7 load_seconds=0.2 reason="no such file"" */
static bool read_readable(struct log_line *line, const char *text)
{
    size_t n = strcspn(text, " |");
    char level[12];
    const char *event = strstr(text, " event=");
    if (n == 0 || n >= sizeof(level) || !event) return false;
    snprintf(level, sizeof(level), "%.*s", (int)n, text);
    if (!log_level_by_name(level, &line->level)) return false;
    char *p = line->storage = str_dup(event + 1);
    while (p && *p) {
        char *equals = strchr(p, '='), *value, *end;
        if (!equals) break;
        *equals = '\0';
        value = equals + 1;
        if (*value == '"') {
            end = ++value;
            while (*end && *end != '"') end += end[0] == '\\' && end[1] ? 2 : 1;
        } else
            end = value + strcspn(value, " ");
        char *next = *end ? end + 1 + (*end == '"' && end[1] == ' ') : end;
        *end = '\0';
        add_field(line, p, value);
        p = next;
    }
    return event_by_name(log_line_text(line, "event"), &line->event);
}

static void reset(struct log_line *line)
{
    struct buffer partial = line->partial;
    mem_free(line->raw);
    mem_free(line->storage);
    *line = (struct log_line){.partial = partial, .worker_id = "", .seconds = NAN};
}

bool log_line_read(struct log_line *line, const char *text, size_t length)
{
    bool piece;
    reset(line);
    if (length > LINE_BYTES) length = LINE_BYTES;
    char *copy = str_dup_n(text, length); /* up to a NUL, should there be one */
    char *inner = copy ? unwrap(copy, &piece) : NULL;
    bool known = false;
    if (inner && (piece || line->partial.length)) {
        if (line->partial.length + strlen(inner) < LINE_BYTES) buffer_append_str(&line->partial, inner);
        if (!piece) {
            mem_free(copy);
            inner = copy = buffer_take(&line->partial, NULL);
            line->partial = (struct buffer){0};
        }
    }
    if (inner && !piece) {
        /* A name in front ("worker-1  | "): the line begins where docket's begins. */
        const char *json = strstr(inner, "{\"requestId\"");
        known = read_json(line, json ? json : inner);
        if (!known) {
            mem_free(line->storage);
            line->storage = NULL;
            line->n_fields = 0;
            known = read_readable(line, inner);
        }
        line->raw = known ? str_dup(json ? json : inner) : NULL;
        known = known && line->raw;
        if (known) take_known(line);
    }
    mem_free(copy);
    return known;
}

void log_line_free(struct log_line *line)
{
    reset(line);
    buffer_free(&line->partial);
}

double log_line_number(const struct log_line *line, const char *key)
{
    for (size_t i = 0; i < line->n_fields; i++)
        if (strcmp(line->fields[i].key, key) == 0) return line->fields[i].number;
    return NAN;
}

const char *log_line_text(const struct log_line *line, const char *key)
{
    for (size_t i = 0; i < line->n_fields; i++)
        if (strcmp(line->fields[i].key, key) == 0) return line->fields[i].text;
    return "";
}
