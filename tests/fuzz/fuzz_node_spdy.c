/* Any bytes as what the runtime's streaming server sends, cut by the first byte. */
#include "node/server/spdy_frame_int.h"

#include "base/check.h"
#include "base/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct strbuf in = STRBUF_INIT;
	struct err err = ERR_INIT;
	size_t step = size ? data[0] + 1u : 1;
	for (size_t at = 1; at < size && !err.code; at += step) {
		struct spdy_frame f;
		strbuf_add(&in, (const char *)data + at, size - at < step ? size - at : step);
		struct slice rest = strbuf_slice(&in);
		while (spdy_frame_next(&rest, &f, &err) > 0)
			CHECK(f.body.len <= SPDY_FRAME_BYTES_MAX && f.body.ptr + f.body.len <= in.data + in.len);
		size_t taken = in.len - rest.len;
		memmove(in.data, in.data + taken, rest.len);
		in.len = rest.len;
	}
	strbuf_release(&in);
	return 0;
}
