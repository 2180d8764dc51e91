/* The way back: a snapshot that etcd restores, from ours. See snapshot_etcd.c for what etcd's buckets hold.
 *
 * Every kept version goes over with its numbers. When rows are left that compaction has yet to remove, it is etcd's to
 * do: the compaction is written as asked for, not as done. etcd has no revision beyond its last change or compaction,
 * so a revision that was bumped and not written at since is lost, and said to be. */
#include "store/snapshot/snapshot_int.h"

#include "base/check.h"
#include "store/snapshot/bbolt_int.h"
#include "store/machine/read/range.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct export
{
	struct db db;
	struct meta meta;
	struct bbolt_writer *w;
	struct strbuf pair;
	struct store_to_etcd *out;
};

/* ---- etcd's forms ---- */

_Static_assert(SUB_BITS < 32, "etcd's sub revisions hold ours");

static void put_big_endian(char *at, int64_t n)
{
	for (int i = 7; i >= 0; i--, n >>= 8)
		at[i] = (char)(n & 0xff);
}

/* main '_' sub, with 't' behind a deletion. */
static struct slice revision_key(char out[18], int64_t main, int64_t sub, bool is_deletion)
{
	put_big_endian(out, main);
	out[8] = '_';
	put_big_endian(out + 9, sub);
	out[17] = 't';
	return (struct slice){out, is_deletion ? 18 : 17};
}

static void add_varint(struct strbuf *b, uint64_t n)
{
	for (; n > 127; n >>= 7)
		strbuf_addc(b, (char)(n | 128));
	strbuf_addc(b, (char)n);
}

static void add_number(struct strbuf *b, unsigned field, int64_t n)
{
	if (!n)
		return;
	add_varint(b, field << 3);
	add_varint(b, (uint64_t)n);
}

static void add_bytes(struct strbuf *b, unsigned field, struct slice bytes)
{
	if (!bytes.len)
		return;
	add_varint(b, field << 3 | 2);
	add_varint(b, bytes.len);
	strbuf_add_slice(b, bytes);
}

/* ---- the buckets ---- */

static int put_version(struct export *x, const struct version_row *v, struct err *err)
{
	char key[18];
	strbuf_reset(&x->pair);
	add_bytes(&x->pair, 1, v->key);
	if (v->version) {
		add_number(&x->pair, 2, v->created);
		add_number(&x->pair, 3, ROW_REVISION(v->id));
		add_number(&x->pair, 4, v->version);
		add_bytes(&x->pair, 5, v->value);
		add_number(&x->pair, 6, v->lease);
	}
	x->out->versions++;
	x->out->revision = ROW_REVISION(v->id);
	return bbolt_writer_put(x->w,
	        revision_key(key, ROW_REVISION(v->id), v->id & ((INT64_C(1) << SUB_BITS) - 1), v->version == 0),
	        strbuf_slice(&x->pair), err);
}

static int put_versions(struct export *x, struct err *err)
{
	struct version_walk w;
	const struct version_row *v;
	int rc;
	CHECK(x->out->versions == 0);
	version_walk_open(&w, &x->db, 0);
	while ((rc = version_walk_next(&w, &v, err)) == 1)
		if ((rc = put_version(x, v, err)) != 0)
			break;
	version_walk_close(&w);
	return rc;
}

/* Negative ids sort last as bytes and first as numbers: two passes keep the order of bytes. */
static int put_leases(struct export *x, bool negative, struct err *err)
{
	sqlite3_stmt *s = db_stmt(&x->db, DB_LEASE_ALL);
	int rc;
	while ((rc = db_step(&x->db, s, err, "read the leases")) == 1) {
		int64_t id = sqlite3_column_int64(s, 0);
		char key[8];
		if ((id < 0) != negative)
			continue;
		put_big_endian(key, id);
		strbuf_reset(&x->pair);
		add_number(&x->pair, 1, id);
		add_number(&x->pair, 2, sqlite3_column_int64(s, 1));
		x->out->leases++;
		if ((rc = bbolt_writer_put(x->w, (struct slice){key, 8}, strbuf_slice(&x->pair), err)) != 0)
			break;
	}
	db_done(s);
	return rc;
}

