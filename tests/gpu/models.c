/* models.c: whole small models of every family on the GPU against the same on the CPU in f32: read from files that are made for it, quantized
 * by each, then logits of a text in one pass and token by token, and labels of documents behind a shared prefix. What stays on the host
 * changes no bit.
 * Usage: models CUDA_LIBRARY FOLDER [tiny]. tiny: shapes that the emulation can run. Exit code 1 if something is not as it should be. */
#include "worker/base/alloc.h"
#include "worker/base/log.h"
#include "worker/model/engine.h"
#include "worker/model/load.h"
#include "worker/model/synthetic.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_TOKENS = 704, STEPS = 3, DOCUMENTS = 5, LABELS = 12, LABEL_TOKENS = 2, N_SCORES = DOCUMENTS * LABELS };
enum family { MIXTRAL, MISTRAL, LLAMA, GEMMA, QWEN, OLMOE };
static const char *const families[] = {"mixtral-8x7b", "mistral-7b",    "llama3-8b",
                                       "gemma-2b",     "qwen3-30b-a3b", "olmoe-1b-7b"};

/* Both round weights alike, so what is left is the GPU's rounding of operands: to bf16, 2^-9 of each at most, seven products a layer, in sums
 * where it grows as a root; keys and values in few bits fall to another step now and then. Relative L2, all rows. */
#define LIMIT      0.02
#define LIMIT_Q4_0 0.06
/* Where two experts are nearly as likely, rounding chooses: one of so many rows, and one of the documents, may have gone another way. */
#define OTHER_ROWS  8
#define LABEL_LIMIT 6 /* of a log-probability, times the limit */

static const struct model_case {
    enum family family;
    const char *quantization;
    enum kv_format kv;
    enum kernels_products products;
    bool placed; /* again, with parts of it on the host */
    double limit;
} cases[] = {
    {MIXTRAL, "nf4", KV_F16, KERNELS_PRODUCTS_OWN, true, LIMIT},
    {MIXTRAL, "nf4", KV_F16, KERNELS_PRODUCTS_LIBRARY, true, LIMIT},
    {MIXTRAL, "int8", KV_F16, KERNELS_PRODUCTS_LIBRARY, true, LIMIT},
    {MIXTRAL, "int8,head=nf4", KV_F32, KERNELS_PRODUCTS_OWN, false, LIMIT},
    {MIXTRAL, "none", KV_F16, KERNELS_PRODUCTS_LIBRARY, false, LIMIT},
    {MIXTRAL, "q4,attention=q8", KV_Q8_0, KERNELS_PRODUCTS_OWN, false, LIMIT},
    {MISTRAL, "nf4", KV_F16, KERNELS_PRODUCTS_LIBRARY, true, LIMIT},
    {MISTRAL, "nf4-plain", KV_Q4_0, KERNELS_PRODUCTS_OWN, false, LIMIT_Q4_0},
    {MISTRAL, "none", KV_F32, KERNELS_PRODUCTS_OWN, false, LIMIT},
    {LLAMA, "fp4", KV_Q8_0, KERNELS_PRODUCTS_OWN, false, LIMIT},
    {LLAMA, "q2,attention=nf4", KV_F16, KERNELS_PRODUCTS_LIBRARY, false, LIMIT},
    {GEMMA, "nf4", KV_F16, KERNELS_PRODUCTS_LIBRARY, false, LIMIT},
    {QWEN, "nf4", KV_F16, KERNELS_PRODUCTS_OWN, true, LIMIT},
    {QWEN, "nf4", KV_Q8_0, KERNELS_PRODUCTS_LIBRARY, false, LIMIT},
    {OLMOE, "q8", KV_F16, KERNELS_PRODUCTS_OWN, false, LIMIT},
};

struct program {
    const char *library;
    char *folder;
    bool tiny, failed;
};
struct answers {
    size_t n_rows, vocab;
    float *logits; /* [n_rows, vocab] */
    double scores[N_SCORES];
    bool depends_on_company; /* documents one by one have other bits */
};

static void config_of(struct model_config *c, enum family family, bool tiny)
{
    struct error err;
    synthetic_config(c, families[family], tiny ? 2 : 3, &err);
    const bool many = family == QWEN || family == OLMOE;
    c->dim = tiny ? 128 : 1024;
    c->ffn_dim = many ? (tiny ? 64 : 256) : tiny ? 192 : 2048;
    c->vocab = tiny ? 320 : 4096;
    c->head_size = tiny ? 32 : family == GEMMA ? 256 : 128;
    c->n_heads = tiny ? 4 : family == GEMMA ? 4 : 8;
    c->n_kv_heads = family == OLMOE ? c->n_heads : family == GEMMA ? 1 : 2;
    c->max_position = 2048;
    if (tiny && c->n_experts) c->n_experts = many ? 12 : 4, c->top_k = many ? 3 : 2;
    if (family == MISTRAL) c->window = tiny ? 24 : 400;
}

