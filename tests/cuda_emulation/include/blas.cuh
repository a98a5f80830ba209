/* blas.cuh on the host: tests/cuda_emulation/blas.cpp stands for cuBLASLt. */
#ifndef DOCKET_TESTS_CUDA_EMULATION_BLAS_CUH
#define DOCKET_TESTS_CUDA_EMULATION_BLAS_CUH

#include "kernels/cuda/blas_abi.cuh"

/* False, and why, if this call was chosen to fail. */
bool blas_open(struct blas_functions *f, char *why, size_t size);
void blas_close(struct blas_functions *f);

#endif