static int put_compaction(struct export *x, struct err *err)
{
	bool is_done = x->meta.trimmed == ROW_ID(x->meta.compacted);
	char revision[18];
	struct slice value = revision_key(revision, x->meta.compacted, 0, false);
	if (!x->meta.compacted)
		return 0;
	if (is_done && bbolt_writer_put(x->w, SLICE("finishedCompactRev"), value, err) != 0)
		return err->code;
	return bbolt_writer_put(x->w, SLICE("scheduledCompactRev"), value, err);
}

static int put_all(struct export *x, struct err *err)
{
	static const char *const empty[] = {"alarm", "cluster", "members", "members_removed"};
	if (bbolt_writer_bucket(x->w, "key", err) != 0 || put_versions(x, err) != 0 ||
	        bbolt_writer_bucket(x->w, "lease", err) != 0 || put_leases(x, false, err) != 0 ||
	        put_leases(x, true, err) != 0 || bbolt_writer_bucket(x->w, "meta", err) != 0 ||
	        put_compaction(x, err) != 0 || snapshot_users_to_etcd(&x->db, x->w, &x->out->users, err) != 0)
		return err->code;
	for (size_t i = 0; i < COUNT_OF(empty); i++)
		if (bbolt_writer_bucket(x->w, empty[i], err) != 0)
			return err->code;
	return bbolt_writer_finish(x->w, err);
}

/* ---- all of it ---- */

/* The sha256 goes behind, and everything to the disk. */
static int seal(const char *path, struct store_to_etcd *out, struct err *err)
{
	unsigned char sum[32];
	struct stat st;
	if (snapshot_sha256(path, -1, sum, NULL, err) != 0)
		return err->code;
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0 || write(fd, sum, sizeof sum) != (ssize_t)sizeof sum || fsync(fd) != 0 || fstat(fd, &st) != 0)
		err_errno(err, errno, "write %s", path);
	else
		out->size_bytes = st.st_size;
	if (fd >= 0)
		close(fd);
	hex_write(sum, STORE_SNAPSHOT_HASH_BYTES, out->sha256_hex);
	return err->code;
}

static int write_file(struct export *x, const char *to, struct err *err)
{
	if (db_begin_read(&x->db, err) != 0)
		return err->code;
	int rc = meta_load(&x->db, &x->meta, err);
	if (rc == 0)
		rc = bbolt_writer_open(to, &x->w, err);
	if (rc == 0) {
		rc = put_all(x, err);
		bbolt_writer_free(x->w);
		if (rc == 0 && (rc = seal(to, x->out, err)) != 0)
			unlink(to);
	}
	db_end_read(&x->db);
	if (x->out->revision < x->meta.compacted)
		x->out->revision = x->meta.compacted;
	if (x->out->revision < x->meta.revision && x->meta.revision > 1)
		x->out->lost_revision = x->meta.revision;
	return rc;
}

int store_snapshot_to_etcd(
        const char *from, const char *to, struct store_to_etcd *ret, struct arena *a, struct err *err)
{
	struct store_to_etcd out = {.revision = 1};
	struct export x = {.out = &out};
	struct store_file_info info = {.note = ""};
	int64_t bytes;
	from = snapshot_file_of(a, from);
	if (snapshot_look(from, false, &info, &bytes, err) != 0)
		return err->code;
	if (info.is_etcd)
		return err_set(err, ERR_INVAL, "%s is of etcd already", from);
	if (snapshot_open(from, info.is_snapshot, &x.db, err) != 0)
		return err->code;
	int rc = write_file(&x, to, err);
	db_close(&x.db);
	strbuf_release(&x.pair);
	if (rc == 0)
		*ret = out;
	return rc;
}
