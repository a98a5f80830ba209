/* Where weights lie: on the device, in one piece, or on the host; what is fetched is what was there; what is said to be taken is taken. */
#include "tests/conformance/rig.h"

enum { ROWS = 96, COLS = 320, M = 5, N = ROWS * COLS };

static const enum kernels_format formats[] = {KERNELS_F32,        KERNELS_F16, KERNELS_BF16,       KERNELS_NF4,
                                              KERNELS_NF4_NESTED, KERNELS_FP4, KERNELS_FP4_NESTED, KERNELS_INT8,
                                              KERNELS_Q8,         KERNELS_Q4,  KERNELS_Q2,         KERNELS_Q1};
enum { N_FORMATS = sizeof formats / sizeof formats[0] };

/* Numbers that differ from seed to seed. */
static void fill(float *values, size_t n, uint32_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * 1664525 + 1013904223;
        values[i] = ((float)(seed >> 8) / 0x1p24f - 0.5f) * 0.3f;
    }
}

/* early: sent to the host before it is written. Two writes, so that both pieces of a source are used. */
static struct kernels_weight *make(struct rig *r, enum kernels_format format, uint32_t seed, bool early)
{
    static float values[N];
    const struct kernels_weight_desc desc = {format, ROWS, COLS};
    struct kernels_error e = {0};
    fill(values, N, seed);
    struct kernels_weight *w = r->table->weight_begin(r->device, &desc, &e);
    if (!w || (early && r->table->weight_to_host(r->device, w, &e) != KERNELS_OK) ||
        r->table->weight_write(r->device, w, KERNELS_F32, values, 16384, &e) != KERNELS_OK ||
        r->table->weight_write(r->device, w, KERNELS_F32, values + 16384, N - 16384, &e) != KERNELS_OK ||
        r->table->weight_finish(r->device, w, &e) != KERNELS_OK)
        fail_msg("%s: %s: %s", r->name, docket_kernels_format_name(format), e.message);
    return w;
}

static void product(struct rig *r, const struct kernels_weight *w, float out[M * ROWS])
{
    static float x[M * COLS];
    struct kernels_error e = {0};
    fill(x, M * COLS, 99);
    float *on_device = r->table->buffer_allocate(r->device, sizeof x, &e);
    float *result = r->table->buffer_allocate(r->device, M * ROWS * sizeof *out, &e);
    const struct kernels_linear args = {.x = on_device, .weight = w, .out = result, .n_rows = M};
    assert_non_null(on_device);
    assert_non_null(result);
    assert_int_equal(r->table->upload(r->device, on_device, x, sizeof x), KERNELS_OK);
    assert_int_equal(r->table->linear(r->device, &args), KERNELS_OK);
    assert_int_equal(r->table->download(r->device, out, result, M * ROWS * sizeof *out), KERNELS_OK);
    r->table->buffer_free(r->device, on_device);
    r->table->buffer_free(r->device, result);
}

static void assert_same(const struct rig *r, const char *what, enum kernels_format format, const float *got,
                        const float *want)
{
    if (memcmp(got, want, M * ROWS * sizeof *got))
        fail_msg("%s: %s: %s: not what it is on the device", r->name, docket_kernels_format_name(format), what);
}

