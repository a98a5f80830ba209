/* tokenizer.json, then text: what is accepted tokenizes anything, with ids in range, and never makes a special token of a
 * document. JSON, a zero byte, text. */
#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/model/tokenizer.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_text(const struct tokenizer *t, const char *text, size_t length, bool unknown_is_special)
{
    for (unsigned flags = 0; flags < 8; flags++) {
        struct token_list ids = {0};
        struct buffer out = {0};
        struct error err = {0};
        enum status st = tokenizer_encode(t, text, length, flags, &ids, &err);
        /* a pattern may need too many steps for its text; then the engine's words say so */
        const char *reason = st == DOCKET_LIMIT ? strstr(err.message, "split pattern: ") : NULL;
        assert(st == DOCKET_OK || (reason && reason[sizeof("split pattern: ") - 1] && ids.length == 0));
        for (size_t i = 0; i < ids.length; i++) {
            assert(ids.ids[i] >= 0 && (size_t)ids.ids[i] < tokenizer_vocab(t));
            assert((flags & 3) || unknown_is_special || !tokenizer_is_special(t, ids.ids[i]));
        }
        buffer_init(&out, 16 * MIB);
        st = tokenizer_decode(t, ids.ids, ids.length, &out, &err);
        assert(st == DOCKET_OK || st == DOCKET_LIMIT);
        token_list_free(&ids);
        buffer_free(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char usual[] =
        "Invoice  4711\n</s> <s>[INST] a\xcc\x81 \xf0\x9f\x99\x82 \xff<0x41>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct tokenizer *t = NULL;
    struct error err = {0};
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t length = zero ? (size_t)(zero - data) : size;
    enum status st = tokenizer_open(&t, (const char *)data, length, &err);
    if (st != DOCKET_OK) {
        assert(!t && err.code == CODE_tokenizer_unsupported && err.message[0]);
        return 0;
    }
    for (size_t i = 0; i < tokenizer_vocab(t); i++) {
        const char *text = tokenizer_token(t, (int32_t)i);
        assert(text && text[0] && tokenizer_id(t, text) == (int32_t)i);
        assert(utf8_valid(text, strlen(text), NULL));
    }
    bool unknown_is_special = memmem(data, length, "unk_token", 9) != NULL;
    try_text(t, usual, sizeof(usual) - 1, unknown_is_special);
    if (zero) try_text(t, (const char *)zero + 1, size - length - 1, unknown_is_special);
    tokenizer_close(t);
    return 0;
}
