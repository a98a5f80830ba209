/* blas.cuh: cuBLASLt is opened when a device is: a machine without it still has the other kernels. Replaced by the host emulation, as
 * launch.cuh is. */
#ifndef DOCKET_KERNELS_CUDA_BLAS_CUH
#define DOCKET_KERNELS_CUDA_BLAS_CUH

#include "kernels/cuda/blas_abi.cuh"

#include <dlfcn.h>
#include <stdio.h>

static inline void blas_close(struct blas_functions *f)
{
    if (f->library) dlclose(f->library);
    f->library = NULL;
}

/* False, and why, if the library or one of its functions is not there. */
static inline bool blas_open(struct blas_functions *f, char *why, size_t size)
{
    const struct {
        void *field;
        const char *name;
    } wanted[] = {{&f->create, "cublasLtCreate"},
                  {&f->destroy, "cublasLtDestroy"},
                  {&f->version, "cublasLtGetVersion"},
                  {&f->desc_create, "cublasLtMatmulDescCreate"},
                  {&f->desc_set, "cublasLtMatmulDescSetAttribute"},
                  {&f->desc_destroy, "cublasLtMatmulDescDestroy"},
                  {&f->layout_create, "cublasLtMatrixLayoutCreate"},
                  {&f->layout_destroy, "cublasLtMatrixLayoutDestroy"},
                  {&f->preference_create, "cublasLtMatmulPreferenceCreate"},
                  {&f->preference_set, "cublasLtMatmulPreferenceSetAttribute"},
                  {&f->preference_destroy, "cublasLtMatmulPreferenceDestroy"},
                  {&f->choose, "cublasLtMatmulAlgoGetHeuristic"},
                  {&f->multiply, "cublasLtMatmul"}};
    const char *text = NULL;
    f->library = dlopen("libcublasLt.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!f->library) f->library = dlopen("libcublasLt.so.12", RTLD_NOW | RTLD_LOCAL);
    if (!f->library) text = dlerror();
    for (size_t i = 0; f->library && !text && i < sizeof wanted / sizeof wanted[0]; i++) {
        void *found = dlsym(f->library, wanted[i].name);
        *(void **)wanted[i].field = found;
        if (!found) text = dlerror();
    }
    if (f->library && !text) return true;
    snprintf(why, size, "%s", text ? text : "libcublasLt.so cannot be opened");
    blas_close(f);
    return false;
}

#endif
