/* config.c: reads environment and flags by the table, checks each value, and says in one line what is wrong. */
#include "worker/config.h"

#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX     "DOCKET_"
#define NAME_BYTES 64

extern char **environ;

static const struct option settings[] = {
#define OPTION_GROUP(title)
#define OPTION(kind_, field_, names_, flag_, fallback_, allowed, value_, shown_, help_)                                \
    {.kind = OPTION_##kind_,                                                                                           \
     .offset = offsetof(struct config, field_),                                                                        \
     .names = (names_),                                                                                                \
     .flag = (flag_),                                                                                                  \
     .fallback = (fallback_),                                                                                          \
     allowed,                                                                                                          \
     .value = (value_),                                                                                                \
     .shown = (shown_),                                                                                                \
     .help = (help_)},
#include "worker/options.h"
#undef OPTION
#undef OPTION_GROUP
};

/* Titles stand between the rows: in this list they stay, with "" for every row. */
static const char *const titles[] = {
#define OPTION_GROUP(title)      title,
#define OPTION(kind, field, ...) "",
#include "worker/options.h"
#undef OPTION
#undef OPTION_GROUP
};

const struct option *config_options(size_t *n)
{
    *n = ARRAY_LENGTH(settings);
    return settings;
}

const char *config_group(size_t i)
{
    const char *title = NULL;
    for (size_t at = 0, row = 0; at < ARRAY_LENGTH(titles) && row <= i; at++) {
        if (titles[at][0]) {
            title = titles[at];
            continue;
        }
        if (row == i) return title;
        title = NULL;
        row++;
    }
    return NULL;
}

void text_list_free(struct text_list *list)
{
    mem_free(list->items);
    *list = (struct text_list){0};
}

static bool text_list_add(struct text_list *list, const char *item)
{
    const char **items = mem_resize(list->items, list->n + 1, sizeof(*items));
    if (!items) return false;
    list->items = items;
    items[list->n++] = item;
    return true;
}

bool option_name_of_platform(const char *name, size_t length)
{
    return (length > 7 && strncmp(name, "RUNPOD_", 7) == 0) || (length == 4 && strncmp(name, "PORT", 4) == 0);
}

/* The names of a row, one after the other: returns the length of the one at *at, 0 at the end. */
static size_t next_name(const char **at)
{
    *at += strspn(*at, " ");
    return strcspn(*at, " ");
}

/* Values */

static bool whole_number(const char *text, uint64_t *out)
{
    if (!text[0] || strspn(text, "0123456789") != strlen(text)) return false;
    errno = 0;
    *out = strtoull(text, NULL, 10);
    return errno == 0;
}

/* A decimal number as people write it: no white space, hexadecimal, infinity or NaN. */
static bool decimal_number(const char *text, double *out)
{
    const char *p = text + (*text == '-');
    size_t digits = strspn(p, "0123456789");
    p += digits;
    if (*p == '.') {
        size_t n = strspn(++p, "0123456789");
        digits += n;
        p += n;
    }
    if (digits && (*p == 'e' || *p == 'E')) {
        p += 1 + (p[1] == '+' || p[1] == '-');
        if (!strspn(p, "0123456789")) return false;
        p += strspn(p, "0123456789");
    }
    if (!digits || *p) return false;
    *out = strtod(text, NULL);
    return *out > -1e300 && *out < 1e300;
}

static bool switch_value(const char *text, bool *out)
{
    static const char *const yes[] = {"1", "true", "yes", "on"}, *const no[] = {"0", "false", "no", "off"};
    for (size_t i = 0; i < ARRAY_LENGTH(yes); i++) {
        if (strcasecmp(text, yes[i]) != 0 && strcasecmp(text, no[i]) != 0) continue;
        *out = strcasecmp(text, yes[i]) == 0;
        return true;
    }
    return false;
}

