# Tests. A unit test is one cmocka program per source file, found by its name; it links the whole library. A fuzz target is
# built twice: by `fuzz-corpus` with a plain main() that runs it over its corpus (part of `make check`, needs no clang), and
# by `fuzz` with libFuzzer, FUZZ_SECONDS each (FUZZ_NAMES="h1 h2" picks some).
UNIT_SRCS := $(shell find tests/unit -name 'test_*.c' 2>/dev/null)
# jepsen's shim and the time of test_recovery take the place of calls of a 64-bit libc.
UNIT_SRCS := $(if $(CROSS),$(filter-out tests/unit/jepsen/test_shim% %/test_recovery.c,$(UNIT_SRCS)),$(UNIT_SRCS))
UNIT_BINS := $(UNIT_SRCS:%.c=$(B)/%)
FUZZ_SRCS := $(wildcard tests/fuzz/fuzz_*.c)
FUZZ_NAMES := $(FUZZ_SRCS:tests/fuzz/fuzz_%.c=%)
FUZZ_SECONDS ?= 30

# What is tested is optimized, who tests it is compiled in half the time.
CFLAGS_tests := $(CFLAGS) $(if $(filter release,$(VARIANT)),-O0 -Wno-format-truncation)
# Hundreds of programs link the whole library: by lld, where it is (tests need it for wasm anyway), in half the time.
LDFLAGS_tests := $(LDFLAGS) $(if $(CROSS),,$(if $(filter release,$(VARIANT)),$(if $(shell command -v ld.lld),-fuse-ld=lld)))

$(B)/tests/unit/%: tests/unit/%.c $(JEPSEN_LIB) $(LIB)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(CFLAGS_tests) $(CPPFLAGS) -MMD -MP -MF $@.d $(LDFLAGS_tests) -o $@ $< $(UNIT_EXTRA_$*) $(JEPSEN_LIB) $(LIB) -lcmocka $(LIBS)

# What integration tests put on the other side: a device plugin, an agent that asks who has what.
$(B)/tests/plugin/%: tests/plugin/%.c $(LIB)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< $(LIB) $(LIBS)

# One program: make test-one T=store/machine/test_txn
.PHONY: test-one
test-one: $(B)/tests/unit/$(T)
	@$<

test-unit: $(UNIT_BINS)
	@TSAN_OPTIONS=suppressions=tests/tsan.supp:$$TSAN_OPTIONS tests/run_unit.sh $(UNIT_BINS)

$(B)/tests/fuzz/%: tests/fuzz/fuzz_%.c tests/fuzz/corpus_main.c $(JEPSEN_LIB) $(LIB)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(CFLAGS_tests) $(CPPFLAGS) -MMD -MP -MF $@.d $(LDFLAGS_tests) -o $@ $< tests/fuzz/corpus_main.c $(JEPSEN_LIB) $(LIB) $(LIBS)

fuzz-corpus: $(FUZZ_NAMES:%=$(B)/tests/fuzz/%)
	@tests/run_fuzz.sh $(B)/tests/fuzz $(FUZZ_NAMES)

