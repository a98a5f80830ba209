# Programs of tests/gpu: for a real GPU (gpu-programs) and over the emulation (gpu-emulated). They need nothing but compilers.
GPU_C      := $(B)/gpu/tests/support/compare.o $(B)/gpu/tests/support/parallel.o
GPU_NAMES  := test_backends test_products test_beside test_attention test_attention_random test_company test_placement test_steps bench truth
GPU_BINS          := $(GPU_NAMES:%=$(B)/gpu/device/%)
GPU_EMULATED_BINS := $(GPU_NAMES:%=$(B)/gpu/emulated/%)
GPU_BINS          += $(B)/gpu/device/whole_models $(B)/gpu/device/models
GPU_EMULATED_BINS += $(B)/gpu/emulated/whole_models $(B)/gpu/emulated/models
# What runs whole models, and docket bench: no library but the C library's. cJSON and OpenSSL are stood in for by headers; what needs more
# is left out, and of the rest the linker takes what is used.
WHOLE_C    := $(filter-out worker/model/tokenizer% worker/base/digest.c,$(call sources,worker/base worker/model worker/observe)) \
              handlers/tools/ceilings.c $(filter-out handlers/tools/bench.c,$(wildcard handlers/tools/bench*.c))
WHOLE_A    := $(B)/gpu/libwhole_models.a
$(WHOLE_A): $(WHOLE_C:%.c=$(B)/gpu/%.o)
CUBLASLT   := $(wildcard $(dir $(NVCC))../include/cublasLt.h)
# What is said of cuBLASLt without its header holds with it.
cuda gpu-programs: $(if $(CUBLASLT),$(B)/gpu/device/blas_header.o)

.PHONY: gpu-programs gpu-emulated
gpu-programs: $(GPU_BINS) $(B)/gpu/emulated/truth $(B)/libdocket_cuda.so
gpu-emulated: $(GPU_EMULATED_BINS) $(B)/libdocket_cuda_emulated.so

$(B)/gpu/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $< (gpu)")
	$(Q)$(CC) -Itests/gpu/cmocka -Itests/gpu/stand_in $(CFLAGS) -c $< -o $@
$(B)/gpu/device/%.o: tests/gpu/%.cu
	@mkdir -p $(@D)
	$(if $(V),,@echo "  NVCC  $<")
	$(Q)$(NVCC) $(NVCCFLAGS) $(if $(CUBLASLT),-DHAVE_CUBLASLT) -MMD -MP -MF $(@:.o=.d) -c $< -o $@ > $(@:.o=.ptxas) 2>&1 || { cat $(@:.o=.ptxas); exit 1; }

gpu_link_device   = $(NVCC) -cudart static $^ $(if $(CUBLASLT),-lcublasLt) -lm -o $@
gpu_link_emulated = $(CXX) $(LDFLAGS) $^ -lm -o $@
define GPU_LINK
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(gpu_link_$(notdir $(@D)))
endef
$(B)/gpu/device/test_%: $(B)/gpu/tests/conformance/test_%.o $(GPU_C) $(CUDA_O) $(KERNELS_A)
	$(GPU_LINK)
$(B)/gpu/device/bench: $(B)/gpu/tests/gpu/bench.o $(B)/gpu/device/ceiling.o $(B)/gpu/device/alone.o $(GPU_C) $(CUDA_O) $(KERNELS_A)
	$(GPU_LINK)
$(B)/gpu/device/truth: $(B)/gpu/device/truth.o
	$(GPU_LINK)
$(B)/gpu/emulated/test_%: $(B)/gpu/tests/conformance/test_%.o $(GPU_C) $(EMULATED) $(KERNELS_A)
	$(GPU_LINK)
$(B)/gpu/emulated/bench: $(B)/gpu/tests/gpu/bench.o $(B)/emulated/tests/gpu/ceiling.o $(B)/emulated/tests/gpu/alone.o $(GPU_C) $(EMULATED) $(KERNELS_A)
	$(GPU_LINK)
$(B)/gpu/emulated/truth: $(B)/emulated/tests/gpu/truth.o $(filter $(B)/emulated/tests/%,$(EMULATED))
	$(GPU_LINK)
# The backend itself is opened at run time, as docket does.
$(B)/gpu/device/whole_models: $(B)/gpu/tests/gpu/whole_models.o $(WHOLE_A) $(B)/gpu/device/ceiling.o $(KERNELS_A)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(NVCC) -cudart static $^ $(if $(CUBLASLT),-lcublasLt) -ldl -lm -lpthread -o $@
$(B)/gpu/emulated/whole_models: $(B)/gpu/tests/gpu/whole_models.o $(WHOLE_A) $(B)/emulated/tests/gpu/ceiling.o $(filter $(B)/emulated/tests/%,$(EMULATED)) $(KERNELS_A)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CXX) $(LDFLAGS) $^ -ldl -lm -o $@
# No CUDA in it: the same program with either library.
$(B)/gpu/device/models $(B)/gpu/emulated/models: $(B)/gpu/tests/gpu/models.o $(WHOLE_A) $(KERNELS_A)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) $^ -ldl -lm -o $@
