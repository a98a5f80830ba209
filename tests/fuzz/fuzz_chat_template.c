/* tokenizer_config.json and chat_template.jinja: a format of the table comes out or a message; nothing is evaluated. */
#include "worker/model/chat_template.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_all(struct tokenizer *t, enum chat_template which)
{
    struct token_list ids = {0};
    struct error err = {0};
    enum status st = chat_template_prefix(which, t, "before", &ids, &err);
    assert(st == DOCKET_OK || (st == DOCKET_UNSUPPORTED && ids.length == 0 && err.message[0]));
    if (st == DOCKET_OK) st = chat_template_suffix(which, t, "after", "opening", &ids, &err);
    for (size_t i = 0; i < ids.length; i++) assert(ids.ids[i] >= 0 && (size_t)ids.ids[i] < tokenizer_vocab(t));
    token_list_free(&ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
#define ADDED(id, content)                                                                                             \
    "{\"id\":" #id ",\"content\":\"" content                                                                           \
    "\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true}"
    static const char json[] = "{\"added_tokens\":[" ADDED(0, "<s>") "," ADDED(1, "</s>") "," ADDED(
        2, "[INST]") "],\"model\":{\"vocab\":{\"<s>\":0,\"</s>\":1,\"[INST]\":2,\"a\":3},\"merges\":[]}}";
    struct tokenizer *t = NULL;
    struct error err = {0};
    enum chat_template which = TEMPLATE_NONE;
    const char *text = size ? (const char *)data : "";
    enum status st = tokenizer_open(&t, json, sizeof(json) - 1, &err);
    assert(st == DOCKET_OK);
    st = chat_template_recognise(&which, text, size, &err);
    assert(st == DOCKET_OK || (err.code == CODE_tokenizer_unsupported && err.message[0]));
    assert((int)which >= 0 && which < N_CHAT_TEMPLATES);
    if (chat_template_ends(t, text, size, &err) == DOCKET_OK) try_all(t, which);
    assert(tokenizer_begin(t) >= 0 && tokenizer_end(t) >= 0);
    if (!memchr(text, 0, size) && chat_template_recognise_text(&which, text, size, &err) == DOCKET_OK)
        try_all(t, which);
    tokenizer_close(t);
    return 0;
}