static void a_weight_on_the_host_gives_the_same_bits_and_so_does_one_that_was_fetched(void **state)
{
    struct rigs rigs;
    (void)state;
    rigs_open(&rigs, 2);
    for (size_t i = 0; i < rigs.n; i++)
        for (size_t f = 0; f < N_FORMATS; f++) {
            struct rig *r = &rigs.all[i];
            const struct kernels_backend *b = r->table;
            struct kernels_error e = {0};
            float want[2][M * ROWS], got[M * ROWS];
            struct kernels_weight *here = make(r, formats[f], 1, false), *other = make(r, formats[f], 2, true);
            product(r, here, want[0]);
            product(r, other, want[1]); /* over the bus */
            struct kernels_weight *room = b->weight_like(r->device, other, &e);
            if (!room) fail_msg("%s: %s", r->name, e.message);
            assert_int_equal(b->weight_to_host(r->device, here, &e), KERNELS_OK);
            assert_int_equal(b->weight_to_host(r->device, here, &e), KERNELS_OK); /* twice is fine */
            product(r, here, got);
            assert_same(r, "sent to the host when finished", formats[f], got, want[0]);
            for (int turn = 0; turn < 5; turn++) { /* one room, two tenants in turn */
                uint64_t mark = b->record(r->device);
                assert_true(mark != 0);
                assert_int_equal(b->weight_fetch(r->device, room, turn % 2 ? other : here, turn ? mark : 0),
                                 KERNELS_OK);
                assert_int_equal(b->weight_arrived(r->device), KERNELS_OK);
                product(r, room, got);
                assert_same(r, "fetched", formats[f], got, want[turn % 2]);
                assert_int_equal(b->wait(r->device, mark), KERNELS_OK);
            }
            b->weight_free(r->device, room);
            b->weight_free(r->device, here);
            b->weight_free(r->device, other);
        }
    rigs_close(&rigs);
}

enum life { ALONE, IN_THE_SLAB, ON_THE_HOST, FETCHED, FETCHED_AND_KEPT, N_LIVES, AGAIN = 12 };
static const char *const life_names[] = {"alone", "in the slab", "on the host", "fetched", "fetched, kept"};

/* What is on its way to a room comes to nothing when the room goes; the next weight, which is written or made of its parts, lies there
 * undisturbed. */
static void fetched_in_vain(struct rig *r, enum kernels_format format, bool of_parts, const float *want)
{
    static uint8_t codes[N];
    static float absmax[N / 64];
    const struct kernels_weight_desc desc = {format, ROWS, COLS};
    struct kernels_parts parts = {.codes = codes, .absmax = absmax};
    float got[M * ROWS];
    assert_int_equal(r->table->weights_reserve(r->device, 2 * r->table->weight_size(r->device, &desc), NULL),
                     KERNELS_OK);
    struct kernels_weight *first = make(r, format, 1, false), *other = make(r, format, 2, true); /* the slab stays */
    struct kernels_weight *room = r->table->weight_like(r->device, other, NULL);
    assert_non_null(room);
    if (of_parts) assert_int_equal(r->table->weight_read_parts(r->device, first, &parts), KERNELS_OK);
    assert_int_equal(r->table->weight_fetch(r->device, room, other, 0), KERNELS_OK);
    r->table->weight_free(r->device, room);
    struct kernels_weight *next =
        of_parts ? r->table->weight_from_parts(r->device, &desc, &parts, NULL) : make(r, format, 1, false);
    assert_non_null(next);
    product(r, next, got);
    assert_same(r, "in the place of one that was being fetched", format, got, want);
    r->table->weight_free(r->device, next);
    r->table->weight_free(r->device, first);
    r->table->weight_free(r->device, other);
    assert_int_equal(r->table->weights_reserve(r->device, 0, NULL), KERNELS_OK);
}

