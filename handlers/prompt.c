/* prompt.c: the wording, and how it becomes tokens. The document stands behind instructions and labels, so that these are
 * computed once a job; the answer's opening is given, so that the next tokens can only be a label. */
#include "handlers/prompt.h"

#include "worker/base/alloc.h"
#include "worker/base/file.h"

#include <string.h>

#define OPENING  "Category:"
#define FENCE    "\"\"\"\n"
#define CUT_MARK "\n[...]\n"

static void put_example(struct buffer *b, const struct job_input *input, const struct example *example)
{
    buffer_append_str(b, "Example:\n" FENCE);
    buffer_append_str(b, example->text);
    buffer_printf(b, "\n" FENCE "%s: ", input->multi_label ? "Categories" : "Category");
    for (size_t i = 0; i < example->n_labels; i++) {
        if (i) buffer_append_str(b, ", ");
        buffer_append_str(b, example->labels[i]);
    }
    buffer_append_str(b, "\n\n");
}

char *prompt_text_before(const struct job_input *input)
{
    struct buffer b = {0};
    buffer_append_str(&b, input->multi_label
                              ? "Read the document and say for each category whether it applies.\n\nCategories:\n"
                              : "Read the document and choose the one category that fits it best.\n\nCategories:\n");
    for (size_t i = 0; i < input->n_labels; i++) {
        const struct label *label = &input->labels[i];
        buffer_printf(&b, "- %s%s%s\n", label->name, label->description ? ": " : "",
                      label->description ? label->description : "");
    }
    buffer_append_str(&b, "\n");
    if (input->instructions) {
        buffer_append_str(&b, "Instructions: ");
        buffer_append_str(&b, input->instructions);
        buffer_append_str(&b, "\n\n");
    }
    for (size_t i = 0; i < input->n_examples; i++) put_example(&b, input, &input->examples[i]);
    buffer_append_str(&b, "Document:\n" FENCE);
    if (b.failed) {
        buffer_free(&b);
        return NULL;
    }
    return buffer_take(&b, NULL);
}

const char *prompt_text_after(const struct job_input *input)
{
    return input->multi_label ? "\n" FENCE "\nWhich categories apply to the document?"
                              : "\n" FENCE "\nWhich category fits the document best? Answer with its name only.";
}

static size_t common_length(const struct token_list *a, const struct token_list *b)
{
    size_t n = 0;
    while (n < a->length && n < b->length && a->ids[n] == b->ids[n]) n++;
    return n;
}

