# docket: one Makefile, all builds out of the source tree in build/<variant>/.
# Variants: release (default), asan (ASan + UBSan), tsan, fuzz (clang, libFuzzer). Pick one with VARIANT=, the compiler with CC=.
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
# V=1 shows the commands themselves.
Q := $(if $(V),,@)

CC      := gcc
VARIANT ?= release
VERSION := 0.1.0
COMMIT  := $(shell git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
PREFIX  ?= /usr/local
B       := build/$(VARIANT)

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Wpointer-arith
WARNINGS += $(if $(findstring clang,$(CC)),,-Wno-format-truncation) # gcc guesses; cut texts are meant
COMMON   := -std=c17 -D_GNU_SOURCE -I. -fvisibility=hidden -fno-math-errno -ffp-contract=off -pthread -g -MMD -MP $(WARNINGS)
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE -fstack-clash-protection -fcf-protection
OPT.release := -O3 $(HARDEN)
OPT.asan    := -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -fPIE
OPT.tsan    := -O1 -fno-omit-frame-pointer -fsanitize=thread -fPIE
OPT.fuzz    := -O1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -DDOCKET_FUZZ -fPIE
LINK.release := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LINK.asan    := -pie -fsanitize=address,undefined
LINK.tsan    := -pie -fsanitize=thread
LINK.fuzz    := -pie -fsanitize=fuzzer,address,undefined

# The packages of each floor; kernels needs none.
PKGS       := libcurl libcjson libarchive libpcre2-8 libutf8proc libcrypto zlib expat gumbo gmime-3.0 libgsf-1 uchardet libseccomp libmagic
# Headers of libraries are not held to our warnings.
PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PKGS) 2>/dev/null))
PKG_LIBS   := $(shell pkg-config --libs $(PKGS) 2>/dev/null)
CFLAGS     += $(COMMON) $(OPT.$(VARIANT)) $(PKG_CFLAGS)
LDFLAGS    += $(LINK.$(VARIANT)) -pthread

# Files of one instruction set get its flags, and no others do.
ISA_avx2   := -mavx2 -mfma -mf16c
ISA_avx512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vbmi -mfma -mf16c -mavx2
ISA_avx512_bf16 := $(ISA_avx512) -mavx512bf16
ISA_avx512_vnni := $(ISA_avx512) -mavx512vnni
ISA_amx := $(ISA_avx512) -mavx512bf16 -mavx512vnni -mamx-tile -mamx-bf16 -mamx-int8
ISA_amx_twin := $(ISA_avx512)
isa_flags   = $(foreach i,avx2 avx512 avx512_bf16 avx512_vnni amx amx_twin,$(if $(findstring _$(i).c,$(1)),$(ISA_$(i))))

sources  = $(sort $(shell find $(1) -name '*.c' 2>/dev/null))
KERNELS  := $(filter-out kernels/examples/%,$(call sources,kernels))
WORKER   := $(call sources,worker)
HANDLERS := $(filter-out handlers/main.c,$(call sources,handlers))
SUPPORT  := $(call sources,tests/support)
TESTS    := $(sort $(shell find tests/unit tests/conformance -name 'test_*.c' 2>/dev/null))
FUZZERS  := $(sort $(shell find tests/fuzz -name 'fuzz_*.c' 2>/dev/null))
objects   = $(patsubst %.c,$(B)/%.o,$(1))

KERNELS_A  := $(B)/libdocket_kernels.a
WORKER_A   := $(B)/libdocket_worker.a
HANDLERS_A := $(B)/libdocket_handlers.a
TEST_BINS  := $(patsubst tests/%.c,$(B)/tests/%,$(TESTS))

include kernels/cuda/cuda.mk
include tests/targets.mk

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $<")
	$(Q)$(CC) $(CFLAGS) $(call isa_flags,$<) -c $< -o $@

$(B)/handlers/version.o: CFLAGS += -DDOCKET_VERSION='"$(VERSION)"' -DDOCKET_COMMIT='"$(COMMIT)"'

$(KERNELS_A): $(call objects,$(KERNELS))
$(WORKER_A): $(call objects,$(WORKER))
$(HANDLERS_A): $(call objects,$(HANDLERS))
%.a:
	@rm -f $@
	$(if $(V),,@echo "  AR    $@")
	$(Q)ar rcs $@ $^

