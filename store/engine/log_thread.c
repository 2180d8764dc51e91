/* The thread that has the connection to the shared log: sends what waits, reads what others sent, applies both, and
 * asks what the newest entry is when reads wait.
 *
 *     away --connect--> idle --something waits--> one round trip --> applied, answered --> idle
 *      ^                                              |
 *      +----------------- ERR_UNAVAILABLE ------------+      an entry that was out is in doubt, and is sent again
 *
 * A turn is one round trip for all that waits: an entry of all writes, whose index serves the reads as well; or the
 * question for the newest entry alone. Nothing is written while an entry is in doubt but that entry, so order is kept.
 *
 * Between turns it sleeps in poll(): on the connection where the log tells of new entries, and on a bell that callers
 * ring. It looks in any case now and then: seldom where the log tells, ever more seldom up to poll_ms_max where it does
 * not. A log that should tell and is found not to (a pooler swallows it) is looked at like one that does not. */
#include "store/engine/log_engine_int.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { RETRY_MS_MIN = 20, RETRY_MS_MAX = 2000, POLL_MS_MIN = 2, POLL_TOLD_MS = 1000, UNSEEN_US = 500, DEAF_MS = 60000 };
enum { FINISH_MS = 3000 };

/* Of plain commands in an entry: what comes after waits for the next. */
#define BATCH_BYTES (1024u * 1024)
enum { BATCH_COMMANDS_MAX = 1000 };

/* ---- who waits ---- */

/* Counted for as long as somebody waits for it. */
static struct store_request *take_request(struct log_engine *e, struct log_waiting *w)
{
	LOG_CHECK_OWNER(e);
	if (w->req)
		CHECK(atomic_fetch_sub(&e->outstanding, 1) > 0);
	return TAKE(w->req);
}

static void fail_request(struct store_request *req, int code, const char *text)
{
	if (!req)
		return;
	err_set(&req->err, code, "%s", text);
	engine_complete(req);
}

struct store_request *log_waiting_end(struct log_engine *e, struct log_waiting *w)
{
	struct store_request *req = take_request(e, w);
	list_del(&w->link);
	strbuf_release(&w->command);
	free(w);
	return req;
}

void log_waiting_fail(struct log_engine *e, struct log_waiting *w, int code, const char *text)
{
	fail_request(log_waiting_end(e, w), code, text);
}

static void fail_list(struct log_engine *e, struct list_link *list, int code, const char *text)
{
	struct list_link *l;
	while ((l = list_pop_front(list)) != NULL)
		log_waiting_fail(e, CONTAINER_OF(l, struct log_waiting, link), code, text);
}

void log_flight_end(struct log_engine *e, int code, const char *text)
{
	fail_list(e, &e->flight.requests, code, text);
	e->flight.is_out = e->flight.is_there = false;
	e->wants_lead = false;
}

static void take_list(struct list_link *from, struct list_link *to)
{
	struct list_link *l;
	while ((l = list_pop_front(from)) != NULL)
		list_push_back(to, l);
}

/* True: the store is stopping. */
static bool take_incoming(struct log_engine *e)
{
	pthread_mutex_lock(&e->lock);
	take_list(&e->incoming_writes, &e->writes);
	take_list(&e->incoming_reads, &e->reads);
	bool stopping = e->stopping;
	pthread_mutex_unlock(&e->lock);
	return stopping;
}

static struct log_waiting *first_of(struct list_link *list)
{
	return list_empty(list) ? NULL : CONTAINER_OF(list->next, struct log_waiting, link);
}

static void expire_list(struct log_engine *e, struct list_link *list, uint64_t now, int code, const char *text)
{
	LIST_FOREACH (l, list) {
		struct log_waiting *w = CONTAINER_OF(l, struct log_waiting, link);
		if (w->deadline_ms > now)
			return;
		log_waiting_fail(e, w, code, text);
	}
}

/* The others of the entry still wait, so each keeps its place. Once nobody does, it is not sent again, and comes by the
 * log or not. */
static void expire_flight(struct log_engine *e, uint64_t now)
{
	static const char text[] = "the datastore was lost over it: it may have been done";
	bool is_awaited = false;
	LIST_FOREACH (l, &e->flight.requests) {
		struct log_waiting *w = CONTAINER_OF(l, struct log_waiting, link);
		if (w->deadline_ms <= now)
			fail_request(take_request(e, w), ERR_TIMEOUT, text);
		is_awaited |= w->req != NULL;
	}
	if (e->flight.is_out && !is_awaited)
		log_flight_end(e, ERR_TIMEOUT, text);
}

