/* The backend of libraft: struct raft_io over our log, our meta files and raft_env, with the workarounds without which
 * libraft 0.22.1 loses agreement (see adapter_recv.c, adapter_send.c and adapter_disk.c: each is described where it is
 * done, under its number). Private to raft/.
 *
 * Life: adapter_open(), raft_init(), perhaps raft_bootstrap(), raft_start(); then adapter_tick() and
 * adapter_receive(); raft_close() calls back at once. One thread, apart from the job that writes. */
#ifndef K3X_RAFT_ADAPTER_ADAPTER_H
#define K3X_RAFT_ADAPTER_ADAPTER_H

#include "raft/adapter/libraft_int.h"
#include "raft/log/log.h"
#include "raft/adapter/message.h"
#include "raft/log/meta.h"
#include "raft/adapter/raft_env.h"

#include "base/check.h"
#include "base/mem/list.h"

#include <pthread.h>

#define WORKAROUND(n) (1u << (n))

/* For the simulator alone. */
struct adapter_probe {
	void *arg;
	void (*appended)(void *arg, uint64_t index, const struct log_entry *e);
	void (*snapshot)(void *arg, uint64_t index, uint64_t term, uint64_t conf_index, uint64_t newest_change);
};

struct adapter_config {
	struct raft_env *env;
	struct disk *disk;
	uint64_t id;
	const char *address;
	uint64_t segment_bytes;   /* 0: the log's default */
	unsigned workarounds_off; /* WORKAROUND(n) | ...; production: 0 */
	unsigned election_ms;
	uint64_t trailing;        /* entries below the snapshot that are read at the start, for followers that lag */
	void (*after)(void *arg); /* after each call into libraft */
	int (*install)(void *arg, struct slice descriptor, struct err *err); /* the writer's thread; see raft_host.h */
	uint64_t (*durable_index)(void *arg);                                /* the same */
	void *arg;
	struct adapter_probe probe;
};

/* Of configuration and descriptor. */
enum { SNAPSHOT_RECORD_BYTES_MAX = 8 * 1024 * 1024 };

struct snapshot_record {
	uint64_t index, term, conf_index; /* index 0: none */
	struct strbuf conf, descriptor;
};

struct config_change {
	uint64_t index;
	char *data;
	size_t len;
};

struct disk_op {
	struct list_link link;
	bool is_snapshot, written;
	uint64_t index; /* of the first entry */
	const struct raft_entry *entries;
	unsigned n;
	unsigned trailing;
	struct snapshot_record snapshot;
	struct raft_io_append *append;
	struct raft_io_snapshot_put *put;
};

struct pending_get {
	struct list_link link;
	struct raft_io_snapshot_get *req;
	uint64_t index; /* of the snapshot that was asked for */
};

struct pending_send {
	struct list_link link;
	struct raft_io_send *req;
};

struct raft_adapter {
	struct raft_io io;
	struct raft *raft;
	struct adapter_config c;
	struct raft_log *log;
	struct raft_meta *meta;
	raft_io_tick_cb tick;
	raft_io_recv_cb recv;
	struct raft_job job;
	struct list_link queue;   /* disk_op: waiting */
	struct list_link running; /* disk_op: in the job */
	struct list_link gets;    /* pending_get: only with workaround 1 or 10 off */
	struct list_link sends;   /* pending_send: only with workaround 9 off */
	int job_rc;
	struct err job_err;
	bool job_active;
	bool is_full;            /* the last job found no space */
	uint64_t bytes, entries; /* appended since the last snapshot of our own */
	unsigned puts;           /* snapshots on their way to the disk */
	uint64_t next_index;     /* where the next append goes: said by truncate() */
	struct snapshot_record snapshot;
	struct config_change *changes; /* configurations in the log, by index */
	size_t n_changes, cap_changes;
	struct log_entry *loaded; /* between open and load(): the log's newest entries, in libraft's memory */
	uint64_t loaded_first;
	size_t n_loaded, cap_loaded;
	uint64_t last_append_ms; /* when a leader was last heard */
	bool stale;              /* the message being received is of an old term */
	bool mute;               /* it wants no answer */
	struct frame late;       /* a MESSAGE_COMMIT of entries that are not here yet; its term 0: none */
	char late_address[FRAME_ADDRESS_MAX + 1];
	bool dead, closing;
	bool has_owner; /* it has started: everything but the job is on this thread */
	pthread_t owner;
	struct strbuf frame;
};

static inline void adapter_check_owner(const struct raft_adapter *a)
{
	CHECK(!a->has_owner || pthread_equal(a->owner, pthread_self()));
}

int adapter_open(struct raft_adapter *a, struct raft *r, const struct adapter_config *c, struct err *err);
/* After raft_close() has called back. */
void adapter_release(struct raft_adapter *a);
void adapter_tick(struct raft_adapter *a);
void adapter_receive(struct raft_adapter *a, const struct frame *f);

static inline bool adapter_works_around(const struct raft_adapter *a, int n)
{
	return !(a->c.workarounds_off & WORKAROUND(n));
}

/* adapter.c */
void adapter_fatal(struct raft_adapter *a, const struct err *err);
void adapter_after(struct raft_adapter *a);
void adapter_note_change(struct raft_adapter *a, uint64_t index, const void *data, size_t len);
void adapter_forget_changes(struct raft_adapter *a, uint64_t from);

/* adapter_disk.c */
int adapter_append(struct raft_io *io, struct raft_io_append *req, const struct raft_entry entries[], unsigned n,
        raft_io_append_cb cb);
int adapter_truncate(struct raft_io *io, raft_index index);
void adapter_start_job(struct raft_adapter *a);
void adapter_cancel_ops(struct raft_adapter *a);

/* adapter_snapshot.c */
int adapter_snapshot_put(struct raft_io *io, unsigned trailing, struct raft_io_snapshot_put *req,
        const struct raft_snapshot *snapshot, raft_io_snapshot_put_cb cb);
int adapter_snapshot_get(struct raft_io *io, struct raft_io_snapshot_get *req, raft_io_snapshot_get_cb cb);
int adapter_snapshot_write(struct raft_adapter *a, const struct disk_op *op, struct err *err);
int adapter_snapshot_record(struct disk *d, const struct snapshot_record *s, struct err *err); /* durable */
int adapter_snapshot_load(struct raft_adapter *a, struct err *err);
int adapter_snapshot_make(const struct snapshot_record *s, struct raft_snapshot **ret);
void adapter_answer_gets(struct raft_adapter *a);
void snapshot_record_release(struct snapshot_record *s);

/* adapter_send.c */
int adapter_send(struct raft_io *io, struct raft_io_send *req, const struct raft_message *message, raft_io_send_cb cb);
void adapter_sends_done(struct raft_adapter *a, int status); /* calls back those that are pending */

#endif
