/* raft_host in production. See raft_node.h.
 *
 *     raft thread: loop { tick every RAFT_TICK_MS, frames of peers, tasks of the store, jobs that are done }
 *     writer thread: one job at a time (the log's write and sync, snapshots)
 *     pool: files of states
 *
 * A snapshot that a leader announces is held back until the state that goes with it has been fetched; libraft learns of
 * it then. Meanwhile this server keeps answering heartbeats as the follower it is.
 *
 * What can go wrong: the disk fails (the process stops: what was promised can't be kept by going on), the leader does
 * not find a successor when it is told to stop (it stops all the same; the others elect one). */
#include "raft/raft_node.h"

#include "raft/moved.h"

#include "raft/adapter/message.h"
#include "raft/wire/state_stream.h"

#include "raft/wire/conn_frame.h"

#include "base/check.h"
#include "base/log.h"
#include "base/pki/pki.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { APP_FRAME = 0x70613358, HANDOVER_TICKS = 75, TRAILING_MAX = 4096, ALONE_TICK_MS = 250 };

/* 1 ms, doubling up to 8.2 s: etcd's buckets. */
enum { SYNC_FIRST_NS = 1000000, SYNC_BOUNDS = 14 };

struct writer {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	struct raft_job *job; /* taken by the thread, NULL when it is done */
	bool stopping;
	struct loop_task done;
	struct raft_job *reported; /* raft thread: done() is owed for it; NULL: quiesced */
};

struct raft_node {
	struct raft_env env; /* first */
	struct raft_node_options o;
	struct loop loop;
	struct disk *disk;
	struct raft_host *host;
	struct transport *transport;
	struct pool *pool;
	struct state_exporter *exporter;
	struct state_fetcher *fetcher;
	struct writer writer;
	uv_timer_t timer;
	struct strbuf held; /* the message that announced the state being fetched */
	uint64_t held_from, held_index, fetched_index;
	int port;
	unsigned handover_ticks; /* closing: how long a successor is waited for */
	bool closing, is_prepared, is_running;
	unsigned to_close, since_tick_ms, period_ms;
	struct list_link questions; /* answering, oldest first */
	unsigned n_questions;
	struct moved_table moved;
	pthread_mutex_t status_lock;
	struct raft_node_status status;
	struct histogram log_syncs;
	struct peer_table peers;
};

static struct raft_node *node_of(struct raft_env *e)
{
	return (struct raft_node *)e;
}

/* ---- the environment ---- */

static uint64_t env_now(struct raft_env *e)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t env_random(struct raft_env *e)
{
	uint64_t r;
	pki_random(&r, sizeof r);
	return r;
}

static const char *address_of(const struct raft_node *s, uint64_t id, const char *address)
{
	return moved_address(&s->moved, id, address);
}

void raft_node_move(struct raft_node *s, uint64_t id, const char *address)
{
	LOOP_CHECK_OWNER(&s->loop);
	bool is_reached = s->o.follows_addresses && s->transport && transport_is_open(s->transport, id);
	if (id != s->o.id)
		moved_tell(&s->moved, id, address, is_reached);
}

static void on_greeted(void *arg, uint64_t id, struct slice address)
{
	struct raft_node *s = arg;
	LOOP_CHECK_OWNER(&s->loop);
	for (size_t i = 0; s->o.follows_addresses && i < s->status.n_members; i++)
		if (s->status.members[i].id == id && id != s->o.id)
			moved_greet(&s->moved, id, s->status.members[i].address, address);
}

static void env_send(struct raft_env *e, uint64_t to, const char *address, const void *frame, size_t len)
{
	struct raft_node *s = node_of(e);
	if (s->transport)
		transport_send(s->transport, to, address_of(s, to, address), (struct slice){frame, len});
}

