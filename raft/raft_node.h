/* A server of a cluster, in production: raft_host on a loop and thread of its own, with a writer thread for the log,
 * TLS connections to the peers and states streamed as files. This is the one header of raft/ that the store includes.
 *
 * Life: open, (bootstrap), start, close. After start everything of the host belongs to the raft thread: callers post
 * tasks to raft_node_loop() and there use raft_node_host(). */
#ifndef K3X_RAFT_RAFT_NODE_H
#define K3X_RAFT_RAFT_NODE_H

#include "raft/raft_limits.h"

#include "raft/wire/peer_stats.h"
#include "raft/host/raft_host.h"
#include "raft/wire/state_copy.h"

#include "base/rt/loop.h"

struct raft_node;
struct tls_context;

/* How this server gets at the peers, and proves that it is one of them. */
struct raft_peer_access {
	struct tls_context *client_tls; /* NULL: plain */
	struct slice secret;            /* that all members know; empty: none */
};

struct raft_node_options {
	const char *folder; /* of log, term and vote; it must exist */
	struct raft_machine *machine;
	uint64_t cluster_id, id; /* not 0 */
	const char *address;     /* URL of this server for its peers */
	const char *listen_host; /* NULL: alone, nobody can join */
	int listen_port;         /* 0: the kernel picks */
	/* A member that greets with another address than the configuration's has moved there: where peers prove who
	 * they are. What an operator says of addresses (raft_node_move()) would be overruled. */
	bool follows_addresses;
	struct tls_context *server_tls;
	struct raft_peer_access access;
	unsigned heartbeat_ms, election_ms;
	unsigned snapshot_entries; /* see raft_host.h; as many are kept below it, up to 4096. 0: bytes alone count */
	uint64_t snapshot_bytes;
	uint64_t state_bytes_per_s; /* of states sent to others; 0: no limit */
	/* All on the raft thread. */
	void (*message)(void *arg, uint64_t from, struct slice message); /* of another server's raft_node_tell() */
	void (*copy_state)(void *arg, struct raft_state_copy *c);
	/* A state at `index` or newer is whole and synced in `path`: install() will be called for it next. */
	void (*state_fetched)(void *arg, const char *path, uint64_t index);
	/* A question (raft_node_ask()) of somebody who need not be a member: adds the answer. */
	void (*question)(void *arg, struct slice question, struct strbuf *answer);
	void (*tick)(void *arg); /* every tick_ms */
	unsigned tick_ms;
	void *arg;
};

int raft_node_open(const struct raft_node_options *o, struct raft_node **ret, struct err *err);
/* Between open and start; see raft_host_bootstrap(). */
int raft_node_bootstrap(struct raft_node *s, const struct raft_host_server *servers, size_t n, struct err *err);
int raft_node_bootstrap_state(struct raft_node *s, const struct raft_host_server *servers, size_t n,
        struct slice descriptor, struct err *err);
/* Has this disk a log already? Between open and start. */
bool raft_node_has_log(const struct raft_node *s);
/* Makes raft_node_loop() ready to take tasks (they wait for the start). */
void raft_node_prepare(struct raft_node *s);
/* Listens, and runs from now on. On failure only closing is left. */
int raft_node_start(struct raft_node *s, struct err *err);
/* A leader hands over first, if somebody can take over soon. Then everything pending is answered ERR_CANCELED, the
 * thread ends and the memory is freed. Not from the raft thread. */
void raft_node_close(struct raft_node *s);
/* The same in two steps: after the first the thread has ended and nothing is called any more. */
void raft_node_close_loop(struct raft_node *s);
void raft_node_free(struct raft_node *s);

struct loop *raft_node_loop(struct raft_node *s);
struct raft_host *raft_node_host(struct raft_node *s); /* raft thread */
int raft_node_port(const struct raft_node *s);

/* Raft thread: sends a message of the store's to another server. False: it was not sent for certain. */
bool raft_node_tell(struct raft_node *s, uint64_t to, struct slice message);
/* Raft thread: fetches a state of at least min_index from another server, whatever the log says; state_fetched() tells.
 * To be repeated until it does. */
void raft_node_fetch_state(struct raft_node *s, uint64_t from, uint64_t min_index);
uint64_t raft_node_leader(struct raft_node *s); /* 0: none is known */

/* What is known of the cluster, kept up to date; any thread. */
struct raft_node_status {
	uint64_t id, leader, term, commit_index, applied_index, last_index;
	bool is_leader, is_disk_full;
	bool is_changing; /* its newest list of members is not committed */
	bool is_fetching; /* a state of another server is on its way */
	uint64_t fetched_bytes, fetch_bytes;
	size_t n_members;
	struct raft_node_member {
		uint64_t id, match_index;
		enum raft_host_role role;
		bool is_online;
		bool has_said_so; /* the address: it greeted with it, and raft_node_move() told another last, or none */
		char address[RAFT_ADDRESS_BYTES_MAX];
	} members[RAFT_MEMBERS_MAX];
};
void raft_node_status(struct raft_node *s, struct raft_node_status *ret);

/* Any thread: how long syncs of the log's folder take; what goes to and from the peers. */
const struct histogram *raft_node_log_syncs(const struct raft_node *s);
const struct peer_table *raft_node_peers(const struct raft_node *s);

/* A member is reached at this address from now on, whatever the configuration says. Of a member that has said where it
 * is, what is told first is taken for older than that. Raft thread. */
void raft_node_move(struct raft_node *s, uint64_t id, const char *address);

/* Brings it up to date now, which otherwise happens at each tick. Raft thread. */
void raft_node_refresh_status(struct raft_node *s);

/* Asks the server at a URL something and waits for the answer, at most timeout_ms: for a server that joins and does not
 * know yet who it is. Blocking; any thread that has no loop. The answer is appended. */
int raft_node_ask(const char *url, const struct raft_peer_access *access, struct slice question, unsigned timeout_ms,
        struct strbuf *answer, struct err *err);

#endif
