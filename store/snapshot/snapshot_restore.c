/* Restoring: a snapshot, ours or etcd's, becomes a data directory to start from. See snapshot.h.
 *
 *     check the sha256 -> lock the directory -> state.db.restoring, raft.restoring -> check what was made -> rename
 *
 * The restored cluster is a new one: what the old members said of themselves, the alarms, the secret that signed tokens
 * (whoever has the snapshot has it) and the place in the old raft log go, users stay. With servers named, the directory
 * gets a raft log of its own that begins at this state with them; each of them restored from the same file has the same
 * state, cluster id and log, so they find each other when they start.
 *
 * What can go wrong: the disk fills (what was made is removed, nothing else was touched); the target is in use
 * (ERR_LOCKED) or holds data (ERR_EXISTS without `replace`); a crash between the renames leaves state.db.before-restore
 * and raft.before-restore and perhaps no state.db: restore again, or rename them back by hand. */
#include "store/snapshot/snapshot_int.h"

#include "base/check.h"
#include "base/json_lib.h"
#include "base/pki.h"
#include "raft/raft_node.h"
#include "store/machine/data_lock.h"
#include "store/machine/page_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct restore {
	const struct store_restore_options *o;
	struct store_file_info info; /* of the snapshot */
	int64_t bytes;               /* of the database in it */
	uint64_t cluster_id;
	const char *snapshot, *db, *made, *raft, *made_raft;
	struct arena *a;
};

/* ---- files ---- */