/* A product is queued, its weight goes, another comes in its place; and only then is the product looked at. */
static void freed_while_it_is_read(struct rig *r, enum kernels_format format, enum life life, const float *want)
{
    static float x[M * COLS];
    const struct kernels_backend *b = r->table;
    const struct kernels_weight_desc desc = {format, ROWS, COLS};
    struct kernels_weight *here = NULL, *room = NULL;
    float got[M * ROWS];
    const bool fetched = life == FETCHED || life == FETCHED_AND_KEPT;
    fill(x, M * COLS, 99);
    if (life == IN_THE_SLAB || fetched)
        assert_int_equal(b->weights_reserve(r->device, 2 * b->weight_size(r->device, &desc), NULL), KERNELS_OK);
    struct kernels_weight *w = make(r, format, 1, life == ON_THE_HOST || fetched);
    if (fetched) assert_non_null(room = b->weight_like(r->device, w, NULL));
    float *on_device = b->buffer_allocate(r->device, sizeof x, NULL);
    float *result = b->buffer_allocate(r->device, sizeof got, NULL);
    const struct kernels_linear args = {.x = on_device, .weight = room ? room : w, .out = result, .n_rows = M};
    assert_int_equal(b->upload(r->device, on_device, x, sizeof x), KERNELS_OK);
    if (fetched) {
        assert_int_equal(b->weight_fetch(r->device, room, w, b->record(r->device)), KERNELS_OK);
        if (life == FETCHED) b->weight_free(r->device, w);
        assert_int_equal(b->weight_arrived(r->device), KERNELS_OK);
    }
    assert_int_equal(b->linear(r->device, &args), KERNELS_OK);
    if (life != FETCHED) b->weight_free(r->device, w);
    if (life != ON_THE_HOST) {
        b->weight_free(r->device, room);
        here = make(r, format, 2, false);
    }
    assert_int_equal(b->download(r->device, got, result, sizeof got), KERNELS_OK);
    if (memcmp(got, want, sizeof got))
        fail_msg("%s: %s, %s: the product is of what came after its weight", r->name,
                 docket_kernels_format_name(format), life_names[life]);
    b->weight_free(r->device, here);
    b->buffer_free(r->device, on_device);
    b->buffer_free(r->device, result);
    assert_int_equal(b->weights_reserve(r->device, 0, NULL), KERNELS_OK);
}

/* A product is queued; then another weight is fetched to where its own lies: to the room itself, behind a mark, or to one in the place of
 * a weight that is gone. */
static void fetched_to_where_is_read(struct rig *r, enum kernels_format format, bool same_room, const float *want,
                                     const float *want_other)
{
    static float x[M * COLS];
    const struct kernels_backend *b = r->table;
    const struct kernels_weight_desc desc = {format, ROWS, COLS};
    float got[M * ROWS];
    fill(x, M * COLS, 99);
    assert_int_equal(b->weights_reserve(r->device, 3 * b->weight_size(r->device, &desc), NULL), KERNELS_OK);
    struct kernels_weight *first = make(r, format, 3, false), *other = make(r, format, 2, true); /* the slab stays */
    struct kernels_weight *w = make(r, format, 1, same_room);
    struct kernels_weight *room = same_room ? b->weight_like(r->device, other, NULL) : NULL;
    float *on_device = b->buffer_allocate(r->device, sizeof x, NULL);
    float *result = b->buffer_allocate(r->device, sizeof got, NULL);
    const struct kernels_linear args = {.x = on_device, .weight = room ? room : w, .out = result, .n_rows = M};
    uint64_t mark = 0;
    assert_int_equal(b->upload(r->device, on_device, x, sizeof x), KERNELS_OK);
    if (same_room) {
        assert_int_equal(b->weight_fetch(r->device, room, w, 0), KERNELS_OK);
        assert_int_equal(b->weight_arrived(r->device), KERNELS_OK);
    }
    assert_int_equal(b->linear(r->device, &args), KERNELS_OK);
    if (same_room)
        mark = b->record(r->device);
    else {
        b->weight_free(r->device, w);
        w = NULL;
        room = b->weight_like(r->device, other, NULL);
    }
    assert_non_null(room);
    assert_int_equal(b->weight_fetch(r->device, room, other, mark), KERNELS_OK);
    assert_int_equal(b->download(r->device, got, result, sizeof got), KERNELS_OK);
    assert_same(r, same_room ? "behind a mark" : "in the place of one that is gone", format, got, want);
    assert_int_equal(b->weight_arrived(r->device), KERNELS_OK);
    product(r, room, got);
    assert_same(r, "the weight that was fetched", format, got, want_other);
    b->weight_free(r->device, room);
    b->weight_free(r->device, w);
    b->weight_free(r->device, first);
    b->weight_free(r->device, other);
    b->buffer_free(r->device, on_device);
    b->buffer_free(r->device, result);
    assert_int_equal(b->weights_reserve(r->device, 0, NULL), KERNELS_OK);
}

