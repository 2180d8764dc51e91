/* Restoring: a snapshot, ours or etcd's, becomes a data directory to start from. See snapshot.h.
 *
 *     lock the directory -> read, sum up, look at pages, write state.db.restoring -> is it whole? whose is it?
 *         -> raft.restoring -> check what was made, sync -> rename
 *
 * The snapshot is read once (intake.c). When its sha256 and the checksums of all its pages fit, it is what a server
 * wrote, page for page, and then a look at its counters is enough; anything else (a copied database, one of etcd, one
 * whose sha256 was waived) is checked in full, as `k3x-store check` does it. A file of etcd must be walked as a tree,
 * so it is summed up beside that, on a thread; out of a pipe it is written first.
 *
 * The restored cluster is a new one: what the old members said of themselves, the alarms, the secret that signed tokens
 * (whoever has the snapshot has it) and the place in the old raft log go, users stay. With servers named, the directory
 * gets a raft log of its own that begins at this state with them; each of them restored from the same file has the same
 * state, cluster id and log, so they find each other when they start.
 *
 * What can go wrong: it is damaged or the disk fills (what was made is removed, nothing else was touched); the target
 * is in use (ERR_LOCKED) or holds data (ERR_EXISTS without `replace`); a crash between the renames leaves
 * state.db.before-restore and raft.before-restore and perhaps no state.db: restore again (they stay what they are), or
 * rename them back by hand. */
#include "store/snapshot/snapshot_int.h"

#include "base/check.h"
#include "base/file/file_sync.h"
#include "base/json_lib.h"
#include "base/pki/pki.h"
#include "raft/raft_node.h"
#include "store/machine/database/data_lock.h"
#include "store/machine/database/page_file.h"
#include "store/snapshot/intake_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct restore {
	const struct store_restore_options *o;
	struct intake intake;
	struct store_file_info info; /* of the snapshot */
	uint64_t cluster_id;
	const char *db, *made, *raft, *made_raft;
	bool is_folder_new;
	struct arena *a;
};

/* ---- files ---- */

/* A folder of files, as raft/ is; it need not be there. */
static void remove_folder(struct arena *a, const char *path)
{
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.')
			unlink(arena_printf(a, "%s/%s", path, e->d_name));
	if (d)
		closedir(d);
	rmdir(path);
}

static int rename_if_there(const char *from, const char *to, struct err *err)
{
	return rename(from, to) == 0 || errno == ENOENT ? 0 : err_errno(err, errno, "rename %s to %s", from, to);
}

/* ---- the state ---- */

/* Keys of the system keyspace that are of the old cluster: "member/...", "alarm/...", "auth/secret", and
 * "hold": writes are held back there. */
static const char forget_sql[] =
        "DELETE FROM sys WHERE (key >= X'6d656d6265722f' AND key < X'6d656d62657230') OR "
        "(key >= X'616c61726d2f' AND key < X'616c61726d30') OR key = X'617574682f736563726574' OR "
        "key = X'686f6c64';"
        "UPDATE meta SET system_version = system_version + 1";

/* Before anything is written: revisions have an end, see db.h. Revision 0: it is not known yet. */
static int check_bump(const struct restore *r, int64_t revision, struct err *err)
{
	int64_t room = REVISION_MAX - revision;
	if (r->o->bump_revision <= room)
		return 0;
	if (revision == 0)
		return err_set(err, ERR_INVAL, "revisions cannot be raised by %lld: they end at %lld",
		        (long long)r->o->bump_revision, (long long)REVISION_MAX);
	return err_set(err, ERR_INVAL, "%s: revision %lld cannot be raised by %lld: up to %lld are left",
	        r->o->snapshot, (long long)revision, (long long)r->o->bump_revision, (long long)room);
}

static int change_copy(struct restore *r, sqlite3 *h, struct err *err)
{
	const struct store_restore_options *o = r->o;
	struct db db = {.handle = h};
	/* Format 1 has neither members nor a version of them; the server brings it up to date. */
	int64_t revision = snapshot_query(&db, "SELECT revision FROM meta", err);
	if (err->code || check_bump(r, revision, err) != 0)
		return err->code;
	bool has_system = snapshot_query(&db, "SELECT count(*) FROM sqlite_schema WHERE name = 'sys'", err) > 0;
	/* Nobody uses it yet, and it is synced when it is complete. */
	char *sql = sqlite3_mprintf("PRAGMA journal_mode = DELETE; PRAGMA journal_mode = MEMORY;"
	                            "PRAGMA synchronous = OFF; BEGIN;" DB_NOTE_TABLE_SQL "DELETE FROM snapshot;"
	                            "UPDATE meta SET revision = revision + %lld, applied_index = %d, applied_term = %d;"
	                            "%s;%s; COMMIT",
	        (long long)o->bump_revision, o->n_servers ? RAFT_STATE_INDEX : 0, o->n_servers ? 1 : 0,
	        has_system ? forget_sql : "", o->mark_compacted ? "UPDATE meta SET compacted = revision" : "");
	CHECK(sql != NULL);
	int rc = err->code ? err->code : snapshot_exec(h, sql, r->made, err);
	sqlite3_free(sql);
	return rc;
}

