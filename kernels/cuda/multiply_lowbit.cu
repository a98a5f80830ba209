/* multiply_lowbit.cu: multiply_tiles.cuh for q8, q4, q2 and q1. */
#include "kernels/cuda/multiply_tiles.cuh"

void cuda_multiply_lowbit(const multiply_args &a, cudaStream_t stream)
{
    switch (a.weight.format) {
    case KERNELS_Q8:
        launch_tiles<KERNELS_Q8>(a, stream);
        break;
    case KERNELS_Q4:
        launch_tiles<KERNELS_Q4>(a, stream);
        break;
    case KERNELS_Q2:
        launch_tiles<KERNELS_Q2>(a, stream);
        break;
    default:
        launch_tiles<KERNELS_Q1>(a, stream);
        break;
    }
}
