/* See state_file.h. Reading walks all kept versions in the order of their ids, and gives those that `cur` names: memory
 * does not grow with the state. Writing is state_writer.c's, with nothing of before. */
#include "store/snapshot/state_file.h"

#include "base/check.h"
#include "base/file/file_sync.h"
#include "store/machine/database/versions.h"
#include "store/snapshot/snapshot_int.h"
#include "store/snapshot/state_writer_int.h"

#include <inttypes.h>
#include <stdlib.h>

/* ---- the way in ---- */

/* 1: this version is its key's newest; 0; negative. */
static int is_newest(struct db *db, const struct version_row *v, struct err *err)
{
	CHECK(v->version != 0); /* a deletion is no version that `cur` names */
	sqlite3_stmt *s = db_stmt(db, DB_CUR_GET);
	db_bind_slice(s, 1, v->key);
	int rc = db_step(db, s, err, "read the keys");
	if (rc == 1)
		rc = sqlite3_column_int64(s, 0) == v->id;
	db_done(s);
	return rc;
}

static int each(
        struct db *db, int (*row)(void *arg, const struct store_kv *kv, struct err *err), void *arg, struct err *err)
{
	struct version_walk w;
	const struct version_row *v;
	int rc;
	version_walk_open(&w, db, 0);
	while ((rc = version_walk_next(&w, &v, err)) == 1) {
		int newest = v->version ? is_newest(db, v, err) : 0;
		struct store_kv kv = {.key = v->key,
		        .value = v->value,
		        .create_revision = v->created,
		        .mod_revision = ROW_REVISION(v->id),
		        .version = v->version,
		        .lease = v->lease};
		if (newest < 0 || (newest && row(arg, &kv, err) != 0)) {
			rc = err->code;
			break;
		}
	}
	version_walk_close(&w);
	return rc;
}

int state_file_each(const char *path, int (*row)(void *arg, const struct store_kv *kv, struct err *err), void *arg,
        int64_t *ret_revision, struct err *err)
{
	struct db db;
	if (snapshot_open(path, false, &db, err) != 0)
		return err->code;
	int rc = db_begin_read(&db, err);
	if (rc == 0) {
		*ret_revision = snapshot_query(&db, "SELECT revision FROM meta", err);
		rc = err->code ? err->code : each(&db, row, arg, err);
		db_end_read(&db);
	}
	db_close(&db);
	return rc;
}

/* ---- the way out ---- */

struct state_out {
	struct state_writer w;
	char *path;
	int64_t sub; /* of keys of the same revision */
};

int state_out_open(const char *path, struct state_out **ret, struct err *err)
{
	struct state_out *o = xcalloc(1, sizeof *o);
	o->path = xstrdup(path);
	int rc = state_writer_open(&o->w, o->path, err);
	if (rc != 0) {
		state_writer_close(&o->w, rc, err);
		free(o->path);
		free(o);
		return rc;
	}
	*ret = o;
	return 0;
}

int state_out_put(struct state_out *o, const struct store_kv *kv, struct err *err)
{
	o->sub = kv->mod_revision == o->w.meta.revision ? o->sub + 1 : 0;
	if (o->sub >= SUB_MAX || kv->mod_revision < o->w.meta.revision)
		return err_set(err, ERR_CORRUPT, "revision %" PRId64 " comes too late, or has too many keys",
		        kv->mod_revision);
	return state_writer_put(&o->w, kv, kv->mod_revision, o->sub, err);
}

int state_out_close(struct state_out *o, int64_t revision, int rc, struct err *err)
{
	struct meta *m = &o->w.meta;
	CHECK(rc != 0 || revision >= m->revision);
	m->revision = revision > 1 ? revision : 1;
	m->compacted = m->revision > 1 ? m->revision : 0;
	m->trimmed = 0;
	rc = state_writer_close(&o->w, rc, err);
	if (rc == 0)
		rc = file_sync(o->path, err);
	free(o->path);
	free(o);
	return rc;
}