static void a_weight_may_be_freed_while_it_is_read(void **state)
{
    static const enum kernels_format some[] = {KERNELS_F32, KERNELS_BF16, KERNELS_NF4, KERNELS_NF4_NESTED,
                                               KERNELS_INT8};
    struct rigs rigs;
    (void)state;
    rigs_open(&rigs, 2);
    for (size_t i = 0; i < rigs.n; i++)
        for (size_t f = 0; f < sizeof some / sizeof some[0]; f++) {
            float want[M * ROWS], want_other[M * ROWS];
            struct kernels_weight *w = make(&rigs.all[i], some[f], 1, false);
            product(&rigs.all[i], w, want);
            rigs.all[i].table->weight_free(rigs.all[i].device, w);
            w = make(&rigs.all[i], some[f], 2, false);
            product(&rigs.all[i], w, want_other);
            rigs.all[i].table->weight_free(rigs.all[i].device, w);
            for (int life = 0; life < N_LIVES + AGAIN; life++) /* fetched more often: who is late is a matter of luck */
                freed_while_it_is_read(&rigs.all[i], some[f], life < N_LIVES ? (enum life)life : FETCHED_AND_KEPT,
                                       want);
            fetched_in_vain(&rigs.all[i], some[f], false, want);
            if (some[f] == KERNELS_NF4) fetched_in_vain(&rigs.all[i], some[f], true, want);
            for (int turn = 0; turn < AGAIN; turn++)
                fetched_to_where_is_read(&rigs.all[i], some[f], turn % 2, want, want_other);
        }
    rigs_close(&rigs);
}

static void parts_come_back_from_the_host(void **state)
{
    struct rigs rigs;
    (void)state;
    rigs_open(&rigs, 1);
    for (size_t i = 0; i < rigs.n; i++)
        for (size_t f = 3; f < N_FORMATS; f++) {
            static uint8_t bytes[2][N * 2];
            struct rig *r = &rigs.all[i];
            struct kernels_parts_size size;
            const struct kernels_weight_desc desc = {formats[f], ROWS, COLS};
            assert_int_equal(docket_kernels_parts_size(&desc, 0, &size), KERNELS_OK);
            for (int host = 0; host < 2; host++) {
                struct kernels_weight *w = make(r, formats[f], 3, host);
                struct kernels_parts parts = {.codes = bytes[host]};
                assert_int_equal(r->table->weight_read_parts(r->device, w, &parts), KERNELS_OK);
                r->table->weight_free(r->device, w);
            }
            assert_memory_equal(bytes[0], bytes[1], size.codes);
        }
    rigs_close(&rigs);
}

static void what_is_laid_out_differently_is_not_fetched(void **state)
{
    struct rigs rigs;
    (void)state;
    rigs_open(&rigs, 1);
    for (size_t i = 0; i < rigs.n; i++) {
        struct rig *r = &rigs.all[i];
        struct kernels_weight *a = make(r, KERNELS_NF4, 1, true), *b = make(r, KERNELS_Q4, 1, true);
        struct kernels_weight *room = r->table->weight_like(r->device, a, NULL);
        assert_int_equal(r->table->weight_fetch(r->device, room, b, 0), KERNELS_BAD_SHAPE);
        assert_int_equal(r->table->weight_fetch(r->device, room, NULL, 0), KERNELS_BAD_SHAPE);
        assert_int_equal(r->table->synchronize(r->device, NULL), KERNELS_BAD_SHAPE);
        assert_null(r->table->weight_like(r->device, NULL, NULL));
        r->table->weight_free(r->device, a);
        r->table->weight_free(r->device, b);
        r->table->weight_free(r->device, room);
    }
    rigs_close(&rigs);
}

static size_t used(const struct rig *r)
{
    struct kernels_memory m;
    r->table->memory(r->device, &m);
    return m.used_bytes;
}