/* A database as it lies there, with what is in its write-ahead log. */
static int copy_database(const char *from, const char *to, struct err *err)
{
	struct db db;
	if (snapshot_open(from, false, &db, err) != 0)
		return err->code;
	int rc = snapshot_copy(&db, to, err);
	db_close(&db);
	return rc;
}

/* ---- the way in ---- */

struct summing {
	const char *path;
	int64_t bytes;
	unsigned char sha256[32], end[32];
	struct err err;
};

static void *sum_up(void *arg)
{
	struct summing *s = arg;
	snapshot_sha256(s->path, s->bytes, s->sha256, s->bytes < 0 ? NULL : s->end, &s->err);
	return NULL;
}

/* A file of etcd: its tree is walked while it is summed up. */
static int take_etcd(struct restore *r, struct err *err)
{
	struct intake *x = &r->intake;
	struct summing sum = {.path = x->from, .bytes = x->skip_hash ? -1 : x->bytes, .err = ERR_INIT};
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, sum_up, &sum) == 0);
	int rc = snapshot_from_etcd(x->from, x->bytes, r->made, &r->info, err);
	pthread_join(thread, NULL);
	memcpy(x->sha256, sum.sha256, sizeof x->sha256);
	if (sum.err.code) {
		*err = sum.err;
		return err->code;
	}
	if (!x->skip_hash && memcmp(sum.sha256, sum.end, sizeof sum.end) != 0)
		return err_set(err, ERR_CORRUPT, "%s is damaged: its sha256 does not fit what is in it", x->from);
	return rc;
}

/* The same out of a pipe: it has been written in the place of what is to be made of it. */
static int take_written_etcd(struct restore *r, struct err *err)
{
	const char *aside = arena_printf(r->a, "%s.etcd", r->made);
	if (rename(r->made, aside) != 0)
		return err_errno(err, errno, "rename %s", r->made);
	int rc = snapshot_from_etcd(aside, r->intake.bytes, r->made, &r->info, err);
	unlink(aside);
	return rc;
}

/* Writes the database, as it was. */
static int take_in(struct restore *r, struct err *err)
{
	struct intake *x = &r->intake;
	unlink(r->made);
	if (x->size_bytes && x->is_etcd)
		return take_etcd(r, err);
	if (x->size_bytes && !x->has_sha256) { /* as it lies there, with its write-ahead log */
		int rc = copy_database(x->from, r->made, err);
		return rc == 0 ? snapshot_sha256(x->from, -1, x->sha256, NULL, err) : rc;
	}
	int rc = intake_copy(x, r->made, err);
	return rc == 0 && x->is_etcd ? take_written_etcd(r, err) : rc;
}

static void note_origin(struct restore *r)
{
	struct intake *x = &r->intake;
	CHECK(x->size_bytes > 0);
	r->info.size_bytes = x->size_bytes;
	r->info.is_etcd = x->is_etcd;
	r->info.is_snapshot = x->has_sha256 && !x->skip_hash;
	hex_write(x->sha256, STORE_SNAPSHOT_HASH_BYTES, r->info.sha256_hex);
}

/* Is it sure to be, page for page, what a server wrote? */
static bool is_genuine(const struct intake *x)
{
	return x->has_sha256 && !x->skip_hash && x->is_checked;
}

/* Makes of it a database to start from, checks and syncs it. */
static int make_state(struct restore *r, struct store_file_info *ret, struct err *err)
{
	sqlite3 *h = NULL;
	CHECK(!is_genuine(&r->intake) || !r->intake.is_etcd);
	enum snapshot_depth depth = is_genuine(&r->intake) ? SNAPSHOT_BRIEF : SNAPSHOT_DEEP;
	int rc = 0;
	*ret = (struct store_file_info){.note = ""};
	if (sqlite3_open_v2(r->made, &h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, PAGE_FILE_VFS) != SQLITE_OK)
		rc = err_set(err, ERR_IO, "open %s: %s", r->made, h ? sqlite3_errmsg(h) : "out of memory");
	if (rc == 0)
		rc = change_copy(r, h, err);
	sqlite3_close(h);
	if (rc == 0)
		rc = snapshot_inspect(r->made, false, depth, ret, r->a, err);
	return rc == 0 ? file_sync(r->made, err) : rc;
}

