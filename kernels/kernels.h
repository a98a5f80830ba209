/* kernels.h: the public C API of docket's compute kernels: devices, weights, key/value caches and the operations that a
 * decoder needs. Knows no model, file, clock or log; links alone.
 *
 * Letters: m rows of activations (tokens of a packed batch), n outputs, k inputs, h query heads, g key/value heads,
 * d head size, e experts, t top-k. All matrices are row-major. Activations are f32 on the device.
 *
 * A device address (`float *` in an argument struct) is what buffer_allocate returned, or lies inside it; only the CPU
 * backends let the host read it. Work is queued in order; what a host array holds is copied before a call returns unless
 * the field says otherwise. An error of queued work appears at synchronize (or earlier), after which the device stays
 * failed until it is closed. A device is used by one thread at a time. */
#ifndef DOCKET_KERNELS_H
#define DOCKET_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KERNELS_ABI 8u
#define KERNELS_MAX_SHARED                                                                                             \
    2 /* key/value ranges that all rows of a sequence see whole: the job's prefix, its document */
#define KERNELS_MAX_TOP_K     16
#define KERNELS_MAX_EXPERTS   256
#define KERNELS_MAX_HEAD_SIZE 256
#define KERNELS_MAX_BESIDE    2 /* weights that are multiplied with the x of another one, in its call */

enum kernels_status {
    KERNELS_OK,
    KERNELS_BAD_SHAPE,   /* the caller's sizes or pointers cannot be; nothing was done */
    KERNELS_UNSUPPORTED, /* this backend lacks the format or the size; another may have it */
    KERNELS_NO_MEMORY,
    KERNELS_DEVICE_LOST, /* sticky: close the device */
    KERNELS_FAILED,
};

struct kernels_error {
    enum kernels_status code;
    char message[256];
};

enum kernels_format {
    KERNELS_F32,
    KERNELS_F16,
    KERNELS_BF16,
    KERNELS_NF4,        /* blocks of 64, f32 absmax */
    KERNELS_NF4_NESTED, /* absmax in 8 bits, blocks of 256 (double quantization) */
    KERNELS_FP4,        /* as NF4 with the values of a 4-bit float */
    KERNELS_FP4_NESTED,
    KERNELS_INT8,    /* LLM.int8: rows of signed bytes with one f32 absmax each */
    KERNELS_Q8,      /* this and the next two: blocks of 64, value = scale * code + zero, both f16; 8.5 bits */
    KERNELS_Q4,      /* 4.5 bits */
    KERNELS_Q2,      /* scale and zero fitted by least squares; 2.5 bits */
    KERNELS_Q1,      /* blocks of 64: sign times mean magnitude, f16; 1.25 bits */
    KERNELS_KV_Q8_0, /* caches only: groups of 32 along the head, signed bytes and one f16 scale; 8.5 bits */
    KERNELS_KV_Q4_0, /* caches only: the same in 4 bits; 4.5 bits */
    KERNELS_F8_E4M3, /* sources only: bytes of the finite e4m3 with NaN 0x7f and 0xff (float8_e4m3fn) */
    KERNELS_N_FORMATS,
};

struct kernels_device;
struct kernels_weight;
struct kernels_kv;
struct kernels_batch;

/* One task of a parallel loop: items [begin, end). worker is below n_workers and unique among those running now. */
typedef void (*kernels_task)(void *context, size_t begin, size_t end, unsigned worker);

/* What weights and activations become before they are multiplied; sums are f32 (of products of int8, whole numbers within a block).
 * Weights in f32, LLM.int8 and the router are the same in all of them. */
enum kernels_arithmetic {
    KERNELS_ARITHMETIC_AUTO, /* bf16 where the processor multiplies it; int16 where AVX2 is all it has; else f32 */
    KERNELS_ARITHMETIC_BF16, /* the same: both operands rounded to bf16, or finer where there are no such instructions */
    KERNELS_ARITHMETIC_F32,  /* as the formats define the values; rounded by the sums alone */
    KERNELS_ARITHMETIC_INT8, /* both operands to 8 bits, activations by row and block of 64; refused where there is none.
                                 f16 and bf16 weights are multiplied in f32 */
    KERNELS_ARITHMETIC_INT16, /* the same with 14 bits for activations and 13 for weights: against the largest of a block finer
                                 than bf16 */
};

