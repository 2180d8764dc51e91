/* Taking over what etcd keeps: the versions, leases and compaction of a bbolt file become a database of ours.
 *
 * etcd's bucket "key" maps revisions (8 bytes main, '_', 8 bytes sub, and 't' behind a deletion) to mvccpb.KeyValue; in
 * order of keys that is the log of changes, which is what our blocks of versions are too. Each version's predecessor is
 * the version of its key that came before it. "lease" holds leasepb.Lease by id, "meta" the revisions up to which
 * compaction was asked for and done; what it had not removed yet is taken over as well and removed by our own.
 * Everything keeps its revision, version and lease, so reads and watches from old revisions give what they gave there.
 *
 * Users and roles come along (snapshot_users.c). What is left out: members (a new cluster begins) and alarms. etcd is
 * known to lose leases that keys still name, and then keeps such keys for ever; they stay here too, without a lease. */
#include "store/snapshot/snapshot_int.h"

#include "base/check.h"
#include "store/snapshot/bbolt_int.h"
#include "store/snapshot/state_writer_int.h"
#include "store/machine/read/range.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REVISION_BYTES = 17 };

struct import {
	struct state_writer w;
	struct store_file_info *info;
};

/* ---- protobuf, as much as is needed ---- */

struct field {
	uint32_t number;
	uint64_t value;
	struct slice bytes;
};

static bool read_number(struct slice *in, uint64_t *ret)
{
	uint64_t n = 0;
	for (unsigned shift = 0; shift < 64 && in->len; shift += 7) {
		unsigned char c = (unsigned char)*in->ptr++;
		in->len--;
		n |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80) {
			*ret = n;
			return true;
		}
	}
	return false;
}

