/* no_services.c: a job without a worker around it. */
#include "handlers/no_services.h"

static const atomic_bool never_stop;

static void no_progress(void *context, const char *json)
{
    (void)context;
    (void)json;
}

static void no_keep(void *context, uint32_t item, const void *bytes, size_t length)
{
    (void)context;
    (void)item;
    (void)bytes;
    (void)length;
}

static const void *no_find(void *context, uint32_t item, size_t *length)
{
    (void)context;
    (void)item;
    (void)length;
    return NULL;
}

static void no_phase(void *context, const char *phase, const char *items)
{
    (void)context;
    (void)phase;
    (void)items;
}

static void no_account(void *context, const char *key, double value)
{
    (void)context;
    (void)key;
    (void)value;
}

static bool no_results(void *context, const void *bytes, size_t length, const char *ending, char name[KEPT_NAME_BYTES])
{
    (void)context;
    (void)bytes;
    (void)length;
    (void)ending;
    (void)name;
    return false;
}

const struct job_services no_services = {.stop = &never_stop,
                                         .progress = no_progress,
                                         .partial_keep = no_keep,
                                         .partial_find = no_find,
                                         .phase = no_phase,
                                         .account = no_account,
                                         .results_keep = no_results};
