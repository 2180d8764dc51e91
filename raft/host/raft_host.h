/* Consensus for the store: commands go in, and come out in the same order on every server, with their index.
 *
 * A host owns one server's part. It is driven: raft_host_tick() every RAFT_TICK_MS, raft_host_receive() for each frame
 * of a peer, raft_host_flush() at the end of a turn in which something was proposed; disk work goes through
 * raft_env. All functions and callbacks are on one thread, and there is one such thread per process (libraft's log
 * macro has a static buffer). */
#ifndef K3X_RAFT_HOST_RAFT_HOST_H
#define K3X_RAFT_HOST_RAFT_HOST_H

#include "raft/log/disk.h"
#include "raft/adapter/raft_env.h"

#include "base/mem/arena.h"
#include "base/mem/list.h"
#include "base/mem/str.h"

struct raft_host;
struct raft_machine;
struct adapter_probe;

enum { RAFT_TICK_MS = 20 };
/* Where a log begins that is begun with a state. Not 1: with a snapshot there libraft takes entry 1 for there, and
 * never sends the state to a server that has nothing, so that nobody could join. */
enum { RAFT_STATE_INDEX = 2 };
enum raft_host_role { RAFT_HOST_STANDBY, RAFT_HOST_VOTER, RAFT_HOST_SPARE };

/* For people: "voter". Any thread. */
const char *raft_host_role_name(enum raft_host_role role);

/* The state machine. It keeps its own applied index, and its state may lag behind a snapshot: the log keeps every entry
 * that is not durable in the state, and what is missing is applied again at the start. It may also be ahead of the log,
 * after a crash and when a leader has sent a state newer than its snapshot: entries it has already are given again. */
struct raft_machine_vtable {
	/* Commands of one entry, valid during the call. n 0: an entry that is none of the machine's business (a
	 * barrier, a configuration), or several of them: it has everything up to `index` now. */
	void (*apply)(struct raft_machine *m, uint64_t index, uint64_t term, const struct slice *commands, size_t n);
	/* Is this a command, or a descriptor of a state, that it could have made itself? Asked of what a peer sends,
	 * before it gets into the log; what is in the log is taken for sound. NULL: anything is. */
	bool (*is_command)(struct raft_machine *m, struct slice command);
	bool (*is_descriptor)(struct raft_machine *m, struct slice descriptor);
	/* Has it so much to carry out that it wants no more for now? What a leader sends then is as good as lost, and
	 * is sent again. NULL: never. */
	bool (*is_busy)(struct raft_machine *m);
	/* Adds a descriptor (some 64 bytes) of the state at `index`, which is the last applied. */
	void (*snapshot)(struct raft_machine *m, uint64_t index, struct strbuf *descriptor);
	/* At every start, after install(), with what is the newest snapshot: the machine has that state or a newer one.
	 */
	void (*restore)(struct raft_machine *m, struct slice descriptor);
	/* A leader sent this snapshot: the state that it describes, or a newer one, takes the place of the machine's
	 * and is durable when this returns. On the thread that writes the log. ERR_NO_SPACE: it is tried again later.
	 */
	int (*install)(struct raft_machine *m, struct slice descriptor, struct err *err);
	uint64_t (*applied_index)(struct raft_machine *m); /* before the start: what the state has */
	uint64_t (*durable_index)(struct raft_machine *m); /* what it would have after a power cut; any thread */
	/* leader 0: none is known. */
	void (*role_changed)(struct raft_machine *m, bool is_leader, uint64_t term, uint64_t leader);
};

struct raft_machine {
	const struct raft_machine_vtable *v;
};

struct raft_host_config {
	struct raft_env *env;
	struct disk *disk;
	struct raft_machine *machine;
	uint64_t id;         /* not 0 */
	const char *address; /* for peers; up to 255 bytes */
	unsigned election_ms, heartbeat_ms;
	unsigned install_ms;                          /* a snapshot sent and not confirmed is sent again after */
	unsigned snapshot_entries, snapshot_trailing; /* take one after so many; keep so many below it. Not 0 */
	uint64_t snapshot_bytes;  /* or after so many bytes of entries, and then keep three quarters of that below it;
	                             0: entries alone count */
	uint64_t segment_bytes;   /* of the log; 0: its default */
	unsigned workarounds_off; /* the simulator's; otherwise 0 */
	const struct adapter_probe *probe; /* the simulator's; otherwise NULL */
};

struct raft_host_server {
	uint64_t id;
	const char *address;
	enum raft_host_role role;
};

/* Loads what is on the disk. ERR_CORRUPT says what is damaged and the mend. */
int raft_host_open(const struct raft_host_config *c, struct raft_host **ret, struct err *err);

/* Before start, on an empty disk: the first configuration, the same on each of its servers. ERR_EXISTS when the disk
 * is not empty. */
int raft_host_bootstrap(struct raft_host *h, const struct raft_host_server *servers, size_t n, struct err *err);
int raft_host_start(struct raft_host *h, struct err *err);

/* Every pending callback gets ERR_CANCELED. What was proposed may still be committed. */
void raft_host_close(struct raft_host *h);

void raft_host_tick(struct raft_host *h);

/* ERR_PROTOCOL: close that peer's connection. */
int raft_host_receive(struct raft_host *h, uint64_t from, struct slice frame, struct err *err);

/* A peer refuses connections, so its process is probably dead. If it led, there is an election soon, not after the
 * timeout. */
void raft_host_peer_gone(struct raft_host *h, uint64_t id);

