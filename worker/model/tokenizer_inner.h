/* tokenizer_inner.h: inside of the tokenizer: what its files share. Built once by tokenizer_open, read only afterwards. */
#ifndef DOCKET_MODEL_TOKENIZER_INNER_H
#define DOCKET_MODEL_TOKENIZER_INNER_H

#include "worker/base/alloc.h"
#include "worker/base/json.h"
#include "worker/base/json_cursor.h"
#include "worker/model/tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

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
enum step_kind {
    STEP_PREPEND,
    STEP_REPLACE,
    STEP_NORMAL_FORM,
    STEP_STRIP_ENDS,
    STEP_BYTE_FALLBACK,
    STEP_FUSE,
    STEP_STRIP,
    STEP_METASPACE,
    STEP_BYTE_LEVEL
};
struct step {
    enum step_kind kind;
    bool compose, compatible; /* NORMAL_FORM: NFC and NFKC; NFKC and NFKD */
    bool left, right;         /* STRIP_ENDS: white space at which ends */
    char *from, *to;          /* REPLACE: both; PREPEND: to; STRIP, METASPACE: from is one character */
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

/* What a pre-tokenizer cuts at, and what becomes of the matches. */
enum split_behavior { SPLIT_REMOVED, SPLIT_ISOLATED, SPLIT_WITH_PREVIOUS, SPLIT_WITH_NEXT, SPLIT_CONTIGUOUS };
struct split {
    char *text; /* plain text, or NULL: */
    size_t text_length;
    pcre2_code *pattern;
    enum split_behavior behavior;
    bool invert;
};
#define TOKENIZER_MAX_SPLITS 8u

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
    int32_t begin_id, end_id;             /* -1: not named */
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
    struct split splits[TOKENIZER_MAX_SPLITS]; /* one after another */
    size_t n_splits;
    bool byte_level;       /* then bytes become the characters that stand for them */
    size_t n_splits_first; /* of them before a space is put in front */
    bool space_in_front;
    bool whole_text_prepend; /* SentencePiece: PREPEND once a text, not behind every added token */
    pcre2_general_context *memory;
    struct token_list before, after;         /* the post-processor's */
    struct trie raw, normalized;             /* added tokens by how they are matched */
    struct trie raw_blank, normalized_blank; /* of those the blank ones, which are matched in documents, too */
};

/* tokenizer.c */
struct tokenizer *tokenizer_new(void); /* NULL: no memory */
enum status tokenizer_no_memory(struct error *err);
enum status tokenizer_refuse(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Appends the text with U+FFFD for what is no UTF-8. */
void tokenizer_replace_invalid(struct buffer *out, const char *text, size_t length);
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

/* What the readers of parts share; `path` is where the object stands. */
enum status tokenizer_unknown_kind(const char *path, const cJSON *object, const char *known, struct error *err);
const char *tokenizer_kind_of(const cJSON *object);
enum status tokenizer_take_string(const cJSON *object, const char *path, const char *key, char **out, size_t *length,
                                  struct error *err);
enum status tokenizer_take_character(const cJSON *object, const char *path, const char *key, char **out, size_t *length,
                                     struct error *err);
enum status tokenizer_take_bool(const cJSON *object, const char *path, const char *key, bool fallback, bool *out,
                                struct error *err);
enum status tokenizer_take_scheme(const cJSON *object, const char *path, enum prepend_scheme *out, struct error *err);

/* An empty table for n tokens and n_more that come later, with `bytes` of text; then one token after another. */
enum status tokenizer_reserve(struct tokenizer *t, size_t n, size_t n_more, size_t bytes, struct error *err);
/* Lists the token, whose text is placed, by its text and, if it is one, as a character. */
bool tokenizer_list(struct tokenizer *t, int32_t id);
enum status tokenizer_find_bytes(struct tokenizer *t, struct error *err);

/* tokenizer_steps.c: normalizer, pre-tokenizer, post-processor, decoder. The spans are values of those keys, or empty. */
enum status tokenizer_read_steps(struct tokenizer *t, struct json_span normalizer, struct json_span pre_tokenizer,
                                 struct json_span post_processor, struct json_span decoder, struct error *err);
void step_list_free(struct step_list *list);

/* tokenizer_normalize.c: the normalized text is left in `out`; `prepend` false leaves out what PREPEND steps would add. */
bool steps_normalize(const struct step_list *steps, bool prepend, const char *text, size_t length, struct buffer *out);
/* What `from` of the step becomes, everywhere in the text. */
void step_replace(const struct step *step, const char *text, size_t length, struct buffer *out);

/* tokenizer_decode.c: appends the text of the tokens. */
enum status steps_decode(const struct tokenizer *t, const int32_t *ids, size_t n, struct buffer *out,
                         struct error *err);

/* tokenizer_pre.c: the pre-tokenizer of the file. */
enum status tokenizer_read_pre(struct tokenizer *t, const cJSON *object, struct error *err);
/* tokenizer_pattern.c: compiles a pattern that this and the library's engine read alike; everything else is refused. */
enum status pattern_compile(struct tokenizer *t, const char *pattern, size_t length, const char *path, pcre2_code **out,
                            struct error *err);
/* The text as patterns are to see it: characters that are newer than PCRE2 give way to old ones of their kind and size. NULL:
 * the text itself will do; *failed: no memory. */
const char *pattern_subject(struct buffer *out, const char *text, size_t length, bool *failed);

/* tokenizer_split.c: cuts a text and hands the pieces on. */
struct split_work {
    pcre2_match_data *match;
    pcre2_match_context *context;
    pcre2_jit_stack *stack;
    struct buffer subject, spaced, spaced_subject, mapped;
    bool exhausted; /* a pattern took too many steps */
    char message[120];
};
typedef bool split_sink(void *context, const char *text, size_t length);
/* false: no memory, or exhausted, or the sink said so. `spaced` false: no space is put in front of this text. */
bool split_text(const struct tokenizer *t, struct split_work *w, const char *text, size_t length, bool spaced,
                split_sink *sink, void *context);
void split_work_free(struct split_work *w);
void splits_free(struct tokenizer *t);
/* The character that stands for a byte, and back (-1: it stands for none). */
uint32_t byte_level_character(unsigned char byte);
int byte_level_byte(uint32_t character);

/* tokenizer_added.c: added tokens in a text. */
bool is_white_space(uint32_t code_point);
/* false: no memory. *taken: another token has that text already, which stays. */
bool trie_add(struct trie *trie, const char *text, size_t length, int32_t id, bool *taken);
/* Adds an added token to the tries that it belongs to, `text` being what is matched. */
bool added_list(struct tokenizer *t, const char *text, size_t length, int32_t id, bool *taken);
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
/* Room for `n` merges, without any. */
enum status bpe_reserve_merges(struct tokenizer *t, size_t n, struct error *err);
/* After the merges are read: which characters can never be joined. */
enum status bpe_find_joints(struct tokenizer *t, struct error *err);
/* Where the pair is, or a free bucket for it. */
struct merge *bpe_merge_bucket(const struct tokenizer *t, int32_t left, int32_t right);

#endif
