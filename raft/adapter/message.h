/* Raft's messages as bytes: one frame per message, little-endian, every length checked on the way in. */
#ifndef K3X_RAFT_ADAPTER_MESSAGE_H
#define K3X_RAFT_ADAPTER_MESSAGE_H

#include "base/err.h"
#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <raft.h>

enum { FRAME_BYTES_MAX = RAFT_MESSAGE_BYTES_MAX, FRAME_ADDRESS_MAX = 256 };

/* Our own kinds, beside enum raft_message_type. */
enum { MESSAGE_READ_PROBE = 16, MESSAGE_READ_ANSWER = 17, MESSAGE_COMMIT = 18 };

struct frame_entry {
	uint64_t term;
	uint32_t kind;
	struct slice data;
};

struct frame {
	int kind;
	uint64_t from;
	const char *address;   /* the sender's, in the arena */
	struct raft_message m; /* entries, conf and data are not set: they are the fields below */
	struct frame_entry *entries;
	struct slice conf, descriptor;
	uint64_t read_term, read_round; /* of our own kinds */
	bool read_same_term;
};

void message_encode(struct strbuf *out, uint64_t from, const char *address, const struct raft_message *m);
void message_encode_read(struct strbuf *out, uint64_t from, const char *address, int kind, uint64_t term,
        uint64_t round, bool same_term);

/* What is committed: AppendEntries without entries, right behind the committed one, that wants no answer. */
void message_encode_commit(
        struct strbuf *out, uint64_t from, const char *address, uint64_t term, uint64_t commit, uint64_t commit_term);

/* The round that a frame with the answer to a read probe answers, without decoding it; 0: it is another. */
uint64_t message_answered_round(struct slice bytes);

/* Slices of the frame point into `bytes`. ERR_PROTOCOL. */
int message_decode(struct slice bytes, struct arena *a, struct frame *ret, struct err *err);

#endif
