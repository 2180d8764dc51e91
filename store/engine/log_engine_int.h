/* The engine over a shared log: what its parts hang on. See log_engine.c. */
#ifndef K3X_STORE_ENGINE_LOG_ENGINE_INT_H
#define K3X_STORE_ENGINE_LOG_ENGINE_INT_H

#include "store/engine/core_int.h"
#include "store/engine/log_engine.h"
#include "store/engine/log_entry_int.h"

#include "base/check.h"
#include "base/histogram.h"
#include "base/mem/list.h"

/* A request from its submission to its hand-over. In a flight it keeps its place until the entry comes by, for the
 * place says which of the entry's items it is. */
struct log_waiting {
	struct list_link link;
	struct store_request *req; /* NULL: answered already, its time was over */
	uint64_t deadline_ms;
	struct log_item item;  /* of a write: COMMAND or KEEP_ALIVE */
	struct strbuf command; /* what the item points to */
};

/* The one entry that is on its way, until it came by the log or its time is over. */
struct log_flight {
	bool is_out;   /* there is one; when it is not through after its turn, it is in doubt */
	bool is_there; /* the log has it, and what lies before it is not seen yet */
	uint64_t sequence;
	struct strbuf bytes;
	struct list_link requests; /* of struct log_waiting, in the order of the entry's items that have one */
};

enum { LOG_HASHES_KEPT = 1024 };

struct log_snapper {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping, is_wanted, is_copied;
	struct shared_log *log; /* a connection of its own */
	struct store_request copy;
	_Atomic int64_t index; /* of the newest snapshot that is known of */
	_Atomic uint64_t bytes;
	atomic_bool is_done; /* one was taken, the log thread counts anew */
};

struct log_engine {
	struct engine_core core; /* first */
	struct log_engine_options options;
	char *data_dir;
	struct histogram appends;
	/* ---- intake; under the lock ---- */
	pthread_mutex_t lock;
	struct list_link incoming_writes, incoming_reads;
	bool is_sleeping, stopping;
	int bell; /* eventfd */
	char last_error[ERR_MSG_MAX];
	/* ---- any thread ---- */
	atomic_uint outstanding;
	atomic_bool closing, is_hurried, is_connected, is_full, is_led;
	_Atomic uint64_t led_term, shown_term;
	_Atomic size_t entry_bytes_max; /* of the log, for callers */
	/* ---- the log thread's, and before it runs of who opens the engine ---- */
	pthread_t thread, owner;
	struct shared_log *log;
	uint64_t id;            /* of the cluster whose log it is */
	uint64_t open_until_ms; /* when opening gives up */
	uint64_t origin, sequence;
	struct list_link writes, reads; /* taken over */
	struct log_flight flight;
	uint64_t retry_at_ms, retry_ms;
	int told_code; /* why it is not reached, as it was told last */
	unsigned poll_ms;
	uint64_t deaf_until_ms; /* something was found that the log had not told of */
	uint64_t leader;        /* the origin of who leads; 0: nobody, or not known */
	bool is_vacant;         /* who led has said that it does not any more */
	bool led_before;        /* this server led this term, in an earlier life */
	uint64_t heard_ms;      /* when who leads was last heard of, or could have been */
	uint64_t beaten_ms;     /* when this server last said that it leads */
	bool wants_lead;        /* an entry that takes the lead is to be sent, or on its way */
	uint64_t log_bytes;     /* since the last snapshot */
	int64_t log_entries;
	struct {
		int64_t index;
		uint64_t hash;
	} hashes[LOG_HASHES_KEPT];
	unsigned n_hashes;
	struct log_snapper snapper;
};

static inline struct log_engine *log_engine_from(struct engine *base)
{
	return CONTAINER_OF(base, struct log_engine, core.base);
}

static inline int64_t log_applied(struct log_engine *e)
{
	return e->core.machine.meta.applied_index;
}

/* First in what only the owner may do. */
#define LOG_CHECK_OWNER(e) CHECK(pthread_equal((e)->owner, pthread_self()))

/* ---- log_engine.c ---- */

/* The next start begins with no copy. */
void log_forget_copy_later(struct log_engine *e);

/* ---- log_thread.c ---- */

void *log_thread_main(void *arg);
/* Frees, and gives the request for whom it goes on; NULL: it was answered. */
struct store_request *log_waiting_end(struct log_engine *e, struct log_waiting *w);
/* The same, and answers it with an error. */
void log_waiting_fail(struct log_engine *e, struct log_waiting *w, int code, const char *text);
/* Nobody waits any more for the entry that is on its way: all are answered so. It is not sent again. */
void log_flight_end(struct log_engine *e, int code, const char *text);
void log_note_error(struct log_engine *e, const struct err *err);
/* Is it the log it was? Another server of it may answer, or one of another log, or one that went back: ERR_CORRUPT. */
int log_check_head(struct log_engine *e, struct err *err);

/* ---- log_apply.c; the log thread, and opening before it ---- */

/* Applies all that the log has after what is applied; not what comes meanwhile, of which there may be ever more.
 * ERR_UNAVAILABLE; ERR_CORRUPT: this copy is of another log. */
int log_catch_up(struct log_engine *e, struct err *err);
/* An entry of this server that is known to come right after what is applied. */
int log_apply_own(struct log_engine *e, int64_t index, struct err *err);

/* ---- log_role.c; the log thread ---- */

void log_role_heard(struct log_engine *e, uint64_t origin, const struct log_item *item);
void log_role_show(struct log_engine *e);
void log_role_connected(struct log_engine *e);
/* Adds what is to be said now; true: there was something. */
bool log_role_say(struct log_engine *e, struct strbuf *plain);
bool log_role_has_to_say(struct log_engine *e);
unsigned log_role_wait_ms(struct log_engine *e);
void log_role_open(struct log_engine *e);

/* ---- log_snapshot.c ---- */

void log_snapper_start(struct log_engine *e);
void log_snapper_stop(struct log_engine *e);
void log_snapper_look(struct log_engine *e); /* the log thread: is it time? */
int log_snapshot_install(struct log_engine *e, struct err *err);

#endif
