SRCS += $(wildcard store/*.c store/*/*.c)