static void allowed_text(const struct option *option, char *out, size_t out_bytes)
{
    struct buffer b = {0};
    switch (option->kind) {
    case OPTION_COUNT:
        buffer_printf(&b, "%sa whole number from %.0f to %.0f", option->words[0] ? "auto or " : "", option->low,
                      option->high);
        break;
    case OPTION_NUMBER:
        buffer_printf(&b, "a number from %g to %g", option->low, option->high);
        break;
    case OPTION_SWITCH:
        buffer_append_str(&b, "true or false");
        break;
    case OPTION_WORD:
        for (size_t i = 0; option->words[i]; i++)
            buffer_printf(&b, "%s%s", !i ? "" : option->words[i + 1] ? ", " : " or ", option->words[i]);
        break;
    default:
        buffer_append_str(&b, "text without control characters");
        break;
    }
    snprintf(out, out_bytes, "%s", b.data ? b.data : "another value");
    buffer_free(&b);
}

static enum status refuse(const struct option *option, const char *name, const char *text, struct error *err)
{
    char allowed[160];
    allowed_text(option, allowed, sizeof(allowed));
    return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "%s=\"%.80s\": want %s", name, text, allowed);
}

static enum status check_text(const struct option *option, const char *name, const char *text, struct error *err)
{
    bool secret = option->kind == OPTION_SECRET;
    for (const unsigned char *p = (const unsigned char *)text; *p; p++)
        if (*p < 0x20 || *p == 0x7f || (secret && *p > 0x7e))
            return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "%s: byte %zu is %s", name,
                        (size_t)(p - (const unsigned char *)text),
                        secret ? "no printable ASCII; want the key and nothing else" : "a control character");
    return DOCKET_OK;
}

enum status option_parse(const struct option *option, const char *name, const char *text, void *field,
                         struct error *err)
{
    enum status st;
    switch (option->kind) {
    case OPTION_COUNT: {
        uint64_t n;
        if (option->words[0] && strcasecmp(text, option->words[0]) == 0) {
            *(uint64_t *)field = 0;
            return DOCKET_OK;
        }
        if (!whole_number(text, &n) || (double)n < option->low || (double)n > option->high)
            return refuse(option, name, text, err);
        *(uint64_t *)field = n;
        return DOCKET_OK;
    }
    case OPTION_NUMBER: {
        double n;
        if (!decimal_number(text, &n) || !(n >= option->low && n <= option->high))
            return refuse(option, name, text, err);
        *(double *)field = n;
        return DOCKET_OK;
    }
    case OPTION_SWITCH:
        return switch_value(text, field) ? DOCKET_OK : refuse(option, name, text, err);
    case OPTION_WORD:
        for (size_t i = 0; option->words[i]; i++)
            if (strcasecmp(text, option->words[i]) == 0) {
                *(const char **)field = option->words[i];
                return DOCKET_OK;
            }
        return refuse(option, name, text, err);
    case OPTION_LIST:
        if ((st = check_text(option, name, text, err)) != DOCKET_OK) return st;
        return text_list_add(field, text) ? DOCKET_OK : fail(err, DOCKET_NO_MEMORY, CODE_NONE, "%s: no memory", name);
    default:
        if ((st = check_text(option, name, text, err)) != DOCKET_OK) return st;
        *(const char **)field = text;
        return DOCKET_OK;
    }
}

/* An empty text counts as not set: containers are often described with every variable there and no value. An empty URL does
 * not: the platform's presence is told by it, and to fall back to local mode would go unnoticed. */
static bool empty_is_unset(const struct option *option)
{
    return option->kind == OPTION_TEXT || option->kind == OPTION_PATH || option->kind == OPTION_SECRET;
}

static void set_default(const struct option *option, void *field)
{
    struct error ignored;
    if (option->kind == OPTION_LIST) return;
    if (option->fallback[0] != '(')
        option_parse(option, "", option->fallback, field, &ignored);
    else if (option->kind == OPTION_NUMBER)
        *(double *)field = -1;
    else if (option->kind == OPTION_COUNT)
        *(uint64_t *)field = 0;
    else if (option->kind == OPTION_SWITCH)
        *(bool *)field = false;
    else
        *(const char **)field = NULL;
}

/* Nearest known name, for "did you mean" */

static size_t distance(const char *a, const char *b)
{
    size_t row[NAME_BYTES + 1], n = strlen(b);
    if (n > NAME_BYTES || strlen(a) > NAME_BYTES) return NAME_BYTES;
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t before = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t best = before + (a[i] != b[j]);
            before = row[j + 1];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (before + 1 < best) best = before + 1;
            row[j + 1] = best;
        }
    }
    return row[n];
}

