/* language.c: the language of a text: its script decides where only one language has it, n-grams where several share it. The method is that of
 * Cavnar and Trenkle (1994) with weights for ranks. Reads a few hundred characters of a text, however long it is. */
#include "handlers/documents/language.h"

#include "handlers/characters.h"
#include "handlers/documents/language_models.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PIECES      3 /* of a long text: its beginning, from its middle, from its last third */
#define PIECE_BYTES 800
#define MIN_LETTERS 30 /* where n-grams decide */
#define MIN_WORDS   4
#define MIN_OWN     12  /* where the script does */
#define OF_A_WORD   3   /* letters that a character of East Asia counts as */
#define MIN_SHARE   0.6 /* of the letters that are of one script */
/* Of the best over the second, by the root of how many n-grams there were: chance grows less so. */
#define MIN_MARGIN   0.6f
#define MIN_NEAR     0.015f /* and at least by so much: of neighbours one is always a little ahead */
#define MIN_A_GRAM   0.95f  /* weight an n-gram: letters in no order come to 0.7, languages to 1.3 and more */
#define KANA_SHARE   0.05   /* from which Han characters are Japanese */
#define HANGUL_SHARE 0.3    /* from which they are Korean */

static const struct {
    uint32_t first, last;
    enum script script;
} ranges[] = {
    {0x0041, 0x024f, SCRIPT_LATIN},      {0x0370, 0x03ff, SCRIPT_GREEK},    {0x0400, 0x052f, SCRIPT_CYRILLIC},
    {0x0530, 0x058f, SCRIPT_ARMENIAN},   {0x0590, 0x05ff, SCRIPT_HEBREW},   {0x0600, 0x06ff, SCRIPT_ARABIC},
    {0x0750, 0x077f, SCRIPT_ARABIC},     {0x0780, 0x07bf, SCRIPT_THAANA},   {0x08a0, 0x08ff, SCRIPT_ARABIC},
    {0x0900, 0x097f, SCRIPT_DEVANAGARI}, {0x0980, 0x09ff, SCRIPT_BENGALI},  {0x0a00, 0x0a7f, SCRIPT_GURMUKHI},
    {0x0a80, 0x0aff, SCRIPT_GUJARATI},   {0x0b00, 0x0b7f, SCRIPT_ORIYA},    {0x0b80, 0x0bff, SCRIPT_TAMIL},
    {0x0c00, 0x0c7f, SCRIPT_TELUGU},     {0x0c80, 0x0cff, SCRIPT_KANNADA},  {0x0d00, 0x0d7f, SCRIPT_MALAYALAM},
    {0x0d80, 0x0dff, SCRIPT_SINHALA},    {0x0e00, 0x0e7f, SCRIPT_THAI},     {0x0e80, 0x0eff, SCRIPT_LAO},
    {0x0f00, 0x0fff, SCRIPT_TIBETAN},    {0x1000, 0x109f, SCRIPT_MYANMAR},  {0x10a0, 0x10ff, SCRIPT_GEORGIAN},
    {0x1100, 0x11ff, SCRIPT_HANGUL},     {0x1200, 0x139f, SCRIPT_ETHIOPIC}, {0x1780, 0x17ff, SCRIPT_KHMER},
    {0x1c90, 0x1cbf, SCRIPT_GEORGIAN},   {0x1e00, 0x1eff, SCRIPT_LATIN},    {0x1f00, 0x1fff, SCRIPT_GREEK},
    {0x3040, 0x30ff, SCRIPT_KANA},       {0x3130, 0x318f, SCRIPT_HANGUL},   {0x3400, 0x4dbf, SCRIPT_HAN},
    {0x4e00, 0x9fff, SCRIPT_HAN},        {0xac00, 0xd7af, SCRIPT_HANGUL},   {0xf900, 0xfaff, SCRIPT_HAN},
    {0xfb1d, 0xfb4f, SCRIPT_HEBREW},     {0xfb50, 0xfdff, SCRIPT_ARABIC},   {0xfe70, 0xfeff, SCRIPT_ARABIC},
    {0xff66, 0xff9f, SCRIPT_KANA},       {0x20000, 0x323af, SCRIPT_HAN},
};

/* Scripts of one language, or of one that nearly all who use the script write. */
static const char *const own[N_SCRIPTS] = {
    [SCRIPT_ETHIOPIC] = "am",  [SCRIPT_HANGUL] = "ko",  [SCRIPT_GREEK] = "el",    [SCRIPT_ARMENIAN] = "hy",
    [SCRIPT_GEORGIAN] = "ka",  [SCRIPT_BENGALI] = "bn", [SCRIPT_GURMUKHI] = "pa", [SCRIPT_GUJARATI] = "gu",
    [SCRIPT_ORIYA] = "or",     [SCRIPT_TAMIL] = "ta",   [SCRIPT_TELUGU] = "te",   [SCRIPT_KANNADA] = "kn",
    [SCRIPT_MALAYALAM] = "ml", [SCRIPT_SINHALA] = "si", [SCRIPT_THAI] = "th",     [SCRIPT_LAO] = "lo",
    [SCRIPT_TIBETAN] = "bo",   [SCRIPT_MYANMAR] = "my", [SCRIPT_KHMER] = "km",    [SCRIPT_THAANA] = "dv",
    [SCRIPT_HAN] = "zh",       [SCRIPT_KANA] = "ja",
};