/* Who makes products of rounded operands (bf16, and the formats that are expanded to it) on a GPU. A row's bits are the same from run
 * to run with each; with OWN and LIBRARY, and with AUTO, they are also the same in whatever company the row comes. */
enum kernels_products {
    KERNELS_PRODUCTS_AUTO,    /* LIBRARY if it is there, from the first reserve on whose passes are large; else OWN */
    KERNELS_PRODUCTS_OWN,     /* the backend's kernels, which expand weights as they read them */
    KERNELS_PRODUCTS_LIBRARY, /* the vendor's library; open fails where it is not there */
    KERNELS_PRODUCTS_BY_ROWS, /* LIBRARY for many rows, OWN for few: a row's bits depend on how many come with it */
};

struct kernels_options {
    /* Memory, aligned to 64 bytes; NULL result means no memory. Both or neither; neither means posix_memalign (in huge pages from 2 MiB on) and free. */
    void *(*allocate)(void *context, size_t size_bytes);
    void (*release)(void *context, void *memory);
    /* Runs task over [0, n_items) in pieces of at most `grain` items and returns when all are done. NULL: runs inline. */
    void (*parallel_for)(void *context, size_t n_items, size_t grain, kernels_task task, void *task_context);
    void *context;
    unsigned n_workers; /* 0 means 1 */
    /* NULL or "auto": the best there is; else "reference", "avx2", "avx512", "avx512_bf16", "amx_bf16"; with int8
     * also "avx512_vnni", "amx_int8", with int16 "avx2" alone; for tests "amx_bf16_twin", "amx_int8_twin", AMX's without its instructions. */
    const char *cpu_isa;
    int device_index;
    enum kernels_arithmetic arithmetic;
    enum kernels_products products;
    bool no_graphs; /* step_begin never records */
};

/* Bytes of sources that went through a stage of loading, and the time that it worked, by the device's clock. Stages overlap. */
struct kernels_stage {
    uint64_t bytes;
    double seconds;
};

struct kernels_description {
    char name[96];    /* "AMD EPYC 9B45" or "NVIDIA H200" */
    char variant[32]; /* instruction set or compute capability */
    bool is_gpu;
    char bus_id[24];    /* of a GPU, as its driver writes it: "00000000:65:00.0"; else empty */
    char arithmetic[8]; /* what it computes in: "f32", "bf16", "int8", "int16"; empty where the backend does not say */
    char products[128]; /* of a GPU: who makes them, and why not the library; known for good after reserve */
    char passed_over
        [96]; /* a better instruction set that the processor says it has, and why it is not used; else empty */
    struct kernels_stage copied, quantized;  /* of a GPU: sources of weights so far; all of them after reserve */
    uint64_t steps_recorded, steps_replayed; /* so far: see step_begin */
    char steps_note[96];                     /* why the first one that could not be recorded was not; else empty */
    uint64_t steps_early; /* of those recorded: whose kernels begin before the ones in front of them have ended */
};

struct kernels_memory {
    size_t total_bytes, free_bytes; /* of the device */
    size_t used_bytes, peak_bytes;  /* allocated through this device */
    size_t pinned_bytes;            /* of the host's memory, taken through this device */
};

/* What a pass may need at most; scratch is allocated once for it. */
struct kernels_limits {
    size_t max_rows, max_sequences;
    size_t dim, ffn_dim, n_experts, top_k;
    size_t n_heads, n_kv_heads, head_size, vocab;
    bool has_int8;   /* KERNELS_INT8 is among the weights: rows of activations are kept in two forms */
    size_t n_layers; /* 0: nothing is kept from pass to pass, and no step is recorded */
};

/* Shape and form of a weight [rows, cols]: `cols` inputs, `rows` outputs. */
struct kernels_weight_desc {
    enum kernels_format format;
    size_t rows, cols;
};

