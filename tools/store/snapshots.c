/* `k3x-store snapshot save|ls|prune`: making snapshots and keeping a folder of them.
 *
 * A snapshot is received into FILE.part, checked against its sha256, synced and renamed: FILE is whole or not there. A
 * folder's snapshots are found by what is in the files, not by their names, and checked before they count: prune never
 * removes the newest sound one of a cluster, counts only sound ones as kept, and leaves alone what is no snapshot. */
#include "tools/store/command_int.h"
#include "base/time/rfc3339.h"
#include "tools/store/offline.h"
#include "tools/store/progress.h"
#include "tools/store/table.h"

#include "base/check.h"
#include "base/file/file_out.h"
#include "base/pki/pki.h"
#include "store/snapshot/packed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- save ---- */

struct saved {
	int64_t size, revision;
	uint64_t cluster_id, member_id;
	char sha256_hex[65];
};

/* What comes, on its way to the file. The last 32 bytes are the sha256 of the rest, and which are the last is known at
 * the end: so as many are held back from the sum. */
struct arrival {
	struct file_out out;
	struct pki_digest *digest;
	char held[STORE_SNAPSHOT_HASH_BYTES];
	size_t n_held;
};

static void sum_up(struct arrival *x, const char *data, size_t len)
{
	size_t all = x->n_held + len, sure = all > sizeof x->held ? all - sizeof x->held : 0;
	size_t of_held = sure < x->n_held ? sure : x->n_held;
	pki_digest_add(x->digest, x->held, of_held);
	pki_digest_add(x->digest, data, sure - of_held);
	memmove(x->held, x->held + of_held, x->n_held - of_held);
	x->n_held -= of_held;
	memcpy(x->held + x->n_held, data + (sure - of_held), len - (sure - of_held));
	x->n_held += len - (sure - of_held);
}

static int verify(struct arrival *x, char sha256_hex[65], struct err *err)
{
	unsigned char sum[STORE_SNAPSHOT_HASH_BYTES];
	if (x->out.written < 512 + (int64_t)sizeof sum)
		return err_set(err, ERR_IO, "the snapshot came incomplete (%" PRId64 " bytes)", x->out.written);
	pki_digest_get(x->digest, sum);
	hex_write(sum, sizeof sum, sha256_hex);
	return memcmp(x->held, sum, sizeof sum) == 0
	               ? 0
	               : err_set(err, ERR_CORRUPT, "what came does not fit its sha256: try again");
}

static void receive(struct store_call *call, struct arrival *x, struct saved *s, struct err *err)
{
	struct store_progress p = {0};
	bool more = true;
	while (more && !err->code) {
		struct arena a = ARENA_INIT;
		Etcdpb__SnapshotResponse *got = store_call_next(call, &etcdpb__snapshot_response__descriptor, &a, err);
		if (got && file_out_write(&x->out, got->blob.data, got->blob.len, err) == 0) {
			sum_up(x, (const char *)got->blob.data, got->blob.len);
			s->size += (int64_t)got->blob.len;
			store_progress(&p, s->size, s->size + (int64_t)got->remaining_bytes);
		}
		if (got && got->header) {
			s->revision = got->header->revision;
			s->cluster_id = got->header->cluster_id;
			s->member_id = got->header->member_id;
		}
		more = got != NULL;
		arena_release(&a);
	}
	store_progress_end(&p);
}

static int sync_folder_of(const char *path, struct arena *a, struct err *err)
{
	const char *slash = strrchr(path, '/');
	const char *folder = slash ? arena_printf(a, "%.*s/", (int)(slash - path), path) : ".";
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || fsync(fd) != 0 ? err_errno(err, errno, "sync folder %s", folder) : 0;
	if (fd >= 0)
		close(fd);
	return rc;
}

