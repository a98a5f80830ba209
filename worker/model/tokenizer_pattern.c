/* tokenizer_pattern.c: split patterns through PCRE2. The files are written for another engine (Oniguruma): only what both read
 * alike is compiled, the rest is refused by name; and characters that PCRE2's Unicode is too old for are shown to it as older
 * ones of the same category. */
#include "worker/model/tokenizer_inner.h"

#include <string.h>

#define MAX_PATTERN     4096u
#define MAX_LOOK_BEHIND 8u

/* first, last, the character that stands for them */
static const uint32_t newer[][3] = {
#include "worker/model/unicode_newer.inc"
};
#define FIRST_NEWER 0x897u

static uint32_t older(uint32_t c)
{
    size_t low = 0, high = ARRAY_LENGTH(newer);
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c > newer[middle][1])
            low = middle + 1;
        else if (c < newer[middle][0])
            high = middle;
        else
            return newer[middle][2];
    }
    return c;
}

const char *pattern_subject(struct buffer *out, const char *text, size_t length, bool *failed)
{
    bool changed = false;
    for (size_t at = 0, n; at < length; at += n) {
        uint32_t c = (unsigned char)text[at];
        n = 1;
        if (c < 0xe0) continue; /* of the longer ones only those of three and four bytes may be new */
        n = utf8_next(text + at, length - at, &c);
        if (n == 0) n = 1;
        uint32_t shown = c < FIRST_NEWER ? c : older(c);
        if (shown == c) continue;
        if (!changed) {
            buffer_clear(out);
            *failed = !buffer_append(out, text, length);
            if (*failed) return NULL;
            changed = true;
        }
        utf8_put(shown, out->data + at);
    }
    return changed ? out->data : NULL;
}

/* Behind a backslash: the length of what both engines understand, 0 if there is none. */
static size_t escape_length(const char *p, size_t left)
{
    static const char *const categories[] = {"L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N",  "Nd",
                                             "Nl", "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S",  "Sm",
                                             "Sc", "Sk", "So", "Z",  "Zs", "Zl", "Zp", "C",  "Cc", "Cf", "Co", "Cn"};
    if (left == 0 || p[0] == '\0') return 0;
    if (strchr("sSdDrntf", p[0])) return 1;
    if (strchr("-.*+?()[]{}|/\\^$'\"#&~<>=!:,;%@`_ ", p[0])) return 1;
    if ((p[0] == 'p' || p[0] == 'P') && left > 3 && p[1] == '{')
        for (size_t i = 0; i < ARRAY_LENGTH(categories); i++) {
            size_t n = strlen(categories[i]);
            if (left > n + 2 && memcmp(p + 2, categories[i], n) == 0 && p[n + 2] == '}') return n + 3;
        }
    return 0;
}

/* Behind "(?". */
static bool group_is_known(const char *p, size_t left)
{
    static const char *const known[] = {":", "i:", "=", "!", "<=", "<!", ">"};
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        if (left >= strlen(known[i]) && memcmp(p, known[i], strlen(known[i])) == 0) return true;
    return false;
}

/* What the two engines would read differently, or only one of them knows. NULL: nothing. */
static const char *foreign_part(const char *p, size_t length, size_t *at)
{
    bool set = false;
    for (size_t i = 0; i < length; i++) {
        size_t left = length - i - 1;
        *at = i;
        if (p[i] == '\0') return "a zero byte";
        if (p[i] == '\\') {
            size_t n = escape_length(p + i + 1, left);
            if (n == 0) return "an escape";
            i += n;
        } else if (set) {
            if (p[i] == ']')
                set = false;
            else if (p[i] == '[')
                return "a set in a set";
            else if (p[i] == '&' && left > 0 && p[i + 1] == '&')
                return "an intersection of sets";
        } else if (p[i] == '[') {
            set = true;
            if (left > 0 && p[i + 1] == '^') i++;
            if (i + 1 < length && p[i + 1] == ']') return "an empty set";
        } else if (p[i] == '(' && left > 0 && (p[i + 1] == '?' || p[i + 1] == '*')) {
            if (p[i + 1] == '*' || !group_is_known(p + i + 2, left - 1)) return "a group";
            i++; /* the question mark repeats nothing */
        } else if (p[i] == '}' && left > 0 && (p[i + 1] == '+' || p[i + 1] == '?'))
            return "a repetition";
        else if (p[i] == '{' && (left == 0 || p[i + 1] < '0' || p[i + 1] > '9'))
            return "a repetition";
    }
    return NULL;
}

static enum status check_facts(const pcre2_code *code, const char *path, struct error *err)
{
    uint32_t empty = 0, back = 0, behind = 0;
    pcre2_pattern_info(code, PCRE2_INFO_MATCHEMPTY, &empty);
    pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &back);
    pcre2_pattern_info(code, PCRE2_INFO_MAXLOOKBEHIND, &behind);
    if (empty) return tokenizer_refuse(err, "%s: a pattern that matches nothing at all is not followed", path);
    if (back) return tokenizer_refuse(err, "%s: a pattern that refers back to itself is not followed", path);
    if (behind > MAX_LOOK_BEHIND)
        return tokenizer_refuse(err, "%s: a pattern that looks back %u characters is not followed, at most %u", path,
                                behind, MAX_LOOK_BEHIND);
    return DOCKET_OK;
}

static void *pcre_alloc(size_t size, void *unused)
{
    (void)unused;
    return mem_alloc(size);
}

static void pcre_free(void *memory, void *unused)
{
    (void)unused;
    mem_free(memory);
}

enum status pattern_compile(struct tokenizer *t, const char *pattern, size_t length, const char *path, pcre2_code **out,
                            struct error *err)
{
    size_t at = 0;
    PCRE2_SIZE place = 0;
    int code = 0;
    if (length == 0 || length > MAX_PATTERN)
        return tokenizer_refuse(err, "%s: a pattern of %zu bytes, want 1 to %u", path, length, MAX_PATTERN);
    const char *foreign = foreign_part(pattern, length, &at);
    if (foreign)
        return tokenizer_refuse(err, "%s: %s that is not followed, at byte %zu: \"%.20s\"", path, foreign, at,
                                pattern + at);
    if (!t->memory) t->memory = pcre2_general_context_create(pcre_alloc, pcre_free, NULL);
    pcre2_compile_context *context = t->memory ? pcre2_compile_context_create(t->memory) : NULL;
    if (!context) return tokenizer_no_memory(err);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, 32);
    const uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_UTF_CHECK;
    *out = pcre2_compile((PCRE2_SPTR)pattern, length, options, &code, &place, context);
    pcre2_compile_context_free(context);
    if (!*out) {
        PCRE2_UCHAR text[120];
        pcre2_get_error_message(code, text, sizeof(text));
        if (code == PCRE2_ERROR_HEAP_FAILED) return tokenizer_no_memory(err);
        return tokenizer_refuse(err, "%s: no pattern, at byte %zu: %s", path, (size_t)place, (const char *)text);
    }
    pcre2_jit_compile(*out, PCRE2_JIT_COMPLETE); /* without it the interpreter does */
    return check_facts(*out, path, err);
}
