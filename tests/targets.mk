# Targets that prove, measure and show; included by the Makefile. What runs where: tests/README.md.
# Objects that make finds by itself are kept.
.SECONDARY:

PYTHON := /usr/bin/python3
CLANG  := clang

MOCK_WORKER := $(B)/tests/mock_worker
EMULATED_SUITES := $(patsubst tests/conformance/%.c,$(B)/tests/cuda_emulation/%,$(wildcard tests/conformance/test_*.c))
EMULATION_BINS := $(EMULATED_SUITES) $(addprefix $(B)/tests/cuda_emulation/,test_decode test_failures test_memory_plan test_model_failures test_warm_up test_parts)
FAKE_NVML := $(B)/libdocket_fake_nvml.so $(B)/libdocket_fake_nvml_old.so
FUZZ_BINS   := $(patsubst tests/%.c,$(B)/tests/%,$(FUZZERS))
DEMO_MODEL  := --model docket/demo-mixtral --hub-cache tests/demo_model/hub
RUN          = $(PYTHON) tests/run.py --build $(B)

JUDGES := $(EMULATED_SUITES) $(addprefix $(B)/tests/cuda_emulation/,test_parts test_decode)

.PHONY: test unit integration lint asan tsan barriers fuzz bench eval oracle soak demo clang format test-programs commit-changed
test: ## everything that must hold: unit, conformance, integration, documents, cheap lints
	@deploy/install-deps.sh
	@+$(MAKE) --no-print-directory test-programs
	@$(RUN)

# Built by a second make, so that libraries which were just installed are found.
test-programs: $(FAKE_NVML) $(B)/docket $(TEST_BINS) $(MOCK_WORKER) $(FUZZ_BINS) $(EMULATION_BINS) $(if $(filter release,$(VARIANT)),gpu-emulated) $(B)/libdocket_cuda_emulated.so $(if $(filter release,$(VARIANT)),cuda)

unit: $(TEST_BINS) ## unit and conformance tests of the C code alone
	@$(RUN) unit

integration: $(B)/docket $(MOCK_WORKER) ## the worker against the test queue (ONLY=name chooses)
	@$(RUN) integration $(if $(ONLY),-k $(ONLY))

lint: ## clang-format, clang-tidy, cppcheck, and the rules of this house
	@deploy/install-deps.sh --lint
	@$(PYTHON) tests/lint/lint.py

format: ## lay out all code (some macros settle only after a few rounds)
	@deploy/install-deps.sh --lint
	@for round in 1 2 3 4 5; do git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i; done

clang: ## compile with the second compiler
	@deploy/install-deps.sh --lint
	@+$(MAKE) --no-print-directory CC=$(CLANG) B=build/clang test-programs

asan: ## the tests under AddressSanitizer and UBSan
	@+$(MAKE) --no-print-directory VARIANT=asan test-programs
	@$(PYTHON) tests/run.py --build build/asan unit fuzz integration

tsan: ## the tests of threads under ThreadSanitizer
	@+$(MAKE) --no-print-directory VARIANT=tsan test-programs
	@$(PYTHON) tests/run.py --build build/tsan unit integration

barriers: ## leaves out each barrier of the CUDA kernels and each wait of the host in turn: something has to notice
	@+$(MAKE) --no-print-directory $(JUDGES)
	@+$(MAKE) --no-print-directory VARIANT=tsan $(patsubst $(B)/%,build/tsan/%,$(JUDGES))
	@$(PYTHON) tests/cuda_emulation/barriers.py --build $(B) --tsan build/tsan

fuzz: ## search for inputs that break a parser (SECONDS_EACH=60, TARGETS=pattern, SEED=0, with clang)
	@deploy/install-deps.sh --lint
	@+$(MAKE) --no-print-directory VARIANT=fuzz CC=$(CLANG) B=build/fuzz fuzz-programs
	@$(PYTHON) tests/run.py --build build/fuzz search --seconds $(or $(SECONDS_EACH),60) --seed $(or $(SEED),0) $(if $(TARGETS),-k '$(TARGETS)')

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_BINS)

BENCHES := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/bench/bench_*.c))
bench: $(B)/docket $(BENCHES) ## speed of the demo model and of the kernels on this machine (minutes)
	@$(B)/docket bench $(DEMO_MODEL) --quantization none --seconds 1
	@$(B)/docket bench $(DEMO_MODEL) --quantization nf4 --seconds 1
	@$(B)/docket bench --synthetic tinyllama --quantization nf4 --only quantize,prefill,packed,decode --seconds 1
	@$(B)/tests/bench/bench_kernels
	@$(B)/tests/bench/bench_pass auto 512 2
	@$(B)/tests/bench/bench_pool
	@$(B)/tests/bench/bench_scoring docket/demo-mixtral tests/demo_model/hub 1 2

eval: $(B)/docket ## answers of the demo model: on documents written by hand, and on such that talk to it
	@$(PYTHON) tests/injection/evaluate.py --docket $(B)/docket

oracle: $(B)/docket $(MOCK_WORKER) ## compare with the outside judges (network; installs 5.8 GB into build/oracle)
	@deploy/install-deps.sh --oracle
	@tests/oracle/run.sh $(B)
	@tests/oracle/sdk.sh $(B)

