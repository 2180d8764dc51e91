/* Any bytes as the specification of a WebAssembly container: what is read keeps its promises, and is written the same.
 */
#include "node/wasm/protocol/spec.h"

#include "base/check.h"
#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct strbuf out = STRBUF_INIT;
	struct wasm_spec s, again;
	if (wasm_spec_read(&a, (struct slice){(const char *)data, size}, &s, &err) == 0) {
		CHECK(s.uid >= 0 && s.gid >= 0 && s.module[0] == '/');
		CHECK(wasm_spec_descriptors(&s) <= WASM_DESCRIPTORS_MAX);
		for (size_t i = 0; i < s.mounts_count; i++)
			CHECK(s.mounts[i].to[0] == '/');
		wasm_spec_write(&out, &s);
		CHECK(wasm_spec_read(&a, strbuf_slice(&out), &again, &err) == 0);
		CHECK(again.uid == s.uid && again.args_count == s.args_count && again.mounts_count == s.mounts_count);
	}
	strbuf_release(&out);
	arena_release(&a);
	return 0;
}