struct nearest {
    char name[NAME_BYTES + 1];
    size_t distance;
};

static void consider(struct nearest *best, const char *wanted, const char *name)
{
    size_t d = distance(wanted, name);
    if (d >= best->distance || d > 1 + strlen(wanted) / 3) return;
    best->distance = d;
    snprintf(best->name, sizeof(best->name), "%s", name);
}

/* Flags */

/* "--test_input" is "--test-input": the platform's SDK writes underscores. */
static bool same_flag(const char *flag, const char *given, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!flag[i] || (given[i] == '_' ? '-' : given[i]) != flag[i]) return false;
    return flag[length] == '\0' && length > 0;
}

static const struct option *find_flag(const struct command_line *command, const char *given, size_t length, bool *own)
{
    *own = true;
    for (size_t i = 0; i < command->n_options; i++)
        if (same_flag(command->options[i].flag, given, length)) return &command->options[i];
    *own = false;
    if (length == 14 && strncmp(given, "--rp_log_level", 14) == 0) return &settings[SETTING_log_level];
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++)
        if (settings[i].flag[0] && same_flag(settings[i].flag, given, length)) return &settings[i];
    return NULL;
}

static enum status unknown_flag(const struct command_line *command, const char *given, size_t length, struct error *err)
{
    struct nearest best = {.distance = NAME_BYTES};
    char wanted[NAME_BYTES + 1];
    snprintf(wanted, sizeof(wanted), "%.*s", (int)(length > NAME_BYTES ? NAME_BYTES : length), given);
    for (size_t i = 0; i < command->n_options; i++) consider(&best, wanted, command->options[i].flag);
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++)
        if (settings[i].flag[0] && settings[i].kind != OPTION_SECRET) consider(&best, wanted, settings[i].flag);
    if (best.name[0])
        return fail(err, DOCKET_BAD_INPUT, CODE_NONE, "%s: unknown flag; did you mean %s?", wanted, best.name);
    return fail(err, DOCKET_BAD_INPUT, CODE_NONE, "%s: unknown flag; --help lists them", wanted);
}

/* Reads the flag at argv[*at] and moves *at to its last word. */
static enum status read_flag(struct config *config, const struct command_line *command, void *values, int argc,
                             char **argv, int *at, struct error *err)
{
    const char *given = argv[*at], *equals = strchr(given, '='), *text = equals ? equals + 1 : NULL;
    size_t length = equals ? (size_t)(equals - given) : strlen(given);
    bool own, negated = false;
    const struct option *option = find_flag(command, given, length, &own);
    if (!option && length > 5 && strncmp(given, "--no-", 5) == 0) {
        char positive[NAME_BYTES + 1];
        int n = snprintf(positive, sizeof(positive), "--%.*s", (int)(length - 5), given + 5);
        if (n > 0 && n < (int)sizeof(positive)) option = find_flag(command, positive, (size_t)n, &own);
        if (option && option->kind != OPTION_SWITCH) option = NULL;
        negated = option != NULL;
    }
    if (!option) return unknown_flag(command, given, length, err);
    if (option->kind == OPTION_SECRET) {
        const char *name = option->names;
        return fail(err, DOCKET_BAD_INPUT, CODE_NONE,
                    "%s: secrets are not taken from the command line, where others can read them; set %.*s",
                    option->flag, (int)next_name(&name), option->names);
    }
    if (option->kind == OPTION_SWITCH) {
        if (!text) text = negated ? "false" : "true";
    } else if (!text) {
        if (*at + 1 >= argc)
            return fail(err, DOCKET_BAD_INPUT, CODE_NONE, "%s: needs a value (%s)", option->flag, option->value);
        text = argv[++*at];
    }
    if (!text[0] && !own && empty_is_unset(option))
        return fail(err, DOCKET_BAD_INPUT, CODE_NONE, "%s: empty; leave it out instead", option->flag);
    void *field = (char *)(own ? values : config) + option->offset;
    enum status st = option_parse(option, option->flag, text, field, err);
    if (st == DOCKET_BAD_CONFIG && err) err->status = DOCKET_BAD_INPUT;
    if (st == DOCKET_OK && !own) config->set_by[option - settings] = option->flag;
    return st == DOCKET_BAD_CONFIG ? DOCKET_BAD_INPUT : st;
}

