/* parts_check.h: what the parts of a weight must satisfy before a backend takes them; shared by all backends. */
#ifndef DOCKET_KERNELS_PARTS_CHECK_H
#define DOCKET_KERNELS_PARTS_CHECK_H

#include "kernels/kernels.h"

/* Whether every part that has a size is there. */
bool kernels_parts_are_there(const struct kernels_parts_size *size, const struct kernels_parts *parts);
/* Whether all scales, zeros, maps and offsets are numbers. */
bool kernels_parts_are_finite(const struct kernels_parts_size *size, const struct kernels_parts *parts);

#endif
