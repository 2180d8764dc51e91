/* Any bytes as the index of an image: what is read names a manifest. */
#include "node/runtime/image_wasi.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct wasi_manifest got;
	if (image_wasi_manifest(&a, (struct slice){(const char *)data, size}, &got, &err) == 0)
		CHECK(got.size > 0 && strncmp(got.digest, "sha256:", 7) == 0 && got.media_type);
	arena_release(&a);
	return 0;
}