/* Canonical bytes of a quantized weight, in host memory of the caller. A weight [rows, cols] is flattened row-major; but for
 * KERNELS_INT8 it is cut into blocks of block_size elements, the last one short where they do not come out even.
 *
 *   format         codes                                        and
 *   NF4, FP4       4 bits, the earlier element in the high      absmax [n_blocks]
 *                  nibble; an odd count leaves the last low
 *                  nibble to be ignored
 *   …_NESTED       the same                                     absmax_codes [n_blocks], nested_absmax [ceil(n_blocks / 256)],
 *                                                               nested_map [256], nested_offset; a block's absmax is
 *                                                               nested_map[code] * nested_absmax[block / 256] + nested_offset
 *   INT8           signed byte an element                       absmax [rows]; value = code * absmax / 127 (SCB on disk)
 *   Q8             unsigned byte an element                     scales [n_blocks], zeros [n_blocks], both f16;
 *   Q4             4 bits, as NF4                               value = scale * code + zero in f32
 *   Q2             2 bits, the earliest element lowest          (zero is the value of code 0)
 *   Q1             1 bit, the earliest element lowest: set      scales [n_blocks], f16; value = scale or -scale
 *                  where the value is negative
 *
 * The formats of bitsandbytes (NF4, FP4, nested or not, INT8) are its own bytes. docket_kernels_parts_size says how large each
 * part is. Parts that a format has not are ignored and may be NULL. */
struct kernels_parts {
    uint8_t *codes;
    float *absmax;
    uint8_t *absmax_codes;
    float *nested_absmax;
    float *nested_map;
    float nested_offset;
    uint16_t *scales, *zeros;
    uint32_t block_size; /* 0 means 64; NF4 and FP4 also 32, 128, 256 and so on to 4096; the others only 64 */
};

/* Bytes of each part; 0 where the format has it not. */
struct kernels_parts_size {
    size_t codes, absmax, absmax_codes, nested_absmax, nested_map, scales, zeros;
    size_t total; /* of all of them, nested_offset not counted */
};

/* What the values of a source are multiplied with, in f32, before anything else happens to them: one f32 for each tile of
 * block_rows x block_cols, tiles row-major, the last ones short; 0 means the whole height or width. So {v, 0, 0} is one
 * scale for all, {v, 1, 0} one a row, {v, 128, 128} the tiles of f8 checkpoints. */
struct kernels_source_scale {
    const float *values; /* [ceil(rows / block_rows), ceil(cols / block_cols)] on the host; stays until weight_finish */
    size_t block_rows, block_cols;
};

/* A cache of keys and values in f32, f16, kv_q8_0 or kv_q4_0. Slots below n_slots hold a token's of every layer. Those from n_slots on,
 * n_running of them, are for tokens that no later pass looks at: all layers write to the same place, and what one wrote is there until the
 * next does. */
struct kernels_kv_shape {
    enum kernels_format format;
    size_t n_layers, n_slots, n_running, n_kv_heads, head_size;
};

/* Keys and values at slots [first_slot, first_slot + n_slots), of the tokens at positions first_position and on. Those of a cache lie all
 * below its n_slots, or none does. */
struct kernels_range {
    uint32_t first_slot, n_slots, first_position;
};

/* Rows [first_row, first_row + n_rows) of the packed batch are new tokens of one sequence. Row i sees every shared range
 * whole, and of its own range the slots before this pass plus those of rows 0..i. With `parent` it sees of its own range
 * only itself and its ancestors: parent[i] is an earlier row of this sequence, counted from 0, or -1 (label trees). */
struct kernels_sequence {
    uint32_t first_row, n_rows;
    uint32_t n_shared;
    struct kernels_range shared[KERNELS_MAX_SHARED];
    struct kernels_range
        own;               /* n_slots counts the n_rows new ones, which are its last; not with parent: exactly n_rows */
    const int32_t *parent; /* [n_rows] or NULL */
};

/* Sequences come in the order of their rows and share none. A row's slot is its place in its sequence's own range, and so is
 * its position but for trees, whose rows have positions of their own. Anything else is KERNELS_BAD_SHAPE. */
struct kernels_batch_desc {
    size_t n_rows, n_sequences;
    const int32_t *token_ids; /* [n_rows] */
    const int32_t *positions; /* [n_rows] */
    const uint32_t *slots;    /* [n_rows]: where each row's key and value go */
    const struct kernels_sequence *sequences;
};

