SRCS += $(wildcard net/*.c net/*/*.c)
