# k3x: one non-recursive Makefile. Each folder's module.mk adds its sources; everything built goes under build/.
#
#   make            the binary, build/k3x                     make up | down     start, stop a one-server cluster
#   make check      all tests                                 make lint          static checks and the layer check
#   make asan|tsan  unit tests under a sanitizer              make bench-NAME    benchmarks
#   make deps       install what is missing (Debian packages) make install       to $(DESTDIR)$(PREFIX)

SHELL := /bin/bash
PREFIX ?= /usr/local
VARIANT ?= release
B := build/$(VARIANT)
VERSION := 0.1.0
KUBE_VERSION := v1.32.4

CC := gcc
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla -Wno-unused-parameter
DEFS := -D_GNU_SOURCE -DK3X_VERSION='"$(VERSION)"' -DK3X_KUBE_VERSION='"$(KUBE_VERSION)+k3x"'
CFLAGS_release := -O2 -g1 -ffunction-sections -fdata-sections
CFLAGS_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -DK3X_DEBUG
CFLAGS_tsan := -O1 -g -fsanitize=thread -DK3X_DEBUG
LDFLAGS_release := -Wl,--gc-sections
LDFLAGS_asan := -fsanitize=address,undefined
LDFLAGS_tsan := -fsanitize=thread
CFLAGS := -std=gnu11 -pipe -fno-common -fno-strict-aliasing -fstack-protector-strong $(CFLAGS_$(VARIANT)) $(WARN) $(DEFS)
CPPFLAGS := -I. -I$(B)/gen -Ibuild/gen
LIBS := -Wl,-Bstatic -lraft -lllhttp -lnghttp2 -lsqlite3 -lprotobuf-c -lyaml -llz4 -lssl -lcrypto -luv_a -Wl,-Bdynamic -lpthread -ldl -lm -lrt
LDFLAGS := $(LDFLAGS_$(VARIANT))

.PHONY: all deps check up down clean clean-data lint format asan tsan install test-unit
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

SRCS :=
GEN_C :=
GEN_H :=
include base/module.mk raft/module.mk store/module.mk api/module.mk node/module.mk net/module.mk tools/module.mk
MAIN_SRC := tools/k3x_main.c
LIB_SRCS := $(filter-out $(MAIN_SRC),$(SRCS))
LIB_OBJS := $(LIB_SRCS:%.c=$(B)/obj/%.o) $(GEN_C:build/gen/%.c=$(B)/obj/gen/%.o)
LIB := $(B)/libk3x.a

all: build/k3x

build/k3x: $(B)/k3x
	@ln -sf $(VARIANT)/k3x $@

$(B)/k3x: $(B)/obj/$(MAIN_SRC:.c=.o) $(LIB)
	$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(LIB): $(LIB_OBJS)
	@rm -f $@
	@$(AR) rcs $@ $^

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

include tests/module.mk

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

deps:
	@tools/deps.sh

clean:
	rm -rf build/release build/asan build/tsan build/gen build/k3x build/fuzz