/* out[m, k] = table[token_id] * scale. Table in any weight format. An id outside the table is KERNELS_BAD_SHAPE. */
struct kernels_embed {
    const struct kernels_weight *table;
    const struct kernels_batch *batch;
    float *out;
    float scale; /* 0 means 1 */
};

/* out[i] = x[i] / sqrt(mean(x[i]^2) + eps) * weight; rows of `cols` values, one after the other. out may be x. */
struct kernels_rmsnorm {
    const float *x;
    const struct kernels_weight *weight; /* f32, f16 or bf16 [1, cols] */
    float *out;
    size_t n_rows, cols;
    float eps;
    bool weight_plus_one; /* Gemma: multiplies by 1 + weight */
};

/* A further weight of kernels_linear, and where its product goes. */
struct kernels_beside {
    const struct kernels_weight *weight; /* [n_i, k] */
    float *out;                          /* [m, n_i] */
};

/* out[m, n] = x[m, k] W[n, k]^T, or out += with accumulate.
 *
 * With KERNELS_INT8, here and in every other product, as LLM.int8 but row by row, so that no row depends on its company: the
 * elements of a row of x with |x| >= 6 are multiplied in f32 with the values of the weight; the others are rounded to
 * x * (1 / their absmax * 127), nearest, ties to even, and summed as integers. */
struct kernels_linear {
    const float *x;
    const struct kernels_weight *weight;
    float *out;
    size_t n_rows;
    bool accumulate;
    bool as_gathered; /* to the bit what gather_logits gives */
    /* The same x with further weights, as keys and values beside queries: beside[i].out[m, n_i] = x[m, k] W_i[n_i, k]^T. To the bit what
     * a call for each gives, accumulate and as_gathered said to all; a backend may make them at once. They have the columns of `weight`;
     * rows, format and place are their own. No output overlaps another or x. KERNELS_BAD_SHAPE, with nothing done: one is missing or
     * has other columns, or there are more than KERNELS_MAX_BESIDE. */
    struct kernels_beside beside[KERNELS_MAX_BESIDE];
    size_t n_beside; /* 0: none */
};

/* Rotates q[m, h, d] and k[m, g, d] in place by the rows' positions (half-split pairs: i and i + d/2, angle
 * position * inverse_frequency[i]) and writes k and v into the cache at the rows' slots. With clip > 0 all values of q, k
 * and v are first cut to [-clip, clip]. */
struct kernels_rope_kv {
    const struct kernels_batch *batch;
    float *q, *k, *v; /* v is written only with clip */
    struct kernels_kv *kv;
    size_t layer, n_heads, n_kv_heads, head_size;
    const float *inverse_frequency; /* [d / 2], host, kept by the caller as long as the device */
    float clip;                     /* 0: none */
};

/* out[m, h, d] = softmax(q k^T * scale + mask) v over what each row sees. Only rows of the batch's sequences are written. */
struct kernels_attention {
    const struct kernels_batch *batch;
    const float *q;
    struct kernels_kv *kv;
    float *out;
    size_t layer, n_heads, n_kv_heads, head_size;
    float scale;
    uint32_t window; /* 0: all; else a row at position p sees positions > p - window */
};

/* Router: logits = x[m, k] W[e, k]^T in f32, softmax over all e, the t largest (ties: lower index), divided by their sum
 * if renormalize. ids [m, t] and weights [m, t] on the device, largest first. */
struct kernels_route {
    const float *x;
    const struct kernels_weight *weight;
    int32_t *ids;
    float *weights;
    size_t n_rows, top_k;
    bool renormalize;
};

enum kernels_activation { KERNELS_SILU, KERNELS_GELU_TANH };

/* out[m, k] += sum over the row's experts of weight * down(act(gate x) * up x). Without ids every row goes through expert
 * 0 with weight 1: the dense feed-forward. */
struct kernels_expert_ffn {
    const float *x;
    const struct kernels_weight *const *gate; /* [e], each [f, k]; host arrays */
    const struct kernels_weight *const *up;   /* [e], each [f, k] */
    const struct kernels_weight *const *down; /* [e], each [k, f] */
    size_t n_experts;
    const int32_t *ids;   /* [m, t] on the device, or NULL */
    const float *weights; /* [m, t] on the device */
    float *out;
    size_t n_rows, top_k;
    enum kernels_activation activation;
};

