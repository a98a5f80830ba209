/* config_help.c: what the table of settings says to people: --help of a subcommand, and the page of documentation. */
#include "worker/config.h"

#include <string.h>

#define COLUMN 34  /* where the text of an option begins */
#define WIDTH  100 /* of a line on the terminal */

/* Appends words, breaking lines at WIDTH; `at` is the column of the cursor. */
static void put_words(struct buffer *out, const char *text, size_t at)
{
    while (*text) {
        size_t n = strcspn(text, " ");
        if (at > COLUMN && at + n + 1 > WIDTH) {
            buffer_printf(out, "\n%*s", COLUMN, "");
            at = COLUMN;
        } else if (at > COLUMN) {
            buffer_append_char(out, ' ');
            at++;
        }
        buffer_append(out, text, n);
        at += n;
        text += n;
        text += strspn(text, " ");
    }
}

static void put_allowed(struct buffer *out, const struct option *option)
{
    if (option->kind == OPTION_COUNT)
        buffer_printf(out, "%s%.0f to %.0f", option->words[0] ? "auto, " : "", option->low, option->high);
    else if (option->kind == OPTION_NUMBER)
        buffer_printf(out, "%g to %g", option->low, option->high);
    else if (option->kind == OPTION_SWITCH)
        buffer_append_str(out, "true, false");
    else
        for (size_t i = 0; option->words[i]; i++) buffer_printf(out, "%s%s", i ? ", " : "", option->words[i]);
}

/* "(none)" and the like without the brackets. */
static void put_fallback(struct buffer *out, const struct option *option)
{
    const char *text = option->fallback;
    size_t n = strlen(text);
    if (n > 1 && text[0] == '(')
        buffer_append(out, text + 1, n - 2);
    else
        buffer_append_str(out, text);
}

static void put_option(struct buffer *out, const struct option *option)
{
    struct buffer left = {0}, right = {0}, allowed = {0};
    const char *names = option->names;
    size_t first = strcspn(names, " ");
    put_allowed(&allowed, option);
    if (option->flag[0])
        buffer_printf(&left, "  %s%s%s", option->flag, option->kind == OPTION_SWITCH ? "" : " ",
                      option->kind == OPTION_SWITCH ? "" : option->value);
    else
        buffer_printf(&left, "  %.*s", (int)first, names);
    buffer_append_str(&right, option->help);
    if (allowed.length && option->kind != OPTION_SWITCH) buffer_printf(&right, " [%s]", allowed.data);
    bool named = option->flag[0] && first;
    bool silent = strcmp(option->fallback, "(none)") == 0 || strcmp(option->fallback, "false") == 0;
    if (named) buffer_printf(&right, " (%.*s", (int)first, names);
    if (!silent) {
        buffer_append_str(&right, named ? "; default: " : " (default: ");
        put_fallback(&right, option);
    }
    if (named || !silent) buffer_append_char(&right, ')');

    buffer_append_str(out, left.data);
    size_t at = 0; /* in characters */
    for (size_t i = 0; i < left.length; i++) at += ((unsigned char)left.data[i] & 0xc0) != 0x80;
    if (at + 2 > COLUMN) {
        buffer_append_char(out, '\n');
        at = 0;
    }
    buffer_printf(out, "%*s", (int)(COLUMN - at), "");
    put_words(out, right.data ? right.data : "", COLUMN);
    buffer_append_char(out, '\n');
    buffer_free(&left);
    buffer_free(&right);
    buffer_free(&allowed);
}

void config_help(struct buffer *out, const struct command_line *command)
{
    size_t n;
    const struct option *rows = config_options(&n);
    const char *group = NULL;
    buffer_printf(out, "usage: docket %s\n\n%s\n", command->usage, command->about);
    if (command->n_options) buffer_append_str(out, "\noptions\n");
    for (size_t i = 0; i < command->n_options; i++) put_option(out, &command->options[i]);
    for (size_t i = 0; i < n; i++) {
        if (config_group(i)) group = config_group(i);
        if (!strchr(rows[i].shown, command->letter)) continue;
        if (group) buffer_printf(out, "\n%s\n", group);
        group = NULL;
        put_option(out, &rows[i]);
    }
    buffer_append_str(out, "\nA flag beats its variable. deploy/SETTINGS.md has all settings and all names of each.\n");
}

static void put_cell(struct buffer *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|') buffer_append_char(out, '\\');
        buffer_append_char(out, *text);
    }
}

static void put_row(struct buffer *out, const struct option *option)
{
    struct buffer cell = {0};
    const char *name = option->names;
    size_t length;
    buffer_append_str(out, "| ");
    for (; name += strspn(name, " "), (length = strcspn(name, " ")) > 0; name += length)
        buffer_printf(out, "%s`%.*s`", name > option->names ? ", " : "", (int)length, name);
    if (!option->names[0]) buffer_append_str(out, "–");
    buffer_append_str(out, " | ");
    if (option->kind == OPTION_SECRET)
        buffer_append_str(out, "refused: a secret");
    else if (option->flag[0])
        buffer_printf(out, "`%s`", option->flag);
    buffer_append_str(out, " | ");
    put_allowed(&cell, option);
    put_cell(out, cell.length ? cell.data : "text");
    buffer_append_str(out, " | ");
    buffer_clear(&cell);
    put_fallback(&cell, option);
    put_cell(out, cell.length ? cell.data : "");
    buffer_append_str(out, " | ");
    put_cell(out, option->help);
    buffer_append_str(out, " |\n");
    buffer_free(&cell);
}

void config_page(struct buffer *out)
{
    size_t n;
    const struct option *rows = config_options(&n);
    buffer_append_str(
        out,
        "# Settings\n\n"
        "Made by `docket --page settings` from `worker/options.h`; a test compares the two.\n\n"
        "- A flag beats the environment; of several variables the first that is set counts. Switches are turned off "
        "by\n"
        "  `--no-…`.\n"
        "- Variables that begin with `RUNPOD_` are the platform's: a value that cannot be used is clamped or passed "
        "over\n"
        "  with one WARN line (`config_clamped`). Only a key or URL that is malformed stops the start.\n"
        "- All others are yours: a value that cannot be used stops the program with exit code 78 and a message that "
        "names\n"
        "  variable, value and what is allowed; in a flag it is exit code 64. An empty text counts as not set, an "
        "empty\n"
        "  number or word as malformed.\n"
        "- Each of yours may also be written with `DOCKET_` in front (`DOCKET_DEVICE`), which wins: for machines where "
        "the\n"
        "  short name belongs to something else. Any other variable with that prefix is refused as a misspelling.\n"
        "- Secrets are read from the environment only, and shown nowhere.\n"
        "- Proxies: the queue is reached through `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, as libcurl "
        "reads\n"
        "  them.\n");
    for (size_t i = 0; i < n; i++) {
        if (config_group(i))
            buffer_printf(
                out, "\n## %s\n\n| variable | flag | allowed | default | meaning |\n| --- | --- | --- | --- | --- |\n",
                config_group(i));
        put_row(out, &rows[i]);
    }
}