static int32_t token(size_t i, size_t vocab)
{
    return (int32_t)((i * i * 7 + i * 31 + 3) % vocab);
}

static size_t n_tokens_of(const struct program *p)
{
    return p->tiny ? 40 : 700;
}

/* --- what a model says --- */

/* All rows of a text in one pass, then some tokens one by one. */
static enum status read_text(struct answers *out, const struct program *p, const struct device *device,
                             const struct model_config *c, const struct model_weights *weights, enum kv_format kv,
                             struct error *err)
{
    enum { PIECE = 64 };
    static int32_t ids[MOST_TOKENS], positions[MOST_TOKENS];
    static uint32_t numbers[MOST_TOKENS];
    const size_t n = n_tokens_of(p);
    struct transformer *t = NULL;
    const struct transformer_limits limits = {.max_rows = p->tiny ? n : 1024,
                                              .max_sequences = 1,
                                              .kv_slots = n + STEPS,
                                              .max_outputs = n,
                                              .kv_format = kv_format_kernels(kv)};
    out->n_rows = n + STEPS;
    for (size_t i = 0; i < n + STEPS; i++)
        ids[i] = token(i, c->vocab), positions[i] = (int32_t)i, numbers[i] = (uint32_t)i;
    enum status st = transformer_open(&t, device, c, weights, &limits, err);
    for (size_t at = 0; at < n + STEPS && st == DOCKET_OK;) {
        const size_t rows = at < n ? n : 1;
        const struct kernels_sequence sequence = {.n_rows = (uint32_t)rows, .own = {0, (uint32_t)(at + rows), 0}};
        const struct kernels_batch_desc batch = {rows, 1, ids + at, positions + at, numbers + at, &sequence};
        st = transformer_forward(t, &batch, numbers, rows, NULL, err);
        for (size_t i = 0; i < rows && st == DOCKET_OK; i += PIECE)
            st = transformer_all_logits(t, i, rows - i < PIECE ? rows - i : PIECE, out->logits + (at + i) * c->vocab,
                                        err);
        at += rows;
    }
    transformer_close(t);
    return st;
}

/* Labels that begin by threes with the same token, against documents behind one prefix. */
static enum status score(double out[N_SCORES], const struct program *p, const struct device *device,
                         const struct model_config *c, const struct model_weights *weights, enum kv_format kv,
                         bool one_by_one, struct error *err)
{
    int32_t labels[LABELS][LABEL_TOKENS];
    static int32_t text[MOST_TOKENS];
    struct token_list lists[LABELS];
    struct token_trie trie = {0};
    struct engine *engine = NULL;
    struct engine_prefix *prefix = NULL;
    struct score_request requests[DOCUMENTS] = {0};
    const size_t n = n_tokens_of(p), n_prefix = n / 3;
    const struct engine_options options = {
        .max_tokens = n + 8, .max_rows = p->tiny ? 96 : 1024, .kv_slots = 6 * n, .kv_format = kv};
    size_t first, second;
    for (size_t i = 0; i < LABELS; i++) {
        labels[i][0] = (int32_t)(20 + i / 3);
        labels[i][1] = (int32_t)(40 + i);
        lists[i] = (struct token_list){.ids = labels[i], .length = LABEL_TOKENS, .capacity = LABEL_TOKENS};
    }
    for (size_t i = 0; i < n; i++) text[i] = token(i + 5, c->vocab);
    enum status st = token_trie_build(&trie, lists, LABELS, 2, &first, &second, err);
    if (st == DOCKET_OK) st = engine_open(&engine, device, c, weights, &options, err);
    if (st == DOCKET_OK) st = engine_prefix_open(engine, text, n_prefix, &prefix, err);
    for (size_t i = 0; i < DOCUMENTS && st == DOCKET_OK; i++) {
        requests[i] = (struct score_request){.prefix = prefix,
                                             .tokens = text + n_prefix + i * 3,
                                             .n_tokens = n / 2 - i * n / 10,
                                             .trie = &trie,
                                             .log_probabilities = out + i * LABELS};
        engine_submit(engine, &requests[i]);
        if (one_by_one) engine_wait(engine, &requests[i]);
    }
    for (size_t i = 0; i < DOCUMENTS && prefix; i++) {
        engine_wait(engine, &requests[i]);
        if (requests[i].status != DOCKET_OK && st == DOCKET_OK) st = requests[i].status, *err = requests[i].error;
    }
    if (prefix) engine_prefix_close(engine, prefix);
    engine_close(engine);
    token_trie_free(&trie);
    return st;
}