/* out[i] = x[rows[i]]. */
struct kernels_gather_rows {
    const float *x;
    float *out;
    size_t n_rows, cols;
    const uint32_t *rows; /* [n_rows], host */
};

/* out[i] = x[rows[i]] . W[token_ids[i]]: the logits that are asked for, and no others. */
struct kernels_gather_logits {
    const float *x;
    const struct kernels_weight *head;
    float *out; /* [n_items] on the device */
    size_t n_items;
    const uint32_t *rows;     /* [n_items], host */
    const int32_t *token_ids; /* [n_items], host */
};

/* A pass that may come again and again, as in generation: the operations between step_begin and step_end, with the same arguments and the
 * same bytes in their host arrays whenever name, n_heads, cache, batch and the batch's numbers of rows and sequences are the same. What
 * batch_set put into the batch may differ. Only operations are called in between. */
struct kernels_step {
    const struct kernels_batch *batch; /* as batch_set has just made it */
    const struct kernels_kv *kv;       /* of all its attention */
    size_t n_heads;                    /* the same */
    const void *name;                  /* any address of the caller's: which operations they are */
};

/* Every entry is set in every backend. `size` is sizeof(struct kernels_backend); a table with another abi or size is refused.
 * `error` may be NULL. Functions that return a pointer return NULL on failure. */
struct kernels_backend {
    uint32_t abi, size;
    const char *name; /* "reference", "cpu", "cuda" */

    struct kernels_device *(*open)(const struct kernels_options *options, struct kernels_error *error);
    void (*close)(
        struct kernels_device *device); /* NULL is fine; frees all that was made on it but weights and caches */
    void (*describe)(const struct kernels_device *device, struct kernels_description *out);
    void (*memory)(const struct kernels_device *device, struct kernels_memory *out);
    enum kernels_status (*reserve)(struct kernels_device *device, const struct kernels_limits *limits,
                                   struct kernels_error *error);

    void *(*buffer_allocate)(struct kernels_device *device, size_t size_bytes, struct kernels_error *error);
    void (*buffer_free)(struct kernels_device *device, void *buffer);
    enum kernels_status (*upload)(struct kernels_device *device, void *to, const void *from_host, size_t size_bytes);
    enum kernels_status (*download)(struct kernels_device *device, void *to_host, const void *from,
                                    size_t size_bytes); /* waits */

    /* Device bytes that the weight will take, for planning; 0 when this backend cannot hold it. */
    size_t (*weight_size)(const struct kernels_device *device, const struct kernels_weight_desc *desc);
    /* A weight is filled by writes of consecutive elements in order, source in f32, f16, bf16 or f8_e4m3 (each write but the
     * last a multiple of 16,384 elements), quantized on the way, then finished; or made from canonical bytes. A source that
     * holds NaN or infinity, or more than the f16 scales of its format reach, is KERNELS_FAILED at finish for the quantized
     * formats. The source must stay until the next wait. */
    struct kernels_weight *(*weight_begin)(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                           struct kernels_error *error);
    enum kernels_status (*weight_write)(struct kernels_device *device, struct kernels_weight *weight,
                                        enum kernels_format source_format, const void *source, size_t n_elements,
                                        struct kernels_error *error);
    enum kernels_status (*weight_finish)(struct kernels_device *device, struct kernels_weight *weight,
                                         struct kernels_error *error);
    /* Says, before the first write, what the values of its sources are to be multiplied with. */
    enum kernels_status (*weight_scale)(struct kernels_device *device, struct kernels_weight *weight,
                                        const struct kernels_source_scale *scale, struct kernels_error *error);
    /* The parts are copied before this returns. Sizes other than 64 of blocks are kept as they are, or in a form of exactly the same
     * values; such a weight may take more or less than weight_size says. */
    struct kernels_weight *(*weight_from_parts)(struct kernels_device *device, const struct kernels_weight_desc *desc,
                                                const struct kernels_parts *parts, struct kernels_error *error);
    /* Canonical bytes back, exactly what the definition in formats/ gives; pointers of `parts` are the caller's, those that
     * are NULL are left out. Sets nested_offset and block_size. */
    enum kernels_status (*weight_read_parts)(struct kernels_device *device, const struct kernels_weight *weight,
                                             struct kernels_parts *parts);
    /* Values as f32 on the host, [rows, cols]. */
    enum kernels_status (*weight_read)(struct kernels_device *device, const struct kernels_weight *weight, float *out);
    void (*weight_describe)(const struct kernels_weight *weight, struct kernels_weight_desc *out);
    void (*weight_free)(struct kernels_device *device, struct kernels_weight *weight);

