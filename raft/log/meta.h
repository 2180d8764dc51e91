/* Term and vote: the two numbers a voter must never forget (Raft section 5.2). Two files, written in turn, each with a
 * generation and a checksum, so that a write torn by a crash leaves the other one whole. A change is durable when the
 * call returns. The raft thread alone, blocking. */
#ifndef K3X_RAFT_LOG_META_H
#define K3X_RAFT_LOG_META_H

#include "raft/log/disk.h"

struct raft_meta;

/* Opens or creates the files. ERR_CORRUPT: neither file is whole, though both were once. ERR_IO, ERR_NO_SPACE: the
 * disk's. The disk must outlive the meta. */
int meta_open(struct disk *d, struct raft_meta **ret, struct err *err);

uint64_t meta_term(const struct raft_meta *m);
uint64_t meta_vote(const struct raft_meta *m); /* 0: none in this term */

/* A new term clears the vote; the same term keeps it, because libraft sets the term again before it votes and a crash
 * between the two must not free the vote. A lower term is refused by CHECK. After an error what is on the disk is not
 * known: stop the process. */
int meta_set_term(struct raft_meta *m, uint64_t term, struct err *err);

/* The vote in the current term. */
int meta_set_vote(struct raft_meta *m, uint64_t id, struct err *err);

void meta_close(struct raft_meta *m);

#endif
