/* From the shared log into the state. The log thread reads entries and applies them as a batch, in their order;
 * requests of this server that an entry carries are carried out from themselves and then hold their answers, all others
 * from the bytes in the log: both say the same.
 *
 * An entry that tells of who leads says what the writer's state was after an earlier entry, as a hash: a copy that
 * was something else then is broken, or of a log that has been set back and has grown again.
 *
 * What can go wrong: the next entry is gone (others went on without this server: the snapshot is taken instead); a
 * command does not decode (this program is older than the one that wrote it: stop); this server's disk is full (nothing
 * more is applied until there is room; who waits is told that it comes later). */
#include "store/engine/log_engine_int.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"

#include <inttypes.h>
#include <stdlib.h>

struct applying {
	struct log_engine *engine;
	struct list_link own; /* of struct log_waiting: carried out, to be answered */
	struct log_lease {
		bool is_grant;
		int64_t id, ttl_s;
	} * leases; /* of others */
	size_t n_leases, cap_leases;
	size_t bytes;
	struct err err; /* the copy does not fit */
};

/* ---- one command ---- */

static void note_lease(struct applying *a, const struct store_request *req)
{
	bool is_grant = req->type == STORE_REQUEST_LEASE_GRANT;
	if (req->err.code || !(is_grant || (req->type == STORE_REQUEST_LEASE_REVOKE && !req->lease.more)))
		return;
	if (a->n_leases == a->cap_leases)
		a->leases = xrealloc(a->leases, (a->cap_leases = 2 * a->cap_leases + 16) * sizeof *a->leases);
	a->leases[a->n_leases++] = (struct log_lease){is_grant, req->lease.id, req->lease.ttl_s};
}

/* Decided in an earlier term: an expiry, or what one server does for all. */
static bool is_void(struct log_engine *e, const struct command_head *head)
{
	return head->term && head->term != (uint64_t)e->core.machine.meta.applied_term;
}

/* own: who waits for it here, so that it gets the answer. */
static void apply_command(struct applying *a, struct slice bytes, struct store_request *own)
{
	struct machine *m = &a->engine->core.machine;
	struct store_request req = {0};
	struct command_head head;
	struct err err = ERR_INIT;
	if (!command_head_decode(bytes, &head) || (!own && command_decode(bytes, &head, &req, &err) != 0)) {
		log_error("store", "command not understood", "error=\"%s\"", err.msg);
		CHECK(!"a command in the log is not understood: start the newer program");
	}
	if (is_void(a->engine, &head)) {
		if (own)
			err_set(&own->err, ERR_CANCELED, "decided in an earlier term");
	} else if (own) {
		machine_apply(m, own);
	} else {
		machine_apply(m, &req);
		note_lease(a, &req);
	}
	store_request_release(&req);
}

/* ---- hashes ---- */

static void keep_hash(struct log_engine *e)
{
	unsigned at = e->n_hashes++ % LOG_HASHES_KEPT;
	e->hashes[at].index = log_applied(e);
	e->hashes[at].hash = e->core.machine.meta.hash;
}

static void compare_hash(struct applying *a, const struct log_item *item)
{
	struct log_engine *e = a->engine;
	for (unsigned i = 0; i < LOG_HASHES_KEPT && i < e->n_hashes; i++)
		if (e->hashes[i].index == (int64_t)item->index && e->hashes[i].hash != item->hash)
			err_set(&a->err, ERR_CORRUPT,
			        "the state after entry %" PRIu64 " is not what it is on the server that leads",
			        item->index);
}

/* ---- one entry ---- */

static void apply_item(
        struct applying *a, const struct shared_log_entry *entry, const struct log_item *item, bool is_own)
{
	struct log_engine *e = a->engine;
	struct log_waiting *own = NULL;
	int64_t ttl_s;
	if (is_own && (item->kind == LOG_ITEM_COMMAND || item->kind == LOG_ITEM_KEEP_ALIVE)) {
		CHECK(!list_empty(&e->flight.requests));
		own = CONTAINER_OF(list_pop_front(&e->flight.requests), struct log_waiting, link);
		CHECK(own->item.kind == item->kind);
		list_push_back(&a->own, &own->link);
	}
	if (item->kind == LOG_ITEM_COMMAND)
		apply_command(a, item->command, own ? own->req : NULL);
	else if (item->kind == LOG_ITEM_KEEP_ALIVE)
		lessor_keep_alive(&e->core.lessor, item->lease, &ttl_s);
	else
		log_role_heard(e, entry->origin, item);
	if (item->kind == LOG_ITEM_BEAT)
		compare_hash(a, item);
}

