SRCS += $(wildcard node/*.c node/*/*.c)
