# k3x: one non-recursive Makefile. Each folder's module.mk adds its sources; everything built goes under build/.
#
#   make            the binary, build/k3x                     make up | down     start, stop a one-server cluster
#   make check      all tests                                 make lint          static checks and the layer check
#   make cluster N=3 | cluster-down    N servers and an agent on this machine, to play with
#   make test-one T=store/machine/test_txn                    one unit test program
#   make asan|tsan  unit tests under a sanitizer              make bench-NAME    benchmarks
#   make test-clients   programs of client-go and client-node
#   make upgrade-test FROM=REV         servers of an older revision and of this one in one cluster
#   make deps       install what is missing (Debian packages) make install       to $(DESTDIR)$(PREFIX)

SHELL := /bin/bash
PREFIX ?= /usr/local
VARIANT ?= release
B := build/$(VARIANT)
VERSION := 0.1.0
KUBE_VERSION := v1.32.4

# CROSS=aarch64-linux-gnu- builds for another machine, HOSTCC what runs while building: see tools/install/release.sh.
CROSS ?=
HOSTCC ?= gcc
CC := $(if $(filter fuzz,$(VARIANT)),clang,$(CROSS)gcc)
AR := $(CROSS)ar
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wno-unused-parameter
DEFS := -D_GNU_SOURCE -DK3X_VERSION='"$(VERSION)"' -DK3X_KUBE_VERSION='"$(KUBE_VERSION)+k3x"'
CFLAGS_release := -O2 -g1 -ffunction-sections -fdata-sections
# Faults on purpose, for the fault tests to find: see base/breakage.h.
CFLAGS_breakable := $(CFLAGS_release) -DK3X_BREAKABLE
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DK3X_DEBUG
CFLAGS_tsan := -O1 -g -fsanitize=thread -DK3X_DEBUG
CFLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -Ulinux -w -DK3X_DEBUG
LDFLAGS_fuzz := -fsanitize=address,undefined
LDFLAGS_release := -Wl,--gc-sections
LDFLAGS_breakable := $(LDFLAGS_release)
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
# 64-bit offsets have to be asked for on 32-bit machines; elsewhere that would only give the calls other names.
LARGE_FILES := $(if $(or $(CROSS),$(filter 32,$(shell getconf LONG_BIT))),-D_FILE_OFFSET_BITS=64)
CFLAGS := -std=gnu11 -pipe -fno-common -fno-strict-aliasing -fstack-protector-strong $(LARGE_FILES) -ffile-prefix-map=$(CURDIR)=. $(if $(filter fuzz,$(VARIANT)),,$(WARN)) $(CFLAGS_$(VARIANT)) $(DEFS)
CPPFLAGS := -I. -I$(B)/gen -Ibuild/gen
# Debian 12 calls libuv's static library libuv_a.a, Debian 13 libuv.a.
UV_STATIC := $(if $(wildcard /usr/lib/*/libuv_a.a),-luv_a,-luv)
# What libcrypto itself was built with, beside zlib: nothing on Debian 12, zstd on Debian 13.
CRYPTO_NEEDS := $(filter -lzstd,$(shell pkg-config --static --libs-only-l libcrypto 2>/dev/null))
# Debian 13's liblz4 takes its hash from libxxhash.
LZ4_NEEDS := $(filter -lxxhash,$(shell pkg-config --static --libs-only-l liblz4 2>/dev/null))
comma := ,
# The sanitizers stand between the program and libcrypt, and find the real one only where it is shared.
CRYPT := $(if $(filter asan tsan fuzz,$(VARIANT)),-Wl$(comma)-Bdynamic -lcrypt -Wl$(comma)-Bstatic,-lcrypt)
LIBS := -Wl,-Bstatic -lraft -lllhttp -lnghttp2 -lsqlite3 -lprotobuf-c -lyaml -ljansson -llz4 $(LZ4_NEEDS) -lssl -lcrypto $(CRYPTO_NEEDS) -lz $(CRYPT) $(UV_STATIC) -Wl,-Bdynamic -lpthread -ldl -lm -lrt
LDFLAGS := $(LDFLAGS_$(VARIANT))

.PHONY: all deps check up down clean clean-data lint lint-quick format asan tsan install test-unit fuzz fuzz-corpus
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: FORCE

SRCS :=
GEN_C :=
GEN_H :=
include base/module.mk raft/module.mk store/module.mk api/module.mk node/module.mk net/module.mk tools/module.mk
# In an order that no file system decides, for the order of objects is that of the binary.
SRCS := $(sort $(SRCS))
MAIN_SRC := tools/k3x/main.c
LIB_SRCS := $(filter-out $(MAIN_SRC),$(SRCS))
LIB_OBJS := $(LIB_SRCS:%.c=$(B)/obj/%.o) $(GEN_C:build/gen/%.c=$(B)/obj/gen/%.o)
LIB := $(B)/libk3x.a
# Of the breakable variant only what can break is compiled anew; all else is the release's.
ifeq ($(VARIANT),breakable)
BREAKING := $(shell grep -lE '"base/(breakage|stop_point)\.h"' $(LIB_SRCS))
LIB_OBJS := $(BREAKING:%.c=$(B)/obj/%.o) $(patsubst $(B)/%,build/release/%,$(filter-out $(BREAKING:%.c=$(B)/obj/%.o),$(LIB_OBJS)))
build/release/obj/%.o: build/release/libk3x.a ;
build/release/libk3x.a: FORCE
	@$(MAKE) --no-print-directory VARIANT=release $@
endif
.SECONDARY: $(GEN_C) $(GEN_H)

all: build/k3x

# The other names of the one binary lie beside it, for that is how their manuals call them.
build/k3x: $(B)/k3x
	@for name in k3x k3x-store k3x-bench; do ln -sf $(VARIANT)/k3x build/$$name; done

$(B)/k3x: $(B)/obj/$(MAIN_SRC:.c=.o) $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(LIB): $(LIB_OBJS) $(B)/objects
	@rm -f $@
	@$(AR) rcs $@ $(LIB_OBJS)

# The names of what is in it: a source that went makes no file newer.
$(B)/objects: FORCE
	@mkdir -p $(@D)
	@echo $(LIB_OBJS) | cmp -s - $@ || echo $(LIB_OBJS) >$@

$(B)/obj/%.o: %.c | $(GEN_H)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -c -o $@ $<

# Generated code is not ours to style: it is compiled without our warnings, and as plain C11, because gnu11 predefines
# `linux`, which is a field of the CRI.
$(B)/obj/gen/%.o: build/gen/%.c | $(GEN_H)
	@mkdir -p $(@D)
	@echo "  CC $<"
	@$(CC) $(filter-out $(WARN) -std=gnu11,$(CFLAGS)) -std=c11 $(CPPFLAGS) -MMD -MP -c -o $@ $<

include jepsen/module.mk
include tests/module.mk
include tools/bench/bench.mk

-include $(shell find $(B)/obj $(B)/tests -name '*.d' 2>/dev/null)

# ---- for people ----

deps:
	@tools/install/deps.sh

up: deps
	@$(MAKE) --no-print-directory all
	@tools/install/up.sh

down:
	@tools/install/down.sh

# N servers and one agent on hosts of their own (network namespaces), to be killed and cut off.
N ?= 3
.PHONY: cluster cluster-down
cluster: deps
	@$(MAKE) --no-print-directory all
	@tools/install/cluster.sh up $(N)

cluster-down:
	@tools/install/cluster.sh down

clean-data: down
	rm -rf /var/lib/k3x /etc/k3x

# What is written by the binary itself.
.PHONY: docs
docs: all
	@build/k3x k3s >docs/k3s.md

# Installs what is missing, builds, and runs everything that CI runs.
check: deps
	@tests/check.sh

# The same in bare Debian roots of their own, half an hour each: for releases, and when packages change.
.PHONY: check-bare
check-bare:
	@tests/check_bare.sh $(RELEASES)

# Binaries for amd64, arm64 and armhf with all that belongs to them, in build/out; twice, to see that the bytes are the same.
.PHONY: release release-twice
release: deps
	@tools/install/release.sh $(ARCHES)

# Debian packages of what is built here, for this architecture: build/out/k3x_*.deb, k3x-store_*.deb.
.PHONY: deb
deb: all
	@tools/install/deb.sh $(B)/k3x $$(dpkg --print-architecture)
	@! command -v lintian >/dev/null || lintian --fail-on error,warning build/out/*.deb

release-twice: release
	@RELEASE_DIR=$(CURDIR)/build/out-again RELEASE_SRC=another/place tools/install/release.sh $(ARCHES)
	@cd build/out && for f in k3x-* k3x_* install.sh sha256sums.txt; do cmp $$f ../out-again/$$f || exit 1; done; echo "release: both are the same, byte for byte"

COMPLETIONS := bash-completion/completions zsh/site-functions fish/vendor_completions.d
install: all
	install -D -m 755 -s $(B)/k3x $(DESTDIR)$(PREFIX)/bin/k3x
	for name in k3x-store k3x-bench; do ln -sf k3x $(DESTDIR)$(PREFIX)/bin/$$name; done
	install -d $(DESTDIR)$(PREFIX)/share/man/man8 $(COMPLETIONS:%=$(DESTDIR)$(PREFIX)/share/%)
	$(B)/k3x man >$(DESTDIR)$(PREFIX)/share/man/man8/k3x.8
	$(B)/k3x completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/k3x
	$(B)/k3x completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_k3x
	$(B)/k3x completion fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/k3x.fish
	$(B)/k3x store man >$(DESTDIR)$(PREFIX)/share/man/man8/k3x-store.8
	$(B)/k3x store completion bash >$(DESTDIR)$(PREFIX)/share/bash-completion/completions/k3x-store
	$(B)/k3x store completion zsh >$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_k3x-store
	$(B)/k3x store completion fish >$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/k3x-store.fish

clean:
	rm -rf build/release build/asan build/tsan build/fuzz build/gen build/k3x build/k3x-store build/k3x-bench compile_commands.json

# ---- for contributors ----

OUR_FILES = $(shell git ls-files '*.c' '*.h')
OUR_SRCS = $(filter-out tests/% ,$(filter %.c,$(OUR_FILES)))

asan:
	@$(MAKE) --no-print-directory VARIANT=asan test-unit

tsan:
	@$(MAKE) --no-print-directory VARIANT=tsan test-unit

format:
	clang-format -i $(OUR_FILES)

# The layer check and the tidy check are ours and quick; clang-tidy and cppcheck come from Debian and take minutes.
lint: lint-quick compile_commands.json
	@command -v clang-tidy >/dev/null && command -v cppcheck >/dev/null && command -v shellcheck >/dev/null || \
		{ echo 'lint: apt-get install clang-tidy cppcheck shellcheck' >&2; exit 1; }
	@shellcheck tools/install/install.sh tools/install/deb.sh && shellcheck -s sh tools/install/killall.sh
	@echo $(filter-out tools/schema/%,$(OUR_SRCS)) | tr ' ' '\n' | xargs -P 2 -n 8 clang-tidy --quiet -p . 2>/dev/null
	@cppcheck --quiet --enable=warning,performance,portability --inline-suppr --suppressions-list=tools/cppcheck.txt \
		--error-exitcode=1 -j 2 -I. -Ibuild/gen --std=c11 -D_GNU_SOURCE $(OUR_SRCS)

lint-quick:
	@tools/check-layers $(filter-out tests/%,$(OUR_FILES))
	@tools/check-tidy $(OUR_FILES)

compile_commands.json: Makefile $(GEN_H)
	@{ echo '['; sep=; for f in $(OUR_SRCS); do \
		printf '%s{"directory":"%s","file":"%s","arguments":["cc","-std=gnu11","-D_GNU_SOURCE","-DK3X_VERSION=\\\"0\\\"","-DK3X_KUBE_VERSION=\\\"0\\\"","-I.","-Ibuild/gen","-c","%s"]}' \
			"$$sep" "$(CURDIR)" "$$f" "$$f"; sep=$$',\n'; done; echo ']'; } >$@
