/* cost.h: seconds × price, with the source of the price. What is not known is unknown, never 0. */
#ifndef DOCKET_OBSERVE_COST_H
#define DOCKET_OBSERVE_COST_H

#include <stdbool.h>

struct price {
    bool known;
    double per_second; /* USD */
    char source[96];   /* "GPU_PRICE_PER_SECOND" or "table:NVIDIA H200:2026-06-08" */
};

/* set: GPU_PRICE_PER_SECOND as a number, or negative when it is not set; then the table by device name, exact or by the part that
 * names the card; else unknown. */
void price_find(struct price *out, double set, const char *device_name);

#endif
