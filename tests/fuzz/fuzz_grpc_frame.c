/* Any bytes as gRPC messages, and as the texts of its headers. */
#include "base/wire/grpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct grpc_frames f;
	struct err err = ERR_INIT;
	struct strbuf text = STRBUF_INIT;
	uint64_t ms;
	size_t step = size ? data[0] + 1u : 1;
	grpc_frames_init(&f, 100000);
	for (size_t at = 0; at < size;) {
		size_t used, n = size - at < step ? size - at : step;
		bool whole;
		if (grpc_frames_feed(&f, (const char *)data + at, n, &used, &whole, &err) != 0)
			break;
		at += used;
	}
	grpc_frames_release(&f);
	grpc_timeout_parse((struct slice){(const char *)data, size}, &ms);
	grpc_percent_decode(&text, (struct slice){(const char *)data, size});
	grpc_percent_encode(&text, (struct slice){(const char *)data, size});
	strbuf_release(&text);
	return 0;
}