/* Three weights in the place of three, one of them sent away before it is written, and the space of all of them given back at the end. */
static void weights_lie_in_one_piece_without_loss(void **state)
{
    struct rigs rigs;
    (void)state;
    rigs_open(&rigs, 1);
    for (size_t i = 0; i < rigs.n; i++)
        for (size_t f = 0; f < N_FORMATS; f++) {
            struct rig *r = &rigs.all[i];
            const struct kernels_weight_desc desc = {formats[f], ROWS, COLS};
            const struct kernels_limits limits = {.max_rows = 1, .dim = 1, .ffn_dim = 1};
            size_t one = r->table->weight_size(r->device, &desc);
            float want[M * ROWS], got[M * ROWS];
            assert_int_equal(r->table->reserve(r->device, &limits, NULL), KERNELS_OK);
            struct kernels_weight *alone = make(r, formats[f], 7, false);
            product(r, alone, want);
            product(r, alone, want); /* scratch that is used by turns is there */
            r->table->weight_free(r->device, alone);
            assert_int_equal(r->table->reserve(r->device, &limits, NULL), KERNELS_OK);
            size_t before = used(r);
            assert_int_equal(r->table->weights_reserve(r->device, 3 * one, NULL), KERNELS_OK);
            struct kernels_weight *all[4];
            for (uint32_t k = 0; k < 4; k++) all[k] = make(r, formats[f], 7 + k, k == 1);
            assert_int_equal(r->table->reserve(r->device, &limits, NULL),
                             KERNELS_OK); /* what only filling took is gone */
            if (r->is_gpu) assert_int_equal(used(r) - before, 3 * one);
            product(r, all[0], got);
            assert_same(r, "in one piece", formats[f], got, want);
            for (uint32_t k = 0; k < 4; k++) r->table->weight_free(r->device, all[k]);
            assert_int_equal(r->table->reserve(r->device, &limits, NULL), KERNELS_OK);
            if (used(r) != before) fail_msg("%s: %zu bytes are left", r->name, used(r) - before);
        }
    rigs_close(&rigs);
}

static void scratch_takes_what_was_said(void **state)
{
    static const struct kernels_limits limits[] = {
        {.max_rows = 64,
         .max_sequences = 4,
         .dim = 128,
         .ffn_dim = 352,
         .n_experts = 8,
         .top_k = 2,
         .n_heads = 4,
         .n_kv_heads = 2,
         .head_size = 32,
         .vocab = 1000},
        {.max_rows = 300,
         .max_sequences = 256,
         .dim = 64,
         .ffn_dim = 96,
         .n_experts = 1,
         .top_k = 1,
         .n_heads = 2,
         .n_kv_heads = 1,
         .head_size = 32,
         .vocab = 50,
         .has_int8 = true},
    };
    (void)state;
    for (size_t l = 0; l < 2; l++) {
        struct rigs rigs; /* anew: scratch never shrinks */
        rigs_open(&rigs, 2);
        for (size_t i = 0; i < rigs.n; i++) {
            struct rig *r = &rigs.all[i];
            size_t before = used(r), said = r->table->scratch_size(r->device, &limits[l]);
            assert_int_equal(r->table->reserve(r->device, &limits[l], NULL), KERNELS_OK);
            struct kernels_batch *batch =
                r->table->batch_create(r->device, limits[l].max_rows, limits[l].max_sequences, NULL);
            assert_non_null(batch);
            if (used(r) - before != said)
                fail_msg("%s: %zu bytes were said, %zu are taken", r->name, said, used(r) - before);
            enum kernels_products products =
                strstr(r->name, "library") ? KERNELS_PRODUCTS_LIBRARY : KERNELS_PRODUCTS_OWN;
            if (r->is_gpu) assert_int_equal(said, docket_kernels_gpu_scratch_size(&limits[l], products));
            r->table->batch_free(r->device, batch);
        }
        rigs_close(&rigs);
    }
}

