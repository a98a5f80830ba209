# Programs of tests/gpu: for a real GPU (gpu-programs) and over the emulation (gpu-emulated). They need nothing but compilers.
GPU_C      := $(B)/gpu/tests/support/compare.o $(B)/gpu/tests/support/parallel.o
GPU_NAMES  := test_backends test_attention test_company test_placement bench truth
GPU_BINS          := $(GPU_NAMES:%=$(B)/gpu/device/%)
GPU_EMULATED_BINS := $(GPU_NAMES:%=$(B)/gpu/emulated/%)
CUBLASLT   := $(wildcard $(dir $(NVCC))../include/cublasLt.h)

.PHONY: gpu-programs gpu-emulated
gpu-programs: $(GPU_BINS) $(B)/gpu/emulated/truth
gpu-emulated: $(GPU_EMULATED_BINS)

$(B)/gpu/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $< (gpu)")
	$(Q)$(CC) -Itests/gpu/cmocka $(CFLAGS) -c $< -o $@
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
$(B)/gpu/device/bench: $(B)/gpu/tests/gpu/bench.o $(B)/gpu/device/ceiling.o $(GPU_C) $(CUDA_O) $(KERNELS_A)
	$(GPU_LINK)
$(B)/gpu/device/truth: $(B)/gpu/device/truth.o
	$(GPU_LINK)
$(B)/gpu/emulated/test_%: $(B)/gpu/tests/conformance/test_%.o $(GPU_C) $(EMULATED) $(KERNELS_A)
	$(GPU_LINK)
$(B)/gpu/emulated/bench: $(B)/gpu/tests/gpu/bench.o $(B)/emulated/tests/gpu/ceiling.o $(GPU_C) $(EMULATED) $(KERNELS_A)
	$(GPU_LINK)
$(B)/gpu/emulated/truth: $(B)/emulated/tests/gpu/truth.o $(filter $(B)/emulated/tests/%,$(EMULATED))
	$(GPU_LINK)
