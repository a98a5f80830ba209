/* characters.c: classes of Unicode characters that matter to names and texts. */
#include "handlers/characters.h"

#include "worker/base/alloc.h"

#include <string.h>
#include <utf8proc.h>

struct range {
    uint32_t first, last;
};

static bool within(const struct range *ranges, size_t n, uint32_t c)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last) return true;
    return false;
}

bool character_is_space(uint32_t c)
{
    static const struct range spaces[] = {{0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029},
                                          {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
    if (c < 0x1680) return c == ' ' || (c >= 9 && c <= 13) || c == 0x85 || c == 0xa0;
    return within(spaces, sizeof(spaces) / sizeof(spaces[0]), c);
}

bool character_is_hidden(uint32_t c)
{
    static const struct range hidden[] = {
        {0x061c, 0x061c},   /* Arabic letter mark */
        {0x180e, 0x180e},   /* Mongolian vowel separator */
        {0x200b, 0x200f},   /* zero-width space, joiners, direction marks */
        {0x202a, 0x202e},   /* embeddings and overrides of direction */
        {0x2060, 0x2064},   /* word joiner, invisible operators */
        {0x2066, 0x206f},   /* isolates, deprecated format characters */
        {0xfeff, 0xfeff},   /* zero-width no-break space */
        {0xfff9, 0xfffb},   /* interlinear annotation */
        {0xe0000, 0xe007f}, /* tags */
        {0xe0100, 0xe01ef}, /* supplementary variation selectors, known for carrying hidden bytes */
    };
    if (c < 0x061c) return c == 0xad;
    return within(hidden, sizeof(hidden) / sizeof(hidden[0]), c);
}

bool character_is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

bool character_is_letter(uint32_t c)
{
    utf8proc_category_t kind = utf8proc_category((utf8proc_int32_t)c);
    return kind >= UTF8PROC_CATEGORY_LU && kind <= UTF8PROC_CATEGORY_ME;
}

uint32_t character_lower(uint32_t c)
{
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

char *characters_compose(const char *text)
{
    const utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t length = (utf8proc_ssize_t)strlen(text);
    utf8proc_ssize_t need = utf8proc_decompose(bytes, length, NULL, 0, how);
    if (need < 0) return str_dup(text);
    utf8proc_int32_t *code_points = mem_zalloc((size_t)need + 1, sizeof(*code_points)); /* and room for the final NUL */
    if (!code_points) return NULL;
    need = utf8proc_decompose(bytes, length, code_points, need, how);
    if (need >= 0) need = utf8proc_reencode(code_points, need, how);
    char *composed = need < 0 ? str_dup(text) : str_dup((const char *)code_points);
    mem_free(code_points);
    return composed;
}
