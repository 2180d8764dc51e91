/* What members answer to one that asks who it is, and what is made of that: by a member that joins, and by one that may
 * have been removed. For `k3x-store serve` and `k3x server`. See cluster.c and removed.c. */
#ifndef K3X_TOOLS_STORE_ANSWERS_H
#define K3X_TOOLS_STORE_ANSWERS_H

#include "store/engine/raft_engine.h"

#include <stdatomic.h>

/* Answers of a member to one that asks who it is; for raft_engine_options. `engine` is set once it is open. */
struct serve_answers {
	_Atomic(struct raft_engine *) engine;
	uint64_t cluster_id;
};
void serve_answer(void *arg, struct slice question, struct strbuf *answer);

/* What one of them said. */
struct serve_told {
	uint64_t cluster_id, member_id; /* 0: it knows no such member */
	uint64_t term;
	bool leads;       /* and its list of members is committed */
	const char *from; /* the URL that was asked; the caller's */
};
int serve_answer_parse(struct slice text, struct serve_told *told, struct err *err);
/* Whom to believe: the leader, when nobody knows of a later term; NULL: nobody. */
const struct serve_told *serve_answer_choose(const struct serve_told *told, size_t n);
/* Who is to be believed that member `id`, asked for by its peer URL, was removed; NULL: nobody. */
const struct serve_told *serve_answer_removal(const struct serve_told *told, size_t n, uint64_t id);

/* Watches whether this member was removed from its cluster while it could not hear of it (store_removed.c): calls
 * removed(arg) once, on a thread of its own, when their leader says so. */
struct removal_watch;
struct removal_watch *removal_watch_start(struct raft_engine *e, const char *peer_url,
        const struct raft_peer_access *access, void (*removed)(void *arg), void *arg);
void removal_watch_stop(struct removal_watch *w);

#endif