/* The model of the folder on a device, with parts of it where `place` says. */
static enum status ask(struct answers *out, const struct program *p, const char *backend, const struct model_case *m,
                       const struct model_config *c, const struct placement *place, struct error *err)
{
    const struct device_options cpu = {.backend = "cpu", .compute_dtype = "f32"};
    const struct device_options options = {.backend = backend,
                                           .cuda_library = p->library,
                                           .compute_dtype = strcmp(backend, "cpu") == 0 ? "f32" : NULL,
                                           .products = m->products};
    const struct model_location location = {.folder = p->folder, .boundary = p->folder, .name = p->folder};
    struct device device = {0}, lower = {0};
    struct tensor_files *files = NULL;
    struct quantization quantization;
    struct load_report load;
    struct model_weights weights = {0};
    enum status st = quantization_parse(&quantization, "QUANTIZATION", m->quantization, err);
    if (st == DOCKET_OK) st = device_open(&device, &options, err);
    if (st == DOCKET_OK && place->lower_layers) st = device_open(&lower, &cpu, err);
    device.placement = *place;
    device.lower = place->lower_layers ? &lower : NULL;
    if (st == DOCKET_OK) st = tensor_files_open(&files, &location, err);
    if (st == DOCKET_OK) st = load_weights(&weights, &load, &device, c, files, &quantization, NULL, NULL, err);
    if (st == DOCKET_OK) st = read_text(out, p, &device, c, &weights, m->kv, err);
    if (st == DOCKET_OK) st = score(out->scores, p, &device, c, &weights, m->kv, false, err);
    if (st == DOCKET_OK && strcmp(backend, "cuda") == 0) {
        double alone[N_SCORES];
        st = score(alone, p, &device, c, &weights, m->kv, true, err);
        out->depends_on_company = memcmp(alone, out->scores, sizeof(alone)) != 0;
    }
    if (device.backend) model_weights_free(&weights, &device);
    tensor_files_close(files);
    device_close(&device);
    device_close(&lower);
    return st;
}

/* --- judging --- */

static double distance(const float *got, const float *want, size_t n, double *square)
{
    double difference = 0, whole = 0;
    for (size_t i = 0; i < n; i++) {
        difference += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        whole += (double)want[i] * want[i];
    }
    *square += whole;
    return difference;
}

/* false: beyond the limits; prints the numbers. Rows beyond four times the limit took another way. */
static bool judge(const struct answers *got, const struct answers *want, double limit, bool has_experts)
{
    size_t n_other = 0, n_documents = 0;
    double off = 0, all = 0, labels = 0;
    for (size_t i = 0; i < want->n_rows; i++) {
        double square = 0,
               d = distance(got->logits + i * want->vocab, want->logits + i * want->vocab, want->vocab, &square);
        if (!(d <= 16 * limit * limit * square)) {
            n_other++;
            if (isfinite(d)) continue;
        }
        off += d;
        all += square;
    }
    for (size_t i = 0; i < DOCUMENTS; i++) {
        double worst = 0;
        for (size_t j = i * LABELS; j < (i + 1) * LABELS; j++) {
            const double d = fabs(got->scores[j] - want->scores[j]);
            if (!(d <= worst)) worst = d; /* NaN too */
        }
        if (!(worst <= LABEL_LIMIT * limit)) {
            n_documents++;
            if (isfinite(worst)) continue;
        }
        if (!(worst <= labels)) labels = worst;
    }
    const double relative = sqrt(off / all);
    const bool good = relative <= limit && n_other * OTHER_ROWS <= (has_experts ? want->n_rows : 0) &&
                      labels <= LABEL_LIMIT * limit && n_documents <= has_experts && !got->depends_on_company;
    printf("logits %.3f %% off (limit %.1f %%), labels %.4f (limit %.2f), %zu of %zu rows and %zu of %d documents by "
           "other "
           "experts%s%s",
           relative * 100, limit * 100, labels, LABEL_LIMIT * limit, n_other, want->n_rows, n_documents, DOCUMENTS,
           got->depends_on_company ? ", OTHER BITS when documents come one by one" : "", good ? "" : "  FAILED");
    return good;
}

static bool same(const struct answers *a, const struct answers *b)
{
    return memcmp(a->logits, b->logits, a->n_rows * a->vocab * sizeof(float)) == 0 &&
           memcmp(a->scores, b->scores, sizeof a->scores) == 0;
}

