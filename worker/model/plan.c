/* plan.c: counts what load.c will read and what transformer.c will allocate. Every product is checked: config.json may say anything. */
#include "worker/model/plan.h"

#include "worker/base/alloc.h"
#include "worker/model/transformer.h"

#define MOST_BYTES (UINT64_C(1) << 60) /* of any one sum, so that adding a few never overflows */
#define KV_GROUP   32                  /* values of a head that share a scale in q8_0 and q4_0 */

const char *plan_kind_name(enum plan_kind kind)
{
    static const char *const names[] = {"embedding", "attention", "feed-forward", "experts", "head", "rest"};
    return names[kind];
}

static bool multiply(uint64_t *out, uint64_t a, uint64_t b, uint64_t c)
{
    return !__builtin_mul_overflow(a, b, out) && !__builtin_mul_overflow(*out, c, out);
}

/* Adds `count` weights [rows, cols] that stand alone, in the part's format. *each gets the bytes of one; or NULL. */
static bool add_weights(struct plan_part *part, uint64_t count, uint64_t rows, uint64_t cols, uint64_t *each)
{
    uint64_t n, all, bytes, bits;
    enum kernels_format format;
    if (!multiply(&n, rows, cols, 1)) return false;
    if (weight_format_kernels(part->format, &format)) {
        /* In 2^-9 bits: what all formats' cost is a whole number of (nf4 double: 4.126953125 = 2113 / 512). */
        const uint64_t cost = (uint64_t)(docket_kernels_format_bits(format) * 512);
        if (!multiply(&bits, n, cost, 1)) return false;
        bytes = bits / 4096 + (bits % 4096 != 0);
        if (format == KERNELS_INT8 && __builtin_add_overflow(bytes, rows * sizeof(float), &bytes)) return false;
    } else if (!multiply(&bytes, n, PLAN_STORED_BITS / 8, 1)) {
        return false;
    }
    if (each) *each = bytes;
    return multiply(&all, bytes, count, 1) && !__builtin_add_overflow(part->bytes, all, &part->bytes) &&
           multiply(&all, n, count, 1) && !__builtin_add_overflow(part->parameters, all, &part->parameters);
}

static bool add_attention(struct plan_part parts[N_PLAN_KINDS], const struct model_config *c)
{
    uint64_t q = c->n_heads * c->head_size, kv = c->n_kv_heads * c->head_size;
    struct plan_part *p = &parts[PLAN_ATTENTION], *rest = &parts[PLAN_REST];
    bool good =
        add_weights(p, 1, q, c->dim, NULL) && add_weights(p, 2, kv, c->dim, NULL) && add_weights(p, 1, c->dim, q, NULL);
    if (c->attention_bias) good = good && add_weights(rest, 1, 1, q + 2 * kv + c->dim, NULL);
    if (c->qk_norm == QK_NORM_HEAD) good = good && add_weights(rest, 2, 1, c->head_size, NULL);
    if (c->qk_norm == QK_NORM_WHOLE) good = good && add_weights(rest, 1, 1, q + kv, NULL);
    return good && add_weights(rest, 2, 1, c->dim, NULL); /* the layer's two norms */
}

static uint64_t bytes_of(const struct plan_part parts[N_PLAN_KINDS])
{
    return parts[PLAN_ATTENTION].bytes + parts[PLAN_FFN].bytes + parts[PLAN_REST].bytes;
}

static bool add_layer(struct plan_sizes *s, const struct model_config *c, size_t layer)
{
    size_t n = model_config_experts(c, layer), width = model_config_ffn_dim(c, layer);
    struct plan_part *parts = s->parts, *p = &parts[n ? PLAN_EXPERTS : PLAN_FFN];
    uint64_t before = bytes_of(parts), all_before = before + parts[PLAN_EXPERTS].bytes, up, down;
    bool good = add_attention(parts, c) && add_weights(p, 2 * (n ? n : 1), width, c->dim, &up) &&
                add_weights(p, n ? n : 1, c->dim, width, &down);
    if (n) {
        good = good && add_weights(&parts[PLAN_REST], 1, n, c->dim, NULL);
        if (good) s->expert_bytes = 2 * up + down;
        s->n_expert_places += n;
    }
    if (!good) return false;
    if (bytes_of(parts) - before > s->layer_bytes) s->layer_bytes = bytes_of(parts) - before;
    const uint64_t layer_bytes = bytes_of(parts) + parts[PLAN_EXPERTS].bytes - all_before;
    return !__builtin_add_overflow(s->lower_bytes[layer], layer_bytes, &s->lower_bytes[layer + 1]);
}

