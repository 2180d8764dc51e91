/* The system keyspace: small state that is replicated and snapshotted with the data and is no part of etcd's keyspace.
 *
 * One table, `sys`, and a version in `meta` that counts its changes (1 in a fresh store). A change is a command like
 * any other: all of its entries or none, refused when the version is not the one it was made for. Other commands may
 * name the version too, and are refused when it has moved on: so a permission that was judged before a command was
 * handed in still holds when it is carried out. The rolling hash covers the changes. */
#include "store/machine/system.h"

#include "base/limits.h"
#include "store/machine/hash.h"
#include "store/machine/tables.h"

#include <inttypes.h>
#include <stdlib.h>

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

static int apply_entry(struct machine *m, const struct store_system_entry *x, struct err *err)
{
	sqlite3_stmt *s = db_stmt(&m->db, x->is_delete ? DB_SYS_DROP : DB_SYS_SET);
	db_bind_slice(s, 1, x->key);
	if (!x->is_delete)
		db_bind_slice(s, 2, x->value);
	uint64_t h = hash_bytes(hash_word(m->meta.hash, x->is_delete), x->key);
	m->meta.hash = x->is_delete ? h : hash_bytes(h, x->value);
	return db_run(&m->db, s, err, "write a setting");
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
	a->version = ++m->meta.system_version;
	m->meta.hash = hash_word(m->meta.hash, (uint64_t)a->version);
	int rc = 0;
	for (size_t i = 0; i < a->n_changes && rc == 0; i++)
		rc = apply_entry(m, &a->changes[i], err);
	return rc;
}

static struct slice kept(struct arena *a, struct slice s)
{
	return (struct slice){arena_memdup(a, s.ptr, s.len), s.len};
}

void system_read(struct db *db, const struct meta *meta, struct store_request *req)
{
	struct store_system_args *a = &req->system;
	struct store_system_entry *list = NULL;
	size_t n = 0, cap = 0;
	int rc;
	sqlite3_stmt *s = db_stmt(db, DB_SYS_FROM);
	db_bind_slice(s, 1, a->prefix);
	while ((rc = db_step(db, s, &req->err, "read the settings")) == 1) {
		struct slice key = db_column_slice(s, 0);
		if (key.len < a->prefix.len || !slice_eq((struct slice){key.ptr, a->prefix.len}, a->prefix))
			break;
		if (n == cap)
			list = xrealloc(list, (cap = cap ? cap * 2 : 16) * sizeof *list);
		list[n++] = (struct store_system_entry){
		        .key = kept(&req->answer, key), .value = kept(&req->answer, db_column_slice(s, 1))};
	}
	if (rc >= 0)
		db_done(s);
	a->version = meta->system_version;
	a->n_entries = n;
	a->entries = n ? (struct store_system_entry *)arena_memdup(&req->answer, list, n * sizeof *list) : NULL;
	free(list);
}
