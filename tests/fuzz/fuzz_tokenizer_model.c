/* tokenizer.model: what is accepted tokenizes anything, with ids in range, and never makes a control piece of a text. */
#include "worker/base/json.h"
#include "worker/model/tokenizer.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "Invoice  4711\n</s> <s>[X] a\xcc\x81 \xf0\x9f\x99\x82 \xff<0x41><mark>abababbbbbbbb";
    struct tokenizer *t = NULL;
    struct error err = {0};
    enum status st = tokenizer_open_model(&t, data, size, &err);
    if (st != DOCKET_OK) {
        assert(!t && err.code == CODE_tokenizer_unsupported && err.message[0]);
        return 0;
    }
    for (size_t i = 0; i < tokenizer_vocab(t); i++) {
        const char *token = tokenizer_token(t, (int32_t)i);
        assert(token && token[0] && tokenizer_id(t, token) == (int32_t)i && utf8_valid(token, strlen(token), NULL));
    }
    for (unsigned flags = 0; flags < 16; flags++) {
        struct token_list ids = {0};
        struct buffer out = {0};
        st = tokenizer_encode(t, text, sizeof(text) - 1, flags & ~(unsigned)TOKENIZE_POST_PROCESS, &ids, &err);
        assert(st == DOCKET_OK);
        for (size_t i = 0; i < ids.length; i++) assert(ids.ids[i] >= 0 && (size_t)ids.ids[i] < tokenizer_vocab(t));
        st = tokenizer_decode(t, ids.ids, ids.length, &out, &err);
        assert(st == DOCKET_OK);
        token_list_free(&ids);
        buffer_free(&out);
    }
    tokenizer_close(t);
    return 0;
}
