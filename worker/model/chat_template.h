/* chat_template.h: messages → token ids, for templates that are recognised; Jinja is never run. Text of messages never becomes
 * special tokens. */
#ifndef DOCKET_MODEL_CHAT_TEMPLATE_H
#define DOCKET_MODEL_CHAT_TEMPLATE_H

#include "worker/model/tokenizer.h"

enum chat_template {
    TEMPLATE_NONE,             /* plain text: <s>, the message, a newline, the answer's opening */
    TEMPLATE_MISTRAL_INSTRUCT, /* <s>[INST] user [/INST] assistant</s> */
};

/* Recognises tokenizer_config.json's chat_template (text of the file; NULL: absent) by its shape and checks that the tokenizer has
 * what the template needs. UNSUPPORTED with a message when there is one that is not known. */
enum status chat_template_recognise(enum chat_template *out, const char *tokenizer_config, size_t length,
                                    struct error *err);
const char *chat_template_name(enum chat_template which);

/* A prompt of one user turn, in pieces so that the first can be shared by many documents. Token ids of a whole prompt are
 * prefix + middle + suffix, each encoded apart:
 *   prefix: what the template puts in front, then `before`;
 *   middle: the document's text (tokenizer_encode with TOKENIZE_CONTINUE), made by the caller;
 *   suffix: `after`, what the template puts behind the user's turn, then `opening` of the assistant's turn. */
enum status chat_template_prefix(enum chat_template which, const struct tokenizer *tokenizer, const char *before,
                                 struct token_list *out, struct error *err);
enum status chat_template_suffix(enum chat_template which, const struct tokenizer *tokenizer, const char *after,
                                 const char *opening, struct token_list *out, struct error *err);
/* The token that ends an assistant's turn. */
int32_t chat_template_end(enum chat_template which, const struct tokenizer *tokenizer);

#endif
