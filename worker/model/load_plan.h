/* load_plan.h: inside of load.c: which bytes of which tensors make which weight, in what order they are read. */
#ifndef DOCKET_MODEL_LOAD_PLAN_H
#define DOCKET_MODEL_LOAD_PLAN_H

#include "worker/model/load.h"
#include "worker/model/quant_state.h"

#define ITEM_MAX_SEGMENTS 6

/* Where the bytes of a segment go. */
enum segment_goal {
    TO_WEIGHT, /* straight to the backend, as values */
    TO_ITEM,   /* into the memory that the item's parts are put together in */
    TO_TABLES, /* into those of the quantized tensor, which several items may share */
};

/* Bytes [at, at + size_bytes) of a tensor. */
struct segment {
    const struct tensor_info *tensor;
    uint64_t at, size_bytes;
    size_t to; /* bytes behind the start of the goal's memory */
    enum segment_goal goal;
};

/* A tensor that bitsandbytes quantized in 4 bits; of a stack of experts, all of them. */
struct four_bits {
    const struct tensor_info *codes, *absmax, *quant_map, *nested_absmax, *nested_map;
    struct quant_state state;
    uint64_t n_blocks, n_nested_blocks;
    size_t n_items;         /* that are not placed yet */
    unsigned char *tables;  /* quant_map [16], nested_map [256], nested_absmax, all f32; while it is needed */
    bool tables_are_listed; /* one item reads them for all */
};

enum item_kind { ITEM_VALUES, ITEM_FOUR_BITS, ITEM_EIGHT_BITS, ITEM_OWN };

/* One weight of the model. */
struct item {
    const struct tensor_info *tensor; /* its own, or the stack that it lies in; its place orders the items */
    char *own_name;                   /* of a matrix in a stack; NULL: the tensor's */
    struct kernels_weight **slot;
    struct kernels_weight_desc desc;
    enum item_kind kind;
    uint64_t first_element;        /* in the stack */
    size_t four_bits;              /* ITEM_FOUR_BITS: which of the plan's */
    size_t first_block;            /* of those that were read, for ITEM_FOUR_BITS */
    size_t absmax_at;              /* in the item's memory: behind the codes */
    size_t memory_bytes;           /* that the item's parts take while they are put together */
    size_t scale_rows, scale_cols; /* ITEM_VALUES in f8: tile of one scale; 0: whole */
    bool scaled;
    struct segment segments[ITEM_MAX_SEGMENTS];
    size_t n_segments;
    const struct device *device; /* that it goes to; load.c fills in this and the next */
    bool on_host;                /* in the host's memory, for that device */
};

struct load_plan {
    struct model_weights *weights;
    const struct model_config *config;
    struct tensor_files *files;
    const struct quantization *quantization;
    struct error *err;
    struct item *items;
    size_t n_items, items_capacity;
    struct four_bits *four_bits;
    size_t n_four_bits, four_bits_capacity;
    bool *used; /* by tensor */
};

/* What the model asks for. */
struct wish {
    struct kernels_weight **slot;
    size_t rows, cols;
    unsigned rank;        /* 1: a vector of cols */
    enum model_part part; /* N_MODEL_PARTS: never quantized */
    size_t stack;         /* matrices [stack_rows, cols] in one tensor; 0: it is one of its own */
    size_t stack_rows;
    uint64_t first_element; /* in the stack */
    const char *own_name;   /* in the stack */
};

/* Lists every weight of the model with where its bytes lie, sorted by their place in the files; refuses tensors that are missing, of
 * another shape or left over. The caller frees it also after a failure. */
enum status load_plan_make(struct load_plan *plan);
void load_plan_free(struct load_plan *plan);
/* The name that a message or a watcher gets. */
const char *load_item_name(const struct item *item);
bool load_source_format(enum tensor_dtype dtype, enum kernels_format *out);

/* stored_quantized.c. Fills the item from tensors that are quantized in the file; *found is false if `t` is none. */
enum status stored_quantized_plan(struct load_plan *plan, const struct wish *wish, const struct tensor_info *t,
                                  struct item *item, bool *found);
/* Lists the segments of tables for the item that comes first in the files. */
void stored_quantized_list_tables(struct load_plan *plan);
/* Makes the weight of an item whose parts have all been read into `memory`. */
enum status stored_quantized_place(struct load_plan *plan, const struct device *device, const struct item *item,
                                   unsigned char *memory, struct error *err);

/* stored_own.c: the same two for docket's own form. */
enum status stored_own_plan(struct load_plan *plan, const struct wish *wish, const struct tensor_info *t,
                            struct item *item, bool *found);
enum status stored_own_place(struct load_plan *plan, const struct device *device, const struct item *item,
                             unsigned char *memory, struct error *err);

/* load_plan.c. Fails with "file: tensor: …". */
enum status load_tensor_invalid(const struct load_plan *plan, const struct tensor_info *t, enum status status,
                                const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Marks it as used and returns it; NULL if the file has none of that name. */
const struct tensor_info *load_take(struct load_plan *plan, const char *name);
void load_add_segment(struct item *item, const struct tensor_info *t, uint64_t at, uint64_t size_bytes,
                      enum segment_goal goal, size_t to);
/* Shape as the wish wants it; `shape` is the tensor's, or what its quantization says. */
enum status load_check_shape(const struct load_plan *plan, const struct wish *wish, const struct tensor_info *t,
                             unsigned rank, const uint64_t *shape);

#endif