/* ---- identity ---- */

/* The same for all who restore the same file for the same servers. */
static uint64_t derive_cluster_id(struct restore *r)
{
	struct strbuf b = STRBUF_INIT;
	unsigned char hash[32];
	uint64_t id;
	strbuf_addf(&b, "restored\n%s\n%s", r->o->token ? r->o->token : "", r->info.sha256_hex);
	for (size_t i = 0; i < r->o->n_servers; i++)
		strbuf_addf(&b, "\n%016" PRIx64, r->o->servers[i].id);
	pki_sha256(b.data, b.len, hash);
	strbuf_release(&b);
	memcpy(&id, hash, sizeof id);
	return id ? id : 1;
}

static uint64_t noted_cluster_id(const char *note)
{
	json_auto_t *v = json_lib_parse(slice_of(note), NULL);
	struct slice id = json_lib_get_str(v, "cluster_id");
	return id.len ? strtoull(id.ptr, NULL, 16) : 0;
}

/* Whose snapshot it must be: as asked for, or the cluster whose data directory this was (the file is the server's),
 * unless that was restored from this very snapshot. */
static int check_cluster(struct restore *r, struct err *err)
{
	const struct store_restore_options *o = r->o;
	char own[17] = "";
	const char *want = o->cluster_id;
	FILE *f = want ? NULL : fopen(arena_printf(r->a, "%s/cluster", o->data_dir), "re");
	if (f) {
		if (fscanf(f, "%16[0-9a-f]", own) == 1)
			want = own;
		fclose(f);
	}
	uint64_t wanted = want ? strtoull(want, NULL, 16) : 0;
	if (!want || strcmp(want, "any") == 0 || wanted == noted_cluster_id(r->info.note) ||
	        (!o->cluster_id && wanted == r->cluster_id))
		return 0;
	return err_set(err, ERR_CONFLICT,
	        "%s is of another cluster (%s), wanted is %s; --cluster-id any takes it all the same", o->snapshot,
	        r->info.is_etcd ? "etcd's" : r->info.note, want);
}

static int choose_cluster_id(struct restore *r, struct err *err)
{
	if (r->o->new_cluster_id) {
		r->cluster_id = r->o->new_cluster_id;
		return 0;
	}
	r->cluster_id = r->o->keep_cluster_id ? noted_cluster_id(r->info.note) : derive_cluster_id(r);
	return r->cluster_id ? 0
	                     : err_set(err, ERR_INVAL, "%s does not say of which cluster it is: there is no id to keep",
	                               r->o->snapshot);
}

static int write_id(const char *path, uint64_t id, struct err *err)
{
	CHECK(id != 0); /* no server has it, and no cluster */
	char text[24];
	int n = snprintf(text, sizeof text, "%016" PRIx64 "\n", id);
	return pki_file_write(path, (struct slice){text, (size_t)n}, 0600, err);
}

static int write_identity(struct restore *r, struct err *err)
{
	const char *member = arena_printf(r->a, "%s/member", r->o->data_dir);
	if (write_id(arena_printf(r->a, "%s/cluster", r->o->data_dir), r->cluster_id, err) != 0)
		return err->code;
	if (r->o->n_servers)
		return write_id(member, r->o->member_id, err);
	return unlink(member) == 0 || errno == ENOENT ? 0 : err_errno(err, errno, "remove %s", member);
}

/* ---- the log ---- */

/* A log that begins at this state with these servers. */
static int make_log(struct restore *r, struct err *err)
{
	uint64_t index = RAFT_STATE_INDEX;
	struct disk *disk = NULL;
	if (!r->o->n_servers)
		return 0;
	remove_folder(r->a, r->made_raft);
	if (mkdir(r->made_raft, 0700) != 0)
		return err_errno(err, errno, "make folder %s", r->made_raft);
	int rc = disk_posix_new(r->made_raft, &disk, err);
	if (rc == 0) {
		rc = raft_host_bootstrap_state(
		        disk, r->o->servers, r->o->n_servers, (struct slice){(char *)&index, sizeof index}, err);
		disk->v->free(disk);
	}
	return rc;
}

/* ---- all of it ---- */

static int make_folder(struct restore *r, struct err *err)
{
	r->is_folder_new = mkdir(r->o->data_dir, 0700) == 0;
	return r->is_folder_new || errno == EEXIST ? 0 : err_errno(err, errno, "make folder %s", r->o->data_dir);
}

/* Nothing is left of what failed. */
static void clean_up(struct restore *r)
{
	unlink(r->made);
	remove_folder(r->a, r->made_raft);
	if (!r->is_folder_new)
		return;
	unlink(arena_printf(r->a, "%s.lock", r->db));
	rmdir(r->o->data_dir);
}