/* While the log is away, or an entry is in doubt: else all is answered by the next turn. */
static void expire(struct log_engine *e)
{
	uint64_t now = clock_mono_ms();
	char text[ERR_MSG_MAX + 64];
	if (atomic_load(&e->is_hurried))
		now += SHARED_LOG_CALL_MS;
	pthread_mutex_lock(&e->lock);
	snprintf(text, sizeof text, "the datastore is not reached: %s", e->last_error);
	pthread_mutex_unlock(&e->lock);
	expire_list(e, &e->writes, now, ERR_UNAVAILABLE, text);
	expire_list(e, &e->reads, now, ERR_UNAVAILABLE, text);
	expire_flight(e, now);
}

static void fail_all(struct log_engine *e)
{
	log_flight_end(e, ERR_TIMEOUT, "the store is stopping: it may have been done");
	fail_list(e, &e->writes, ERR_UNAVAILABLE, "the store is stopping");
	fail_list(e, &e->reads, ERR_UNAVAILABLE, "the store is stopping");
}

/* ---- the connection ---- */

/* Another server's copy is right, for the log is one: this one begins anew. */
static void give_up_copy(struct log_engine *e, const struct err *err)
{
	log_forget_copy_later(e);
	log_error("store", "this server's copy does not fit the datastore: it stops, and takes a new one at its start",
	        "error=\"%s\"", err->msg);
	_exit(err_exit_code(err->code));
}

static void lost(struct log_engine *e, const struct err *err)
{
	LOG_CHECK_OWNER(e);
	if (atomic_exchange(&e->is_connected, false))
		log_warn("store", "the datastore is lost", "kind=%s error=\"%s\"", e->log->v->name, err->msg);
	log_note_error(e, err);
	e->log->v->disconnect(e->log);
	e->log->tells = false;
	e->retry_ms = RETRY_MS_MIN;
	e->retry_at_ms = clock_mono_ms();
	log_role_show(e);
}

int log_check_head(struct log_engine *e, struct err *err)
{
	struct shared_log_head head;
	int rc = e->log->v->head(e->log, &head, err);
	if (rc == 0 && (head.id != e->id || head.last < log_applied(e)))
		rc = err_set(err, ERR_CORRUPT, "the datastore is another one than it was, or has lost what it had");
	return rc;
}

static int connect_again(struct log_engine *e, struct err *err)
{
	int rc = e->log->v->connect(e->log, err);
	return rc == 0 ? log_check_head(e, err) : rc;
}

static void try_connect(struct log_engine *e)
{
	struct err err = ERR_INIT;
	uint64_t now = clock_mono_ms();
	/* who is about to end does not wait once more for one that hangs */
	if (now < e->retry_at_ms || atomic_load(&e->is_hurried))
		return;
	int rc = connect_again(e, &err);
	if (rc == ERR_CORRUPT)
		give_up_copy(e, &err);
	if (rc == 0) {
		atomic_store(&e->is_connected, true);
		atomic_store(&e->entry_bytes_max, e->log->entry_bytes_max);
		log_note_error(e, NULL);
		log_role_connected(e);
		log_info("store", "the datastore is back", "kind=%s", e->log->v->name);
		return;
	}
	if (rc != ERR_UNAVAILABLE && e->told_code != rc)
		log_error("store", "the datastore is reached and does not serve", "kind=%s error=\"%s\"",
		        e->log->v->name, err.msg);
	e->told_code = rc;
	log_note_error(e, &err);
	e->log->v->disconnect(e->log);
	e->retry_ms = e->retry_ms * 2 < RETRY_MS_MAX ? e->retry_ms * 2 : RETRY_MS_MAX;
	e->retry_at_ms = clock_mono_ms() + e->retry_ms;
}

/* ---- writes ---- */

static void begin_flight(struct log_engine *e, struct strbuf *plain)
{
	struct log_waiting *w;
	CHECK(!e->flight.is_out && list_empty(&e->flight.requests));
	size_t max = e->log->entry_bytes_max < BATCH_BYTES ? e->log->entry_bytes_max : BATCH_BYTES;
	for (unsigned n = 0; (w = first_of(&e->writes)) != NULL && n < BATCH_COMMANDS_MAX; n++) {
		if (n && plain->len + w->command.len + 32 > max)
			break;
		log_item_add(plain, &w->item);
		list_del(&w->link);
		list_push_back(&e->flight.requests, &w->link);
	}
	e->flight.sequence = ++e->sequence;
	e->flight.is_out = true;
	e->flight.is_there = false;
	strbuf_reset(&e->flight.bytes);
	CHECK(plain->len > 0);
	log_entry_pack(&e->flight.bytes, strbuf_slice(plain));
}

