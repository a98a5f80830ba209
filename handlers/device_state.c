/* device_state.c: chooses among the three who can tell. */
#include "handlers/device_state.h"

#include "worker/base/log.h"

#include <math.h>
#include <stdio.h>

static uint64_t or_zero(uint64_t n)
{
    return n == GPU_UNKNOWN ? 0 : n;
}

void device_state_open(struct device_state *s, const struct model *model, const char *nvml_library)
{
    struct error why = {0};
    struct gpu_reading now;
    *s = (struct device_state){.facts = {.capability_major = -1, .capability_minor = -1}};
    model->device.backend->describe(model->device.handle, &s->device);
    if (!s->device.is_gpu) return;
    if (gpu_stats_open(&s->stats, nvml_library, s->device.bus_id, &why) != DOCKET_OK) {
        log_event(LOG_INFO, EVENT_gpu_stats, F_STR("state", "absent"), F_STR("reason", why.message));
        return;
    }
    char capability[24] = "-";
    gpu_stats_facts(s->stats, &s->facts);
    gpu_stats_read(s->stats, &now);
    if (s->facts.capability_major >= 0)
        snprintf(capability, sizeof(capability), "%d.%d", s->facts.capability_major, s->facts.capability_minor);
    log_event(
        LOG_INFO, EVENT_gpu_stats, F_STR("state", "found"), F_STR("name", s->facts.name),
        F_STR("driver_version", s->facts.driver), F_STR("compute_capability", capability),
        F_U64("memory_total_bytes", or_zero(now.memory_total_bytes)),
        F_U64("memory_used_bytes", or_zero(now.memory_used_bytes)), F_U64("ecc_errors", or_zero(now.ecc_uncorrected)),
        F_BOOL("ecc_known", now.ecc_uncorrected != GPU_UNKNOWN), F_BOOL("energy_known", isfinite(now.energy_joules)));
}

void device_state_close(struct device_state *s)
{
    gpu_stats_close(s->stats);
    s->stats = NULL;
}

void device_state_read(struct device_state *s, const struct model *model, struct gpu_reading *out, uint64_t *peak)
{
    struct engine_state state = {0};
    size_t total, most = 0;
    gpu_stats_read(s->stats, out);
    if (!s->device.is_gpu) {
        out->memory_used_bytes = memory_resident(&most);
        out->memory_free_bytes = memory_available(&total);
        out->memory_total_bytes = total;
    } else {
        engine_state(model->engine, &state);
        most = state.memory.peak_bytes;
        if (out->memory_total_bytes == GPU_UNKNOWN && state.memory.total_bytes > 0) {
            out->memory_total_bytes = state.memory.total_bytes;
            out->memory_free_bytes = state.memory.free_bytes;
            out->memory_used_bytes = state.memory.total_bytes - state.memory.free_bytes;
        }
    }
    unsigned long long seen = or_zero(out->memory_used_bytes) > most ? or_zero(out->memory_used_bytes) : most;
    unsigned long long before = atomic_load(&s->most_bytes);
    while (before < seen && !atomic_compare_exchange_weak(&s->most_bytes, &before, seen)) {}
    *peak = before > seen ? before : seen;
}
