/* chat_template.h: messages → token ids, for templates that are recognised; Jinja is never run. Text of messages never becomes
 * special tokens. */
#ifndef DOCKET_MODEL_CHAT_TEMPLATE_H
#define DOCKET_MODEL_CHAT_TEMPLATE_H

#include "worker/model/tokenizer.h"

/* One turn of a user without a system message, as the template of that name writes it; where a template puts in a system message of
 * its own, that is there. Where it can think, it is told not to. The table is in chat_formats.inc. */
enum chat_template {
    TEMPLATE_NONE, /* plain text: <s> if the tokenizer puts one there, the message, a newline, the answer's opening */
#define CHAT_FORMAT(id, ...) TEMPLATE_##id,
#include "worker/model/chat_formats.inc"
#undef CHAT_FORMAT
    N_CHAT_TEMPLATES
};

/* Recognises tokenizer_config.json's chat_template (text of the file; NULL: absent) by what it holds: text, or a list of named
 * templates of which "default" or the only one counts. UNSUPPORTED with a message when there is one that is not known. */
enum status chat_template_recognise(enum chat_template *out, const char *tokenizer_config, size_t length,
                                    struct error *err);
/* The same of the template alone (chat_template.jinja). */
enum status chat_template_recognise_text(enum chat_template *out, const char *text, size_t length, struct error *err);
const char *chat_template_name(enum chat_template which);
bool chat_template_by_name(const char *name, enum chat_template *out);

/* Tells the tokenizer which tokens tokenizer_config.json calls bos_token and eos_token. Nothing where it says nothing. */
enum status chat_template_ends(struct tokenizer *tokenizer, const char *tokenizer_config, size_t length,
                               struct error *err);
/* Whether the tokenizer has what the template needs: UNSUPPORTED names what is missing. */
enum status chat_template_check(enum chat_template which, const struct tokenizer *tokenizer, struct error *err);

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
