/* copy.cuh on the host: what is copied is there when it was waited for, and not before: until then the place holds 0xff. */
#ifndef DOCKET_TESTS_CUDA_EMULATION_COPY_CUH
#define DOCKET_TESTS_CUDA_EMULATION_COPY_CUH

#include "launch.cuh"

static inline void copy_async_16(void *to, const void *from, bool there)
{
    std::memset(to, 0xff, 16);
    emulation::copy_later(to, there ? from : nullptr);
}

static inline void copy_commit(void)
{
    emulation::copy_close_group();
}

/* Left out, it waits for one group fewer. */
template <int PENDING> static inline void copy_wait(const char *file = __builtin_FILE(), int line = __builtin_LINE())
{
    const unsigned n_pending = PENDING + (emulation::left_out(file, line) ? 1 : 0);
    void *to;
    const void *from;
    while (emulation::copy_take(n_pending, &to, &from)) {
        if (from)
            std::memcpy(to, from, 16);
        else
            std::memset(to, 0, 16);
    }
}

#endif