static bool place_parts(const struct program *p, const struct model_case *m, const struct model_config *c,
                        struct answers *got, const struct answers *want, const struct answers *cpu, struct error *err)
{
    const struct {
        const char *name;
        bool needs_experts;
        struct placement place;
    } ways[] = {
        {"embedding on the host", false, {.embedding_on_host = true}},
        {"experts on the host",
         true,
         {.embedding_on_host = true, .host_experts = c->n_experts, .expert_rooms = 2 * c->n_experts}},
        {"half of them, few rooms", true, {.host_experts = c->n_experts / 2, .expert_rooms = 1 + c->n_experts / 4}},
        {"a layer on the CPU", false, {.lower_layers = 1}}};
    bool good = true;
    for (size_t i = 0; i < ARRAY_LENGTH(ways); i++) {
        if (ways[i].needs_experts && !c->n_experts) continue;
        if (ask(got, p, "cuda", m, c, &ways[i].place, err) != DOCKET_OK) return false;
        printf("\n    %s: ", ways[i].name);
        if (ways[i].place.lower_layers)
            good = judge(got, cpu, m->limit, c->n_experts > 0) && good;
        else {
            bool equal = same(got, want);
            printf("%s", equal ? "the same bits" : "OTHER BITS  FAILED");
            good = good && equal;
        }
        fflush(stdout);
    }
    return good;
}

static void remove_files(const char *folder)
{
    DIR *list = opendir(folder);
    for (const struct dirent *entry; list && (entry = readdir(list));)
        if (entry->d_name[0] != '.') unlinkat(dirfd(list), entry->d_name, 0);
    if (list) closedir(list);
}

static void run_case(struct program *p, const struct model_case *m, const struct model_config *c)
{
    static const struct placement all_there;
    struct error err = {0};
    struct answers a[3] = {{.vocab = c->vocab}, {.vocab = c->vocab}, {.vocab = c->vocab}};
    enum status st = DOCKET_OK;
    for (size_t i = 0; i < 3 && st == DOCKET_OK; i++)
        if (!(a[i].logits = mem_alloc(MOST_TOKENS * c->vocab * sizeof(float))))
            st = fail(&err, DOCKET_NO_MEMORY, CODE_NONE, "no memory for logits");
    printf("%s, %s, cache %s, %s: ", families[m->family], m->quantization, kv_format_name(m->kv),
           m->products == KERNELS_PRODUCTS_OWN ? "own kernels" : "cuBLASLt");
    fflush(stdout);
    if (st == DOCKET_OK) st = ask(&a[0], p, "cpu", m, c, &all_there, &err);
    if (st == DOCKET_OK) st = ask(&a[1], p, "cuda", m, c, &all_there, &err);
    bool good = st == DOCKET_OK && judge(&a[1], &a[0], m->limit, c->n_experts > 0);
    if (st == DOCKET_OK && m->placed) good = place_parts(p, m, c, &a[2], &a[1], &a[0], &err) && good;
    printf("%s%s\n", err.message[0] ? " FAILED: " : "", err.message);
    fflush(stdout);
    if (!good) p->failed = true;
    for (size_t i = 0; i < 3; i++) mem_free(a[i].logits);
}

int main(int argc, char **argv)
{
    struct program p = {.tiny = argc == 4 && strcmp(argv[3], "tiny") == 0};
    struct error err = {0};
    const struct log_options quiet = {.level = LOG_WARN, .fd = STDERR_FILENO};
    int written = -1;
    if (argc != 3 + p.tiny) {
        fprintf(stderr, "usage: models CUDA_LIBRARY FOLDER [tiny]\n");
        return 2;
    }
    p.library = argv[1];
    p.folder = str_format("%s/docket-models-XXXXXX", argv[2]);
    if (!p.folder || !mkdtemp(p.folder) || log_open(&quiet, &err) != DOCKET_OK) {
        fprintf(stderr, "models: %s: no folder can be made there, or no log\n", argv[2]);
        mem_free(p.folder);
        return 1;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(cases) && !err.message[0]; i++) {
        struct model_config c;
        uint64_t bytes;
        config_of(&c, cases[i].family, p.tiny);
        if (written != (int)cases[i].family) {
            remove_files(p.folder);
            if (synthetic_write(p.folder, &c, 0, &bytes, &err) != DOCKET_OK) break;
            written = (int)cases[i].family;
        }
        run_case(&p, &cases[i], &c);
    }
    if (err.message[0]) fprintf(stderr, "models: %s\n", err.message);
    remove_files(p.folder);
    rmdir(p.folder);
    mem_free(p.folder);
    log_close();
    return p.failed || err.message[0] ? 1 : 0;
}
