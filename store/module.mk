SRCS += $(shell find store -name '*.c' | sort)

# etcd's messages, from our own .proto file.
GEN_C += build/gen/store/proto/rpc.pb-c.c
GEN_H += build/gen/store/proto/rpc.pb-c.h

build/gen/store/proto/%.pb-c.c build/gen/store/proto/%.pb-c.h: store/proto/%.proto
	@mkdir -p build/gen
	@echo "  GEN $<"
	@protoc-c --c_out=build/gen $<
