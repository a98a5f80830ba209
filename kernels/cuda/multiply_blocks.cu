/* multiply_blocks.cu: multiply_tiles.cuh for NF4, and for FP4, which is NF4 with another table. */
#include "kernels/cuda/multiply_tiles.cuh"

void cuda_multiply_4bit(const multiply_args &a, cudaStream_t stream)
{
    if (a.weight.format == KERNELS_NF4 || a.weight.format == KERNELS_FP4)
        launch_tiles<KERNELS_NF4>(a, stream);
    else
        launch_tiles<KERNELS_NF4_NESTED>(a, stream);
}