struct counts {
    size_t letters, of_script[N_SCRIPTS];
    size_t words, grams;
    float scores[MAX_LANGUAGES];
};

static enum script script_of(uint32_t c)
{
    size_t low = 0, high = ARRAY_LENGTH(ranges);
    if (c < 0x80) return SCRIPT_LATIN;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (c < ranges[middle].first)
            high = middle;
        else if (c > ranges[middle].last)
            low = middle + 1;
        else
            return ranges[middle].script;
    }
    return SCRIPT_NONE;
}

/* A word with '_' around it: every n-gram of it. */
static void count_word(struct counts *k, const uint32_t *word, size_t length)
{
    k->words++;
    for (size_t from = 0; from < length; from++) {
        uint64_t hash = GRAM_HASH_START;
        for (size_t i = from; i < length && i < from + MAX_GRAM; i++) {
            size_t n;
            hash = gram_hash(hash, word[i]);
            if (i == from && word[i] == '_') continue;
            const struct gram_weight *found = language_models_find(hash, &n);
            for (size_t j = 0; j < n; j++) k->scores[found[j].model] += found[j].weight;
            k->grams++;
        }
    }
}

#define LONG_WORD 64 /* of a longer one only the beginning counts */

static void count_piece(struct counts *k, const char *text, size_t length, bool grams)
{
    uint32_t word[LONG_WORD + 2] = {'_'};
    size_t n = 1;
    for (size_t at = 0, step; at < length; at += step) {
        uint32_t c;
        step = utf8_next(text + at, length - at, &c);
        if (step == 0) {
            step = 1;
            c = ' ';
        }
        if (character_is_letter(c)) {
            const enum script script = script_of(c);
            const size_t worth =
                script == SCRIPT_HAN || script == SCRIPT_KANA || script == SCRIPT_HANGUL ? OF_A_WORD : 1;
            k->letters += worth;
            k->of_script[script] += worth;
            if (n <= LONG_WORD) word[n++] = character_lower(c);
        } else if (n > 1) {
            word[n++] = '_';
            if (grams) count_word(k, word, n);
            n = 1;
        }
    }
    if (n > 1 && grams) {
        word[n++] = '_';
        count_word(k, word, n);
    }
}

/* Japanese is written with Han and kana, Korean at times with Han and Hangul. */
static void join_han(struct counts *k)
{
    size_t *n = k->of_script, han = n[SCRIPT_HAN];
    enum script to = (double)n[SCRIPT_KANA] >= KANA_SHARE * (double)(han + n[SCRIPT_KANA])         ? SCRIPT_KANA
                     : (double)n[SCRIPT_HANGUL] >= HANGUL_SHARE * (double)(han + n[SCRIPT_HANGUL]) ? SCRIPT_HANGUL
                                                                                                   : SCRIPT_HAN;
    if (to == SCRIPT_HAN || n[to] == 0) return;
    n[to] += han;
    n[SCRIPT_HAN] = 0;
}

static const char *decide(const struct counts *k, enum script script)
{
    size_t best = MAX_LANGUAGES;
    float first = 0, second = 0;
    if (k->of_script[script] < MIN_LETTERS || k->words < MIN_WORDS) return "";
    for (size_t i = 0; i < n_language_models; i++) {
        if (language_models[i].script != script) continue;
        if (k->scores[i] > first) {
            second = first;
            first = k->scores[i];
            best = i;
        } else if (k->scores[i] > second)
            second = k->scores[i];
    }
    const float margin = MIN_MARGIN / sqrtf((float)k->grams);
    if (best == MAX_LANGUAGES || first < MIN_A_GRAM * (float)k->grams ||
        first - second < first * (margin > MIN_NEAR ? margin : MIN_NEAR))
        return "";
    return language_models[best].tag;
}

void language_of(const char *utf8, size_t length, char out[LANGUAGE_BYTES])
{
    struct counts k = {0};
    const bool grams = language_models_load();
    out[0] = '\0';
    if (length <= (size_t)PIECES * PIECE_BYTES)
        count_piece(&k, utf8, length, grams);
    else
        for (size_t i = 0; i < PIECES; i++) {
            size_t from = length / PIECES * i, to = from + PIECE_BYTES;
            while (from > 0 && from < to && (unsigned char)utf8[from] > ' ') from++; /* within a word, or a character */
            if (from == to) from -= PIECE_BYTES; /* no word ends here, as where none are told apart */
            while (from < to && ((unsigned char)utf8[from] & 0xc0) == 0x80) from++;
            count_piece(&k, utf8 + from, to - from, grams);
        }
    join_han(&k);
    enum script script = SCRIPT_LATIN;
    for (size_t i = SCRIPT_LATIN; i < N_SCRIPTS; i++)
        if (k.of_script[i] > k.of_script[script]) script = (enum script)i;
    if ((double)k.of_script[script] < MIN_SHARE * (double)k.letters) return;
    const char *tag = !own[script] ? decide(&k, script) : k.of_script[script] >= MIN_OWN ? own[script] : "";
    snprintf(out, LANGUAGE_BYTES, "%s", tag);
}
