/* language_models.c: the n-gram models of languages, read once from the system's files into one table. */
#include "handlers/documents/language_models.h"

#include "handlers/characters.h"
#include "handlers/documents/language.h"
#include "worker/base/alloc.h"
#include "worker/base/json.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDER      "/usr/share/libexttextcat/"
#define MODEL_GRAMS 400 /* that a file lists */
#define SLOTS       65536u

/* Languages that are told apart by their n-grams. Not here: tongues so near to a larger one that they would only blur it. */
const struct language_model language_models[] = {
    {"af", "af", SCRIPT_LATIN},      {"az", "az", SCRIPT_LATIN},         {"br", "br", SCRIPT_LATIN},
    {"ca", "ca", SCRIPT_LATIN},      {"cs", "cs", SCRIPT_LATIN},         {"cy", "cy", SCRIPT_LATIN},
    {"da", "da", SCRIPT_LATIN},      {"de", "de", SCRIPT_LATIN},         {"en", "en", SCRIPT_LATIN},
    {"eo", "eo", SCRIPT_LATIN},      {"es", "es", SCRIPT_LATIN},         {"et", "et", SCRIPT_LATIN},
    {"eu", "eu", SCRIPT_LATIN},      {"fi", "fi", SCRIPT_LATIN},         {"fo", "fo", SCRIPT_LATIN},
    {"fr", "fr", SCRIPT_LATIN},      {"fy", "fy", SCRIPT_LATIN},         {"ga", "ga", SCRIPT_LATIN},
    {"gd", "gd", SCRIPT_LATIN},      {"gl", "gl", SCRIPT_LATIN},         {"ha-NG", "ha", SCRIPT_LATIN},
    {"hr", "hr", SCRIPT_LATIN},      {"ht", "ht", SCRIPT_LATIN},         {"hu", "hu", SCRIPT_LATIN},
    {"id", "id", SCRIPT_LATIN},      {"is", "is", SCRIPT_LATIN},         {"it", "it", SCRIPT_LATIN},
    {"lb", "lb", SCRIPT_LATIN},      {"lt", "lt", SCRIPT_LATIN},         {"lv", "lv", SCRIPT_LATIN},
    {"mi", "mi", SCRIPT_LATIN},      {"ms", "ms", SCRIPT_LATIN},         {"mt", "mt", SCRIPT_LATIN},
    {"nb", "nb", SCRIPT_LATIN},      {"nl", "nl", SCRIPT_LATIN},         {"nn", "nn", SCRIPT_LATIN},
    {"oc", "oc", SCRIPT_LATIN},      {"pl", "pl", SCRIPT_LATIN},         {"plt", "mg", SCRIPT_LATIN},
    {"pt", "pt", SCRIPT_LATIN},      {"ro", "ro", SCRIPT_LATIN},         {"rw", "rw", SCRIPT_LATIN},
    {"sk", "sk", SCRIPT_LATIN},      {"sl", "sl", SCRIPT_LATIN},         {"so", "so", SCRIPT_LATIN},
    {"sq", "sq", SCRIPT_LATIN},      {"sr-Latn", "sr", SCRIPT_LATIN},    {"sv", "sv", SCRIPT_LATIN},
    {"sw", "sw", SCRIPT_LATIN},      {"tk", "tk", SCRIPT_LATIN},         {"tl", "tl", SCRIPT_LATIN},
    {"tr", "tr", SCRIPT_LATIN},      {"uz", "uz", SCRIPT_LATIN},         {"vi", "vi", SCRIPT_LATIN},
    {"xh", "xh", SCRIPT_LATIN},      {"yo", "yo", SCRIPT_LATIN},         {"zu", "zu", SCRIPT_LATIN},
    {"be", "be", SCRIPT_CYRILLIC},   {"bg", "bg", SCRIPT_CYRILLIC},      {"kk", "kk", SCRIPT_CYRILLIC},
    {"ky", "ky", SCRIPT_CYRILLIC},   {"mk", "mk", SCRIPT_CYRILLIC},      {"mn", "mn", SCRIPT_CYRILLIC},
    {"ru", "ru", SCRIPT_CYRILLIC},   {"sr-Cyrl", "sr", SCRIPT_CYRILLIC}, {"tg", "tg", SCRIPT_CYRILLIC},
    {"tt", "tt", SCRIPT_CYRILLIC},   {"uk", "uk", SCRIPT_CYRILLIC},      {"uz-Cyrl", "uz", SCRIPT_CYRILLIC},
    {"ar", "ar", SCRIPT_ARABIC},     {"ckb", "ckb", SCRIPT_ARABIC},      {"fa", "fa", SCRIPT_ARABIC},
    {"sd", "sd", SCRIPT_ARABIC},     {"ug", "ug", SCRIPT_ARABIC},        {"ur", "ur", SCRIPT_ARABIC},
    {"he", "he", SCRIPT_HEBREW},     {"yi", "yi", SCRIPT_HEBREW},        {"hi", "hi", SCRIPT_DEVANAGARI},
    {"mr", "mr", SCRIPT_DEVANAGARI}, {"ne", "ne", SCRIPT_DEVANAGARI},
};
const size_t n_language_models = ARRAY_LENGTH(language_models);
_Static_assert(ARRAY_LENGTH(language_models) <= MAX_LANGUAGES, "models are counted in an array of that size");

