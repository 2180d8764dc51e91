/* The system keyspace: small state that is replicated and snapshotted with the data and is no part of etcd's keyspace.
 *
 * Entries in the memory table and in the table `sys`, and a version in `meta` that counts its changes (1 in a fresh
 * store). A change is a command like any other: all of its entries or none, refused when the version is not the one it
 * was made for. Other commands may name the version too, and are refused when it has moved on: so a permission that was
 * judged before a command was handed in still holds when it is carried out. The rolling hash covers the changes.
 *
 * One setting is known here: that which holds writes back (engine.h). It is a part of the state like all else, so every
 * server holds back the same commands, wherever one crashes. */
#include "store/machine/system.h"

#include "base/check.h"
#include "base/limits.h"
#include "store/machine/hash.h"
#include "store/machine/change.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

bool system_expected(const struct meta *m, struct store_request *req)
{
	if (req->system_version_expected == 0 || req->system_version_expected == m->system_version)
		return true;
	req->cause = STORE_CAUSE_SYSTEM_CHANGED;
	err_set(&req->err, ERR_CONFLICT,
	        "the system's settings changed meanwhile (version %" PRId64 ", not %" PRId64 ")", m->system_version,
	        req->system_version_expected);
	return false;
}

/* What needs no state. */
int system_check(struct store_request *req)
{
	size_t bytes = 0;
	for (size_t i = 0; i < req->system.n_changes; i++) {
		const struct store_system_entry *x = &req->system.changes[i];
		bytes += x->key.len + x->value.len;
		if (x->key.len == 0) {
			req->cause = STORE_CAUSE_EMPTY_KEY;
			return err_set(&req->err, ERR_INVAL, "the key of a setting is empty");
		}
	}
	if (bytes > STORE_REQUEST_BYTES_MAX)
		return err_set(&req->err, ERR_TOO_BIG, "settings of more than %u bytes", STORE_REQUEST_BYTES_MAX);
	return 0;
}

/* ---- holding writes back ---- */

static int64_t lease_of_hold(struct slice value)
{
	char digits[STORE_HOLD_ID_DIGITS + 1] = "";
	if (value.len < STORE_HOLD_ID_DIGITS)
		return 0;
	memcpy(digits, value.ptr, STORE_HOLD_ID_DIGITS);
	return (int64_t)strtoull(digits, NULL, 16);
}

static void set_hold(struct machine *m, struct slice value)
{
	struct slice why = value;
	m->hold = (struct machine_hold){.is_on = true, .lease = lease_of_hold(value)};
	if (why.len > STORE_HOLD_ID_DIGITS) {
		why.ptr += STORE_HOLD_ID_DIGITS + 1;
		why.len -= STORE_HOLD_ID_DIGITS + 1;
	}
	snprintf(m->hold.why, sizeof m->hold.why, "%.*s", SLICE_FMT(why));
}

int system_load_hold(struct machine *m, struct err *err)
{
	m->hold = (struct machine_hold){0};
	sqlite3_stmt *s = db_stmt(&m->tables, DB_SYS_FROM);
	db_bind_slice(s, 1, SLICE(STORE_HOLD_KEY));
	int rc = db_step(&m->tables, s, err, "read the settings");
	if (rc == 1 && slice_is(db_column_slice(s, 0), STORE_HOLD_KEY))
		set_hold(m, db_column_slice(s, 1));
	db_done(s);
	return rc < 0 ? rc : 0;
}

static bool ends_hold(const struct machine *m, const struct store_request *req)
{
	if (req->type == STORE_REQUEST_LEASE_REVOKE)
		return m->hold.lease != 0 && req->lease.id == m->hold.lease;
	for (size_t i = 0; req->type == STORE_REQUEST_SYSTEM && i < req->system.n_changes; i++)
		if (slice_is(req->system.changes[i].key, STORE_HOLD_KEY))
			return true;
	return false;
}

bool system_holds_back(const struct machine *m, struct store_request *req)
{
	if (!m->hold.is_on || ends_hold(m, req))
		return false;
	err_set(&req->err, ERR_UNAVAILABLE, "writes are held back: %s", m->hold.why);
	return true;
}

/* ---- changes ---- */

static void apply_entry(struct machine *m, const struct store_system_entry *x)
{
	CHECK(x->key.len > 0); /* system_check() */
	if (slice_is(x->key, STORE_HOLD_KEY) && x->is_delete)
		m->hold.is_on = false;
	else if (slice_is(x->key, STORE_HOLD_KEY))
		set_hold(m, x->value);
	machine_set_setting(m, x->key, x->value, x->is_delete);
	uint64_t h = hash_bytes(hash_word(m->meta.hash, x->is_delete), x->key);
	m->meta.hash = x->is_delete ? h : hash_bytes(h, x->value);
}

static void next_version(struct machine *m)
{
	int64_t version = ++m->meta.system_version;
	CHECK(version > 1); /* a fresh store has 1 */
	m->meta.hash = hash_word(m->meta.hash, (uint64_t)version);
}

void system_lease_gone(struct machine *m, int64_t lease)
{
	struct store_system_entry gone = {.key = SLICE(STORE_HOLD_KEY), .is_delete = true};
	if (!m->hold.is_on || m->hold.lease != lease)
		return;
	next_version(m);
	apply_entry(m, &gone);
}

