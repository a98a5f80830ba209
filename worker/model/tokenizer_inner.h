/* tokenizer_inner.h: inside of the tokenizer: what its files share. Built once by tokenizer_open, read only afterwards. */
#ifndef DOCKET_MODEL_TOKENIZER_INNER_H
#define DOCKET_MODEL_TOKENIZER_INNER_H

#include "worker/base/alloc.h"
#include "worker/base/json_cursor.h"
#include "worker/model/tokenizer.h"

#define TOKENIZER_MAX_BYTES      (128 * MIB) /* of tokenizer.json; Gemma's has 33 */
#define TOKENIZER_MAX_TOKENS     2000000u
#define TOKENIZER_MAX_MERGES     2000000u
#define TOKENIZER_MAX_ADDED      20000u
#define TOKENIZER_MAX_CONTENT    1024u /* bytes of an added token */
#define TOKENIZER_MAX_STEPS      16u   /* of a normalizer or decoder */
#define TOKENIZER_MAX_TEXT_BYTES (1 * GIB)

enum token_flags {
    TOKEN_ADDED = 1,
    TOKEN_SPECIAL = 2,
    TOKEN_SINGLE_WORD = 4,
    TOKEN_LSTRIP = 8,
    TOKEN_RSTRIP = 16,
    TOKEN_NORMALIZED = 32,
};

struct token {
    size_t offset; /* of its text in tokenizer.text, which a NUL ends */
    size_t shown;  /* of what it is decoded to: for a normalized added token, what the normalizer makes of it */
    uint32_t length, shown_length, flags;
};

/* One step of a normalizer or decoder. */
enum step_kind { STEP_PREPEND, STEP_REPLACE, STEP_BYTE_FALLBACK, STEP_FUSE, STEP_STRIP, STEP_METASPACE };
struct step {
    enum step_kind kind;
    char *from, *to; /* REPLACE: both; PREPEND: to; STRIP, METASPACE: from is one character */
    size_t from_length, to_length;
    size_t start, stop; /* STRIP: at most that many characters at either end */
    bool keeps_first;   /* METASPACE: the first token's space stays */
};
struct step_list {
    struct step *steps;
    size_t length;
};

enum prepend_scheme { PREPEND_ALWAYS, PREPEND_FIRST, PREPEND_NEVER };
struct metaspace {
    bool used, split;
    enum prepend_scheme prepend;
    char replacement[4];
    size_t replacement_length;
};

/* Two neighbouring symbols and what becomes of them; lower ranks go first. */
struct merge {
    uint64_t pair; /* left << 32 | right; MERGE_FREE in a free bucket */
    uint32_t rank; /* MERGE_SPECIAL is set when the result is a special token */
    int32_t id;
};
#define MERGE_FREE    UINT64_MAX
#define MERGE_SPECIAL UINT32_C(0x80000000)

/* A trie of bytes; node 0 is the root. */
struct trie_node {
    uint32_t child, sibling; /* 0: none */
    int32_t id;              /* -1: no token ends here */
    unsigned char byte;
};
struct trie {
    struct trie_node *nodes;
    size_t length, capacity;
};

#define CHARACTER_PAGES 4352 /* of 256 code points: up to U+10FFFF */

struct tokenizer {
    struct token *tokens; /* by id: the model's, then the added ones that it does not have */
    size_t n_tokens, n_model;
    struct buffer text;
    uint32_t *buckets; /* open addressing by text: id + 1, 0 is free */
    size_t n_buckets;

    int32_t *characters[CHARACTER_PAGES]; /* code point → id of the token that is this character, or -1 */
    int32_t byte_ids[256];                /* "<0x00>" …, or -1 */
    int32_t unk_id;                       /* -1: unknown characters are dropped */
    bool byte_fallback, fuse_unk, ignore_merges;

    struct merge *merges;
    size_t n_merges, n_merge_buckets;
    uint64_t hash_factor; /* odd, of this process: buckets by multiply and shift */
    unsigned merge_shift, joint_shift;
    uint64_t
        *joints; /* pairs of characters that stand side by side in some merged token; MERGE_FREE in a free bucket */
    size_t n_joints, n_joint_buckets;
    bool joints_known; /* false: bytes or unknown characters merge too, a text is one piece */

    struct step_list normalizer, decoder;
    bool has_decoder;
    struct metaspace metaspace;
    struct token_list before, after; /* the post-processor's */
    struct trie raw, normalized;     /* added tokens by how they are matched */
};

/* tokenizer.c */
enum status tokenizer_no_memory(struct error *err);
enum status tokenizer_refuse(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Id of the text, -1 if there is none. */
int32_t tokenizer_find(const struct tokenizer *t, const char *text, size_t length);
static inline const char *token_text(const struct tokenizer *t, int32_t id)
{
    return t->text.data + t->tokens[id].offset;
}

/* tokenizer_json.c: vocabulary, merges and added tokens of the file. */
enum status tokenizer_count_added(struct json_span added, size_t *n, struct error *err);
enum status tokenizer_read_vocabulary(struct tokenizer *t, struct json_span model, size_t n_added, struct error *err);
enum status tokenizer_read_merges(struct tokenizer *t, struct json_span model, struct error *err);
enum status tokenizer_read_added(struct tokenizer *t, struct json_span added, size_t n, struct error *err);

/* tokenizer_steps.c: normalizer, pre-tokenizer, post-processor, decoder. The spans are values of those keys, or empty. */
enum status tokenizer_read_steps(struct tokenizer *t, struct json_span normalizer, struct json_span pre_tokenizer,
                                 struct json_span post_processor, struct json_span decoder, struct error *err);
/* The normalized text is left in `out`; `prepend` false leaves out what PREPEND steps would add. */
bool steps_normalize(const struct step_list *steps, bool prepend, const char *text, size_t length, struct buffer *out);
/* Appends the text of the tokens. */
enum status steps_decode(const struct tokenizer *t, const int32_t *ids, size_t n, struct buffer *out,
                         struct error *err);
void step_list_free(struct step_list *list);

/* tokenizer_added.c: added tokens in a text. */
/* false: no memory. *taken: another token has that text already, which stays. */
bool trie_add(struct trie *trie, const char *text, size_t length, int32_t id, bool *taken);
struct piece {
    size_t start, end;
    int32_t id; /* -1: ordinary text */
};
struct piece_list {
    struct piece *pieces;
    size_t length, capacity;
};
/* Cuts the text at added tokens; false: no memory. */
bool added_split(const struct tokenizer *t, const struct trie *trie, const char *text, size_t length,
                 struct piece_list *out);

/* tokenizer_bpe.c: characters of a piece → symbols → ids. */
struct bpe_work {
    int32_t *ids;
    uint32_t *next, *previous;
    size_t length, capacity;
    uint64_t *heap;
    size_t heap_length, heap_capacity;
};
void bpe_work_free(struct bpe_work *w);
/* Appends the ids of one piece of normalized, valid UTF-8. With `special` false no special token comes out but the unknown
 * one. false: no memory. */
bool bpe_encode(const struct tokenizer *t, struct bpe_work *w, const char *text, size_t length, bool special,
                struct token_list *out);
/* After the merges are read: which characters can never be joined. */
enum status bpe_find_joints(struct tokenizer *t, struct error *err);
/* Where the pair is, or a free bucket for it. */
struct merge *bpe_merge_bucket(const struct tokenizer *t, int32_t left, int32_t right);

#endif
