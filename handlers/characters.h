/* characters.h: classes of Unicode characters that matter to names and texts. Tables only. */
#ifndef DOCKET_HANDLERS_CHARACTERS_H
#define DOCKET_HANDLERS_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool character_is_space(uint32_t c);
/* Not to be seen and not white space: zero-width, bidi controls, tags, soft hyphen, the supplementary variation selectors. */
bool character_is_hidden(uint32_t c);
/* C0 (with \n and \t), DEL and C1. */
bool character_is_control(uint32_t c);
bool character_is_letter(uint32_t c); /* marks that belong to one, too */
uint32_t character_lower(uint32_t c);

/* The text in composed form (NFC); text that is not UTF-8 as it is. The caller frees; NULL: no memory. */
char *characters_compose(const char *text);

#endif