static void apply_entry(struct applying *a, const struct shared_log_entry *entry)
{
	struct log_engine *e = a->engine;
	struct log_entry_reader r;
	struct log_item item;
	struct err err = ERR_INIT;
	bool is_own = e->flight.is_out && entry->origin == e->origin && entry->sequence == e->flight.sequence;
	int rc = log_entry_open(&r, entry->bytes, &err);
	CHECK(entry->index > log_applied(e));
	while (rc == 0 && (rc = log_entry_next(&r, &item, &err)) > 0) {
		apply_item(a, entry, &item, is_own);
		rc = 0;
	}
	log_entry_close(&r);
	if (rc < 0) {
		log_error("store", "entry not understood", "index=%" PRId64 " error=\"%s\"", entry->index, err.msg);
		CHECK(!"an entry of the shared log is not understood: start the newer program");
	}
	if (is_own) {
		CHECK(list_empty(&e->flight.requests));
		e->flight.is_out = e->flight.is_there = false;
	}
	e->core.machine.meta.applied_index = entry->index;
	keep_hash(e);
	a->bytes += entry->bytes.len;
	e->log_bytes += entry->bytes.len;
	e->log_entries++;
}

/* ---- batches ---- */

static void tell_lessor(struct applying *a)
{
	struct engine_core *c = &a->engine->core;
	for (size_t i = 0; i < a->n_leases; i++)
		if (a->leases[i].is_grant)
			lessor_add(&c->lessor, a->leases[i].id, a->leases[i].ttl_s);
		else
			lessor_remove(&c->lessor, a->leases[i].id);
	LIST_FOREACH (l, &a->own) {
		struct store_request *req = CONTAINER_OF(l, struct log_waiting, link)->req;
		if (req && req->type != STORE_REQUEST_LEASE_KEEPALIVE)
			engine_core_tell_lessor(c, req);
	}
}

static void answer(struct applying *a)
{
	struct list_link *l;
	while ((l = list_pop_front(&a->own)) != NULL) {
		struct store_request *req = log_waiting_end(a->engine, CONTAINER_OF(l, struct log_waiting, link));
		if (!req)
			continue;
		if (req->type == STORE_REQUEST_LEASE_KEEPALIVE)
			engine_core_read(&a->engine->core, req, 0);
		else
			engine_core_answer(&a->engine->core, req);
	}
}

static bool is_stopping(struct log_engine *e)
{
	pthread_mutex_lock(&e->lock);
	bool stopping = e->stopping;
	pthread_mutex_unlock(&e->lock);
	return stopping;
}

/* Until the memory table has room. False: the store stops. */
static bool wait_for_room(struct log_engine *e)
{
	while (!flusher_make_room(&e->core.flusher)) {
		if (is_stopping(e))
			return false;
		if (!atomic_load(&e->core.flusher.is_stuck))
			continue;
		if (!atomic_exchange(&e->is_full, true))
			log_warn("store", "nothing more is applied", "error=\"the disk is full\" mend=\"make room\"");
		log_flight_end(e, ERR_TIMEOUT,
		        "this server's disk is full: it is decided, and is carried out when there is room");
	}
	if (atomic_exchange(&e->is_full, false))
		log_info("store", "applying goes on", "applied=%" PRId64, log_applied(e));
	return true;
}

static int apply_entries(struct log_engine *e, const struct shared_log_entry *entries, size_t n, struct err *err)
{
	struct applying a = {.engine = e};
	LOG_CHECK_OWNER(e);
	list_init(&a.own);
	if (!wait_for_room(e))
		return err_set(err, ERR_UNAVAILABLE, "the store is stopping");
	engine_core_begin(&e->core);
	for (size_t i = 0; i < n; i++)
		apply_entry(&a, &entries[i]);
	tell_lessor(&a);
	engine_core_tell(&e->core, a.bytes);
	log_role_show(e);
	answer(&a);
	free(a.leases);
	if (a.err.code)
		*err = a.err;
	return a.err.code;
}

int log_apply_own(struct log_engine *e, int64_t index, struct err *err)
{
	CHECK(e->flight.is_out && e->flight.is_there);
	struct shared_log_entry entry = {.index = index,
	        .origin = e->origin,
	        .sequence = e->flight.sequence,
	        .bytes = strbuf_slice(&e->flight.bytes)};
	if (index <= log_applied(e))
		return err_set(err, ERR_CORRUPT,
		        "the datastore has lost what it had: a new entry has the number %" PRId64 ", and %" PRId64
		        " was seen",
		        index, log_applied(e));
	return apply_entries(e, &entry, 1, err);
}

int log_catch_up(struct log_engine *e, struct err *err)
{
	for (;;) {
		struct arena a = ARENA_INIT;
		struct shared_log_entry *entries;
		size_t n = 0;
		int rc = e->log->v->read(e->log, log_applied(e), &a, &entries, &n, err);
		bool was_compacted = rc == ERR_COMPACTED;
		if (was_compacted)
			rc = log_snapshot_install(e, err);
		else if (rc == 0 && n)
			rc = apply_entries(e, entries, n, err);
		arena_release(&a);
		if (rc != 0 || (!was_compacted && (n == 0 || !e->log->has_more)))
			return rc;
	}
}