/* Embedded by the caller; data and request stay valid until the callback, which comes once and never inside the call.
 * status 0: committed at `index`, as command number `position` of the entry, and apply() has been called for it.
 * ERR_UNAVAILABLE: no leader here. ERR_CANCELED: leadership was lost or the host closed; it may yet be committed. */
struct raft_proposal {
	struct list_link link;
	struct slice data;
	void (*done)(struct raft_proposal *p, int status, uint64_t index, size_t position);
};

void raft_host_propose(struct raft_host *h, struct raft_proposal *p);
/* Packs what has queued into entries. */
void raft_host_flush(struct raft_host *h);

/* A linearizable read without a log write: done with 0 once apply() has been called for everything that was
 * acknowledged anywhere before the call. ERR_UNAVAILABLE: not the leader, or no longer. */
struct raft_read {
	struct list_link link;
	uint64_t index, round;
	void (*done)(struct raft_read *r, int status, uint64_t index);
};

void raft_host_read_index(struct raft_host *h, struct raft_read *r);

/* Membership: one change at a time, each behind a barrier. ERR_UNAVAILABLE: not the leader. ERR_CONFLICT: another
 * change is under way, or this one has nothing to do. */
enum raft_change_kind { RAFT_CHANGE_ADD, RAFT_CHANGE_ASSIGN, RAFT_CHANGE_REMOVE };
struct raft_host_change {
	enum raft_change_kind kind;
	struct raft_host_server server; /* ADD always adds a spare: assign its role next */
	void (*done)(struct raft_host_change *c, int status);
	void *internal;
};

void raft_host_change_members(struct raft_host *h, struct raft_host_change *c);

/* Asks a voter to take over (thesis section 3.10); 0: the one that is furthest. The role changes when it does; an
 * attempt that has not led anywhere within an election timeout is given up. ERR_UNAVAILABLE: not the leader, or there
 * is nobody to take over. ERR_CONFLICT: a transfer is under way. */
int raft_host_transfer(struct raft_host *h, uint64_t to, struct err *err);

/* The servers as this one knows them: role, address (in the arena), and how far the leader knows them to be (0 on the
 * others). */
struct raft_host_member {
	struct raft_host_server server;
	uint64_t match_index;
	bool is_online; /* heard of within an election timeout; on the leader */
};
size_t raft_host_members(struct raft_host *h, struct arena *a, struct raft_host_member **ret);

/* Is the server's disk full? Nothing new is acknowledged by it until there is room again. */
bool raft_host_is_disk_full(const struct raft_host *h);
/* A change of the members is in the log that is not known to be committed: it may not last. */
bool raft_host_is_changing(const struct raft_host *h);
uint64_t raft_host_last_index(const struct raft_host *h);
uint64_t raft_host_id(const struct raft_host *h);
uint64_t raft_host_leader(const struct raft_host *h); /* 0: none is known */
/* A server's address, as the configuration or the leader itself tells it, in the arena; NULL: unknown. */
const char *raft_host_address(const struct raft_host *h, uint64_t id, struct arena *a);
/* While a state is being sent the log behind it is kept, up to four times its usual size. */
void raft_host_set_busy(struct raft_host *h, bool is_sending_state);
uint64_t raft_host_snapshot_index(const struct raft_host *h); /* of the newest that is durable; 0: none */
bool raft_host_has_log(const struct raft_host *h);            /* or a snapshot: this server belongs to a cluster */

/* Offline: makes `self` the only voter of what is on this disk, keeping every entry of its log: for a cluster whose
 * majority is lost for good. What only the lost had is lost. *ret_last: the last entry kept. */
int raft_host_recover(
        struct disk *d, const struct raft_host_server *self, uint64_t *ret_last, uint64_t *ret_term, struct err *err);
/* Between open and start: as raft_host_bootstrap(), but the cluster begins at a snapshot, at RAFT_STATE_INDEX, with
 * this descriptor, so that the state the machine has (the same on each of the servers) is where it starts from. */
int raft_host_adopt_state(struct raft_host *h, const struct raft_host_server *servers, size_t n,
        struct slice descriptor, struct err *err);

/* Offline: an empty disk begins at a snapshot, at RAFT_STATE_INDEX, with these servers, so that the state beside it
 * (the same on each of them) is where the cluster starts from. ERR_EXISTS when the disk is not empty. */
int raft_host_bootstrap_state(
        struct disk *d, const struct raft_host_server *servers, size_t n, struct slice descriptor, struct err *err);

/* Offline, and nothing is written: checks all of a disk. report() is called for each damage and each remark. Servers
 * are those of the newest configuration on the disk, committed or not; strings in the arena. Errors are of the disk. */
struct raft_host_checked {
	bool is_empty;    /* there is nothing of raft's */
	size_t n_damages; /* 0: sound */
	uint64_t term, vote, snapshot_index, snapshot_term;
	uint64_t first_index, last_index, last_term; /* of the log, or of the snapshot when that is newer */
	uint64_t n_entries, log_bytes;
	struct raft_host_server *servers;
	size_t n_servers;
};
int raft_host_check(struct disk *d, void (*report)(void *arg, bool is_damage, const char *text), void *arg,
        struct arena *a, struct raft_host_checked *ret, struct err *err);

/* Is it the only server of its cluster? */
bool raft_host_is_alone(const struct raft_host *h);
bool raft_host_is_leader(const struct raft_host *h);
uint64_t raft_host_term(const struct raft_host *h);
uint64_t raft_host_commit_index(const struct raft_host *h);
uint64_t raft_host_applied_index(const struct raft_host *h);

#endif
