# Everything in tools/ is an entry point of the one binary, but for gen_*.c, which run at build time.
SRCS += $(filter-out tools/gen_%.c,$(wildcard tools/*.c))
