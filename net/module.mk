SRCS += $(shell find net -name '*.c' | LC_ALL=C sort)