/* Host arrays wait in a ring before they are copied; small ones before and behind those that fill it are still what they were. */
static void host_arrays_are_what_they_were_when_the_call_was_made(void **state)
{
    enum { WORDS = 7, WIDTH = 4, SMALL = 3, LARGE = 1 << 17, ROUNDS = 12 };
    static int32_t many[LARGE];
    static uint32_t slots[LARGE];
    struct rigs rigs;
    (void)state;
    rigs_open(&rigs, 1);
    for (size_t i = 0; i < rigs.n; i++) {
        const struct rig *r = &rigs.all[i];
        float table[WORDS * WIDTH], *out[ROUNDS];
        struct kernels_batch *large = r->table->batch_create(r->device, LARGE, 1, NULL), *small[ROUNDS];
        const struct kernels_batch_desc filler = {
            .n_rows = LARGE, .token_ids = many, .positions = many, .slots = slots};
        fill(table, WORDS * WIDTH, 5);
        struct kernels_weight *embedding = rig_weight(r, KERNELS_F32, WORDS, WIDTH, table);
        for (int k = 0; k < ROUNDS; k++) {
            small[k] = r->table->batch_create(r->device, SMALL, 1, NULL);
            out[k] = guarded(r, NULL, SMALL * WIDTH);
        }
        for (int k = 0; k < ROUNDS; k++) {
            int32_t ids[SMALL] = {k % WORDS, (k + 2) % WORDS, (k + 5) % WORDS};
            const struct kernels_batch_desc desc = {
                .n_rows = SMALL, .token_ids = ids, .positions = many, .slots = slots};
            const struct kernels_embed args = {.table = embedding, .batch = small[k], .out = out[k]};
            assert_int_equal(r->table->batch_set(r->device, small[k], &desc, NULL), KERNELS_OK);
            memset(ids, 0, sizeof ids); /* they were copied */
            assert_int_equal(r->table->batch_set(r->device, large, &filler, NULL), KERNELS_OK);
            assert_int_equal(r->table->embed(r->device, &args), KERNELS_OK);
        }
        assert_int_equal(r->table->synchronize(r->device, NULL), KERNELS_OK);
        for (int k = 0; k < ROUNDS; k++) {
            const int word[SMALL] = {k % WORDS, (k + 2) % WORDS, (k + 5) % WORDS};
            float *got = unguard(r, "embed", out[k], SMALL * WIDTH);
            for (int row = 0; row < SMALL; row++)
                assert_memory_equal(got + row * WIDTH, table + word[row] * WIDTH, WIDTH * sizeof *got);
            free(got);
            r->table->batch_free(r->device, small[k]);
        }
        r->table->batch_free(r->device, large);
        r->table->weight_free(r->device, embedding);
    }
    rigs_close(&rigs);
}

/* Pinned memory is copied from and to while the host goes on: calls that have returned are done with it, and so is a source after a wait. */
static void pinned_memory_is_the_caller_s_again(void **state)
{
    static float values[N], other[N], back[N];
    struct rigs rigs;
    (void)state;
    rigs_open(&rigs, 1);
    fill(values, N, 3);
    fill(other, N, 4);
    for (size_t i = 0; i < rigs.n; i++)
        for (int round = 0; round < 6; round++) {
            const struct rig *r = &rigs.all[i];
            const struct kernels_weight_desc desc = {KERNELS_NF4, ROWS, COLS}, plain = {KERNELS_F32, ROWS, COLS};
            float *const host = r->table->host_allocate(r->device, sizeof values, NULL);
            float *const device = r->table->buffer_allocate(r->device, sizeof values, NULL);
            assert_non_null(host);
            assert_non_null(device);
            memcpy(host, values, sizeof values);
            assert_int_equal(r->table->upload(r->device, device, host, sizeof values), KERNELS_OK);
            memcpy(host, other, sizeof values);
            assert_int_equal(r->table->download(r->device, back, device, sizeof values), KERNELS_OK);
            assert_memory_equal(back, values, sizeof values);
            assert_int_equal(r->table->download(r->device, host, device, sizeof values), KERNELS_OK);
            assert_memory_equal(host, values, sizeof values);

            struct kernels_weight *w = r->table->weight_begin(r->device, &plain, NULL);
            assert_int_equal(r->table->weight_write(r->device, w, KERNELS_F32, host, N, NULL), KERNELS_OK);
            assert_int_equal(r->table->wait(r->device, r->table->record(r->device)), KERNELS_OK);
            memcpy(host, other, sizeof values);
            assert_int_equal(r->table->weight_finish(r->device, w, NULL), KERNELS_OK);
            assert_int_equal(r->table->weight_read(r->device, w, host), KERNELS_OK);
            assert_memory_equal(host, values, sizeof values);
            r->table->weight_free(r->device, w);

            struct kernels_parts_size size;
            unsigned char *const codes = (unsigned char *)host, *const kept = (unsigned char *)back;
            assert_int_equal(docket_kernels_parts_size(&desc, 0, &size), KERNELS_OK);
            w = rig_weight(r, KERNELS_NF4, ROWS, COLS, values);
            struct kernels_parts parts = {.codes = codes, .absmax = (float *)(void *)(codes + size.codes)};
            assert_int_equal(r->table->weight_read_parts(r->device, w, &parts), KERNELS_OK);
            memcpy(kept, codes, size.codes + size.absmax);
            r->table->weight_free(r->device, w);
            w = r->table->weight_from_parts(r->device, &desc, &parts, NULL);
            assert_non_null(w);
            memset(host, 0, size.codes + size.absmax);
            assert_int_equal(r->table->weight_read_parts(r->device, w, &parts), KERNELS_OK);
            assert_memory_equal(codes, kept, size.codes + size.absmax);
            r->table->weight_free(r->device, w);
            r->table->buffer_free(r->device, device);
            r->table->host_free(r->device, host);
        }
    rigs_close(&rigs);
}

