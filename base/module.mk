SRCS += $(wildcard base/*.c base/*/*.c)
