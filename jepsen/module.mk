# Fault tests on real processes. What the programs share goes into a library of its own: nothing of it is in the binary.
JEPSEN_SRCS := $(filter-out %_main.c jepsen/main.c jepsen/shim.c,$(wildcard jepsen/*.c))
JEPSEN_LIB := $(B)/libjepsen.a

$(JEPSEN_LIB): $(JEPSEN_SRCS:%.c=$(B)/obj/%.o)
	@rm -f $@
	@$(AR) rcs $@ $^

$(B)/jepsen/jepsen-check: $(B)/obj/jepsen/check_main.o $(JEPSEN_LIB) $(LIB)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)