static int save(struct store_command *m, const char *path, struct saved *s, struct err *err)
{
	Etcdpb__LeaseStatus empty = ETCDPB__LEASE_STATUS__INIT;
	const char *part = arena_printf(&m->arena, "%s.part", path);
	struct arrival x = {0};
	if (file_out_open(&x.out, part, 0, err) != 0)
		return err->code;
	x.digest = pki_digest_new();
	struct store_call *call = store_call_open(m->client, "Maintenance/Snapshot", &empty.base);
	store_call_send_end(call);
	receive(call, &x, s, err);
	store_call_close(call);
	if (!err->code)
		verify(&x, s->sha256_hex, err);
	if (err->code)
		file_out_drop(&x.out);
	else
		file_out_keep(&x.out, err);
	pki_digest_free(x.digest);
	if (!err->code && rename(part, path) != 0) {
		err_errno(err, errno, "rename %s", part);
		unlink(part);
	}
	if (!err->code)
		sync_folder_of(path, &m->arena, err);
	return err->code;
}

static void print_saved(const char *path, const struct saved *s)
{
	json_t *v = json_object();
	json_lib_set_cstr(v, "file", path);
	json_lib_set_int(v, "size", s->size);
	json_lib_set_int(v, "revision", s->revision);
	json_lib_set_cstr(v, "sha256", s->sha256_hex);
	json_lib_set_fmt(v, "cluster", "%016" PRIx64, s->cluster_id);
	json_lib_set_fmt(v, "member", "%016" PRIx64, s->member_id);
	json_lib_print(stdout, v);
}

int store_snapshot_save(int argc, char **argv)
{
	struct store_command m = {0};
	struct err err = ERR_INIT;
	struct saved s = {0};
	if (store_command_load(&m, "snapshot save",
	            "k3x-store snapshot save FILE: copy a running server's data, checked, beside FILE first.\n"
	            "The first endpoint is asked that can be reached: a follower does as well",
	            NULL, 0, argc, argv) != 0 ||
	        store_command_wants(&m, 1, 1, "a FILE") != 0)
		return store_command_end(&m);
	const char *path = store_command_argument(&m, 0);
	for (size_t i = 0; i < m.settings.endpoints.count; i++) {
		err = ERR_INIT;
		s = (struct saved){0};
		if (i) {
			store_client_free(m.client);
			m.client = NULL;
		}
		if ((i && store_client_new(&m.settings, m.settings.endpoints.items[i], &m.client, &err) != 0) ||
		        save(&m, path, &s, &err) == 0 || err.code != ERR_UNAVAILABLE)
			break;
	}
	if (err.code)
		m.exit_code = store_tool_fail("snapshot save", &err);
	else if (m.json)
		print_saved(path, &s);
	else
		printf("saved %s (%" PRId64 " bytes, revision %" PRId64 ")\nsha256  %s\ncluster %016" PRIx64
		       ", member %016" PRIx64 "\n",
		        path, s.size, s.revision, s.sha256_hex, s.cluster_id, s.member_id);
	return store_command_end(&m);
}

/* ---- a folder of snapshots ---- */

struct found {
	const char *name, *path;
	struct store_file_info info;
	int64_t created_s, size;
	char cluster[17];
	const char *damage; /* NULL: sound */
	bool is_kept;
};

struct folder {
	const char *path;
	struct found *list;
	size_t n, cap;
	struct arena arena;
};

/* Does it begin like a database of SQLite or bbolt, and end like a snapshot or is packed? */
static bool looks_like_snapshot(const char *path, struct stat *st)
{
	char head[20] = "";
	if (stat(path, st) != 0 || !S_ISREG(st->st_mode))
		return false;
	if (!packed_is(path) && (st->st_size < 544 || st->st_size % 512 != STORE_SNAPSHOT_HASH_BYTES))
		return false;
	return packed_peek(path, head, sizeof head) == sizeof head &&
	       (memcmp(head, "SQLite format 3", 16) == 0 || memcmp(head + 16, "\xed\xda\x0c\xed", 4) == 0);
}