/* n-grams by their hash; the weights of one stand together once all are read. */
static struct gram_slot {
    uint64_t hash; /* 0: free */
    uint32_t first, n;
} slots[SLOTS];
static struct gram_weight weights[MAX_LANGUAGES * MODEL_GRAMS];

struct listed {
    uint64_t hash;
    uint8_t model;
    float weight;
};

uint64_t gram_hash(uint64_t so_far, uint32_t character)
{
    uint64_t h = (so_far ^ character) * 0xff51afd7ed558ccdu;
    return h ^ h >> 32;
}

static struct gram_slot *slot_of(uint64_t hash)
{
    size_t at = hash % SLOTS;
    while (slots[at].hash != 0 && slots[at].hash != hash) at = (at + 1) % SLOTS;
    return &slots[at];
}

const struct gram_weight *language_models_find(uint64_t hash, size_t *n)
{
    const struct gram_slot *slot = slot_of(hash);
    *n = slot->hash == hash ? slot->n : 0;
    return weights + slot->first;
}

/* Letters and '_' only, and more than a '_'; 0: something else. */
static uint64_t hash_of(const char *text, size_t length, size_t *characters)
{
    uint64_t hash = GRAM_HASH_START;
    size_t n = 0, n_letters = 0;
    for (size_t at = 0, step; at < length; at += step, n++) {
        uint32_t c;
        if ((step = utf8_next(text + at, length - at, &c)) == 0) return 0;
        bool letter = character_is_letter(c);
        if (!letter && c != '_') return 0;
        n_letters += letter;
        hash = gram_hash(hash, c);
    }
    *characters = n;
    return n > 0 && n <= MAX_GRAM && n_letters > 0 ? hash : 0;
}

/* A line an n-gram, the most frequent first; some files count them, some do not. Frequencies fall as 1 / rank, and what is not listed counts
 * as half as frequent as the last. Returns how many were listed. */
static size_t read_model(struct listed *out, uint8_t model, char *text)
{
    size_t n = 0, rank = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line && rank < MODEL_GRAMS; line = strtok_r(NULL, "\n", &rest)) {
        size_t characters;
        uint64_t hash = hash_of(line, strcspn(line, "\t "), &characters);
        rank++;
        if (hash == 0) continue;
        float tells = characters == 1
                          ? 0.5f
                          : (float)characters; /* neighbours share letters, and fewer words the longer they are */
        out[n++] = (struct listed){hash, model, tells * logf(2.0f * MODEL_GRAMS / (float)rank)};
    }
    return n;
}

static int by_hash(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return (int)x->model - (int)y->model;
}

static struct listed all[MAX_LANGUAGES * MODEL_GRAMS];
static bool loaded;

static void load(void)
{
    static char text[32 * 1024];
    size_t n = 0;
    for (size_t i = 0; i < n_language_models; i++) {
        char path[64];
        snprintf(path, sizeof(path), FOLDER "%s.lm", language_models[i].file);
        FILE *file = fopen(path, "re");
        if (!file) continue;
        size_t length = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
        text[length] = '\0';
        n += read_model(all + n, (uint8_t)i, text);
    }
    qsort(all, n, sizeof(*all), by_hash);
    for (size_t i = 0; i < n; i++) {
        struct gram_slot *slot = slot_of(all[i].hash);
        if (slot->hash == 0) *slot = (struct gram_slot){.hash = all[i].hash, .first = (uint32_t)i};
        slot->n++;
        weights[i] = (struct gram_weight){all[i].model, all[i].weight};
    }
    loaded = n > 0;
}

bool language_models_load(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return loaded;
}

bool language_ready(void)
{
    return access(FOLDER "en.lm", R_OK) == 0;
}