/* Environment */

static const char *get(const char *name, size_t length, bool prefixed, char out[NAME_BYTES + 1])
{
    int n = snprintf(out, NAME_BYTES + 1, "%s%.*s", prefixed ? PREFIX : "", (int)length, name);
    return n > 0 && n <= NAME_BYTES ? getenv(out) : NULL;
}

static void note(struct config *config, const char *name, const char *value, const char *used)
{
    if (config->n_notes == CONFIG_NOTES) return;
    struct config_note *n = &config->notes[config->n_notes++];
    n->name = name;
    snprintf(n->value, sizeof(n->value), "%s", value);
    snprintf(n->used, sizeof(n->used), "%s", used);
}

/* A value of the platform that cannot be used: the nearest bound of a number, else as if it were not set. */
static bool clamp(struct config *config, const struct option *option, const char *name, const char *text, void *field)
{
    double n;
    char used[64];
    bool number = option->kind == OPTION_COUNT || option->kind == OPTION_NUMBER;
    if (!number || !decimal_number(text, &n)) {
        note(config, name, text, option->fallback);
        return false;
    }
    n = n < option->low ? option->low : n > option->high ? option->high : n;
    if (option->kind == OPTION_COUNT)
        *(uint64_t *)field = (uint64_t)n;
    else
        *(double *)field = n;
    snprintf(used, sizeof(used), "%g", n);
    note(config, name, text, used);
    return true;
}

static enum status read_variable(struct config *config, const struct option *option, const char *name, size_t length,
                                 bool prefixed, bool *found, struct error *err)
{
    char full[NAME_BYTES + 1];
    void *field = (char *)config + option->offset;
    const char *text = get(name, length, prefixed, full);
    *found = false;
    if (!text || (!text[0] && empty_is_unset(option))) return DOCKET_OK;
    enum status st = option_parse(option, full, text, field, err);
    bool platform = option_name_of_platform(name, length);
    if (st == DOCKET_OK) {
        *found = true;
        config->set_by[option - settings] = name; /* in the table: lives on; ends at a space */
        return DOCKET_OK;
    }
    /* A key or URL that is not what it seems is never guessed at. */
    if (!platform || option->kind == OPTION_SECRET || option->kind == OPTION_URL) return st;
    *found = clamp(config, option, name, text, field);
    if (*found) config->set_by[option - settings] = name;
    return DOCKET_OK;
}

static enum status read_variables(struct config *config, const struct option *option, struct error *err)
{
    bool found = false;
    size_t length;
    for (int prefixed = 1; prefixed >= 0 && !found; prefixed--) {
        for (const char *name = option->names; !found && (length = next_name(&name)); name += length) {
            if (prefixed && option_name_of_platform(name, length)) continue;
            enum status st = read_variable(config, option, name, length, prefixed, &found, err);
            if (st != DOCKET_OK) return st;
        }
    }
    return DOCKET_OK;
}

/* What a cluster sets for a service that is called docket: DOCKET_SERVICE_HOST, DOCKET_PORT_80_TCP_ADDR, DOCKET_PORT=tcp://… */
static bool service_link(const char *name, const char *value)
{
    return strstr(name, "_SERVICE_HOST") || strstr(name, "_SERVICE_PORT") || strncmp(value, "tcp://", 6) == 0 ||
           strncmp(value, "udp://", 6) == 0 || strstr(name, "_TCP_") || strstr(name, "_UDP_");
}

static bool known_prefixed(const char *name, struct nearest *best)
{
    char full[NAME_BYTES + 1];
    size_t length;
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        for (const char *at = settings[i].names; (length = next_name(&at)); at += length) {
            if (option_name_of_platform(at, length)) continue;
            snprintf(full, sizeof(full), PREFIX "%.*s", (int)length, at);
            if (strcmp(full, name) == 0) return true;
            consider(best, name, full);
        }
    }
    return false;
}

