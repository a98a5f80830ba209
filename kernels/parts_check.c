/* parts_check.c: refuses parts that are missing, or whose numbers are none. Knows no format's meaning and no device. */
#include "kernels/parts_check.h"

#include <math.h>

static bool all_finite_f32(const float *values, size_t size_bytes)
{
    for (size_t i = 0; values && i < size_bytes / sizeof *values; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

static bool all_finite_f16(const uint16_t *values, size_t size_bytes)
{
    for (size_t i = 0; values && i < size_bytes / sizeof *values; i++)
        if ((values[i] & 0x7c00u) == 0x7c00u) return false;
    return true;
}

bool kernels_parts_are_there(const struct kernels_parts_size *size, const struct kernels_parts *parts)
{
    return parts->codes && (parts->absmax || !size->absmax) && (parts->absmax_codes || !size->absmax_codes) &&
           (parts->nested_absmax || !size->nested_absmax) && (parts->nested_map || !size->nested_map) &&
           (parts->scales || !size->scales) && (parts->zeros || !size->zeros);
}

bool kernels_parts_are_finite(const struct kernels_parts_size *size, const struct kernels_parts *parts)
{
    return all_finite_f32(parts->absmax, size->absmax) && all_finite_f32(parts->nested_absmax, size->nested_absmax) &&
           all_finite_f32(parts->nested_map, size->nested_map) && all_finite_f16(parts->scales, size->scales) &&
           all_finite_f16(parts->zeros, size->zeros) && (size->absmax_codes == 0 || isfinite(parts->nested_offset));
}
