SRCS += $(wildcard store/*.c store/*/*.c)

# etcd's messages, from our own .proto file.
GEN_C += build/gen/store/etcd/rpc.pb-c.c
GEN_H += build/gen/store/etcd/rpc.pb-c.h

build/gen/store/etcd/%.pb-c.c build/gen/store/etcd/%.pb-c.h: store/etcd/%.proto
	@mkdir -p build/gen
	@echo "  GEN $<"
	@protoc-c --c_out=build/gen $<
