# A unit test is one cmocka program per source file, found by its name; it links the whole library.
UNIT_SRCS := $(shell find tests/unit -name 'test_*.c' 2>/dev/null)
UNIT_BINS := $(UNIT_SRCS:%.c=$(B)/%)

$(B)/tests/%: tests/%.c $(LIB)
	@mkdir -p $(@D)
	@echo "  LD $@"
	@$(CC) $(CFLAGS) $(CPPFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) -o $@ $< $(LIB) -lcmocka $(LIBS)

test-unit: $(UNIT_BINS)
	@tests/run_unit.sh $(UNIT_BINS)