/* The log is sure not to have it. */
static void refuse_flight(struct log_engine *e, const struct err *err)
{
	log_warn("store", "the datastore refuses to write", "kind=%s error=\"%s\"", e->log->v->name, err->msg);
	log_flight_end(e, err->code, err->msg);
}

static int send_flight(struct log_engine *e, struct err *err)
{
	struct shared_log_entry entry = {
	        .origin = e->origin, .sequence = e->flight.sequence, .bytes = strbuf_slice(&e->flight.bytes)};
	int64_t before = 0, index;
	CHECK(e->flight.is_out && !e->flight.is_there && entry.bytes.len > 0);
	uint64_t begun = histogram_now_ns();
	int rc = e->log->v->append(e->log, &entry, &before, &index, err);
	if (rc == ERR_BUSY) /* again, with the next turn */
		return 0;
	if (rc == 0 || rc == ERR_EXISTS) {
		histogram_observe_since(&e->appends, begun);
		e->flight.is_there = true;
		rc = rc == 0 && before == log_applied(e) ? log_apply_own(e, index, err) : log_catch_up(e, err);
		if (rc == 0 && e->log->v->tell)
			e->log->v->tell(e->log);
		return rc;
	}
	if (rc != ERR_UNAVAILABLE) {
		refuse_flight(e, err);
		return 0;
	}
	return rc;
}

/* What is in doubt may have arrived; what others sent comes in any case. */
static int resolve_flight(struct log_engine *e, struct err *err)
{
	int rc = log_catch_up(e, err);
	if (rc != 0 || !e->flight.is_out)
		return rc;
	if (!e->flight.is_there)
		return send_flight(e, err);
	usleep(UNSEEN_US);
	return 0;
}

/* 1: something was sent; 0: there is nothing to send; negative: error. */
static int write_turn(struct log_engine *e, struct err *err)
{
	struct strbuf plain = STRBUF_INIT;
	bool says = log_role_say(e, &plain);
	int rc = 0;
	if (says || !list_empty(&e->writes)) {
		begin_flight(e, &plain);
		rc = send_flight(e, err);
		rc = rc == 0 ? 1 : rc;
	}
	strbuf_release(&plain);
	return rc;
}

/* ---- reads ---- */

static void serve_reads(struct log_engine *e, struct list_link *reads)
{
	struct list_link *l;
	while ((l = list_pop_front(reads)) != NULL) {
		struct store_request *req = log_waiting_end(e, CONTAINER_OF(l, struct log_waiting, link));
		CHECK(req != NULL);
		if (engine_core_read_in_memory(&e->core, req))
			engine_complete(req);
		else
			engine_core_read(&e->core, req, 0);
	}
}

/* The newest entry is asked for, unless one of our own was added since these reads came. */
static int read_turn(struct log_engine *e, struct list_link *reads, bool has_sent, struct err *err)
{
	struct shared_log_head head = {.last = log_applied(e)};
	int rc = has_sent ? 0 : e->log->v->head(e->log, &head, err);
	if (rc == 0 && head.last < log_applied(e))
		return err_set(err, ERR_CORRUPT,
		        "the datastore has lost what it had: its newest entry is %" PRId64 ", and %" PRId64 " was seen",
		        head.last, log_applied(e));
	if (rc == 0 && head.last > log_applied(e))
		rc = log_catch_up(e, err);
	if (rc == 0 && head.last <= log_applied(e))
		serve_reads(e, reads);
	return rc;
}

/* ---- turns ---- */

static void failed(struct log_engine *e, const struct err *err)
{
	if (err->code == ERR_CORRUPT)
		give_up_copy(e, err);
	lost(e, err);
}

static void turn(struct log_engine *e)
{
	struct err err = ERR_INIT;
	struct list_link reads;
	LOG_CHECK_OWNER(e);
	list_init(&reads);
	take_list(&e->reads, &reads);
	int rc = 0, sent = 0;
	if (e->flight.is_out)
		rc = resolve_flight(e, &err);
	if (rc == 0 && !e->flight.is_out)
		rc = sent = write_turn(e, &err);
	bool has_sent = sent > 0 && !e->flight.is_out;
	if (rc >= 0)
		rc = list_empty(&reads) ? 0 : read_turn(e, &reads, has_sent, &err);
	struct list_link *l;
	while ((l = list_pop_front(&reads)) != NULL)
		list_push_back(&e->reads, l);
	if (rc < 0)
		failed(e, &err);
}

