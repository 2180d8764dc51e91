/* Any bytes as WebSocket frames, for both sides, cut by the first byte. */
#include "base/wire/ws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(bool is_server, const char *data, size_t size, size_t step)
{
	struct ws_codec c;
	struct err err = ERR_INIT;
	ws_codec_init(&c, is_server, 100000);
	for (size_t at = 0; at < size;) {
		size_t used, n = size - at < step ? size - at : step;
		enum ws_kind kind;
		struct slice message;
		unsigned code;
		if (ws_codec_feed(&c, data + at, n, &used, &kind, &message, &code, &err) != 0)
			break;
		at += used;
	}
	ws_codec_release(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	feed(true, (const char *)data + 1, size - 1, data[0] + 1u);
	feed(false, (const char *)data + 1, size - 1, data[0] + 1u);
	return 0;
}