static int check_target(struct restore *r, struct err *err)
{
	const struct store_restore_options *o = r->o;
	if (!o->replace && (access(r->db, F_OK) == 0 || access(r->raft, F_OK) == 0))
		return err_set(err, ERR_EXISTS,
		        "%s holds data: restore into a new directory, or replace it with --replace", o->data_dir);
	return 0;
}

static const char *aside_of(struct restore *r, const char *path)
{
	return arena_printf(r->a, "%s.before-restore", path);
}

/* The database is the last to step aside and the last to come: without it, and with an old one aside, a swap was cut
 * short. What lies there then is of that restore, and what lies aside is what was there before it. */
static bool was_cut_short(struct restore *r)
{
	return access(r->db, F_OK) != 0 && access(aside_of(r, r->db), F_OK) == 0;
}

static int step_aside(struct restore *r, struct err *err)
{
	static const char *const parts[] = {"-shm", "-wal", ""};
	const char *old_raft = aside_of(r, r->raft);
	if (access(r->raft, F_OK) == 0)
		remove_folder(r->a, old_raft);
	if (rename_if_there(r->raft, old_raft, err) != 0)
		return err->code;
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		const char *part = arena_printf(r->a, "%s%s", r->db, parts[i]);
		const char *aside = arena_printf(r->a, "%s%s", aside_of(r, r->db), parts[i]);
		if (access(part, F_OK) == 0)
			unlink(aside);
		if (rename_if_there(part, aside, err) != 0)
			return err->code;
	}
	return 0;
}

/* What was there steps aside, what was made takes its place. */
static int swap_in(struct restore *r, struct err *err)
{
	if (was_cut_short(r))
		remove_folder(r->a, r->raft);
	else if (step_aside(r, err) != 0)
		return err->code;
	if (write_identity(r, err) != 0 || (r->o->n_servers && rename_if_there(r->made_raft, r->raft, err) != 0))
		return err->code;
	if (rename(r->made, r->db) != 0)
		return err_errno(err, errno, "rename %s to %s", r->made, r->db);
	char *mark = db_rotten_mark(r->db); /* of what was there; a start with it would only look twice */
	unlink(mark);
	free(mark);
	return file_sync(r->o->data_dir, err);
}

static int restore_locked(struct restore *r, struct store_file_info *ret_made, struct err *err)
{
	if (take_in(r, err) != 0)
		return err->code;
	note_origin(r);
	if (!r->info.is_etcd && snapshot_note(r->made, &r->info, r->a, err) != 0)
		return err->code;
	CHECK(r->info.sha256_hex[0] != 0); /* the cluster's id is made of it */
	if (choose_cluster_id(r, err) != 0 || check_cluster(r, err) != 0 || make_state(r, ret_made, err) != 0 ||
	        make_log(r, err) != 0)
		return err->code;
	return swap_in(r, err);
}

int store_restore(const struct store_restore_options *o, struct store_file_info *ret, uint64_t *ret_cluster_id,
        struct arena *a, struct err *err)
{
	struct restore r = {.o = o, .a = a, .info.note = ""};
	struct store_file_info made;
	int lock = -1;
	r.intake = (struct intake){.from = snapshot_file_of(a, o->snapshot), .skip_hash = o->skip_hash_check};
	r.db = arena_printf(a, "%s/state.db", o->data_dir);
	r.made = arena_printf(a, "%s.restoring", r.db);
	r.raft = arena_printf(a, "%s/raft", o->data_dir);
	r.made_raft = arena_printf(a, "%s.restoring", r.raft);
	if (check_bump(&r, 0, err) != 0 || intake_look(&r.intake, err) != 0 || check_target(&r, err) != 0 ||
	        make_folder(&r, err) != 0)
		return err->code;
	int rc = data_lock(r.db, &lock, err);
	if (rc != 0)
		return rc;
	rc = restore_locked(&r, &made, err);
	if (rc != 0)
		clean_up(&r);
	close(lock);
	if (rc != 0)
		return rc;
	*ret = r.info;
	ret->revision = made.revision;
	ret->compacted_revision = made.compacted_revision;
	ret->keys = made.keys;
	ret->is_counted = made.is_counted;
	ret->versions = made.versions;
	ret->leases = made.leases;
	ret->hash = made.hash;
	if (!r.info.is_etcd)
		ret->users = made.users;
	*ret_cluster_id = r.cluster_id;
	return 0;
}

int store_lock(const char *data_dir, int *ret_fd, struct err *err)
{
	struct arena a = ARENA_INIT;
	int rc = data_lock(arena_printf(&a, "%s/state.db", data_dir), ret_fd, err);
	arena_release(&a);
	return rc;
}
