SRCS += $(wildcard api/*/*.c)