static void *writer_main(void *arg)
{
	struct raft_node *s = arg;
	struct writer *w = &s->writer;
	pthread_setname_np(pthread_self(), "raft-log");
	pthread_mutex_lock(&w->lock);
	while (!w->stopping) {
		if (!w->job) {
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		struct raft_job *job = w->job;
		pthread_mutex_unlock(&w->lock);
		job->work(job);
		pthread_mutex_lock(&w->lock);
		w->job = NULL;
		pthread_cond_broadcast(&w->wake);
		loop_post(&s->loop, &w->done);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void job_done(struct loop_task *t)
{
	struct raft_node *s = CONTAINER_OF(t, struct raft_node, writer.done);
	struct raft_job *job = s->writer.reported;
	s->writer.reported = NULL;
	if (job)
		job->done(job);
}

static void env_submit(struct raft_env *e, struct raft_job *job)
{
	struct writer *w = &node_of(e)->writer;
	CHECK(!w->reported);
	w->reported = job;
	pthread_mutex_lock(&w->lock);
	CHECK(!w->job && !w->stopping);
	w->job = job;
	pthread_cond_broadcast(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

static void env_quiesce(struct raft_env *e)
{
	struct writer *w = &node_of(e)->writer;
	pthread_mutex_lock(&w->lock);
	while (w->job)
		pthread_cond_wait(&w->wake, &w->lock);
	pthread_mutex_unlock(&w->lock);
	w->reported = NULL;
}

/* After a failed sync nobody knows what is on the disk (the kernel may have dropped the pages): only a restart, which
 * reads what is there, can go on. */
static void env_fatal(struct raft_env *e, const struct err *why)
{
	log_error("raft", "the disk can't be trusted: stopping", "error=\"%s\"", why->msg);
	_exit(err_exit_code(why->code));
}

static const struct raft_env_vtable env_vtable = {env_now, env_random, env_send, env_submit, env_quiesce, env_fatal};

/* ---- what comes in ---- */

static int deliver(struct raft_node *s, uint64_t from, struct slice bytes, struct err *err)
{
	return s->closing && !s->host ? 0 : raft_host_receive(s->host, from, bytes, err);
}

/* Is it the announcement of a state that is not here yet? Then it is kept until it is. Newer announcements that come
 * meanwhile are let go: if the first one is too old by the time it can be followed, the next will be sent again. */
static bool hold_back(struct raft_node *s, uint64_t from, struct slice bytes, struct err *err)
{
	LOOP_CHECK_OWNER(&s->loop);
	struct arena a = ARENA_INIT;
	struct frame f;
	uint32_t kind;
	CHECK(bytes.len >= sizeof kind);
	memcpy(&kind, bytes.ptr, sizeof kind);
	if (kind != RAFT_INSTALL_SNAPSHOT || message_decode(bytes, &a, &f, err) != 0) {
		arena_release(&a);
		return false;
	}
	const struct raft_install_snapshot *m = &f.m.install_snapshot;
	struct raft_machine *machine = s->o.machine;
	bool is_news = m->term >= raft_host_term(s->host) && m->last_index > machine->v->applied_index(machine) &&
	               m->last_index > s->fetched_index;
	uint64_t got, size;
	if (is_news && !(state_fetcher_progress(s->fetcher, &got, &size) && s->held_from == from && s->held.len)) {
		strbuf_reset(&s->held);
		strbuf_add_slice(&s->held, bytes);
		s->held_from = from;
		s->held_index = m->last_index;
	}
	if (is_news)
		state_fetcher_want(s->fetcher, from, f.address, m->last_index);
	arena_release(&a);
	return is_news;
}

/* A leader that came meanwhile may have announced a newer one than was asked for: that announcement is let go too. */
static void fetched(void *arg, uint64_t index)
{
	struct raft_node *s = arg;
	struct err err = ERR_INIT;
	struct arena a = ARENA_INIT;
	LOOP_CHECK_OWNER(&s->loop);
	CHECK(index >= 1 && !s->closing);
	s->fetched_index = index;
	s->o.state_fetched(s->o.arg, arena_printf(&a, "%s/incoming.state", s->o.folder), index);
	struct strbuf message = s->held;
	s->held = STRBUF_INIT;
	if (message.len && s->held_index <= index && deliver(s, s->held_from, strbuf_slice(&message), &err) != 0)
		log_warn("raft", "snapshot not taken", "error=\"%s\"", err.msg);
	strbuf_release(&message);
	arena_release(&a);
}

static int on_message(void *arg, uint64_t from, struct slice bytes, struct err *err)
{
	struct raft_node *s = arg;
	uint32_t kind;
	if (bytes.len < sizeof kind)
		return err_set(err, ERR_PROTOCOL, "a message of %zu bytes", bytes.len);
	memcpy(&kind, bytes.ptr, sizeof kind);
	if (!s->host)
		return 0;
	if (kind == APP_FRAME) {
		s->o.message(s->o.arg, from, (struct slice){bytes.ptr + sizeof kind, bytes.len - sizeof kind});
		return 0;
	}
	uint64_t round = message_answered_round(bytes);
	if (round && peer_stats_echo(&s->peers, from, round, histogram_now_ns()))
		return 0;
	if (hold_back(s, from, bytes, err))
		return 0;
	return err->code ? err->code : deliver(s, from, bytes, err);
}

/* ---- questions of those who are not members yet ---- */

struct answering {
	struct list_link link;
	struct raft_node *server;
	struct conn *conn;
	struct wire_frame_reader reader;
	uint64_t came_ms;
};

enum { QUESTIONS_MAX = 64, QUESTION_MS_MAX = 3000 };

static bool answer_frame(void *arg, struct slice payload)
{
	struct answering *q = ((void **)arg)[0];
	struct conn *c = ((void **)arg)[1];
	struct strbuf b = STRBUF_INIT;
	raft_node_refresh_status(q->server); /* who asks acts on it: no older than the question */
	q->server->o.question(q->server->o.arg, payload, &b);
	conn_write_frame(c, strbuf_slice(&b));
	strbuf_release(&b);
	conn_close(c, 1000);
	return false;
}

static void answer_read(struct conn *c, const char *data, size_t len, void *arg)
{
	struct answering *q = arg;
	void *both[2] = {q, c};
	struct err err = ERR_INIT;
	size_t used;
	if (wire_frame_feed(&q->reader, data, len, answer_frame, both, &used, &err) != 0)
		conn_close(c, 0);
}

static void answer_end(struct conn *c, const struct err *err, void *arg)
{
	conn_close(c, 0);
}

static void answer_closed(struct conn *c, void *arg)
{
	struct answering *q = arg;
	CHECK(q->server->n_questions > 0);
	list_del(&q->link);
	q->server->n_questions--;
	wire_frame_reader_release(&q->reader);
	free(q);
}

/* Who was let in to ask something asks it at once. */
static void end_late_questions(struct raft_node *s)
{
	LOOP_CHECK_OWNER(&s->loop);
	uint64_t now = loop_now_ms(&s->loop);
	LIST_FOREACH (l, &s->questions) {
		struct answering *q = CONTAINER_OF(l, struct answering, link);
		if (now - q->came_ms < QUESTION_MS_MAX)
			break;
		conn_close(q->conn, 0);
	}
}

static void on_unreachable(void *arg, uint64_t id)
{
	struct raft_node *s = arg;
	if (s->host && !s->closing)
		raft_host_peer_gone(s->host, id);
}

static bool on_visitor(void *arg, struct conn *c, const struct wire_hello *hello)
{
	static const struct conn_callbacks callbacks = {
	        .on_read = answer_read, .on_end = answer_end, .on_closed = answer_closed};
	struct raft_node *s = arg;
	if (hello->purpose == WIRE_STATE)
		return state_exporter_serve(s->exporter, c);
	if (s->n_questions >= QUESTIONS_MAX || s->closing)
		return false;
	struct answering *q = xcalloc(1, sizeof *q);
	*q = (struct answering){
	        .server = s, .conn = c, .reader.bytes_max = 64 * 1024, .came_ms = loop_now_ms(&s->loop)};
	list_push_back(&s->questions, &q->link);
	s->n_questions++;
	conn_start(c, &callbacks, q);
	return true;
}

static void copy_state(void *arg, struct raft_state_copy *c)
{
	struct raft_node *s = arg;
	s->o.copy_state(s->o.arg, c);
}

/* ---- status, and connections to all that are in it ---- */

static bool is_same_list(const struct raft_node_status *a, const struct raft_node_status *b)
{
	bool same = a->n_members == b->n_members;
	for (size_t i = 0; same && i < a->n_members; i++)
		same = a->members[i].id == b->members[i].id && a->members[i].role == b->members[i].role;
	return same;
}

static void forget_moved(struct raft_node *s, const struct raft_node_status *v)
{
	uint64_t ids[RAFT_MEMBERS_MAX];
	for (size_t i = 0; i < v->n_members; i++)
		ids[i] = v->members[i].id;
	moved_members(&s->moved, ids, v->n_members);
}

static void tell_members(const struct raft_node_status *v)
{
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < v->n_members; i++)
		strbuf_addf(&b, "%s%016" PRIx64 ":%s", i ? "," : "", v->members[i].id,
		        raft_host_role_name(v->members[i].role));
	log_info("raft", "members", "%s term=%" PRIu64 " commit_index=%" PRIu64 " committed=%s", strbuf_cstr(&b),
	        v->term, v->commit_index, v->is_changing ? "no" : "yes");
	strbuf_release(&b);
}

static void probe(struct raft_node *s, const struct raft_node_member *m)
{
	LOOP_CHECK_OWNER(&s->loop);
	struct peer_stats *p = peer_stats_of(&s->peers, m->id);
	uint64_t round = peer_stats_probe(&s->peers, p, histogram_now_ns());
	struct strbuf b = STRBUF_INIT;
	if (!round)
		return;
	message_encode_read(&b, s->o.id, s->o.address, MESSAGE_READ_PROBE, raft_host_term(s->host), round, false);
	if (!transport_send(s->transport, m->id, m->address, strbuf_slice(&b)))
		peer_stats_forget(p);
	strbuf_release(&b);
}

/* Connections and their numbers are the members', and nobody else's for long. */
static void keep_peers(struct raft_node *s, const struct raft_node_status *v)
{
	LOOP_CHECK_OWNER(&s->loop);
	uint64_t ids[RAFT_MEMBERS_MAX];
	for (size_t i = 0; i < v->n_members; i++) {
		const struct raft_node_member *m = &v->members[i];
		ids[i] = m->id;
		if (m->id == s->o.id)
			continue;
		transport_keep(s->transport, m->id, m->address);
		probe(s, m);
	}
	transport_members(s->transport, ids, v->n_members);
}

static void update_status(struct raft_node *s)
{
	LOOP_CHECK_OWNER(&s->loop);
	struct arena a = ARENA_INIT;
	struct raft_host_member *members;
	struct raft_node_status v = {.id = s->o.id,
	        .leader = raft_node_leader(s),
	        .term = raft_host_term(s->host),
	        .commit_index = raft_host_commit_index(s->host),
	        .applied_index = raft_host_applied_index(s->host),
	        .last_index = raft_host_last_index(s->host),
	        .is_leader = raft_host_is_leader(s->host),
	        .is_changing = raft_host_is_changing(s->host),
	        .is_disk_full = raft_host_is_disk_full(s->host)};
	v.is_fetching = s->fetcher && state_fetcher_progress(s->fetcher, &v.fetched_bytes, &v.fetch_bytes);
	v.n_members = raft_host_members(s->host, &a, &members);
	if (v.n_members > RAFT_MEMBERS_MAX)
		v.n_members = RAFT_MEMBERS_MAX;
	for (size_t i = 0; i < v.n_members; i++) {
		struct raft_node_member *m = &v.members[i];
		m->id = members[i].server.id;
		m->role = members[i].server.role;
		m->match_index = members[i].match_index;
		m->is_online = members[i].is_online;
		bool is_self_moved = m->id == s->o.id && s->o.follows_addresses;
		const char *address = is_self_moved ? s->o.address : members[i].server.address;
		snprintf(m->address, sizeof m->address, "%s", address_of(s, m->id, address));
		m->has_said_so = moved_has_said_so(&s->moved, m->id);
	}
	if (s->transport)
		keep_peers(s, &v);
	arena_release(&a);
	if (!is_same_list(&s->status, &v)) {
		forget_moved(s, &v);
		tell_members(&v);
	}
	pthread_mutex_lock(&s->status_lock);
	s->status = v;
	pthread_mutex_unlock(&s->status_lock);
}

void raft_node_refresh_status(struct raft_node *s)
{
	if (s->host)
		update_status(s);
}

const struct histogram *raft_node_log_syncs(const struct raft_node *s)
{
	return &s->log_syncs;
}

const struct peer_table *raft_node_peers(const struct raft_node *s)
{
	return &s->peers;
}

void raft_node_status(struct raft_node *s, struct raft_node_status *ret)
{
	pthread_mutex_lock(&s->status_lock);
	*ret = s->status;
	pthread_mutex_unlock(&s->status_lock);
}

/* ---- closing: hand over, close the host, then everything that holds connections or files ---- */

static void part_closed(void *arg)
{
	struct raft_node *s = arg;
	CHECK(s->closing && s->to_close > 0);
	if (--s->to_close == 0)
		loop_stop(&s->loop);
}

static void timer_closed(uv_handle_t *h)
{
	part_closed(h->data);
}

static void close_all(struct raft_node *s)
{
	LOOP_CHECK_OWNER(&s->loop);
	CHECK(!s->closing && s->host);
	s->closing = true;
	raft_host_close(s->host);
	s->host = NULL;
	LIST_FOREACH (l, &s->questions)
		conn_close(CONTAINER_OF(l, struct answering, link)->conn, 0);
	s->to_close = 2;
	uv_close((uv_handle_t *)&s->timer, timer_closed);
	if (s->transport) {
		s->to_close += 3;
		state_fetcher_close(s->fetcher, part_closed, s);
		state_exporter_close(s->exporter, part_closed, s);
		transport_close(s->transport, part_closed, s);
	}
	part_closed(s);
}

static bool has_successor(struct raft_node *s)
{
	LOOP_CHECK_OWNER(&s->loop);
	struct arena a = ARENA_INIT;
	struct raft_host_member *m;
	size_t n = raft_host_members(s->host, &a, &m);
	bool found = false;
	for (size_t i = 0; i < n; i++)
		found |= m[i].server.id != s->o.id && m[i].server.role == RAFT_HOST_VOTER && m[i].is_online;
	arena_release(&a);
	return found;
}

static void hand_over(void *arg)
{
	struct raft_node *s = arg;
	struct err err = ERR_INIT;
	if (raft_host_is_leader(s->host) && has_successor(s) && raft_host_transfer(s->host, 0, &err) == 0)
		s->handover_ticks = HANDOVER_TICKS;
	else
		close_all(s);
}

static bool still_handing_over(struct raft_node *s)
{
	CHECK(s->handover_ticks > 0 && s->host);
	s->handover_ticks--;
	return s->handover_ticks && (raft_host_is_leader(s->host) || raft_node_leader(s) == 0);
}

/* A server alone that leads has nobody to hear from: it looks at its own affairs now and then. */
static void set_period(struct raft_node *s)
{
	bool is_quiet = !s->handover_ticks && raft_host_is_alone(s->host) && raft_host_is_leader(s->host);
	unsigned ms = is_quiet ? ALONE_TICK_MS : RAFT_TICK_MS;
	if (ms == s->period_ms)
		return;
	s->period_ms = ms;
	uv_timer_set_repeat(&s->timer, ms);
	uv_timer_again(&s->timer);
}

static void tick(uv_timer_t *t)
{
	struct raft_node *s = t->data;
	raft_host_set_busy(s->host, s->exporter && state_exporter_is_busy(s->exporter));
	raft_host_tick(s->host);
	if (s->fetcher)
		state_fetcher_tick(s->fetcher);
	update_status(s);
	end_late_questions(s);
	s->since_tick_ms += s->period_ms;
	if (s->o.tick && s->since_tick_ms >= s->o.tick_ms) {
		s->since_tick_ms = 0;
		s->o.tick(s->o.arg);
	}
	set_period(s);
	if (s->handover_ticks && !still_handing_over(s))
		close_all(s);
}

static void stop_threads(struct raft_node *s)
{
	pthread_mutex_lock(&s->writer.lock);
	s->writer.stopping = true;
	pthread_cond_broadcast(&s->writer.wake);
	pthread_mutex_unlock(&s->writer.lock);
	pthread_join(s->writer.thread, NULL);
	CHECK(!s->writer.job && !s->writer.reported); /* the host waited for it when it closed */
	pool_free(s->pool);
}

void raft_node_close_loop(struct raft_node *s)
{
	if (s->is_running) {
		loop_call(&s->loop, hand_over, s);
		loop_join(&s->loop);
		stop_threads(s);
	} else {
		raft_host_close(s->host);
		s->host = NULL;
	}
}

void raft_node_free(struct raft_node *s)
{
	CHECK(!s->host && list_empty(&s->questions));
	if (s->is_prepared)
		loop_release(&s->loop);
	s->disk->v->free(s->disk);
	strbuf_release(&s->held);
	free((char *)s->o.folder);
	free((char *)s->o.address);
	free((char *)s->o.listen_host);
	free(s);
}

void raft_node_close(struct raft_node *s)
{
	raft_node_close_loop(s);
	raft_node_free(s);
}

/* ---- opening ---- */

int raft_node_open(const struct raft_node_options *o, struct raft_node **ret, struct err *err)
{
	CHECK(o->id != 0 && o->machine && o->folder && o->address);
	struct raft_node *s = xcalloc(1, sizeof *s);
	s->env.v = &env_vtable;
	list_init(&s->questions);
	s->o = *o;
	s->writer.done.run = job_done;
	pthread_mutex_init(&s->writer.lock, NULL);
	pthread_cond_init(&s->writer.wake, NULL);
	pthread_mutex_init(&s->status_lock, NULL);
	int rc = disk_posix_new(o->folder, &s->disk, err);
	if (rc != 0) {
		free(s);
		return rc;
	}
	histogram_init_doubling(&s->log_syncs, SYNC_FIRST_NS, SYNC_BOUNDS);
	disk_posix_measure(s->disk, &s->log_syncs);
	struct raft_host_config c = {.env = &s->env,
	        .disk = s->disk,
	        .machine = o->machine,
	        .id = o->id,
	        .address = o->address,
	        .election_ms = o->election_ms,
	        .heartbeat_ms = o->heartbeat_ms,
	        .install_ms = 30000,
	        .snapshot_entries = o->snapshot_entries ? o->snapshot_entries : UINT32_MAX,
	        .snapshot_trailing =
	                o->snapshot_entries && o->snapshot_entries < TRAILING_MAX ? o->snapshot_entries : TRAILING_MAX,
	        .snapshot_bytes = o->snapshot_bytes};
	rc = raft_host_open(&c, &s->host, err);
	if (rc != 0) {
		s->disk->v->free(s->disk);
		free(s);
		return rc;
	}
	s->o.folder = xstrdup(o->folder);
	s->o.address = xstrdup(o->address);
	s->o.listen_host = o->listen_host ? xstrdup(o->listen_host) : NULL;
	*ret = s;
	return 0;
}

int raft_node_bootstrap(struct raft_node *s, const struct raft_host_server *servers, size_t n, struct err *err)
{
	return raft_host_bootstrap(s->host, servers, n, err);
}

int raft_node_bootstrap_state(
        struct raft_node *s, const struct raft_host_server *servers, size_t n, struct slice descriptor, struct err *err)
{
	return raft_host_adopt_state(s->host, servers, n, descriptor, err);
}

bool raft_node_has_log(const struct raft_node *s)
{
	return raft_host_has_log(s->host);
}

struct starting {
	struct raft_node *server;
	struct err err;
};

static void start_on_loop(void *arg)
{
	struct starting *b = arg;
	struct raft_node *s = b->server;
	char path[4096];
	uv_timer_init(loop_uv(&s->loop), &s->timer);
	s->timer.data = s;
	if (s->o.listen_host) {
		struct transport_options t = {.loop = &s->loop,
		        .listen_host = s->o.listen_host,
		        .listen_port = s->o.listen_port,
		        .server_tls = s->o.server_tls,
		        .client_tls = s->o.access.client_tls,
		        .secret = s->o.access.secret,
		        .cluster_id = s->o.cluster_id,
		        .id = s->o.id,
		        .address = s->o.address,
		        .stats = &s->peers,
		        .on_message = on_message,
		        .on_visitor = on_visitor,
		        .on_unreachable = on_unreachable,
		        .on_greeted = on_greeted,
		        .arg = s};
		if (transport_new(&t, &s->transport, &b->err) != 0)
			return;
		s->port = transport_port(s->transport);
		snprintf(path, sizeof path, "%s/incoming.state", s->o.folder);
		s->exporter = state_exporter_new(&s->loop, s->pool, s->o.folder, s->o.state_bytes_per_s, copy_state, s);
		s->fetcher = state_fetcher_new(&s->loop, s->pool, s->transport, path, fetched, s);
	} else {
		s->port = 0;
	}
	if (raft_host_start(s->host, &b->err) != 0)
		return;
	s->period_ms = RAFT_TICK_MS;
	uv_timer_start(&s->timer, tick, 0, RAFT_TICK_MS);
	update_status(s);
}

void raft_node_prepare(struct raft_node *s)
{
	CHECK(!s->is_prepared);
	loop_init(&s->loop, "raft");
	s->is_prepared = true;
}

int raft_node_start(struct raft_node *s, struct err *err)
{
	struct starting b = {s, ERR_INIT};
	CHECK(!s->is_running && s->host);
	if (!s->is_prepared)
		raft_node_prepare(s);
	s->pool = pool_new("raft-files", 1, 64);
	CHECK(pthread_create(&s->writer.thread, NULL, writer_main, s) == 0);
	loop_start_thread(&s->loop);
	s->is_running = true;
	loop_call(&s->loop, start_on_loop, &b);
	*err = b.err;
	return b.err.code;
}

/* ---- for the store ---- */

uint64_t raft_node_leader(struct raft_node *s)
{
	return raft_host_leader(s->host);
}

struct loop *raft_node_loop(struct raft_node *s)
{
	return &s->loop;
}

struct raft_host *raft_node_host(struct raft_node *s)
{
	return s->host;
}

int raft_node_port(const struct raft_node *s)
{
	return s->port;
}

void raft_node_fetch_state(struct raft_node *s, uint64_t from, uint64_t min_index)
{
	LOOP_CHECK_OWNER(&s->loop);
	struct arena a = ARENA_INIT;
	const char *address = s->transport ? raft_host_address(s->host, from, &a) : NULL;
	if (address)
		state_fetcher_want(s->fetcher, from, address_of(s, from, address), min_index);
	arena_release(&a);
}

bool raft_node_tell(struct raft_node *s, uint64_t to, struct slice message)
{
	LOOP_CHECK_OWNER(&s->loop);
	struct arena a = ARENA_INIT;
	struct strbuf b = STRBUF_INIT;
	uint32_t kind = APP_FRAME;
	const char *address = s->transport ? raft_host_address(s->host, to, &a) : NULL;
	bool sent = false;
	if (!address && s->transport && transport_address(s->transport, to)) /* it was removed: it may be told so */
		address = arena_strdup(&a, transport_address(s->transport, to));
	if (address) {
		strbuf_add(&b, &kind, sizeof kind);
		strbuf_add_slice(&b, message);
		sent = transport_send(s->transport, to, address_of(s, to, address), strbuf_slice(&b));
	}
	strbuf_release(&b);
	arena_release(&a);
	return sent;
}
