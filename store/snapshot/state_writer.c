/* A database of ours from versions that somebody else kept: etcd's (snapshot_etcd.c), kine's (kine.c). They come in the
 * order of their revisions; each version's predecessor is the version of its key that came before it. */
#include "store/snapshot/state_writer_int.h"

#include "base/check.h"
#include "store/snapshot/snapshot_int.h"

#include <unistd.h>

static int put_current(struct state_writer *w, const struct store_kv *kv, int64_t id, struct err *err)
{
	sqlite3_stmt *s = db_stmt(&w->db, DB_CUR_SET);
	db_bind_slice(s, 1, kv->key);
	sqlite3_bind_int64(s, 2, id);
	sqlite3_bind_int64(s, 3, kv->create_revision);
	sqlite3_bind_int64(s, 4, kv->version);
	sqlite3_bind_int64(s, 5, kv->lease);
	return db_run(&w->db, s, err, "write a key");
}

int state_writer_put(struct state_writer *w, const struct store_kv *kv, int64_t revision, int64_t sub, struct err *err)
{
	struct row old = {0};
	struct store_view v = {.db = &w->db};
	int64_t id = ROW_ID(revision) | sub;
	CHECK(id > w->previous);
	int found = row_newest(&v, kv->key, &old, err);
	if (found < 0)
		return found;
	if (!found)
		old = (struct row){0};
	CHECK(old.id < id);
	struct version_row row = {.id = id,
	        .prev = old.id,
	        .created = kv->create_revision,
	        .version = kv->version,
	        .lease = kv->lease,
	        .key = kv->key,
	        .value = kv->version ? kv->value : SLICE_NULL};
	if (version_writer_add(&w->versions, &row, err) != 0)
		return err->code;
	w->previous = id;
	w->meta.revision = revision;
	w->meta.keys += (kv->version > 0) - (old.version > 0);
	return put_current(w, kv, id, err);
}

/* One file that is written once: no write-ahead log, no syncs; who takes it over syncs it. */
int state_writer_open(struct state_writer *w, const char *path, struct err *err)
{
	static const char setup[] = "PRAGMA journal_mode = DELETE; PRAGMA synchronous = OFF; BEGIN IMMEDIATE";
	*w = (struct state_writer){.path = path};
	unlink(path);
	int rc = db_open(&w->db, path, DB_WRITER, err);
	if (rc != 0)
		return rc;
	w->is_open = true;
	w->db.is_writer = false; /* a failure here is no reason to stop a process */
	w->versions = (struct version_writer){.db = &w->db};
	rc = snapshot_exec(w->db.handle, setup, path, err);
	return rc == 0 ? meta_load(&w->db, &w->meta, err) : rc;
}

int state_writer_close(struct state_writer *w, int rc, struct err *err)
{
	if (!w->is_open)
		return rc;
	if (rc == 0)
		rc = version_writer_end(&w->versions, err);
	version_writer_release(&w->versions);
	if (rc == 0)
		rc = meta_save(&w->db, &w->meta, err);
	if (rc == 0)
		rc = snapshot_exec(w->db.handle, "COMMIT", w->path, err);
	db_rollback(&w->db);
	db_close(&w->db);
	if (rc != 0)
		unlink(w->path);
	return rc;
}