/* A hold without an end is made on purpose only. */
static int check_hold(struct machine *m, struct store_request *req, struct err *err)
{
	for (size_t i = 0; i < req->system.n_changes; i++) {
		const struct store_system_entry *x = &req->system.changes[i];
		int64_t lease = slice_is(x->key, STORE_HOLD_KEY) && !x->is_delete ? lease_of_hold(x->value) : 0;
		int rc = lease ? lease_exists(&m->view, lease, err) : 1;
		if (rc < 0)
			return rc;
		if (rc == 0) {
			req->cause = STORE_CAUSE_LEASE_NOT_FOUND;
			err_set(&req->err, ERR_NOT_FOUND, "the lease that the hold would go with is not there");
			return 0;
		}
	}
	return 0;
}

int system_apply(struct machine *m, struct store_request *req, struct err *err)
{
	struct store_system_args *a = &req->system;
	a->version = m->meta.system_version;
	if (a->expect_version != STORE_SYSTEM_ANY && a->expect_version != a->version) {
		req->cause = STORE_CAUSE_SYSTEM_CHANGED;
		err_set(&req->err, ERR_CONFLICT,
		        "the system's settings changed meanwhile (version %" PRId64 ", not %" PRId64 ")", a->version,
		        a->expect_version);
		return 0;
	}
	int rc = check_hold(m, req, err);
	if (rc < 0 || req->err.code)
		return rc;
	next_version(m);
	a->version = m->meta.system_version;
	for (size_t i = 0; i < a->n_changes; i++)
		apply_entry(m, &a->changes[i]);
	return 0;
}

static struct slice kept(struct arena *a, struct slice s)
{
	return (struct slice){arena_memdup(a, s.ptr, s.len), s.len};
}

static bool has_prefix(struct slice key, struct slice prefix)
{
	return key.len >= prefix.len && slice_eq((struct slice){key.ptr, prefix.len}, prefix);
}

struct entries {
	struct store_system_entry *list;
	size_t n, cap;
	struct arena *arena;
};

static void add_entry(struct entries *e, struct slice key, struct slice value)
{
	if (e->n == e->cap)
		e->list = xrealloc(e->list, (e->cap = e->cap ? e->cap * 2 : 16) * sizeof *e->list);
	e->list[e->n++] = (struct store_system_entry){.key = kept(e->arena, key), .value = kept(e->arena, value)};
}

/* What memory knows of a setting; NULL: nothing. */
static const struct mem_version *in_memory(const struct store_view *v, struct slice key)
{
	const struct mem_version *m = NULL;
	for (unsigned i = 0; i < v->mem.n_layers && !m; i++)
		m = mem_segment_find(v->mem.layers[i], MEM_SETTINGS, key, v->mem.change_max);
	return m;
}

/* Those of SQLite that memory does not know of. */
static int read_db(struct store_view *v, struct slice prefix, struct entries *e, struct err *err)
{
	struct db *db = store_view_db(v, err);
	int rc;
	if (!db)
		return err->code;
	sqlite3_stmt *s = db_stmt(db, DB_SYS_FROM);
	db_bind_slice(s, 1, prefix);
	while ((rc = db_step(db, s, err, "read the settings")) == 1) {
		struct slice key = db_column_slice(s, 0);
		if (!has_prefix(key, prefix))
			break;
		if (!in_memory(v, key))
			add_entry(e, key, db_column_slice(s, 1));
	}
	if (rc >= 0)
		db_done(s);
	return rc < 0 ? rc : 0;
}

/* Those of memory, each from the newest segment that knows it. */
static void read_memory(struct store_view *v, struct slice prefix, struct entries *e)
{
	for (unsigned i = 0; i < v->mem.n_layers; i++) {
		const struct mem_node *n = mem_segment_seek(v->mem.layers[i], MEM_SETTINGS, prefix);
		for (; n && has_prefix(n->key, prefix); n = mem_node_next(n)) {
			const struct mem_version *m = mem_node_version(n, v->mem.change_max);
			if (m && m == in_memory(v, n->key) && m->version > 0)
				add_entry(e, n->key, m->value);
		}
	}
}

static int compare_entries(const void *a, const void *b)
{
	return slice_cmp(((const struct store_system_entry *)a)->key, ((const struct store_system_entry *)b)->key);
}

void system_read(struct store_view *v, struct store_request *req)
{
	struct store_system_args *a = &req->system;
	struct entries e = {.arena = &req->answer};
	if (read_db(v, a->prefix, &e, &req->err) == 0)
		read_memory(v, a->prefix, &e);
	if (e.n)
		qsort(e.list, e.n, sizeof *e.list, compare_entries);
	for (size_t i = 1; i < e.n; i++)
		DCHECK(slice_cmp(e.list[i - 1].key, e.list[i].key) < 0); /* each setting once */
	a->version = v->meta.system_version;
	a->n_entries = e.n;
	a->entries = e.n ? (struct store_system_entry *)arena_memdup(&req->answer, e.list, e.n * sizeof *e.list) : NULL;
	free(e.list);
}