    /* kv_size: bytes, for planning; 0 where there can be no such cache. */
    size_t (*kv_size)(const struct kernels_device *device, const struct kernels_kv_shape *shape);
    struct kernels_kv *(*kv_create)(struct kernels_device *device, const struct kernels_kv_shape *shape,
                                    struct kernels_error *error);
    void (*kv_free)(struct kernels_device *device, struct kernels_kv *kv);

    /* Made once for the largest pass, set for each: rows, positions, slots and sequences on the device. */
    struct kernels_batch *(*batch_create)(struct kernels_device *device, size_t max_rows, size_t max_sequences,
                                          struct kernels_error *error);
    enum kernels_status (*batch_set)(struct kernels_device *device, struct kernels_batch *batch,
                                     const struct kernels_batch_desc *desc, struct kernels_error *error);
    void (*batch_free)(struct kernels_device *device, struct kernels_batch *batch);

    enum kernels_status (*embed)(struct kernels_device *device, const struct kernels_embed *args);
    enum kernels_status (*rmsnorm)(struct kernels_device *device, const struct kernels_rmsnorm *args);
    enum kernels_status (*linear)(struct kernels_device *device, const struct kernels_linear *args);
    enum kernels_status (*rope_kv)(struct kernels_device *device, const struct kernels_rope_kv *args);
    enum kernels_status (*attention)(struct kernels_device *device, const struct kernels_attention *args);
    enum kernels_status (*route)(struct kernels_device *device, const struct kernels_route *args);
    enum kernels_status (*expert_ffn)(struct kernels_device *device, const struct kernels_expert_ffn *args);
    enum kernels_status (*add)(struct kernels_device *device, float *out, const float *x,
                               size_t n_values); /* out += x */
    enum kernels_status (*gather_rows)(struct kernels_device *device, const struct kernels_gather_rows *args);
    enum kernels_status (*gather_logits)(struct kernels_device *device, const struct kernels_gather_logits *args);

    /* record returns a mark, never 0; wait returns when all work queued before it is done. synchronize waits for everything and
     * reports what failed since the last one. */
    uint64_t (*record)(struct kernels_device *device);
    enum kernels_status (*wait)(struct kernels_device *device, uint64_t mark);
    enum kernels_status (*synchronize)(struct kernels_device *device, struct kernels_error *error);

    /* Memory of the host from which copies to the device run at full speed while the host goes on: pinned, where there is a GPU.
     * Aligned to 64 bytes. What was not freed ends with the device. */
    void *(*host_allocate)(struct kernels_device *device, size_t size_bytes, struct kernels_error *error);
    void (*host_free)(struct kernels_device *device, void *memory); /* NULL is fine */

    /* Device bytes that reserve and one batch of these limits take: exactly, but for the driver's rounding; 0 where a backend takes
     * what it needs as it goes. */
    size_t (*scratch_size)(const struct kernels_device *device, const struct kernels_limits *limits);

    /* One piece of device memory that weights made from now on are laid into as long as they fit: nothing is lost between them, and
     * nothing is allocated for each. size_bytes is the sum of their weight_size. Given back with the last of them. */
    enum kernels_status (*weights_reserve)(struct kernels_device *device, size_t size_bytes,
                                           struct kernels_error *error);

