/* The frames by which states travel, without I/O: what comes is looked at here before anything is done with it. See
 * state_stream.h. Private to raft/. */
#ifndef K3X_RAFT_WIRE_STATE_FRAME_H
#define K3X_RAFT_WIRE_STATE_FRAME_H

#include "base/mem/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Frames: a kind, then fields. */
enum state_frame { STATE_WANT = 1, STATE_HEAD, STATE_CHUNK };

struct state_want {
	uint32_t kind, reserved;
	uint64_t min_index; /* an older state is of no use */
	uint64_t export_id; /* what was begun; 0: nothing */
	uint64_t offset;    /* bytes of it that are there */
};

struct state_head {
	uint32_t kind;
	uint32_t crc; /* CRC-32C of the whole file */
	uint64_t export_id, index, size;
};

struct state_chunk {
	uint32_t kind;
	uint32_t raw_len; /* bytes when decompressed; the LZ4 block follows; raw when it is as long as raw_len */
	uint64_t offset;
};

_Static_assert(sizeof(struct state_want) == 32 && sizeof(struct state_head) == 32 && sizeof(struct state_chunk) == 16,
        "frames are the same for every compiler");

enum { STATE_CHUNK_BYTES = 256 * 1024 };

/* 0: it is none of these. */
uint32_t state_frame_kind(struct slice payload);

/* False: not what such a frame is. */
bool state_want_decode(struct slice payload, struct state_want *ret);
bool state_head_decode(struct slice payload, struct state_head *ret);
/* The next piece of a state of `size` bytes of which `offset` are there; *packed points into the payload. */
bool state_chunk_decode(
        struct slice payload, uint64_t offset, uint64_t size, struct state_chunk *ret, struct slice *packed);
/* Into c->raw_len bytes. False: it does not decompress to as many. Any thread. */
bool state_chunk_unpack(const struct state_chunk *c, struct slice packed, char *raw);

#endif
