/* Any bytes as the frames by which a state is sent: two bytes say how much of it is there and how large it is. */
#include "raft/wire/state_frame.h"

#include "base/check.h"
#include "base/mem/arena.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct state_want want;
	struct state_head head;
	struct state_chunk chunk;
	struct slice packed;
	if (size < 2)
		return 0;
	uint64_t offset = data[0] * UINT64_C(1024), whole = data[1] * UINT64_C(4096);
	struct slice payload = {(const char *)data + 2, size - 2};
	if (state_want_decode(payload, &want))
		CHECK(want.kind == STATE_WANT);
	if (state_head_decode(payload, &head))
		CHECK(head.kind == STATE_HEAD && head.size);
	if (!state_chunk_decode(payload, offset, whole, &chunk, &packed))
		return 0;
	CHECK(chunk.offset + chunk.raw_len <= whole && chunk.raw_len <= STATE_CHUNK_BYTES);
	char *raw = xmalloc(chunk.raw_len);
	state_chunk_unpack(&chunk, packed, raw);
	free(raw);
	return 0;
}