    /* The weight lies in the host's memory, from its finish on, or from now on if it is finished. It remains a weight for every
     * operation, read over the bus: right for a table that is looked up in; others are fetched before use. Between begin and the first
     * write, or after finish. */
    enum kernels_status (*weight_to_host)(struct kernels_device *device, struct kernels_weight *weight,
                                          struct kernels_error *error);
    /* Room on the device for weights that are laid out as this one; its values are those of the last weight_fetch. */
    struct kernels_weight *(*weight_like)(struct kernels_device *device, const struct kernels_weight *weight,
                                          struct kernels_error *error);
    /* Queues a copy of the weight `from` into such a room, beside other work but after what was queued before the mark (of record; 0:
     * after nothing). What uses it is queued behind weight_arrived, which waits on the device, not on the host, for all fetches so
     * far. KERNELS_BAD_SHAPE if they are laid out differently. */
    enum kernels_status (*weight_fetch)(struct kernels_device *device, struct kernels_weight *to,
                                        const struct kernels_weight *from, uint64_t after);
    enum kernels_status (*weight_arrived)(struct kernels_device *device);

    /* Keeps a 16-bit form beside the finished weight, rows x cols x 2 bytes more, so that products of many rows need not expand it
     * each time: the same values, the same bits. KERNELS_UNSUPPORTED where no product would use it, KERNELS_NO_MEMORY: the weight is
     * as it was. Nothing is added to a weight that is stored so. */
    enum kernels_status (*weight_expand)(struct kernels_device *device, struct kernels_weight *weight,
                                         struct kernels_error *error);

    /* A step, which a GPU records when it comes for the second time and does at once from then on: the same bits. *done: all of it is
     * queued. Else the caller calls its operations and then, whatever they returned, step_end; *again: nothing of that was done, and
     * the operations are to be called once more, outside of a step. */
    enum kernels_status (*step_begin)(struct kernels_device *device, const struct kernels_step *step, bool *done);
    enum kernels_status (*step_end)(struct kernels_device *device, bool *again);
};

#pragma GCC visibility push(default)

/* The backend of that name ("reference", "cpu"), or NULL. */
const struct kernels_backend *docket_kernels_backend(const char *name);
/* KERNELS_OK if the table is whole and of this ABI; else the error says what is wrong. */
enum kernels_status docket_kernels_check_backend(const struct kernels_backend *backend, struct kernels_error *error);

/* What scratch_size of the table "cuda" says, for plans that are made without a device; cuBLASLt is taken to be there. */
size_t docket_kernels_gpu_scratch_size(const struct kernels_limits *limits, enum kernels_products products);
/* What batch_create of that table takes. */
size_t docket_kernels_gpu_batch_size(size_t max_rows, size_t max_sequences);

const char *docket_kernels_status_name(enum kernels_status status);
const char *docket_kernels_format_name(enum kernels_format format);
/* Bits a weight takes in canonical form, such as 4.126953125 for KERNELS_NF4_NESTED. */
double docket_kernels_format_bits(enum kernels_format format);
/* True for formats of weights that are quantized: those with parts. */
bool docket_kernels_format_has_parts(enum kernels_format format);
/* The values of the 16 codes of NF4 and FP4, nested or not, before their block's absmax; NULL for other formats. */
const float *docket_kernels_code_values(enum kernels_format format);
/* KERNELS_BAD_SHAPE, and *out all 0, for a shape that cannot be or a format without parts; KERNELS_UNSUPPORTED for a
 * block_size that the format has not. block_size 0 means 64. */
enum kernels_status docket_kernels_parts_size(const struct kernels_weight_desc *desc, uint32_t block_size,
                                              struct kernels_parts_size *out);

/* Whole tensors without a device, on the calling thread, with the best instructions there are. All of them need the parts of
 * docket_kernels_parts_size in host memory; many products with one weight are faster with a device, which keeps it. */

/* Quantizes values [rows, cols] to desc->format; fills the parts, block_size 0 or 64. KERNELS_FAILED for NaN and infinity. */
enum kernels_status docket_quantize(const struct kernels_weight_desc *desc, const float *values,
                                    struct kernels_parts *parts, struct kernels_error *error);
/* The values of such a weight, out [rows, cols]. */
enum kernels_status docket_dequantize(const struct kernels_weight_desc *desc, const struct kernels_parts *parts,
                                      float *out, struct kernels_error *error);
/* out[n_rows, rows] = x[n_rows, cols] W^T, as `linear` of a backend. */
enum kernels_status docket_matmul(const struct kernels_weight_desc *desc, const struct kernels_parts *parts,
                                  const float *x, size_t n_rows, float *out, struct kernels_error *error);

#pragma GCC visibility pop

#ifdef __cplusplus
}
#endif

#endif
