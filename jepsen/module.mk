# Fault tests on real processes. What the programs share goes into a library of its own: nothing of it is in the binary.
#
#   make jepsen [SECONDS=600] [SEED=n] [WORKLOAD=w] [NEMESIS=n] [TARGET=k3x|k3x-server|etcd] [NODES=3]      make jepsen-long HOURS=n
JEPSEN_SRCS := $(filter-out %_main.c jepsen/main.c jepsen/shim.c,$(wildcard jepsen/*.c))
JEPSEN_LIB := $(B)/libjepsen.a
JEPSEN_OBJS := $(JEPSEN_SRCS:%.c=$(B)/obj/%.o)

$(JEPSEN_LIB): $(JEPSEN_OBJS)
	@rm -f $@
	@$(AR) rcs $@ $^

$(B)/jepsen/jepsen-check: $(B)/obj/jepsen/check_main.o $(JEPSEN_LIB) $(LIB)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/jepsen/jepsen: $(B)/obj/jepsen/main.o $(JEPSEN_LIB) $(LIB)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# tests/module.mk has a default for SEED, which is the simulator's.
SEED_GIVEN := $(filter command environment,$(firstword $(origin SEED)))

# Preloaded into servers: it stands alone, and is built without sanitizers.
$(B)/jepsen/jepsen_shim.so: jepsen/shim.c jepsen/shim_control.h jepsen/rng.h
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) -std=gnu11 -O2 -g1 -fPIC -shared $(WARN) -Wno-missing-prototypes $(DEFS) -I. -o $@ $< -ldl -lpthread

.PHONY: jepsen-programs jepsen jepsen-long
jepsen-programs: $(B)/jepsen/jepsen $(B)/jepsen/jepsen_shim.so

JEPSEN_RUN = $(B)/jepsen/jepsen --target $(or $(TARGET),k3x) --workload $(or $(WORKLOAD),all) --nemesis $(or $(NEMESIS),mixed) \
	--nodes $(or $(NODES),3)

jepsen: all jepsen-programs
	@$(JEPSEN_RUN) --seconds $(or $(SECONDS),600) $(if $(SEED_GIVEN),--seed $(SEED))

# Rounds of ten minutes, each with a seed of its own, until the hours are over; a violation ends it.
jepsen-long: all jepsen-programs
	@end=$$(( $$(date +%s) + $(or $(HOURS),1) * 3600 )); \
	while [ $$(date +%s) -lt $$end ]; do $(JEPSEN_RUN) --seconds 600 || exit 1; done
