/* Commands of the replicated log as bytes: what a store_request of a writing kind asks for, and nothing of its answer.
 * The form is part of the log on disk: numbers are varints (LEB128), byte strings have their length before them, and a
 * kind that is not known is refused. */
#ifndef K3X_STORE_MACHINE_COMMAND_H
#define K3X_STORE_MACHINE_COMMAND_H

#include "store/engine.h"

struct command_head {
	uint64_t origin;   /* which life of which server proposed it */
	uint64_t sequence; /* of its proposals */
	uint64_t term;     /* only valid in this term, 0: in any; LEASE_REVOKE: it is by expiry */
};

void command_encode(struct strbuf *out, const struct command_head *head, const struct store_request *req);

/* Only who it is from. False: broken bytes. */
bool command_head_decode(struct slice bytes, struct command_head *ret);

/* Sets type and arguments of a zeroed request; they point into `bytes` and the request's arena. ERR_CORRUPT. */
int command_decode(struct slice bytes, struct command_head *ret_head, struct store_request *req, struct err *err);

/* Would it decode? For what a peer sends. */
bool command_is_sound(struct slice bytes);

/* Varints and byte strings, for the messages between engines too. */
void command_put(struct strbuf *b, uint64_t v);
void command_put_bytes(struct strbuf *b, struct slice s);
struct command_reader {
	struct slice rest;
	bool is_bad;           /* something did not fit; everything read since is 0 */
	uint64_t unknown_kind; /* of a command that was whole up to there; 0: none */
};
uint64_t command_get(struct command_reader *r);
struct slice command_get_bytes(struct command_reader *r);

#endif