/* was_told: the log said that there is something, or it is just time. */
static void look(struct log_engine *e, bool was_told)
{
	struct err err = ERR_INIT;
	int64_t before = log_applied(e);
	if (log_catch_up(e, &err) != 0) {
		failed(e, &err);
		return;
	}
	bool found = log_applied(e) != before;
	e->poll_ms = found ? POLL_MS_MIN : e->poll_ms * 2;
	if (e->poll_ms > e->options.poll_ms_max)
		e->poll_ms = e->options.poll_ms_max;
	if (found && !was_told)
		e->deaf_until_ms = clock_mono_ms() + DEAF_MS;
}

static unsigned sleep_ms(struct log_engine *e)
{
	uint64_t now = clock_mono_ms();
	if (!atomic_load(&e->is_connected)) {
		uint64_t left = e->retry_at_ms > now ? e->retry_at_ms - now : 0;
		return left < 100 && !atomic_load(&e->is_hurried) ? (unsigned)left : 100;
	}
	unsigned look_ms = e->poll_ms;
	if (e->log->v->fd(e->log) >= 0 && e->log->tells && now >= e->deaf_until_ms)
		look_ms = POLL_TOLD_MS;
	unsigned role_ms = log_role_wait_ms(e);
	return role_ms < look_ms ? role_ms : look_ms;
}

/* False: there is something to do at once. */
static bool begin_sleep(struct log_engine *e)
{
	pthread_mutex_lock(&e->lock);
	CHECK(!e->is_sleeping);
	bool idle = list_empty(&e->incoming_writes) && list_empty(&e->incoming_reads) && !e->stopping;
	e->is_sleeping = idle;
	pthread_mutex_unlock(&e->lock);
	return idle;
}

enum woken { WOKEN, WOKEN_BY_TIME, WOKEN_BY_LOG };

/* What came with an answer does not make the descriptor readable any more, so one asks before one sleeps. */
static enum woken sleep_until_something(struct log_engine *e)
{
	eventfd_t n;
	bool listens = atomic_load(&e->is_connected) && e->log->v->fd(e->log) >= 0;
	struct pollfd fds[2] = {{.fd = e->bell, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
	if (listens)
		fds[1].fd = e->log->v->fd(e->log);
	int rc = listens && e->log->v->heard(e->log) ? -1 : poll(fds, 2, (int)sleep_ms(e));
	pthread_mutex_lock(&e->lock);
	e->is_sleeping = false;
	pthread_mutex_unlock(&e->lock);
	eventfd_read(e->bell, &n);
	if (rc < 0 || (listens && fds[1].revents && e->log->v->heard(e->log)))
		return WOKEN_BY_LOG;
	return rc == 0 ? WOKEN_BY_TIME : WOKEN;
}

static bool has_work(struct log_engine *e)
{
	return !list_empty(&e->writes) || !list_empty(&e->reads) || e->flight.is_out || log_role_has_to_say(e);
}

/* Until everything is sent and answered, or the log is away, or has taken too long. */
static void finish(struct log_engine *e)
{
	uint64_t until_ms = clock_mono_ms() + FINISH_MS;
	while (clock_mono_ms() < until_ms && atomic_load(&e->is_connected) && has_work(e))
		turn(e);
	fail_all(e);
}

void *log_thread_main(void *arg)
{
	struct log_engine *e = arg;
	enum woken woken = WOKEN;
	pthread_setname_np(pthread_self(), "store-log");
	e->owner = pthread_self();
	e->poll_ms = POLL_MS_MIN;
	while (!take_incoming(e)) {
		if (!atomic_load(&e->is_connected)) {
			try_connect(e);
			if (!atomic_load(&e->is_connected)) /* else they have their turn */
				expire(e);
		} else if (has_work(e)) {
			turn(e);
			if (e->flight.is_out)
				expire(e);
		} else if (woken != WOKEN) {
			look(e, woken == WOKEN_BY_LOG);
		}
		log_role_show(e);
		log_snapper_look(e);
		woken = WOKEN;
		bool can_work = atomic_load(&e->is_connected) && has_work(e);
		if (!can_work && begin_sleep(e))
			woken = sleep_until_something(e);
	}
	finish(e);
	log_role_show(e);
	return NULL;
}