static void look_at(struct folder *f, const char *name)
{
	struct stat st;
	struct err err = ERR_INIT;
	const char *path = arena_printf(&f->arena, "%s/%s", f->path, name);
	if (name[0] == '.' || slice_ends(slice_of(name), ".part") || !looks_like_snapshot(path, &st))
		return;
	if (f->n == f->cap)
		f->list = xrealloc(f->list, (f->cap = f->cap ? f->cap * 2 : 16) * sizeof *f->list);
	struct found *x = &f->list[f->n++];
	*x = (struct found){
	        .name = arena_strdup(&f->arena, name), .path = path, .created_s = st.st_mtime, .size = st.st_size};
	if (store_file_inspect(path, false, &x->info, &f->arena, &err) != 0) {
		x->damage = arena_strdup(&f->arena, err.msg);
		return;
	}
	int64_t noted = store_note_created_s(x->info.note);
	x->created_s = noted ? noted : x->created_s;
	store_note_cluster(x->info.note, x->cluster);
	if (x->info.is_etcd)
		snprintf(x->cluster, sizeof x->cluster, "etcd");
}

/* Newest first. */
static int by_age(const void *a, const void *b)
{
	const struct found *x = a, *y = b;
	if (x->created_s != y->created_s)
		return x->created_s < y->created_s ? 1 : -1;
	if (x->info.revision != y->info.revision)
		return x->info.revision < y->info.revision ? 1 : -1;
	return strcmp(y->name, x->name);
}

static int load_folder(struct folder *f, const char *path, struct err *err)
{
	DIR *d = opendir(path);
	f->path = path;
	if (!d)
		return err_errno(err, errno, "open folder %s", path);
	for (struct dirent *e; (e = readdir(d));)
		look_at(f, e->d_name);
	closedir(d);
	if (f->n)
		qsort(f->list, f->n, sizeof *f->list, by_age);
	return 0;
}

static void release_folder(struct folder *f)
{
	free(f->list);
	arena_release(&f->arena);
}

static void add_row(struct store_table *t, const struct found *x)
{
	char when[RFC3339_MAX];
	store_table_add(t, "%s", x->name);
	store_table_add(t, "%" PRId64, x->info.revision);
	store_table_add(t, "%" PRId64, x->info.keys);
	store_table_add(t, "%s", store_table_size(t, x->size));
	store_table_add(t, "%s", rfc3339_seconds(when, x->created_s));
	store_table_add(t, "%s", x->cluster);
	store_table_add(t, "%s", x->damage ? "DAMAGED" : "sound");
	store_table_add(t, "%" PRId64, x->size);
	store_table_add(t, "%s", x->info.sha256_hex);
	store_table_add(t, "%s", x->damage ? x->damage : "");
}

static const struct store_column folder_columns[] = {{"FILE", "file", STORE_COLUMN_TEXT},
        {"REVISION", "revision", STORE_COLUMN_NUMBER}, {"KEYS", "keys", STORE_COLUMN_NUMBER},
        {"SIZE", NULL, STORE_COLUMN_NUMBER}, {"CREATED", "created", STORE_COLUMN_TEXT},
        {"CLUSTER", "cluster", STORE_COLUMN_TEXT}, {"STATE", "state", STORE_COLUMN_TEXT},
        {NULL, "size", STORE_COLUMN_NUMBER}, {NULL, "sha256", STORE_COLUMN_TEXT}, {NULL, "damage", STORE_COLUMN_TEXT}};

int store_snapshot_ls(int argc, char **argv)
{
	struct folder f = {0};
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	const char *output = "table";
	int code = 0;
	struct store_table t = {folder_columns, COUNT_OF(folder_columns), ARENA_INIT, NULL, 0, 0};
	const struct flag table[] = {{"output", 'o', FLAG_STRING, &output, NULL, "table or json", NULL}};
	struct flags flags = {.program = "k3x-store snapshot ls",
	        .summary = "k3x-store snapshot ls DIR: the snapshots in a folder, newest first, each checked by its "
	                   "sha256.\n"
	                   "Exit code 7 when one is damaged",
	        .table = table,
	        .count = 1};
	if (store_offline_parse(&flags, &a, argc, argv, 1, 1, "one DIR", &code) == 0) {
		if (load_folder(&f, flags.arguments[0], &err) != 0)
			code = store_tool_fail("snapshot ls", &err);
		for (size_t i = 0; i < f.n; i++) {
			add_row(&t, &f.list[i]);
			if (f.list[i].damage)
				code = err_exit_code(ERR_CORRUPT);
		}
		if (!err.code)
			store_table_print(&t, strcmp(output, "json") == 0);
		for (size_t i = 0; i < f.n; i++)
			if (f.list[i].damage)
				fprintf(stderr, "%s\n", f.list[i].damage);
	}
	release_folder(&f);
	arena_release(&a);
	return code;
}

