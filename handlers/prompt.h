/* prompt.h: instructions, labels and a place for the document → tokens. Knows the wording of the prompt; scores nothing. */
#ifndef DOCKET_HANDLERS_PROMPT_H
#define DOCKET_HANDLERS_PROMPT_H

#include "handlers/job_input.h"
#include "worker/model/chat_template.h"
#include "worker/model/token_trie.h"

/* Part of every fingerprint: raise it when the wording changes. */
#define PROMPT_VERSION 1

/* A job's prompt: prefix + document + suffix, then one of the trie's continuations. {0} is valid and freeable. */
struct prompt {
    struct token_list prefix; /* the same for all documents of the job */
    struct token_list suffix;
    struct token_list cut;  /* stands where the middle of a long document was */
    struct token_trie trie; /* leaf i is label i; of multi_label leaf 2i is "label i: yes", 2i + 1 is "label i: no" */
    char digest[65];        /* SHA-256 of all of the above */
};

/* labels_invalid names the labels that the model cannot tell apart or that are special tokens. */
enum status prompt_build(struct prompt *out, const struct job_input *input, enum chat_template chat,
                         const struct tokenizer *tokenizer, struct error *err);
void prompt_free(struct prompt *prompt);

/* The text in front of the document: the caller frees. NULL: no memory. */
char *prompt_text_before(const struct job_input *input);
const char *prompt_text_after(const struct job_input *input);

/* Appends the document's tokens, at most `limit`: of a longer one two thirds from its head and one from its tail, with the cut marked
 * between. *dropped counts what was left out. */
enum status prompt_document(const struct prompt *prompt, const struct token_list *document, size_t limit,
                            struct token_list *out, size_t *dropped, struct error *err);

#endif
