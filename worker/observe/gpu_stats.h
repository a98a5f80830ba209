/* gpu_stats.h: what the driver says of a GPU, through NVML, which is opened at run time and may be missing, old, or die later. Knows no
 * backend and no model. Any thread. */
#ifndef DOCKET_OBSERVE_GPU_STATS_H
#define DOCKET_OBSERVE_GPU_STATS_H

#include "worker/base/status.h"

/* A number that the driver does not give; NAN among doubles. */
#define GPU_UNKNOWN UINT64_MAX

struct gpu_reading {
    uint64_t memory_total_bytes, memory_used_bytes, memory_free_bytes; /* of the whole card, everybody's together */
    uint64_t ecc_corrected, ecc_uncorrected;                           /* since the card was reset */
    double energy_joules;                                              /* since the driver was loaded */
    double utilization;                                                /* share of the last second in which it worked */
};

/* What does not change. Empty and -1: not known. */
struct gpu_facts {
    char name[96], driver[80];
    int capability_major, capability_minor;
};

struct gpu_stats;

/* library: NULL: libnvidia-ml.so.1 where the loader looks. bus_id names the card ("00000000:65:00.0"); empty or not found: the first.
 * Fails, with the reason, where there is no NVML or no card; nobody has to stop for that. */
enum status gpu_stats_open(struct gpu_stats **out, const char *library, const char *bus_id, struct error *err);
void gpu_stats_close(struct gpu_stats *stats); /* NULL is fine */
void gpu_stats_facts(const struct gpu_stats *stats, struct gpu_facts *out);
/* Unknown what cannot be read; all of it with NULL. The first reading that fails as a whole is logged, and no other. */
void gpu_stats_read(struct gpu_stats *stats, struct gpu_reading *out);

#endif
