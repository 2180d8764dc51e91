/* See state_frame.h. What can go wrong is only what a peer sends. */
#include "raft/wire/state_frame.h"

#include "base/check.h"

#include <lz4.h>
#include <string.h>

uint32_t state_frame_kind(struct slice payload)
{
	uint32_t kind;
	if (payload.len < sizeof kind)
		return 0;
	memcpy(&kind, payload.ptr, sizeof kind);
	return kind <= STATE_CHUNK ? kind : 0;
}

bool state_want_decode(struct slice payload, struct state_want *ret)
{
	if (payload.len != sizeof *ret || state_frame_kind(payload) != STATE_WANT)
		return false;
	memcpy(ret, payload.ptr, sizeof *ret);
	return true;
}

bool state_head_decode(struct slice payload, struct state_head *ret)
{
	if (payload.len != sizeof *ret || state_frame_kind(payload) != STATE_HEAD)
		return false;
	memcpy(ret, payload.ptr, sizeof *ret);
	return ret->export_id != 0 && ret->size != 0 && ret->index != 0;
}

bool state_chunk_decode(
        struct slice payload, uint64_t offset, uint64_t size, struct state_chunk *ret, struct slice *packed)
{
	if (payload.len < sizeof *ret || state_frame_kind(payload) != STATE_CHUNK || offset > size)
		return false;
	memcpy(ret, payload.ptr, sizeof *ret);
	*packed = (struct slice){payload.ptr + sizeof *ret, payload.len - sizeof *ret};
	return ret->offset == offset && ret->raw_len != 0 && ret->raw_len <= STATE_CHUNK_BYTES &&
	       packed->len <= ret->raw_len && ret->raw_len <= size - offset;
}

bool state_chunk_unpack(const struct state_chunk *c, struct slice packed, char *raw)
{
	CHECK(c->raw_len <= STATE_CHUNK_BYTES && packed.len <= c->raw_len); /* state_chunk_decode() saw to it */
	if (packed.len == c->raw_len) {
		memcpy(raw, packed.ptr, packed.len);
		return true;
	}
	return LZ4_decompress_safe(packed.ptr, raw, (int)packed.len, (int)c->raw_len) == (int)c->raw_len;
}
