/* config.h: environment and flags → one struct, by the table in options.h. config.c is the only reader of the environment; nothing
 * here knows what a value does. */
#ifndef DOCKET_WORKER_CONFIG_H
#define DOCKET_WORKER_CONFIG_H

#include "worker/base/buffer.h"

#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_TEXT,
    OPTION_PATH,
    OPTION_URL,
    OPTION_SECRET,
    OPTION_WORD,
    OPTION_COUNT,
    OPTION_NUMBER,
    OPTION_SWITCH,
    OPTION_LIST, /* of a subcommand's own table: may be given several times */
};

/* Strings borrowed from the command line. {0} is valid and freeable. */
struct text_list {
    const char **items;
    size_t n;
};
void text_list_free(struct text_list *list);

/* One row. Subcommands have such tables for flags of their own (names ""), with offsets into a struct of theirs. */
struct option {
    enum option_kind kind;
    size_t offset;
    const char *names, *flag, *fallback;
    double low, high;
    const char *words[20];
    const char *value, *shown, *help;
};
#define RANGE(from, to)         .low = (from), .high = (to)
#define AUTO_OR_RANGE(from, to) .words = {"auto"}, .low = (from), .high = (to) /* of COUNT; auto is 0 */
#define WORDS(...)              .words = {__VA_ARGS__}
#define ANY                     .low = 0
/* A row of a subcommand's own table; OPTION_VALUES is the struct that it fills, defined there. */
#define OWN_OPTION(kind_, field, flag_, fallback_, allowed, value_, help_)                                             \
    {                                                                                                                  \
        .kind = OPTION_##kind_, .offset = offsetof(OPTION_VALUES, field), .names = "", .flag = (flag_),                \
        .fallback = (fallback_), allowed, .value = (value_), .shown = "", .help = (help_)                              \
    }

enum option_id {
#define OPTION_GROUP(title)
#define OPTION(kind, field, ...) SETTING_##field,
#include "worker/options.h"
#undef OPTION
    N_SETTINGS,
};

#define CONFIG_NOTES 16

/* All strings are borrowed from the environment, the command line or the table. */
struct config {
#define OPTION_TYPE_TEXT         const char *
#define OPTION_TYPE_PATH         const char *
#define OPTION_TYPE_URL          const char *
#define OPTION_TYPE_SECRET       const char *
#define OPTION_TYPE_WORD         const char *
#define OPTION_TYPE_COUNT        uint64_t
#define OPTION_TYPE_NUMBER       double
#define OPTION_TYPE_SWITCH       bool
#define OPTION(kind, field, ...) OPTION_TYPE_##kind field;
#include "worker/options.h"
#undef OPTION
#undef OPTION_GROUP
    const char *set_by[N_SETTINGS]; /* the variable or flag that gave the value; NULL: the default */
    bool on_platform;               /* a queue or an endpoint is named in the environment */
    /* What the platform set and could not be used as it was: for the log, once that is open. */
    struct config_note {
        const char *name;
        char value[64], used[64];
    } notes[CONFIG_NOTES];
    size_t n_notes;
};

/* A subcommand as the parser and --help see it. values (of the options) is filled; it must be zeroed. */
struct command_line {
    char letter; /* of `shown` */
    const char *usage, *about;
    const struct option *options;
    size_t n_options;
};

/* Flags from argv[0] on, then the environment for what they leave open, then defaults. What is no flag goes to `rest` ("--" ends the
 * flags). BAD_INPUT: the command line is wrong; BAD_CONFIG: a variable of the user is. The message names flag or variable, the value
 * unless it is secret, and what is allowed. */
enum status config_load(struct config *out, const struct command_line *command, void *values, int argc, char **argv,
                        struct text_list *rest, struct error *err);
/* For one value, also of a subcommand's own table. */
enum status option_parse(const struct option *option, const char *name, const char *text, void *field,
                         struct error *err);

/* true when a platform's variables are there, before anything is parsed. */
bool config_platform_present(void);
/* One WARN for each note. */
void config_log_notes(const struct config *config);
/* "MODEL_NAME=… HF_TOKEN=set": what is not default; secrets and URLs as "set". */
void config_describe(struct buffer *out, const struct config *config);
/* Whether lines on this descriptor may have colour and be rewritten. */
bool config_terminal(const struct config *config, int fd);

/* --help of a subcommand; the page deploy/SETTINGS.md. */
void config_help(struct buffer *out, const struct command_line *command);
void config_page(struct buffer *out);

/* The rows, for those two and for tests. */
const struct option *config_options(size_t *n);
const char *config_group(size_t i); /* title when a group begins at row i, else NULL */
bool option_name_of_platform(const char *name, size_t length);

#endif
