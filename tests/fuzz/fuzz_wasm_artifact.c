/* Any bytes as the manifest of an artifact: what is read is a name of a blob. */
#include "node/wasm/module/artifact.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct wasm_artifact got;
	if (wasm_artifact_read(&a, (struct slice){(const char *)data, size}, &got, &err) == 0) {
		CHECK(strlen(got.hex) == 64 && strspn(got.hex, "0123456789abcdef") == 64);
		CHECK(got.name[0] == '/');
	}
	arena_release(&a);
	return 0;
}
