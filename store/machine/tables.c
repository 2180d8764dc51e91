/* Changing the tables: versions of keys, the newest row of each, and what follows from it (events, counters, the
 * rolling hash). A command calls this only when it is certain to go through: only a failing disk stops it half way, and
 * then the transaction is rolled back. */
#include "store/machine/tables.h"

#include "base/check.h"
#include "store/machine/hash.h"

#include <stdlib.h>

/* The id of the next row of the command at hand; its first one raises the revision. */
static int64_t next_id(struct machine *m)
{
	if (!m->writing) {
		m->writing = true;
		m->sub = 0;
		m->meta.revision++;
	}
	CHECK(m->sub < m->rows_max); /* counted when it was decided */
	return ROW_ID(m->meta.revision) + m->sub++;
}

/* Adds a version of a key to the log, makes it the newest, and records the event. version 0: a deletion. */
static int write_row(struct machine *m, const struct store_kv *kv, int64_t id, int64_t prev_id,
        const struct store_kv *prev, struct err *err)
{
	CHECK(kv->key.len > 0 && kv->version >= 0 && kv->mod_revision == m->meta.revision);
	CHECK(id > prev_id && ROW_REVISION(id) == m->meta.revision);
	sqlite3_stmt *s = db_stmt(&m->db, DB_REV_ADD);
	sqlite3_bind_int64(s, 1, id);
	db_bind_slice(s, 2, kv->key);
	sqlite3_bind_int64(s, 3, prev_id);
	sqlite3_bind_int64(s, 4, kv->create_revision);
	sqlite3_bind_int64(s, 5, kv->version);
	sqlite3_bind_int64(s, 6, kv->lease);
	db_bind_slice(s, 7, kv->value);
	int rc = db_run(&m->db, s, err, "write a version");
	if (rc != 0)
		return rc;
	s = db_stmt(&m->db, DB_CUR_SET);
	db_bind_slice(s, 1, kv->key);
	sqlite3_bind_int64(s, 2, id);
	sqlite3_bind_int64(s, 3, kv->create_revision);
	sqlite3_bind_int64(s, 4, kv->version);
	sqlite3_bind_int64(s, 5, kv->lease);
	rc = db_run(&m->db, s, err, "write a key");
	if (rc != 0)
		return rc;
	uint64_t h = hash_word(m->meta.hash, (uint64_t)id);
	h = hash_word(h, (uint64_t)kv->version);
	h = hash_word(h, (uint64_t)kv->lease);
	m->meta.hash = hash_bytes(hash_bytes(h, kv->key), kv->value);
	if (!m->block)
		m->block = event_block_new(m->collect_prev);
	m->block->has_prev &= m->collect_prev;
	event_block_add(m->block, kv->version == 0, kv, prev);
	return 0;
}

int machine_put(
        struct machine *m, const struct store_put *p, struct store_result *res, struct arena *a, struct err *err)
{
	struct row old = {0};
	struct store_kv prev;
	struct store_kv kv = {.key = p->key, .value = p->value, .lease = p->lease};
	int rc = row_newest(&m->db, p->key, &old, err);
	if (rc < 0)
		return rc;
	bool lives = rc == 1 && old.version > 0;
	bool want_old = lives && (p->prev_kv || p->ignore_value || m->collect_prev);
	if (want_old && (rc = row_pair(&m->db, old.id, p->key, a, &prev, err)) < 0)
		return rc;
	if (lives && p->ignore_value)
		kv.value = prev.value;
	if (lives && p->ignore_lease)
		kv.lease = old.lease;
	int64_t id = next_id(m);
	CHECK(m->writing && old.id < id);
	kv.mod_revision = m->meta.revision;
	kv.create_revision = lives ? old.created : kv.mod_revision;
	kv.version = lives ? old.version + 1 : 1;
	*res = (struct store_result){.type = STORE_OP_PUT};
	if (lives && p->prev_kv) {
		res->kvs = ARENA_NEW(a, struct store_kv);
		*res->kvs = prev;
		res->n_kvs = 1;
	}
	m->meta.keys += !lives;
	return write_row(m, &kv, id, old.id, want_old && m->collect_prev ? &prev : NULL, err);
}

int machine_delete_key(struct machine *m, struct slice key, struct err *err)
{
	struct row old;
	struct store_kv prev;
	struct arena a = ARENA_INIT;
	int rc = row_newest(&m->db, key, &old, err);
	if (rc <= 0 || old.version == 0)
		return rc < 0 ? rc : 0;
	if (m->collect_prev && (rc = row_pair(&m->db, old.id, key, &a, &prev, err)) < 0)
		goto out;
	int64_t id = next_id(m);
	struct store_kv kv = {.key = key, .mod_revision = m->meta.revision};
	m->meta.keys--;
	rc = write_row(m, &kv, id, old.id, m->collect_prev ? &prev : NULL, err);
out:
	arena_release(&a);
	return rc;
}

int machine_lease_exists(struct db *db, int64_t id, struct err *err)
{
	sqlite3_stmt *s = db_stmt(db, DB_LEASE_GET);
	sqlite3_bind_int64(s, 1, id);
	int rc = db_step(db, s, err, "look up a lease");
	if (rc >= 0)
		db_done(s);
	return rc;
}
