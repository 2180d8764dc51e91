/* From the log into the state. See raft_apply.c. */
#ifndef K3X_STORE_ENGINE_RAFT_APPLY_INT_H
#define K3X_STORE_ENGINE_RAFT_APPLY_INT_H

#include "raft/raft_node.h"
#include "store/engine.h"

#include <pthread.h>

struct raft_engine;

struct apply_command {
	struct store_request *req; /* of this server; NULL: decode */
	struct slice bytes;
	uint64_t only_in_term;
	enum { LEASE_UNCHANGED, LEASE_GRANTED, LEASE_REVOKED } lease;
	int64_t lease_id, lease_ttl_s;
};

struct apply_entry {
	struct apply_entry *next;
	uint64_t index, term;
	uint64_t hash; /* the state's, after this entry; 0: not of interest */
	size_t n, bytes;
	struct apply_command commands[];
};

struct apply_queue {
	pthread_mutex_t lock;
	pthread_cond_t wake; /* both directions */
	struct apply_entry *head, **tail;
	bool stopping;
	/* a state to install */
	bool is_install_wanted, is_replace_wanted; /* as a snapshot says; or whatever is here now */
	uint64_t install_index;
	char *install_path; /* what was fetched; NULL: nothing */
	uint64_t fetched_index;
	int install_rc;
	struct err install_err;
};

/* The apply thread's. */
struct open_transaction {
	bool is_open;
	uint64_t begun_ms;
	size_t bytes;                    /* of the commands in it */
	struct apply_entry *kept, *last; /* told and not committed */
};

void apply_init(struct raft_engine *e);
void apply_start(struct raft_engine *e);
void apply_stop(struct raft_engine *e); /* what is queued is applied first */
extern const struct raft_machine_vtable raft_engine_machine;
void apply_state_fetched(void *arg, const char *path, uint64_t index); /* raft thread */
void apply_want_commit(void *arg);                                     /* any thread */
void apply_copy_state(void *arg, struct raft_state_copy *c);           /* raft thread */

#endif
