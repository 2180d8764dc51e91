/* Any bytes as a packet between the node and its zygote: what is read is written the same. */
#include "node/wasm/protocol/frame.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct wasm_frame f, again;
	struct strbuf out = STRBUF_INIT;
	if (wasm_frame_read((struct slice){(const char *)data, size}, &f, &err) != 0)
		return 0;
	wasm_frame_write(&out, &f);
	CHECK(wasm_frame_read(strbuf_slice(&out), &again, &err) == 0);
	CHECK(again.verb == f.verb && again.number == f.number && strcmp(again.id, f.id) == 0);
	CHECK(f.text.len > WASM_TEXT_BYTES_MAX || slice_eq(again.text, f.text));
	strbuf_release(&out);
	return 0;
}
