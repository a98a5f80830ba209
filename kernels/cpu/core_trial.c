/* core_trial.c: whether a core computes here what it should. A virtual machine may show instructions that stop the process, or that
 * lose their registers when it is moved or others run: that is found out with a small product, before the core is chosen.
 * Knows no instruction set. */
#include "kernels/cpu/core.h"

#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

enum { ROWS = 20, COLS = 2 * TILE_BLOCK, OUTPUTS = CORE_PAIR * TILE_ROWS, ROW_BYTES = 2048, TIMES = 4 };

/* Instructions that are not there, or whose state the system does not keep, are the one; tile configurations that are refused the other. */
static const int caught[] = {SIGILL, SIGSEGV};
enum { N_CAUGHT = sizeof caught / sizeof caught[0] };

static struct sigaction before[N_CAUGHT];
static atomic_flag busy = ATOMIC_FLAG_INIT; /* handlers are the process's: one trial at a time */
static _Thread_local sigjmp_buf out_of_trial;
static _Thread_local volatile sig_atomic_t is_trying;

static void leave(int number)
{
    if (is_trying) siglongjmp(out_of_trial, number);
    for (size_t i = 0; i < N_CAUGHT; i++) /* another thread's: it happens again, and is whose it was */
        if (caught[i] == number) sigaction(number, &before[i], NULL);
}

/* Whole numbers up to 127, which every core keeps as they are: each block of a row has one of 127, so that its scale is 1, and all sums are
 * below 2^24. */
static float number_at(size_t row, size_t col, size_t seed)
{
    return col % TILE_BLOCK == 0 ? 127 : (float)((int)((row * 37 + col * 101 + seed * 53 + row * col) % 255) - 127);
}

struct trial {
    struct core_panel panel;
    uint8_t packed[ROWS * ROW_BYTES] __attribute__((aligned(64)));
    float sums[ROWS * CORE_OUTPUTS] __attribute__((aligned(64)));
    float x[ROWS * COLS], w[OUTPUTS * COLS], want[ROWS * OUTPUTS];
};

static bool product_is_right(const struct cpu_core *core, struct trial *t)
{
    struct core_rows rows = {t->packed, ROWS, COLS, core->row_bytes(COLS)};

    if (rows.stride > ROW_BYTES) return false;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t c = 0; c < COLS; c++) t->x[i * COLS + c] = number_at(i, c, 1);
        for (size_t c = 0; c < COLS; c += TILE_BLOCK)
            core->pack(t->x + i * COLS + c, TILE_BLOCK, COLS, c / TILE_BLOCK, t->packed + i * rows.stride);
    }
    for (size_t tile = 0; tile < CORE_PAIR; tile++)
        for (size_t block = 0; block < COLS / TILE_BLOCK; block++) {
            float values[TILE_ROWS * TILE_BLOCK];
            for (size_t lane = 0; lane < TILE_ROWS; lane++)
                for (size_t c = 0; c < TILE_BLOCK; c++) {
                    size_t row = tile * TILE_ROWS + lane, col = block * TILE_BLOCK + c;
                    t->w[row * COLS + col] = values[lane * TILE_BLOCK + c] = number_at(row, col, 2);
                }
            core->expand_values(values, tile, block, &t->panel);
        }
    for (size_t r = 0; r < ROWS; r++)
        for (size_t j = 0; j < OUTPUTS; j++) {
            float sum = 0;
            for (size_t c = 0; c < COLS; c++) sum += t->x[r * COLS + c] * t->w[j * COLS + c];
            t->want[r * OUTPUTS + j] = sum;
        }
    for (unsigned i = 0; i < TIMES; i++) {
        memset(t->sums, 0, sizeof t->sums);
        core->multiply(&t->panel, core->kind_of_values, CORE_PAIR, 0, COLS / TILE_BLOCK, &rows, 0, ROWS, t->sums);
        for (size_t r = 0; r < ROWS; r++)
            for (size_t j = 0; j < OUTPUTS; j++) {
                float off = t->sums[r * CORE_OUTPUTS + j] - t->want[r * OUTPUTS + j];
                if (!(off <= 1 && off >= -1)) return false; /* roundings of scales, at most; NaN is wrong too */
            }
        sched_yield(); /* whoever runs in between has registers of its own */
    }
    return true;
}

const char *cpu_core_trial(const struct cpu_core *core)
{
    struct sigaction action = {.sa_handler = leave};
    const char *volatile why = NULL;
    int number;

    while (atomic_flag_test_and_set(&busy)) continue;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < N_CAUGHT; i++) sigaction(caught[i], &action, &before[i]);
    if ((number = sigsetjmp(out_of_trial, 1)) != 0)
        why = number == SIGILL ? "its trial product was stopped as an illegal instruction"
                               : "its trial product was stopped as a wrong access to memory";
    else {
        struct trial trial;
        is_trying = 1;
        if (!product_is_right(core, &trial)) why = "its trial product was wrong";
    }
    is_trying = 0;
    for (size_t i = 0; i < N_CAUGHT; i++) sigaction(caught[i], &before[i], NULL);
    atomic_flag_clear(&busy);
    return why;
}
