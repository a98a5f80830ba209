/* tokenizer.h: tokenizer.json or tokenizer.model → ids and back, equal to the tokenizers library and to SentencePiece for BPE, with
 * byte fallback or over bytes. Knows no templates. */
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
/* From the bytes of SentencePiece's tokenizer.model (BPE, identity normalizer). Ids equal SentencePiece's; user-defined pieces are
 * recognised with TOKENIZE_SPECIAL only, control pieces never. */
enum status tokenizer_open_model(struct tokenizer **out, const void *bytes, size_t length, struct error *err);
void tokenizer_close(struct tokenizer *tokenizer);

enum tokenizer_flags {
    TOKENIZE_SPECIAL = 1,      /* added tokens are recognised in the text; never for documents. Those of white
                            * space that are not special always are */
    TOKENIZE_POST_PROCESS = 2, /* the template's tokens (<s>) are added */
    TOKENIZE_CONTINUE = 4,     /* the text goes on after other text: no leading "▁" is prepended */
    TOKENIZE_BEHIND = 8, /* the text stands behind an added token: "▁" only where the tokenizer puts one there */
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
bool tokenizer_is_added(const struct tokenizer *tokenizer, int32_t id); /* special ones, too */

/* The tokens that begin a text and end an answer, -1 if there are none: "<s>" and "</s>" until other ones are named, before any
 * thread encodes. -1 leaves what is there. */
void tokenizer_name_ends(struct tokenizer *tokenizer, int32_t begin, int32_t end);
int32_t tokenizer_begin(const struct tokenizer *tokenizer);
int32_t tokenizer_end(const struct tokenizer *tokenizer);

#endif
