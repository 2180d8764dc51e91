/* See source.h.
 *
 *     a data directory, a datastore --its engine--> a snapshot file --.
 *     a snapshot, ours or etcd's --------------------------------------+--> restored, which checks every page --> a
 * state
 *
 * The engine of a datastore is one more server on it, with a copy of its own in `work`; it writes nothing there but
 * that it leads, when nobody else does. */
#include "tools/store/source.h"

#include "base/check.h"
#include "store/ask.h"
#include "store/engine/raft_engine.h"
#include "store/snapshot/snapshot_reader.h"
#include "tools/store/check.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int settle(struct engine *e, int64_t *ret_revision, struct err *err)
{
	struct store_question q = {.req.type = STORE_REQUEST_BARRIER};
	if (store_ask(e, &q) != 0)
		*err = q.req.err;
	*ret_revision = q.req.revision;
	store_request_release(&q.req);
	return err->code;
}

/* ---- opening ---- */

static int open_directory(struct store_source *s, struct err *err)
{
	struct store_directory d;
	if (store_directory_look(s->from, s->a, &d, err) != 0)
		return err->code;
	if (d.raft.n_servers > 1)
		return err_set(err, ERR_INVAL,
		        "%s is of one of %zu servers, which may lack what the others have: save a snapshot of the "
		        "cluster (k3x etcd-snapshot save) and give that",
		        s->from, d.raft.n_servers);
	struct raft_host_server self = {.id = d.member_id, .address = "http://127.0.0.1:2380", .role = RAFT_HOST_VOTER};
	struct raft_engine_options o = {.data_dir = s->from,
	        .cluster_id = d.cluster_id,
	        .id = d.member_id,
	        .address = self.address,
	        .bootstrap = &self,
	        .n_bootstrap = 1};
	return raft_engine_open(&o, &s->engine, err);
}

int store_source_open(struct store_source *s, struct err *err)
{
	struct stat st;
	if (s->copy)
		return 0;
	if (external_is_name(s->from)) {
		s->files.endpoint = s->from;
		s->files.data_dir = arena_printf(s->a, "%s/from", s->work);
		return external_engine_open(&s->files, &s->engine, err);
	}
	if (stat(s->from, &st) != 0)
		return err_errno(err, errno, "open %s", s->from);
	return S_ISDIR(st.st_mode) ? open_directory(s, err) : 0;
}

void store_source_close(struct store_source *s)
{
	if (s->engine)
		store_close(s->engine);
	s->engine = NULL;
}

/* ---- taking ---- */

int store_copy(struct engine *e, const char *path, int64_t *ret_revision, int64_t *ret_system, struct err *err)
{
	struct store_question q = {.req.type = STORE_REQUEST_BACKUP, .req.note = "{}"};
	int rc = settle(e, ret_revision, err);
	*ret_system = store_system_version(e);
	if (rc == 0 && (rc = store_ask(e, &q)) != 0)
		*err = q.req.err;
	if (rc == 0)
		rc = snapshot_reader_save(q.req.snapshot, path, err);
	snapshot_reader_close(q.req.snapshot);
	store_request_release(&q.req);
	return rc;
}

int store_source_take(struct store_source *s, const char *into, struct store_file_info *ret, struct err *err)
{
	bool is_copied = s->engine || s->copy;
	const char *file = is_copied ? arena_printf(s->a, "%s/snapshot", s->work) : s->from;
	uint64_t cluster_id;
	if (is_copied)
		unlink(file);
	if (s->copy && s->copy(s->arg, file, err) != 0)
		return err->code;
	if (s->engine && store_copy(s->engine, file, &s->revision, &s->system_version, err) != 0)
		return err->code;
	struct store_restore_options o = {.snapshot = file,
	        .data_dir = into,
	        .skip_hash_check = is_copied,
	        .cluster_id = "any",
	        .token = "migrate",
	        .keep_cluster_id = false};
	if (store_restore(&o, ret, &cluster_id, s->a, err) != 0)
		return err->code;
	return store_file_inspect(arena_printf(s->a, "%s/state.db", into), true, ret, s->a, err);
}

int store_source_check_stood(struct store_source *s, struct err *err)
{
	int64_t revision;
	if (!s->engine || settle(s->engine, &revision, err) != 0)
		return err->code;
	if (revision == s->revision && store_system_version(s->engine) == s->system_version)
		return 0;
	return err_set(err, ERR_CONFLICT,
	        "the source was written to meanwhile (revision %" PRId64 ", and %" PRId64
	        " was moved): stop its servers, empty the target and do it again",
	        revision, s->revision);
}

/* ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void store_remove_folder(const char *path)
{
	nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}