soak: $(B)/docket $(MOCK_WORKER) ## the long forms of the promises
	@SOAK=1 $(RUN) integration -m soak

demo: ## a worker takes jobs over HTTPS, classifies documents and posts what it found
	@deploy/install-deps.sh
	@+$(MAKE) --no-print-directory build
	@$(PYTHON) deploy/demo/demo.py $(B)/docket

# A worker with a handler that does what the job says, for the tests of the protocol.
$(MOCK_WORKER): $(B)/tests/integration/mock_worker.o $(B)/libdocket_worker.a $(B)/libdocket_kernels.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) $^ $(PKG_LIBS) -ldl -lm -o $@

# The CUDA backend's own sources, run on the CPU: tests/cuda_emulation/README.md. The scheduler itself is never sanitized.
CXX        := g++
EMULATED   := $(patsubst %.cu,$(B)/emulated/%.o,$(wildcard kernels/cuda/*.cu)) $(B)/emulated/tests/cuda_emulation/runtime.o $(B)/emulated/tests/cuda_emulation/emulation.o $(B)/emulated/tests/cuda_emulation/blas.o $(B)/emulated/tests/cuda_emulation/streams.o $(B)/emulated/tests/cuda_emulation/graphs.o $(B)/emulated/tests/cuda_emulation/places.o
EMULATE    := $(CUDA_CODE) -std=c++17 -D_GNU_SOURCE -I. -Itests/cuda_emulation/include -ffp-contract=off -fno-math-errno -pthread -g -MMD -MP $(if $(NVCC_WARNINGS),-Wall -Wextra -Werror) -Wno-unused-function -fPIC
EMULATE.release := -O2
EMULATE.asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
EMULATE.tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread
$(B)/emulated/%.o: %.cu
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CXX   $<")
	$(Q)$(CXX) $(EMULATE) $(EMULATE.$(VARIANT)) -x c++ -c $< -o $@
$(B)/emulated/%.o: %.cpp
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CXX   $<")
	$(Q)$(CXX) $(EMULATE) -O2 $(if $(filter asan tsan,$(VARIANT)),-DEMULATION_$(if $(filter asan,$(VARIANT)),ASAN,TSAN)) -c $< -o $@
$(addprefix $(B)/tests/cuda_emulation/,test_decode test_failures test_memory_plan test_model_failures test_warm_up): %: %.o $(EMULATED) $(call objects,$(SUPPORT)) $(HANDLERS_A) $(WORKER_A) $(KERNELS_A)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CXX) $(LDFLAGS) $^ -lcmocka $(PKG_LIBS) -ldl -lm -o $@
$(B)/tests/cuda_emulation/test_parts: $(B)/tests/unit/kernels/test_parts.o $(EMULATED) $(call objects,$(SUPPORT)) $(HANDLERS_A) $(WORKER_A) $(KERNELS_A)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CXX) $(LDFLAGS) $^ -lcmocka $(PKG_LIBS) -ldl -lm -o $@
$(B)/tests/cuda_emulation/%: $(B)/tests/conformance/%.o $(EMULATED) $(call objects,$(SUPPORT)) $(HANDLERS_A) $(WORKER_A) $(KERNELS_A)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CXX) $(LDFLAGS) $^ -lcmocka $(PKG_LIBS) -ldl -lm -o $@

# The same as a library that the program itself can open: DEVICE=cuda without a GPU.
$(B)/libdocket_cuda_emulated.so: $(EMULATED) $(CUDA_C_O)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CXX) -shared $(filter-out -pie,$(LINK.$(VARIANT))) -Wl,--version-script=kernels/cuda/exports.map $^ -o $@

# A driver that a test can break: docket opens it as NVML_LIBRARY.
$(B)/libdocket_fake_nvml.so: tests/fakes/nvml.c
$(B)/libdocket_fake_nvml_old.so: tests/fakes/nvml.c
$(FAKE_NVML):
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) -shared -fPIC $(filter-out -fPIE -pie -MMD -MP,$(CFLAGS)) $(if $(findstring old,$@),-DFAKE_NVML_OLD) $< -o $@
$(B)/tests/unit/worker/observe/test_gpu_stats: | $(FAKE_NVML)

# A fuzz target finds inputs itself in the fuzz build; elsewhere it replays the files that it is given.
FUZZ_MAIN = $(if $(filter %fuzz,$(B)),,$(B)/tests/fuzz/replay.o)
$(B)/tests/fuzz/fuzz_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o $(B)/libdocket_handlers.a $(B)/libdocket_worker.a $(B)/libdocket_kernels.a
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) $< $(FUZZ_MAIN) $(filter %.a,$^) $(PKG_LIBS) -ldl -lm -o $@

# The commit stands in the program: it is compiled anew when that changes, and only then.
$(B)/handlers/version.o: $(B)/commit
$(B)/commit: commit-changed
	@mkdir -p $(@D)
	@echo "$(VERSION) $(COMMIT)" | cmp -s - $@ || echo "$(VERSION) $(COMMIT)" > $@
include $(wildcard tests/gpu/gpu.mk)