enum status plan_weights(struct plan_sizes *out, const struct model_config *c, const struct quantization *q,
                         struct error *err)
{
    struct plan_sizes s = {.parts = {[PLAN_EMBEDDING] = {.format = q->part[PART_EMBEDDING]},
                                     [PLAN_ATTENTION] = {.format = q->part[PART_ATTENTION]},
                                     [PLAN_FFN] = {.format = q->part[PART_FFN]},
                                     [PLAN_EXPERTS] = {.format = q->part[PART_FFN]},
                                     [PLAN_HEAD] = {.format = q->part[PART_HEAD]}}};
    bool good = add_weights(&s.parts[PLAN_EMBEDDING], 1, c->vocab, c->dim, NULL) &&
                (c->tied_head || add_weights(&s.parts[PLAN_HEAD], 1, c->vocab, c->dim, NULL)) &&
                add_weights(&s.parts[PLAN_REST], 1, 1, c->dim, NULL); /* the last norm */
    for (size_t layer = 0; good && layer < c->n_layers; layer++) good = add_layer(&s, c, layer);
    for (int i = 0; good && i < N_PLAN_KINDS; i++)
        good = !__builtin_add_overflow(s.bytes, s.parts[i].bytes, &s.bytes) &&
               !__builtin_add_overflow(s.parameters, s.parts[i].parameters, &s.parameters);
    static const enum plan_kind in_layers[] = {PLAN_ATTENTION, PLAN_FFN, PLAN_EXPERTS};
    for (size_t i = 0; good && i < ARRAY_LENGTH(in_layers); i++) {
        enum kernels_format format;
        const struct plan_part *part = &s.parts[in_layers[i]];
        if (weight_format_kernels(part->format, &format) && docket_kernels_format_has_parts(format))
            s.form_bytes += 2 * part->parameters; /* fewer than s.bytes times 16 */
    }
    if (!good || s.bytes > MOST_BYTES)
        return fail(err, DOCKET_LIMIT, CODE_model_config_unsupported,
                    "config.json: %zu layers of dim %zu and a vocabulary of %zu: more bytes than can be", c->n_layers,
                    c->dim, c->vocab);
    *out = s;
    return DOCKET_OK;
}

uint64_t plan_kv_bytes_per_token(const struct model_config *c, enum kv_format format)
{
    uint64_t groups = (c->head_size + KV_GROUP - 1) / KV_GROUP, head = 0;
    switch (format) {
    case KV_F32:
        head = c->head_size * 4;
        break;
    case KV_Q8_0:
        head = groups * (KV_GROUP + 2);
        break;
    case KV_Q4_0:
        head = groups * (KV_GROUP / 2 + 2);
        break;
    default:
        head = c->head_size * 2;
        break;
    }
    return 2 * (uint64_t)c->n_layers * c->n_kv_heads * head;
}

uint64_t plan_kv_bytes(const struct model_config *c, enum kv_format format, const struct transformer_limits *limits,
                       size_t n_layers)
{
    return plan_kv_bytes_per_token(c, format) / c->n_layers * (n_layers * limits->kv_slots + limits->running_slots);
}

enum status plan_for_context(struct plan_context *out, const struct model_config *c, enum kv_format format,
                             size_t context, struct error *err)
{
    struct transformer_limits limits;
    const struct engine_options options = {.max_tokens = context, .kv_format = format};
    if (context == 0 || context > c->max_position)
        return fail(err, DOCKET_BAD_CONFIG, CODE_NONE, "a context of %zu tokens: the model was made for 1 to %zu",
                    context, c->max_position);
    engine_limits(c, &options, &limits);
    *out =
        (struct plan_context){.context = context, .kv_slots = limits.kv_slots, .running_slots = limits.running_slots};
    out->activation_bytes = transformer_activation_size(c, &limits);
    if (!multiply(&out->kv_bytes, plan_kv_bytes_per_token(c, format), limits.kv_slots + limits.running_slots, 1) ||
        out->kv_bytes > MOST_BYTES)
        return fail(err, DOCKET_LIMIT, CODE_model_config_unsupported, "a cache of %zu tokens: more bytes than can be",
                    limits.kv_slots);
    out->kv_bytes = plan_kv_bytes(c, format, &limits, c->n_layers);
    return DOCKET_OK;
}