/* 0, or -1 with errno set: a disk that fills takes a part, which is no error by itself. */
static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			errno = ENOSPC;
		if (n <= 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

static int copy_file(const char *from, const char *to, int64_t bytes, struct err *err)
{
	char *buffer = xmalloc(1 << 20);
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (in < 0 || out < 0)
		err_errno(err, errno, "copy %s to %s", from, to);
	while (!err->code && bytes > 0) {
		ssize_t n = read(in, buffer, bytes < 1 << 20 ? (size_t)bytes : 1 << 20);
		if (n <= 0 || write_all(out, buffer, (size_t)n) != 0)
			err_errno(err, n == 0 ? EIO : errno, "copy %s to %s", from, to);
		bytes -= n > 0 ? n : 0;
	}
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	free(buffer);
	return err->code;
}

static int sync_path(const char *path, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) != 0 ? err_errno(err, errno, "sync %s", path) : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

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

/* Keys of the system keyspace that are of the old cluster: "member/...", "alarm/...", "auth/secret". */
static const char forget_sql[] =
        "DELETE FROM sys WHERE (key >= X'6d656d6265722f' AND key < X'6d656d62657230') OR "
        "(key >= X'616c61726d2f' AND key < X'616c61726d30') OR key = X'617574682f736563726574';"
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
	char *sql = sqlite3_mprintf("PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; BEGIN;"
	                            "DROP TABLE IF EXISTS snapshot;"
	                            "UPDATE meta SET revision = revision + %lld, applied_index = %d, applied_term = %d;"
	                            "%s;%s; COMMIT",
	        (long long)o->bump_revision, o->n_servers ? 1 : 0, o->n_servers ? 1 : 0, has_system ? forget_sql : "",
	        o->mark_compacted ? "UPDATE meta SET compacted = revision" : "");
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

/* Makes the copy a database to start from, checks and syncs it. */
static int make_state(struct restore *r, struct store_file_info *ret, struct err *err)
{
	sqlite3 *h = NULL;
	unlink(r->made);
	int rc = r->info.is_etcd                  ? snapshot_from_etcd(r->snapshot, r->bytes, r->made, &r->info, err)
	         : r->bytes != r->info.size_bytes ? copy_file(r->snapshot, r->made, r->bytes, err)
	                                          : copy_database(r->snapshot, r->made, err);
	if (rc == 0 &&
	        sqlite3_open_v2(r->made, &h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, PAGE_FILE_VFS) != SQLITE_OK)
		rc = err_set(err, ERR_IO, "open %s: %s", r->made, h ? sqlite3_errmsg(h) : "out of memory");
	if (rc == 0)
		rc = change_copy(r, h, err);
	sqlite3_close(h);
	if (rc == 0)
		rc = sync_path(r->made, err);
	if (rc == 0)
		rc = store_file_inspect(r->made, true, ret, r->a, err);
	return rc;
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
	unsigned char hash[32];
	if (!r->info.sha256_hex[0]) {
		if (snapshot_sha256(r->snapshot, -1, hash, NULL, err) != 0)
			return err->code;
		snapshot_hex(hash, r->info.sha256_hex);
	}
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
	uint64_t index = 1;
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
	return mkdir(r->o->data_dir, 0700) == 0 || errno == EEXIST
	               ? 0
	               : err_errno(err, errno, "make folder %s", r->o->data_dir);
}

static int check_target(struct restore *r, struct err *err)
{
	const struct store_restore_options *o = r->o;
	if (!o->replace && (access(r->db, F_OK) == 0 || access(r->raft, F_OK) == 0))
		return err_set(err, ERR_EXISTS,
		        "%s holds data: restore into a new directory, or replace it with --replace", o->data_dir);
	return 0;
}

/* What was there steps aside, what was made takes its place. */
static int swap_in(struct restore *r, struct err *err)
{
	static const char *const parts[] = {"", "-wal", "-shm"};
	const char *old_raft = arena_printf(r->a, "%s.before-restore", r->raft);
	if (access(r->raft, F_OK) == 0)
		remove_folder(r->a, old_raft);
	if (rename_if_there(r->raft, old_raft, err) != 0)
		return err->code;
	for (size_t i = 0; i < COUNT_OF(parts); i++) {
		const char *aside = arena_printf(r->a, "%s.before-restore%s", r->db, parts[i]);
		unlink(aside);
		if (rename_if_there(arena_printf(r->a, "%s%s", r->db, parts[i]), aside, err) != 0)
			return err->code;
	}
	if (write_identity(r, err) != 0 || (r->o->n_servers && rename_if_there(r->made_raft, r->raft, err) != 0))
		return err->code;
	if (rename(r->made, r->db) != 0)
		return err_errno(err, errno, "rename %s to %s", r->made, r->db);
	char *mark = db_rotten_mark(r->db); /* of what was there; a start with it would only look twice */
	unlink(mark);
	free(mark);
	return sync_path(r->o->data_dir, err);
}

static int look_at_snapshot(struct restore *r, struct err *err)
{
	const struct store_restore_options *o = r->o;
	struct store_file_info info = {.note = ""};
	if (snapshot_look(r->snapshot, o->skip_hash_check, &info, &r->bytes, err) != 0)
		return err->code;
	if (!info.is_snapshot && !o->skip_hash_check)
		return err_set(err, ERR_INVAL,
		        "%s is a database without a sha256, not a snapshot: save one with snapshot save, or take it as "
		        "it "
		        "is with --skip-hash-check",
		        o->snapshot);
	r->info = info;
	/* The rest is checked once, on what is made of it. */
	return info.is_etcd || o->skip_hash_check ? 0 : snapshot_note(r->snapshot, &r->info, r->a, err);
}

int store_restore(const struct store_restore_options *o, struct store_file_info *ret, uint64_t *ret_cluster_id,
        struct arena *a, struct err *err)
{
	struct restore r = {.o = o, .a = a};
	struct store_file_info made;
	int lock = -1;
	r.snapshot = snapshot_file_of(a, o->snapshot);
	r.db = arena_printf(a, "%s/state.db", o->data_dir);
	r.made = arena_printf(a, "%s.restoring", r.db);
	r.raft = arena_printf(a, "%s/raft", o->data_dir);
	r.made_raft = arena_printf(a, "%s.restoring", r.raft);
	if (check_bump(&r, 0, err) != 0 || look_at_snapshot(&r, err) != 0 || check_target(&r, err) != 0 ||
	        choose_cluster_id(&r, err) != 0 || check_cluster(&r, err) != 0 || make_folder(&r, err) != 0 ||
	        data_lock(r.db, &lock, err) != 0)
		return err->code;
	int rc = make_state(&r, &made, err);
	if (rc == 0)
		rc = make_log(&r, err);
	if (rc == 0)
		rc = swap_in(&r, err);
	if (rc != 0) {
		unlink(r.made);
		remove_folder(a, r.made_raft);
	}
	close(lock);
	if (rc != 0)
		return rc;
	*ret = r.info;
	ret->revision = made.revision;
	ret->compacted_revision = made.compacted_revision;
	ret->keys = made.keys;
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
