SRCS += $(filter-out node/runtime/pause/%,$(shell find node -name '*.c' | LC_ALL=C sort))

# The container runtime interface, and what else of containerd we call, from our own .proto files.
GEN_C += $(patsubst %.proto,build/gen/%.pb-c.c,$(wildcard node/runtime/proto/*.proto))
GEN_H += $(patsubst %.proto,build/gen/%.pb-c.h,$(wildcard node/runtime/proto/*.proto))

build/gen/node/runtime/proto/%.pb-c.c build/gen/node/runtime/proto/%.pb-c.h: node/runtime/proto/%.proto
	@mkdir -p build/gen
	@echo "  GEN $<"
	@protoc-c --c_out=build/gen $<

# The pause program: no libc, a few hundred bytes, so that it runs in an image that holds nothing else. It lies inside the
# k3x binary (node/runtime/pause_image.c).
build/gen/node/runtime/pause: node/runtime/pause/pause.c
	@mkdir -p $(@D)
	@echo "  GEN $@"
	@$(CC) -Os -static -nostdlib -nostartfiles -ffreestanding -fno-stack-protector -fno-pie -no-pie -fno-asynchronous-unwind-tables \
		-Wl,--build-id=none -Wl,-z,norelro -Wl,-n -s -o $@ $<
GEN_H += build/gen/node/runtime/pause
