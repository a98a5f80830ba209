/* nf4.h: the bit-exact definition of NF4, equal to bitsandbytes 0.50. Plain C, one thread; layout.h says where bytes lie. */
#ifndef DOCKET_KERNELS_FORMATS_NF4_H
#define DOCKET_KERNELS_FORMATS_NF4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/formats/layout.h"

extern const float nf4_values[NF4_N_CODES];         /* value of a code, ascending */
extern const float nf4_thresholds[NF4_N_CODES - 1]; /* code k is chosen when x > [k - 1] and not x > [k] */
extern const uint32_t nf4_nested_map[NF4_MAP_SIZE]; /* f32 bits of the signed dynamic map, ascending */

/* Codes and scales of n_elements values that start at a block's first element. False if one of them is NaN or infinite;
 * the rest is then still written, of no meaning. */
bool nf4_quantize_f32(const float *source, size_t n_elements, uint8_t *codes, float *absmax);
bool nf4_quantize_f16(const uint16_t *source, size_t n_elements, uint8_t *codes, float *absmax);
bool nf4_quantize_bf16(const uint16_t *source, size_t n_elements, uint8_t *codes, float *absmax);

/* The mean of the scales in f64, rounded once. n_blocks at least 1. */
float nf4_nested_offset(const float *absmax, size_t n_blocks);
/* absmax_codes [n_blocks] and nested_absmax [ceil(n_blocks / 256)] from absmax [n_blocks]. */
void nf4_nest(const float *absmax, size_t n_blocks, float offset, uint8_t *absmax_codes, float *nested_absmax);
/* absmax [n_blocks] of blocks first_block and on. */
void nf4_unnest(const uint8_t *absmax_codes, const float *nested_absmax, const float *nested_map, float nested_offset,
                size_t first_block, size_t n_blocks, float *absmax);

/* Values of elements [first, first + n_elements). absmax is that of the whole tensor, block 0 first. */
void nf4_dequantize(const uint8_t *codes, const float *absmax, size_t first, size_t n_elements, float *out);

#endif