static enum status no_memory(struct error *err)
{
    return fail(err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for the prompt");
}

/* The tokens of "Category: name" and so on, behind the document. */
static enum status continuation(struct token_list *out, const struct job_input *input, size_t leaf,
                                enum chat_template chat, const struct tokenizer *tokenizer, struct error *err)
{
    const char *name = input->labels[input->multi_label ? leaf / 2 : leaf].name;
    const char *answer = !input->multi_label ? "" : leaf % 2 == 0 ? ": yes" : ": no";
    char *opening = str_format(OPENING " %s%s", name, answer);
    if (!opening) return no_memory(err);
    enum status st = chat_template_suffix(chat, tokenizer, prompt_text_after(input), opening, out, err);
    mem_free(opening);
    return st;
}

static enum status check_names(const struct job_input *input, const struct tokenizer *tokenizer, struct error *err)
{
    for (size_t i = 0; i < input->n_labels; i++) {
        int32_t id = tokenizer_id(tokenizer, input->labels[i].name);
        if (id >= 0 && tokenizer_is_special(tokenizer, id))
            return fail(err, DOCKET_BAD_INPUT, CODE_labels_invalid,
                        "labels[%zu]: \"%s\" is a special token of the model", i, input->labels[i].name);
    }
    return DOCKET_OK;
}

/* Suffix and trie: what all continuations share belongs to the suffix, wherever the tokenizer put the boundary. */
static enum status build_trie(struct prompt *p, const struct job_input *input, enum chat_template chat,
                              const struct tokenizer *tokenizer, struct error *err)
{
    size_t n = input->n_labels * (input->multi_label ? 2 : 1), first = 0, second = 0;
    struct token_list *paths = mem_zalloc(n, sizeof(*paths));
    if (!paths) return no_memory(err);
    enum status st = chat_template_suffix(chat, tokenizer, prompt_text_after(input), OPENING, &p->suffix, err);
    for (size_t i = 0; i < n && st == DOCKET_OK; i++) {
        st = continuation(&paths[i], input, i, chat, tokenizer, err);
        if (st == DOCKET_OK) p->suffix.length = common_length(&p->suffix, &paths[i]);
    }
    for (size_t i = 0; i < n && st == DOCKET_OK; i++) {
        paths[i].length -= p->suffix.length;
        memmove(paths[i].ids, paths[i].ids + p->suffix.length, paths[i].length * sizeof(*paths[i].ids));
    }
    if (st == DOCKET_OK)
        st = token_trie_build(&p->trie, paths, n, chat_template_end(chat, tokenizer), &first, &second, err);
    if (st == DOCKET_BAD_INPUT) {
        size_t a = input->multi_label ? first / 2 : first, b = input->multi_label ? second / 2 : second;
        if (a == b)
            fail(err, st, CODE_labels_invalid, "labels[%zu]: \"%s\" has no tokens", a, input->labels[a].name);
        else
            fail(err, st, CODE_labels_invalid, "labels[%zu] and labels[%zu] are the same to the model: \"%s\"", a, b,
                 input->labels[a].name);
    }
    for (size_t i = 0; i < n; i++) token_list_free(&paths[i]);
    mem_free(paths);
    return st;
}

static enum status make_digest(struct prompt *p, struct error *err)
{
    struct buffer all = {0};
    buffer_append(&all, p->prefix.ids, p->prefix.length * sizeof(int32_t));
    buffer_printf(&all, "|%d|", PROMPT_VERSION);
    buffer_append(&all, p->suffix.ids, p->suffix.length * sizeof(int32_t));
    for (size_t i = 0; i < p->trie.n_nodes; i++) {
        const int32_t node[3] = {p->trie.nodes[i].token, (int32_t)p->trie.nodes[i].parent, p->trie.nodes[i].leaf};
        buffer_append(&all, node, sizeof(node));
    }
    enum status st = all.failed ? no_memory(err) : DOCKET_OK;
    if (st == DOCKET_OK) sha256_hex(all.data, all.length, p->digest);
    buffer_free(&all);
    return st;
}

enum status prompt_build(struct prompt *out, const struct job_input *input, enum chat_template chat,
                         const struct tokenizer *tokenizer, struct error *err)
{
    struct prompt p = {0};
    char *before = prompt_text_before(input);
    enum status st = before ? check_names(input, tokenizer, err) : no_memory(err);
    if (st == DOCKET_OK) st = chat_template_prefix(chat, tokenizer, before, &p.prefix, err);
    if (st == DOCKET_OK) st = build_trie(&p, input, chat, tokenizer, err);
    if (st == DOCKET_OK) st = tokenizer_encode(tokenizer, CUT_MARK, strlen(CUT_MARK), TOKENIZE_CONTINUE, &p.cut, err);
    if (st == DOCKET_OK) st = make_digest(&p, err);
    if (st == DOCKET_OK) MOVE(*out, p);
    prompt_free(&p);
    mem_free(before);
    return st;
}

void prompt_free(struct prompt *p)
{
    token_list_free(&p->prefix);
    token_list_free(&p->suffix);
    token_list_free(&p->cut);
    token_trie_free(&p->trie);
    *p = (struct prompt){0};
}

enum status prompt_document(const struct prompt *p, const struct token_list *document, size_t limit,
                            struct token_list *out, size_t *dropped, struct error *err)
{
    bool good;
    *dropped = 0;
    if (document->length <= limit)
        good = token_list_append_all(out, document->ids, document->length);
    else {
        size_t mark = p->cut.length < limit ? p->cut.length : 0;
        size_t keep = limit - mark, head = keep * 2 / 3, tail = keep - head;
        *dropped = document->length - keep;
        good = token_list_append_all(out, document->ids, head) && token_list_append_all(out, p->cut.ids, mark) &&
               token_list_append_all(out, document->ids + document->length - tail, tail);
    }
    return good ? DOCKET_OK : no_memory(err);
}