$(B)/docket: $(B)/handlers/main.o $(HANDLERS_A) $(WORKER_A) $(KERNELS_A)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) $^ $(PKG_LIBS) -ldl -lm -o $@

$(B)/tests/%: $(B)/tests/%.o $(call objects,$(SUPPORT)) $(HANDLERS_A) $(WORKER_A) $(KERNELS_A)
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) $^ -lcmocka $(PKG_LIBS) -ldl -lm -o $@

.PHONY: help build lib install install-lib clean deps
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/' | expand -t 14

deps: ## install what is missing to build and test (Debian packages)
	@deploy/install-deps.sh

build: $(B)/docket ## compile build/release/docket (VARIANT=asan|tsan, CC=clang)

# The kernels as a library of their own. Only docket_* can be seen from outside, in the archive too.
KERNELS_SO_VERSION := $(shell sed -n 's/^\#define KERNELS_ABI \([0-9]*\)u/\1/p' kernels/kernels.h)
KERNELS_SO := libdocket_kernels.so.$(KERNELS_SO_VERSION)
LIBDIR     ?= $(PREFIX)/lib

$(B)/pic/%.o: %.c
	@mkdir -p $(@D)
	$(if $(V),,@echo "  CC    $< (pic)")
	$(Q)$(CC) $(filter-out -fPIE,$(CFLAGS)) -fPIC $(call isa_flags,$<) -c $< -o $@

$(B)/lib/libdocket_kernels.a: $(patsubst %.c,$(B)/pic/%.o,$(KERNELS))
	@mkdir -p $(@D) && rm -f $@
	$(if $(V),,@echo "  AR    $@")
	$(Q)ld -r $^ -o $(@D)/kernels.o && objcopy --localize-hidden $(@D)/kernels.o && ar rcs $@ $(@D)/kernels.o

$(B)/lib/$(KERNELS_SO): $(patsubst %.c,$(B)/pic/%.o,$(KERNELS))
	@mkdir -p $(@D)
	$(if $(V),,@echo "  LINK  $@")
	$(Q)$(CC) -shared -Wl,-soname,$(KERNELS_SO) -Wl,-z,defs,-z,relro,-z,now $(if $(filter release,$(VARIANT)),,$(LDFLAGS)) $^ -lm -o $@
	$(Q)ln -sf $(KERNELS_SO) $(@D)/libdocket_kernels.so

lib: $(B)/lib/libdocket_kernels.a $(B)/lib/$(KERNELS_SO) ## the kernels as a C library, static and shared

install-lib: lib ## copy the library, its header and docket-kernels.pc to PREFIX
	install -D -m 644 kernels/kernels.h $(DESTDIR)$(PREFIX)/include/docket/kernels.h
	install -D -m 644 $(B)/lib/libdocket_kernels.a $(DESTDIR)$(LIBDIR)/libdocket_kernels.a
	install -D -m 755 $(B)/lib/$(KERNELS_SO) $(DESTDIR)$(LIBDIR)/$(KERNELS_SO)
	ln -sf $(KERNELS_SO) $(DESTDIR)$(LIBDIR)/libdocket_kernels.so
	@mkdir -p $(DESTDIR)$(LIBDIR)/pkgconfig
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'includedir=$${prefix}/include' '' 'Name: docket-kernels' \
	    'Description: quantized matrix arithmetic of docket' 'Version: $(VERSION)' 'Cflags: -I$${includedir}' \
	    'Libs: -L$${libdir} -ldocket_kernels' 'Libs.private: -lm' > $(DESTDIR)$(LIBDIR)/pkgconfig/docket-kernels.pc

install: build install-lib ## copy the program and the library to PREFIX (/usr/local)
	install -D -m 755 $(B)/docket $(DESTDIR)$(PREFIX)/bin/docket
	$(if $(wildcard $(B)/libdocket_cuda.so),install -D -m 755 $(B)/libdocket_cuda.so $(DESTDIR)$(LIBDIR)/libdocket_cuda.so)

clean: ## remove build/
	rm -rf build

-include $(shell find $(B) -name '*.d' 2>/dev/null)
