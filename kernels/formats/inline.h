/* inline.h: how the small functions of the formats are declared, so that the GPU's compiler takes the same text. */
#ifndef DOCKET_KERNELS_FORMATS_INLINE_H
#define DOCKET_KERNELS_FORMATS_INLINE_H

#ifdef __CUDACC__
#define FORMATS_INLINE static inline __host__ __device__
#else
#define FORMATS_INLINE static inline
#endif

#endif