/* What plans count with is what the driver counts, but for its rounding: within 2 %. */
static void the_driver_counts_what_the_backend_counts(void **state)
{
    enum { SLOTS = 4096, HEADS = 8, HEAD_SIZE = 128, LAYERS = 4, SLAB = 256 << 20 };
    struct rigs rigs;
    (void)state;
    rigs_open(&rigs, 1);
    for (size_t i = 0; i < rigs.n; i++) {
        struct rig *r = &rigs.all[i];
        const struct kernels_limits limits = {
            .max_rows = 512, .max_sequences = 256, .dim = 1024, .ffn_dim = 2048, .n_experts = 8, .top_k = 2};
        struct kernels_memory before, after;
        if (!r->is_gpu) continue;
        r->table->memory(r->device, &before);
        assert_int_equal(r->table->weights_reserve(r->device, SLAB, NULL), KERNELS_OK);
        assert_int_equal(r->table->reserve(r->device, &limits, NULL), KERNELS_OK);
        struct kernels_kv *kv = r->table->kv_create(r->device,
                                                    &(const struct kernels_kv_shape){.format = KERNELS_F16,
                                                                                     .n_layers = LAYERS,
                                                                                     .n_slots = SLOTS,
                                                                                     .n_kv_heads = HEADS,
                                                                                     .head_size = HEAD_SIZE},
                                                    NULL);
        assert_non_null(kv);
        r->table->memory(r->device, &after);
        double said = (double)(after.used_bytes - before.used_bytes);
        double taken = (double)before.free_bytes - (double)after.free_bytes;
        if (!(fabs(taken - said) <= 0.02 * said))
            fail_msg("%.0f bytes were counted, the driver says %.0f", said, taken);
        r->table->kv_free(r->device, kv);
        assert_int_equal(r->table->weights_reserve(r->device, 0, NULL), KERNELS_OK);
    }
    rigs_close(&rigs);
}

