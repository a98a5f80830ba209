/* tokenizer.h: tokenizer.json → ids and back, equal to the tokenizers library for BPE with byte fallback. Knows no templates. */
#ifndef DOCKET_MODEL_TOKENIZER_H
#define DOCKET_MODEL_TOKENIZER_H

#include "worker/base/buffer.h"

#include <stdint.h>

struct tokenizer;

/* A growing list of ids. {0} is valid and freeable. */
struct token_list {
    int32_t *ids;
    size_t length, capacity;
};
bool token_list_append(struct token_list *list, int32_t id); /* false: no memory */
bool token_list_append_all(struct token_list *list, const int32_t *ids, size_t n);
void token_list_free(struct token_list *list);

/* From the text of tokenizer.json. tokenizer_unsupported names what it cannot follow (rows M5-M10). Immutable afterwards: any
 * thread may encode. */
enum status tokenizer_open(struct tokenizer **out, const char *json, size_t length, struct error *err);
void tokenizer_close(struct tokenizer *tokenizer);

enum tokenizer_flags {
    TOKENIZE_SPECIAL = 1,      /* added tokens are recognised in the text; never for documents */
    TOKENIZE_POST_PROCESS = 2, /* the template's tokens (<s>) are added */
    TOKENIZE_CONTINUE = 4,     /* the text goes on after other text: no leading "▁" is prepended */
};

/* Appends the ids of UTF-8 text (invalid bytes are taken as U+FFFD). Time linear in length, memory bounded by it.
 * With TOKENIZE_SPECIAL and TOKENIZE_POST_PROCESS the ids equal tokenizers' encode(text). */
enum status tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length, unsigned flags,
                             struct token_list *out, struct error *err);
/* The text of the ids as tokenizers' decode(ids, skip_special_tokens=False). Unknown ids are BAD_INPUT. */
enum status tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, size_t n, struct buffer *out,
                             struct error *err);

size_t tokenizer_vocab(const struct tokenizer *tokenizer);                  /* ids are below this */
int32_t tokenizer_id(const struct tokenizer *tokenizer, const char *token); /* -1 if absent */
const char *tokenizer_token(const struct tokenizer *tokenizer, int32_t id); /* NULL if absent */
bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id);

#endif
