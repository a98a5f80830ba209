/* unroll.h: how inner loops are laid out by the compiler, for all instruction sets. */
#ifndef DOCKET_KERNELS_CPU_UNROLL_H
#define DOCKET_KERNELS_CPU_UNROLL_H

#define INLINE static inline __attribute__((always_inline))
/* Instrumented builds keep the loops: unrolled, they take minutes to compile. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define UNROLL
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNROLL
#endif
#endif
#ifndef UNROLL
#define UNROLL _Pragma("GCC unroll 16")
#endif

#endif