# A variant of its own: the whole library with clang's coverage and sanitizers, each target linked to it.
$(B)/fuzz/%: tests/fuzz/fuzz_%.c $(JEPSEN_LIB) $(LIB)
	@mkdir -p $(@D)
	@echo "  FUZZ $*"
	@$(CC) $(CFLAGS) $(CPPFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $< $(JEPSEN_LIB) $(LIB) $(LIBS)

.PHONY: fuzz-run
fuzz-run: $(FUZZ_NAMES:%=$(B)/fuzz/%)
	@for n in $(FUZZ_NAMES); do mkdir -p $(B)/found/$$n; $(B)/fuzz/$$n -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=1024 \
		-artifact_prefix=$(B)/found/ $(B)/found/$$n tests/fuzz/corpus/$$n >$(B)/found/$$n.log 2>&1 || { tail -n 40 $(B)/found/$$n.log; exit 1; }; \
		printf '%-20s %s\n' $$n "$$(tail -n 1 $(B)/found/$$n.log)"; done

fuzz:
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzz-run

# A plugin for tests/integration/kms_test.sh.
$(B)/tests/kms_plugin: tests/integration/kms_plugin.c $(LIB)
	@mkdir -p $(@D)
	@$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< $(LIB) $(LIBS)

# The CIS benchmark on a cluster of its own.
.PHONY: cis
cis: all
	@tests/apart.sh tests/integration/cis_node_test.sh

.PHONY: test-api
test-api: all
	@tests/integration/api_test.sh

# Programs of client-go and @kubernetes/client-node. Not part of `make check`: compiling client-go takes minutes, once.
.PHONY: test-clients
test-clients: all
	@tests/clients/run.sh

# The simulator of clusters: `make sim` runs SEEDS seeds from SEED on, or for SECONDS; STORE=1 puts the store's own state machine
# behind the log.
SIM_SRCS := tests/sim/sim.c tests/sim/sim_disk.c tests/sim/sim_memory.c tests/sim/sim_rare.c tests/sim/sim_store.c
SIM_HDRS := $(wildcard tests/sim/*.h)
UNIT_EXTRA_raft/test_sim := $(SIM_SRCS)
UNIT_EXTRA_raft/adapter/test_adapter := tests/sim/sim_disk.c
UNIT_EXTRA_raft/adapter/test_start := tests/sim/sim_disk.c
$(B)/tests/unit/raft/test_sim $(B)/tests/unit/raft/adapter/test_adapter $(B)/tests/unit/raft/adapter/test_start: $(SIM_SRCS) $(SIM_HDRS)
# Tests of the etcd service's calls share a service and a client.
RPC_TESTS := $(shell grep -l rpc_fixture.h tests/unit/store/etcd/test_*.c tests/unit/store/etcd/*/test_*.c)
$(foreach t,$(RPC_TESTS:tests/unit/%.c=%),$(eval UNIT_EXTRA_$(t) := tests/unit/store/etcd/rpc_fixture.c))
$(RPC_TESTS:%.c=$(B)/%): tests/unit/store/etcd/rpc_fixture.c tests/unit/store/etcd/rpc_fixture.h
# Tests that make calls of the system fail: what our code calls goes by way of faults.c.
FAULT_TESTS := $(shell grep -rl unit/faults.h tests/unit --include='test_*.c')
FAULT_CALLS := open open64 openat fopen opendir memfd_create scandir read pread pread64 write pwrite pwrite64 posix_fallocate \
	ftruncate fsync fdatasync rename renameat mkdir fork pipe2 socket posix_spawnp syscall
$(foreach t,$(FAULT_TESTS:tests/unit/%.c=%),$(eval UNIT_EXTRA_$(t) += tests/unit/faults.c $(FAULT_CALLS:%=-Wl,--wrap=%)))
$(FAULT_TESTS:%.c=$(B)/%): tests/unit/faults.c tests/unit/faults.h
# Tests of controllers against an API server in memory, in a time of their own.
FAKE_API_TESTS := $(shell grep -l fake_api.h tests/unit/api/controllers/test_*.c)
FAKE_API_SRCS := $(patsubst %,tests/unit/api/controllers/%.c,fake_api fake_picture fake_scale virtual_time)
TIME_CALLS := clock_gettime time getrandom epoll_wait epoll_pwait
$(foreach t,$(FAKE_API_TESTS:tests/unit/%.c=%),$(eval UNIT_EXTRA_$(t) := $(FAKE_API_SRCS) $(TIME_CALLS:%=-Wl,--wrap=%)))
$(FAKE_API_TESTS:%.c=$(B)/%): $(FAKE_API_SRCS) tests/unit/api/controllers/fake_api.h
SEED ?= 1
SEEDS ?= 1000

$(B)/tests/sim/sim: tests/sim/sim_main.c $(SIM_SRCS) $(SIM_HDRS) $(LIB)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS) -o $@ tests/sim/sim_main.c $(SIM_SRCS) $(LIB) $(LIBS)

.PHONY: sim
sim: $(B)/tests/sim/sim
	@$(if $(SECONDS),SIM_SECONDS=$(SECONDS)) $< $(SEED) $(SEEDS) 0 $(or $(STORE),0)

# Servers of an older revision and of this one in one cluster, both ways: make upgrade-test FROM=REV. The revision is built below
# build/upgrade, once. Not part of `make check`: what is newer and refused is (tests/integration/formats_test.sh).
.PHONY: upgrade-test
upgrade-test: all
	@tests/upgrade_test.sh "$(FROM)"
