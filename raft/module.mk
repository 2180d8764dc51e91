SRCS += $(wildcard raft/*.c raft/*/*.c)
