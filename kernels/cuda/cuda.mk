# The CUDA backend: $(B)/libdocket_cuda.so, opened at run time. Where there is no nvcc it is left out, and said.
NVCC       := $(firstword $(wildcard /usr/local/cuda/bin/nvcc) $(shell command -v nvcc 2>/dev/null))
CUDA_ARCHS ?= 75 80 86 89 90a 100 120
CUDA_NEWEST := $(lastword $(CUDA_ARCHS))
# What the library says of itself to a card that it has no code for.
CUDA_CODE  := -DCUDA_CODE='"$(strip $(foreach a,$(CUDA_ARCHS),sm_$(a)))"'
# -fmad=false: each step of a format's definition is one rounding, as on the CPU; products that may be fused say fmaf.
NVCC_WARNINGS := -Werror all-warnings
NVCCFLAGS  := $(CUDA_CODE) -std=c++17 -O3 -fmad=false -I. -Ikernels/cuda $(NVCC_WARNINGS) -Xptxas -v \
              -Xcompiler -fPIC,-fvisibility=hidden,-Wall,-Wextra,-Wno-unused-function -diag-suppress 177 \
              $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
              -gencode arch=compute_$(CUDA_NEWEST),code=compute_$(CUDA_NEWEST)
CUDA_O     := $(patsubst kernels/cuda/%.cu,$(B)/cuda/%.o,$(wildcard kernels/cuda/*.cu))
# Plain C that the backend shares with the others.
CUDA_C_O   := $(patsubst %,$(B)/pic/kernels/%.o,error batch_check parts_check names formats/nf4 formats/parts)

.PHONY: cuda
ifeq ($(NVCC),)
cuda: ## compile the CUDA backend (needs nvcc)
	@echo "  nvcc is not there: the CUDA backend is not compiled"
else
cuda: $(B)/libdocket_cuda.so ## compile the CUDA backend (needs nvcc)
endif

# Registers, shared memory and spills of every kernel are kept beside the object; a kernel that spills fails the build, but for SPILLS=allowed.
$(B)/cuda/%.o: kernels/cuda/%.cu
	@mkdir -p $(@D)
	$(if $(V),,@echo "  NVCC  $<")
	$(Q)$(NVCC) $(NVCCFLAGS) -MMD -MP -MF $(@:.o=.d) -c $< -o $@ > $(@:.o=.ptxas) 2>&1 || { cat $(@:.o=.ptxas); rm -f $@; exit 1; }
	$(if $(SPILLS),,@! grep -E '[1-9][0-9]* bytes spill' $(@:.o=.ptxas) || { rm -f $@; exit 1; })

$(B)/libdocket_cuda.so: $(CUDA_O) $(CUDA_C_O)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(NVCC) -shared -cudart static -Xlinker -z,defs,-z,relro,-z,now,--version-script=kernels/cuda/exports.map $^ -o $@