/* ---- prune ---- */

/* "36h", "7d", "30m", "90s". */
static bool parse_age(const char *text, int64_t *ret_s)
{
	static const char units[] = "smhdw";
	static const int64_t seconds[] = {1, 60, 3600, 86400, 604800};
	char *end;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	const char *unit = *end ? strchr(units, *end) : NULL;
	if (errno || end == text || n < 0 || n > 1000000000 || !unit || end[1])
		return false;
	*ret_s = n * seconds[unit - units];
	return true;
}

struct prune {
	int64_t keep, older_than_s;
	bool has_age, dry_run, damaged;
};

/* Of a cluster's sound snapshots (the list is newest first): the newest `keep`, at least one, and those that are
 * younger. */
static void choose(struct folder *f, const struct prune *p)
{
	int64_t keep = p->keep > 0 ? p->keep : 1, now = (int64_t)time(NULL);
	for (size_t i = 0; i < f->n; i++) {
		struct found *x = &f->list[i];
		int64_t newer = 0;
		for (size_t k = 0; k < i; k++)
			newer += !f->list[k].damage && strcmp(f->list[k].cluster, x->cluster) == 0;
		bool is_young = p->has_age && now - x->created_s < p->older_than_s;
		x->is_kept = x->damage ? !p->damaged : newer < keep || is_young;
	}
}

static int remove_chosen(struct folder *f, const struct prune *p, struct err *err)
{
	size_t removed = 0;
	int64_t bytes = 0;
	for (size_t i = 0; i < f->n; i++) {
		struct found *x = &f->list[i];
		if (x->is_kept)
			continue;
		if (!p->dry_run && unlink(x->path) != 0)
			return err_errno(err, errno, "remove %s", x->path);
		printf("%s %s (revision %" PRId64 ")\n", p->dry_run ? "would remove" : "removed", x->name,
		        x->info.revision);
		removed++;
		bytes += x->size;
	}
	printf("%zu of %zu snapshots %s, %.1f MB\n", removed, f->n, p->dry_run ? "would be removed" : "removed",
	        (double)bytes / 1e6);
	return 0;
}

int store_snapshot_prune(int argc, char **argv)
{
	struct folder f = {0};
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct prune p = {.keep = -1};
	const char *age = NULL;
	int code = 0;
	const struct flag table[] = {
	        {"keep", 0, FLAG_INT, &p.keep, NULL, "keep the newest N sound ones of each cluster", NULL},
	        {"older-than", 0, FLAG_STRING, &age, NULL, "remove only what is older: 36h, 7d, 4w", NULL},
	        {"damaged", 0, FLAG_BOOL, &p.damaged, NULL, "remove damaged ones too", NULL},
	        {"dry-run", 0, FLAG_BOOL, &p.dry_run, NULL, "only say what would be removed", NULL}};
	struct flags flags = {.program = "k3x-store snapshot prune",
	        .summary = "k3x-store snapshot prune DIR --keep N [--older-than AGE]: remove old snapshots from a "
	                   "folder.\n"
	                   "Each is checked first; the newest sound one of a cluster always stays, other files too.",
	        .table = table,
	        .count = COUNT_OF(table)};
	if (store_offline_parse(&flags, &a, argc, argv, 1, 1, "one DIR", &code) != 0)
		goto out;
	p.has_age = age != NULL;
	if (p.keep < 0 && !age)
		err_set(&err, ERR_INVAL, "say what may go: --keep N, --older-than AGE, or both");
	else if (age && !parse_age(age, &p.older_than_s))
		err_set(&err, ERR_INVAL, "--older-than \"%s\" is not like 36h, 7d or 4w", age);
	else if (load_folder(&f, flags.arguments[0], &err) == 0) {
		choose(&f, &p);
		remove_chosen(&f, &p, &err);
	}
	if (err.code)
		code = store_tool_fail("snapshot prune", &err);
out:
	release_folder(&f);
	arena_release(&a);
	return code;
}
