# Everything in tools/ is an entry point of the one binary, but for those of schema/, which run at build time.
SRCS += $(filter-out tools/schema/%,$(sort $(shell find tools -name '*.c')))