/* More pieces than are measured at a time, through both stages and through the first alone. */
static void stages_of_loading_count_what_went_through_them(void **state)
{
    enum { PIECE = 16384, PIECES = 40, ALL = PIECE * PIECES };
    static uint16_t source[ALL];
    static float back[ALL];
    struct rigs rigs;
    (void)state;
    rigs_open(&rigs, 1);
    for (size_t k = 0; k < ALL; k++)
        source[k] = (uint16_t)(0x3f80 + (k / PIECE + 1)); /* each piece of one value: bf16 */
    for (size_t i = 0; i < rigs.n; i++) {
        static const enum kernels_format goals[] = {KERNELS_NF4_NESTED, KERNELS_BF16};
        const struct kernels_limits limits = {.max_rows = 1, .dim = 1, .ffn_dim = 1};
        struct rig *r = &rigs.all[i];
        for (size_t g = 0; g < 2; g++) {
            const struct kernels_weight_desc desc = {goals[g], PIECES, PIECE};
            struct kernels_description before, after;
            r->table->describe(r->device, &before);
            struct kernels_weight *w = r->table->weight_begin(r->device, &desc, NULL);
            struct kernels_weight *begun = r->table->weight_begin(r->device, &desc, NULL);
            for (size_t k = 0; k < PIECES; k++)
                assert_int_equal(r->table->weight_write(r->device, w, KERNELS_BF16, source + k * PIECE, PIECE, NULL),
                                 KERNELS_OK);
            assert_int_equal(r->table->weight_finish(r->device, w, NULL), KERNELS_OK);
            /* Its piece may be under way when they are counted. */
            assert_int_equal(r->table->weight_write(r->device, begun, KERNELS_BF16, source, PIECE, NULL), KERNELS_OK);
            assert_int_equal(r->table->reserve(r->device, &limits, NULL), KERNELS_OK);
            r->table->describe(r->device, &after);
            r->table->weight_free(r->device, begun);
            const size_t copied = r->is_gpu ? sizeof(source) + PIECE * sizeof(*source) : 0,
                         quantized = g == 0 ? copied : 0;
            assert_int_equal(after.copied.bytes - before.copied.bytes, copied);
            assert_int_equal(after.quantized.bytes - before.quantized.bytes, quantized);
            assert_int_equal(after.copied.seconds > before.copied.seconds, copied > 0);
            assert_int_equal(after.quantized.seconds > before.quantized.seconds, quantized > 0);
            assert_int_equal(r->table->weight_read(r->device, w, back), KERNELS_OK);
            for (size_t k = 0; k < ALL; k++) {
                const double value = 1 + (double)(k / PIECE + 1) / 128;
                if (!(fabs((double)back[k] - value) <= 0.01))
                    fail_msg("%s: piece %zu is another's", r->name, k / PIECE);
            }
            r->table->weight_free(r->device, w);
        }
    }
    rigs_close(&rigs);
}

static void memory_of_the_host_is_counted_apart(void **state)
{
    struct rigs rigs;
    (void)state;
    rigs_open(&rigs, 1);
    for (size_t i = 0; i < rigs.n; i++) {
        struct rig *r = &rigs.all[i];
        struct kernels_memory m;
        unsigned char *a = r->table->host_allocate(r->device, 1000, NULL),
                      *b = r->table->host_allocate(r->device, 1, NULL);
        assert_non_null(a);
        assert_non_null(b);
        assert_int_equal((uintptr_t)a % 64, 0);
        memset(a, 1, 1000);
        r->table->memory(r->device, &m);
        if (r->is_gpu) assert_int_equal(m.pinned_bytes, 1001);
        r->table->host_free(r->device, a);
        r->table->host_free(r->device, NULL);
        r->table->memory(r->device, &m);
        if (r->is_gpu) assert_int_equal(m.pinned_bytes, 1); /* and b ends with the device */
    }
    rigs_close(&rigs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_weight_on_the_host_gives_the_same_bits_and_so_does_one_that_was_fetched),
        cmocka_unit_test(a_weight_may_be_freed_while_it_is_read),
        cmocka_unit_test(parts_come_back_from_the_host),
        cmocka_unit_test(what_is_laid_out_differently_is_not_fetched),
        cmocka_unit_test(weights_lie_in_one_piece_without_loss),
        cmocka_unit_test(scratch_takes_what_was_said),
        cmocka_unit_test(host_arrays_are_what_they_were_when_the_call_was_made),
        cmocka_unit_test(pinned_memory_is_the_caller_s_again),
        cmocka_unit_test(the_driver_counts_what_the_backend_counts),
        cmocka_unit_test(stages_of_loading_count_what_went_through_them),
        cmocka_unit_test(memory_of_the_host_is_counted_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