/* A variable with our prefix that is none of ours is a mistake that would otherwise go unnoticed. */
static enum status check_prefix(struct error *err)
{
    for (char **e = environ; e && *e; e++) {
        const char *equals = strchr(*e, '=');
        struct nearest best = {.distance = NAME_BYTES};
        char name[NAME_BYTES + 1];
        if (strncmp(*e, PREFIX, strlen(PREFIX)) != 0 || !equals) continue;
        snprintf(name, sizeof(name), "%.*s", (int)(equals - *e > NAME_BYTES ? NAME_BYTES : equals - *e), *e);
        if (service_link(name, equals + 1) || known_prefixed(name, &best)) continue;
        if (best.name[0])
            return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "%s: no such setting; did you mean %s?", name, best.name);
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "%s: no such setting; deploy/SETTINGS.md lists them", name);
    }
    return DOCKET_OK;
}

bool config_platform_present(void)
{
    const char *endpoint = getenv("RUNPOD_ENDPOINT_ID");
    return getenv("RUNPOD_WEBHOOK_GET_JOB") || (endpoint && endpoint[0]);
}

static enum status load_all(struct config *c, const struct command_line *command, void *values, int argc, char **argv,
                            struct text_list *rest, struct error *err)
{
    enum status st;
    bool flags = true;
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) set_default(&settings[i], (char *)c + settings[i].offset);
    for (size_t i = 0; i < command->n_options; i++)
        set_default(&command->options[i], (char *)values + command->options[i].offset);
    for (int at = 0; at < argc; at++) {
        if (flags && strcmp(argv[at], "--") == 0) {
            flags = false;
        } else if (flags && argv[at][0] == '-' && argv[at][1]) {
            if ((st = read_flag(c, command, values, argc, argv, &at, err)) != DOCKET_OK) return st;
        } else if (!text_list_add(rest, argv[at])) {
            return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the command line");
        }
    }
    if ((st = check_prefix(err)) != DOCKET_OK) return st;
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++)
        if (!c->set_by[i] && (st = read_variables(c, &settings[i], err)) != DOCKET_OK) return st;
    c->on_platform = c->take_url || c->endpoint_id;
    if (!c->load) c->load = settings[SETTING_load].words[c->take_url ? 1 : 0];
    if (!c->log_format) c->log_format = settings[SETTING_log_format].words[c->on_platform ? 0 : 1];
    return DOCKET_OK;
}

enum status config_load(struct config *out, const struct command_line *command, void *values, int argc, char **argv,
                        struct text_list *rest, struct error *err)
{
    struct config c = {0};
    enum status st = load_all(&c, command, values, argc, argv, rest, err);
    if (st == DOCKET_OK) *out = c;
    return st;
}

void config_log_notes(const struct config *config)
{
    for (size_t i = 0; i < config->n_notes; i++) {
        const struct config_note *n = &config->notes[i];
        char name[NAME_BYTES + 1];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(n->name, " "), n->name);
        log_event(LOG_WARN, EVENT_config_clamped, F_STR("variable", name), F_STR("value", n->value),
                  F_STR("used", n->used));
    }
}

void config_describe(struct buffer *out, const struct config *config)
{
    for (size_t i = 0; i < ARRAY_LENGTH(settings); i++) {
        const struct option *option = &settings[i];
        const void *field = (const char *)config + option->offset;
        if (!config->set_by[i] || strcmp(option->names, "HOME") == 0 || strcmp(option->names, "TERM") == 0) continue;
        buffer_printf(out, "%s%.*s=", out->length ? " " : "", (int)strcspn(config->set_by[i], " "), config->set_by[i]);
        switch (option->kind) {
        case OPTION_COUNT:
            buffer_printf(out, "%llu", (unsigned long long)*(const uint64_t *)field);
            break;
        case OPTION_NUMBER:
            buffer_printf(out, "%g", *(const double *)field);
            break;
        case OPTION_SWITCH:
            buffer_append_str(out, *(const bool *)field ? "true" : "false");
            break;
        case OPTION_SECRET:
        case OPTION_URL:
            buffer_append_str(out, "set");
            break;
        default:
            /* The one job of a local run is a document, not a setting to show. */
            buffer_printf(out, "%.120s", i == SETTING_test_input ? "set" : *(const char *const *)field);
            break;
        }
    }
}

bool config_terminal(const struct config *config, int fd)
{
    return isatty(fd) && !config->no_color && !(config->terminal && strcmp(config->terminal, "dumb") == 0);
}
