/* language_models.h: how language.c and language_models.c work together. */
#ifndef DOCKET_HANDLERS_DOCUMENTS_LANGUAGE_MODELS_H
#define DOCKET_HANDLERS_DOCUMENTS_LANGUAGE_MODELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAX_LANGUAGES 96
#define MAX_GRAM      5 /* characters of an n-gram */

enum script {
    SCRIPT_NONE,
    SCRIPT_LATIN,
    SCRIPT_CYRILLIC,
    SCRIPT_ARABIC,
    SCRIPT_HEBREW,
    SCRIPT_DEVANAGARI,
    SCRIPT_ETHIOPIC,
    SCRIPT_HAN,
    SCRIPT_KANA,
    SCRIPT_HANGUL,
    SCRIPT_GREEK,
    SCRIPT_ARMENIAN,
    SCRIPT_GEORGIAN,
    SCRIPT_BENGALI,
    SCRIPT_GURMUKHI,
    SCRIPT_GUJARATI,
    SCRIPT_ORIYA,
    SCRIPT_TAMIL,
    SCRIPT_TELUGU,
    SCRIPT_KANNADA,
    SCRIPT_MALAYALAM,
    SCRIPT_SINHALA,
    SCRIPT_THAI,
    SCRIPT_LAO,
    SCRIPT_TIBETAN,
    SCRIPT_MYANMAR,
    SCRIPT_KHMER,
    SCRIPT_THAANA,
    N_SCRIPTS,
};

struct language_model {
    const char *file, *tag;
    enum script script;
};
extern const struct language_model language_models[];
extern const size_t n_language_models;

/* What an n-gram says for a language: log of its share there over that of one too rare to be listed. */
struct gram_weight {
    uint8_t model;
    float weight;
};

/* n characters, '_' at the beginning and end of a word. */
uint64_t gram_hash(uint64_t so_far, uint32_t character);
#define GRAM_HASH_START 0x9e3779b97f4a7c15u

bool language_models_load(void); /* once; false: there are none */
/* Weights of the n-gram whose hash it is; *n is 0 where no language lists it. */
const struct gram_weight *language_models_find(uint64_t hash, size_t *n);

#endif
