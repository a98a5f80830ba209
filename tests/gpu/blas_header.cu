/* blas_header.cu: the calls that kernels/cuda/blas_abi.cuh declares by hand, against cuBLASLt's own header: as many parameters, each as large and
 * of the same kind. Compiled where the header is; ceiling.cu does the same for numbers and structs. There is nothing to run. */
#ifdef HAVE_CUBLASLT
#include "kernels/cuda/blas_abi.cuh"

#include <cublasLt.h>

#include <type_traits>

namespace
{

/* Of the ABI: pointers for pointers, whole numbers or enums of one size for each other. */
template <class ours, class theirs>
constexpr bool alike =
    sizeof(ours) == sizeof(theirs) && std::is_pointer<ours>::value
                                          == std::is_pointer<theirs>::value &&std::is_floating_point<ours>::value
                                          == std::is_floating_point<theirs>::value;

template <class ours, class theirs> struct same_call;
template <class result, class... mine, class other, class... yours>
struct same_call<result (*)(mine...), other (*)(yours...)> {
    template <bool same_number, class = void> struct parameters {
        static constexpr bool value = false;
    };
    template <class nothing> struct parameters<true, nothing> {
        static constexpr bool value = (alike<mine, yours> && ...);
    };
    static constexpr bool value = alike<result, other> && parameters<sizeof...(mine) == sizeof...(yours)>::value;
};

#define SAME_CALL(field, function)                                                                                     \
    static_assert(same_call<decltype(blas_functions::field), decltype(&function)>::value, #function)

SAME_CALL(create, cublasLtCreate);
SAME_CALL(destroy, cublasLtDestroy);
SAME_CALL(version, cublasLtGetVersion);
SAME_CALL(desc_create, cublasLtMatmulDescCreate);
SAME_CALL(desc_set, cublasLtMatmulDescSetAttribute);
SAME_CALL(desc_destroy, cublasLtMatmulDescDestroy);
SAME_CALL(layout_create, cublasLtMatrixLayoutCreate);
SAME_CALL(layout_destroy, cublasLtMatrixLayoutDestroy);
SAME_CALL(preference_create, cublasLtMatmulPreferenceCreate);
SAME_CALL(preference_set, cublasLtMatmulPreferenceSetAttribute);
SAME_CALL(preference_destroy, cublasLtMatmulPreferenceDestroy);
SAME_CALL(choose, cublasLtMatmulAlgoGetHeuristic);
SAME_CALL(multiply, cublasLtMatmul);

static_assert((int)BLAS_PREFERENCE_ALIGNMENT_B == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES &&
                  (int)BLAS_PREFERENCE_ALIGNMENT_C == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES,
              "preferences");
static_assert((int)BLAS_OK == CUBLAS_STATUS_SUCCESS && alignof(blas_choice) == alignof(cublasLtMatmulHeuristicResult_t),
              "what is returned");

} // namespace
#endif