/* 1: a field; 0: the end; -1: not protobuf. */
static int read_field(struct slice *in, struct field *f)
{
	uint64_t tag, n;
	*f = (struct field){0};
	if (!in->len)
		return 0;
	if (!read_number(in, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
		return -1;
	f->number = (uint32_t)(tag >> 3);
	switch (tag & 7) {
	case 0:
		return read_number(in, &f->value) ? 1 : -1;
	case 2:
		if (!read_number(in, &n) || n > in->len)
			return -1;
		break;
	case 1:
		n = 8;
		break;
	case 5:
		n = 4;
		break;
	default:
		return -1;
	}
	if (n > in->len)
		return -1;
	f->bytes = (struct slice){in->ptr, (size_t)n};
	in->ptr += n;
	in->len -= (size_t)n;
	return 1;
}

static int parse_pair(struct slice in, struct store_kv *kv)
{
	struct field f;
	int rc;
	*kv = (struct store_kv){.key = SLICE(""), .value = SLICE("")};
	while ((rc = read_field(&in, &f)) == 1)
		switch (f.number) {
		case 1:
			kv->key = f.bytes;
			break;
		case 2:
			kv->create_revision = (int64_t)f.value;
			break;
		case 3:
			kv->mod_revision = (int64_t)f.value;
			break;
		case 4:
			kv->version = (int64_t)f.value;
			break;
		case 5:
			kv->value = f.bytes;
			break;
		case 6:
			kv->lease = (int64_t)f.value;
			break;
		}
	return rc;
}

/* ---- versions ---- */

static int64_t big_endian(const char *p)
{
	uint64_t n = 0;
	for (int i = 0; i < 8; i++)
		n = n << 8 | (unsigned char)p[i];
	return (int64_t)n;
}

static bool parse_revision(struct slice key, int64_t *main, int64_t *sub, bool *is_deletion)
{
	*is_deletion = key.len == REVISION_BYTES + 1 && key.ptr[REVISION_BYTES] == 't';
	if ((key.len != REVISION_BYTES && !*is_deletion) || key.ptr[8] != '_')
		return false;
	*main = big_endian(key.ptr);
	*sub = big_endian(key.ptr + 9);
	return *main > 0 && *main < INT64_MAX >> SUB_BITS && *sub >= 0 && *sub < SUB_MAX;
}

static int take_version(void *arg, struct slice key, struct slice value, struct err *err)
{
	struct import *x = arg;
	struct store_kv kv;
	int64_t main, sub;
	bool is_deletion;
	if (!parse_revision(key, &main, &sub, &is_deletion))
		return err_set(err, ERR_CORRUPT, "a revision of etcd that does not read (%zu bytes)", key.len);
	if (parse_pair(value, &kv) != 0 || !kv.key.len)
		return err_set(err, ERR_CORRUPT, "the pair of revision %" PRId64 " does not read", main);
	if ((ROW_ID(main) | sub) <= x->w.previous)
		return err_set(err, ERR_CORRUPT, "revision %" PRId64 " is there twice", main);
	if (is_deletion)
		kv = (struct store_kv){.key = kv.key, .value = SLICE("")};
	else if (kv.version < 1 || kv.mod_revision != main || kv.create_revision < 1 || kv.create_revision > main)
		return err_set(err, ERR_CORRUPT, "the pair of revision %" PRId64 " does not fit it", main);
	x->info->versions++;
	return state_writer_put(&x->w, &kv, main, sub, err);
}

/* ---- the rest ---- */

static int take_lease(void *arg, struct slice key, struct slice value, struct err *err)
{
	struct import *x = arg;
	struct field f;
	int64_t id = 0, ttl = 0;
	int rc;
	while ((rc = read_field(&value, &f)) == 1) {
		id = f.number == 1 ? (int64_t)f.value : id;
		ttl = f.number == 2 ? (int64_t)f.value : ttl;
	}
	if (rc < 0 || key.len != 8 || id != big_endian(key.ptr) || id == 0 || ttl < 1)
		return err_set(err, ERR_CORRUPT, "a lease of etcd that does not read");
	sqlite3_stmt *s = db_stmt(&x->w.db, DB_LEASE_SET);
	sqlite3_bind_int64(s, 1, id);
	sqlite3_bind_int64(s, 2, ttl);
	return db_run(&x->w.db, s, err, "write a lease");
}

static int take_meta(void *arg, struct slice key, struct slice value, struct err *err)
{
	struct import *x = arg;
	if (!slice_is(key, "finishedCompactRev") && !slice_is(key, "scheduledCompactRev"))
		return 0;
	if (value.len < REVISION_BYTES || big_endian(value.ptr) < 0)
		return err_set(err, ERR_CORRUPT, "etcd's \"%.*s\" does not read", SLICE_FMT(key));
	int64_t revision = big_endian(value.ptr);
	x->w.meta.compacted = revision > x->w.meta.compacted ? revision : x->w.meta.compacted;
	return 0;
}

static int take_bucket(struct import *x, const struct bbolt *b, const char *name, bool needed,
        int (*fn)(void *arg, struct slice key, struct slice value, struct err *err), struct err *err)
{
	struct bbolt_bucket bucket = {0};
	int rc = bbolt_bucket(b, slice_of(name), &bucket, err);
	if (rc == 0 && needed)
		return err_set(err, ERR_CORRUPT, "it has no bucket \"%s\": it is not of etcd", name);
	return rc == 1 ? bbolt_each(b, &bucket, fn, x, err) : rc;
}

/* The version loses its lease, in a block that is written again. Ids rise: while they lie in the block at hand, that is
 * changed only. */
struct unlease {
	struct db *db;
	struct version_block block; /* empty: none */
};

static int write_unleased(struct unlease *u, struct err *err)
{
	struct version_writer w = {.db = u->db};
	for (unsigned i = 1; i < u->block.n; i++)
		CHECK(u->block.rows[i - 1].id < u->block.rows[i].id);
	int rc = u->block.n ? version_block_drop(u->db, u->block.rows[0].id, err) : 0;
	for (unsigned i = 0; i < u->block.n && rc == 0; i++)
		rc = version_writer_add(&w, &u->block.rows[i], err);
	if (rc == 0)
		rc = version_writer_end(&w, err);
	version_writer_release(&w);
	u->block.n = 0;
	return rc;
}

static int unlease(struct unlease *u, int64_t id, struct err *err)
{
	int rc = 0;
	if (!u->block.n || u->block.rows[u->block.n - 1].id < id) {
		rc = write_unleased(u, err);
		if (rc == 0)
			rc = version_block_get(u->db, VERSION_AT, id, &u->block, err);
		if (rc < 0)
			return rc;
	}
	for (unsigned i = 0; i < u->block.n; i++)
		if (u->block.rows[i].id == id)
			u->block.rows[i].lease = 0;
	return 0;
}

static int unlease_all(struct unlease *u, struct err *err)
{
	static const char sql[] =
	        "SELECT id FROM cur WHERE version > 0 AND lease <> 0 AND lease NOT IN (SELECT id FROM "
	        "lease) ORDER BY id";
	sqlite3_stmt *s = NULL;
	int rc = sqlite3_prepare_v2(u->db->handle, sql, -1, &s, NULL);
	if (rc != SQLITE_OK)
		return db_fail(u->db, rc, err, "look for lost leases");
	while ((rc = db_step(u->db, s, err, "look for lost leases")) == 1)
		if ((rc = unlease(u, sqlite3_column_int64(s, 0), err)) != 0)
			break;
	sqlite3_finalize(s);
	return rc == 0 ? write_unleased(u, err) : rc;
}

static int drop_lost_leases(struct import *x, const char *path, struct err *err)
{
	static const char count[] =
	        "SELECT count(*) FROM cur WHERE version > 0 AND lease <> 0 AND lease NOT IN (SELECT "
	        "id FROM lease)";
	static const char fix[] =
	        "UPDATE cur SET lease = 0 WHERE version > 0 AND lease <> 0 AND lease NOT IN (SELECT id "
	        "FROM lease)";
	struct unlease u = {.db = &x->w.db};
	x->info->leaseless = snapshot_query(&x->w.db, count, err);
	if (err->code || !x->info->leaseless)
		return err->code;
	int rc = unlease_all(&u, err);
	version_block_release(&u.block);
	return rc == 0 ? snapshot_exec(x->w.db.handle, fix, path, err) : rc;
}

static int take_versions(struct import *x, const struct bbolt *b, struct err *err)
{
	int rc = take_bucket(x, b, "key", true, take_version, err);
	return rc == 0 ? version_writer_end(&x->w.versions, err) : rc;
}

static int take_all(struct import *x, const struct bbolt *b, const char *path, struct err *err)
{
	if (take_versions(x, b, err) != 0 || take_bucket(x, b, "lease", false, take_lease, err) != 0 ||
	        take_bucket(x, b, "meta", true, take_meta, err) != 0 ||
	        snapshot_users_from_etcd(&x->w.db, b, &x->info->users, err) != 0 || drop_lost_leases(x, path, err) != 0)
		return err->code;
	CHECK(x->w.meta.keys >= 0);
	x->w.meta.system_version++;
	if (x->w.meta.revision < x->w.meta.compacted)
		x->w.meta.revision = x->w.meta.compacted;
	x->w.meta.trimmed = 0; /* what etcd's compaction had left is ours to remove */
	return 0;
}

int snapshot_from_etcd(
        const char *path, int64_t bytes, const char *db_path, struct store_file_info *info, struct err *err)
{
	struct import x = {.info = info};
	struct bbolt b;
	if (bbolt_open(path, bytes, &b, err) != 0)
		return err->code;
	int rc = state_writer_open(&x.w, db_path, err);
	if (rc == 0)
		rc = take_all(&x, &b, db_path, err);
	rc = state_writer_close(&x.w, rc, err);
	if (rc != 0)
		err_wrap(err, "%s", path);
	bbolt_close(&b);
	return rc;
}
