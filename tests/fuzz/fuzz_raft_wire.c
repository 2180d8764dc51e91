/* Any bytes as what a peer's connection brings, cut by the first byte; whole frames are taken for greetings too. */
#include "raft/wire/wire_frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool frame(void *arg, struct slice payload)
{
	struct wire_hello h;
	struct slice why;
	struct err err = ERR_INIT;
	wire_hello_decode(payload, &h, &err);
	wire_refusal_decode(payload, &why);
	return payload.len % 3 != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_frame_reader r = {.bytes_max = 4096};
	struct err err = ERR_INIT;
	size_t step = size ? data[0] + 1u : 1;
	for (size_t at = 1; at < size;) {
		size_t n = size - at < step ? size - at : step, used;
		if (wire_frame_feed(&r, (const char *)data + at, n, frame, NULL, &used, &err) != 0)
			break;
		at += used;
	}
	wire_frame_reader_release(&r);
	return 0;
}
