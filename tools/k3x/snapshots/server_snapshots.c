/* See server_snapshots.h. Each server takes its own, as k3s's do: one that is lost leaves the others'.
 *
 *     the store's state at one revision -> DIR/.k3x-NAME.part, packed or not, with its sha256 -> sync -> rename
 *         -> put into the S3 store -> what is older than the retention goes, here and there
 *
 * A file of the name is whole or not there; a .part that a crash left goes at the next start. Older ones go only after
 * a new one is there: a disk that is full costs no snapshot. One that could not be put into the S3 store is there all
 * the same, and nothing goes there then.
 *
 * What can go wrong, each told in the log and as an Event: the disk is full, the folder can't be written, the store has
 * no state to give, the S3 store says no. */
#include "tools/k3x/snapshots/server_snapshots.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/file/file_sync.h"
#include "base/json_lib.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "base/rt/cond.h"
#include "store/ask.h"
#include "store/snapshot/packed.h"
#include "store/snapshot/snapshot_reader.h"
#include "tools/k3x/server_store.h"
#include "tools/k3x/server_secret.h"
#include "tools/snapshots/list.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 20, SLEEP_MS_MAX = 3600 * 1000, LOOK_S = 600, LOOK_AGAIN_S = 10 };
#define PART_PREFIX ".k3x-"
#define PART_SUFFIX ".part"

struct snapshots {
	struct snapshots_options options;
	pthread_t thread;
	pthread_mutex_t taking; /* one at a time */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stopping, is_changed;
	atomic_bool is_canceled;
};

const char *snapshots_folder(struct arena *a, const char *data_dir, const struct snapshot_settings *v)
{
	return v->dir ? v->dir : arena_printf(a, "%s/server/db/snapshots", data_dir);
}

/* ---- one file ---- */

static const char *note(struct snapshots *s, struct arena *a, int64_t created_s)
{
	const struct server_settings *v = s->options.settings;
	struct strbuf b = STRBUF_INIT;
	json_auto_t *n = json_object();
	json_lib_set_fmt(n, "cluster_id", "%016" PRIx64, v->cluster_id);
	json_lib_set_fmt(n, "member_id", "%016" PRIx64, v->member_id);
	json_lib_set_int(n, "created_s", created_s);
	json_lib_set_cstr(n, "name", v->node_name);
	json_lib_write(&b, n);
	const char *text = arena_printf(a, "%.*s", (int)b.len, b.data);
	strbuf_release(&b);
	return text;
}

static int copy(struct snapshots *s, struct snapshot_reader *reader, struct packed_out *out, struct err *err)
{
	unsigned char sha256[32];
	char *piece = xmalloc(PIECE_BYTES);
	size_t n = 1;
	while (n && !err->code) {
		if (atomic_load(&s->is_canceled))
			err_set(err, ERR_CANCELED, "the server stops");
		else if (snapshot_reader_next(reader, piece, PIECE_BYTES, &n, err) == 0)
			packed_out_write(out, piece, n, err);
	}
	free(piece);
	if (err->code)
		return err->code;
	snapshot_reader_sha256(reader, sha256);
	return packed_out_write(out, sha256, sizeof sha256, err);
}

static int write_file(
        struct snapshots *s, struct snapshot_reader *reader, const char *part, bool is_packed, struct err *err)
{
	struct packed_out out;
	if (packed_out_open(&out, part, is_packed, err) != 0)
		return err->code;
	if (copy(s, reader, &out, err) != 0)
		packed_out_drop(&out);
	else
		packed_out_keep(&out, err);
	return err->code;
}

static int make_file(struct snapshots *s, struct arena *a, const char *part, bool is_packed, struct snapshot_made *made,
        struct err *err)
{
	struct store_question q = {.req.type = STORE_REQUEST_BACKUP};
	q.req.note = note(s, a, made->created_s);
	if (store_ask(s->options.store, &q) != 0)
		*err = q.req.err;
	else
		write_file(s, q.req.snapshot, part, is_packed, err);
	made->revision = q.req.revision;
	snapshot_reader_close(q.req.snapshot);
	store_request_release(&q.req);
	if (!err->code && rename(part, made->path) != 0)
		err_errno(err, errno, "rename %s", part);
	if (err->code)
		unlink(part);
	return err->code ? err->code : file_sync_folder(made->path, err);
}

/* ---- where it goes, and what goes for it ---- */

static int need_folder(const char *dir, struct err *err)
{
	return mkdir(dir, 0700) == 0 || errno == EEXIST ? 0 : err_errno(err, errno, "make folder %s", dir);
}

static void pruned(void *arg, const struct snapshot_entry *e)
{
	log_info("snapshot", "an older one was removed", "location=%s", e->location);
}

static void prune(
        struct snapshots *s, const struct snapshot_settings *how, const char *dir, const struct s3 *s3, struct err *err)
{
	struct snapshot_list list = {0};
	struct snapshot_pruning p = {.dir = dir,
	        .s3 = s3,
	        .name = how->name,
	        .node = s->options.settings->node_name,
	        .keep = how->retention,
	        .keep_s3 = how->s3.retention,
	        .removed = pruned};
	if (snapshot_list_folder(&list, dir, err) == 0 && s3 && snapshot_list_s3(&list, s3, err) != 0)
		list.n = 0;
	snapshot_list_sort(&list);
	if (!err->code)
		snapshot_prune(&list, &p, err);
	snapshot_list_release(&list);
	if (err->code)
		err_wrap(err, "older snapshots stay");
}

/* The second of a name that is taken is the next one's. */
static void choose_name(struct snapshots *s, const struct snapshot_settings *how, const char *dir, struct arena *a,
        struct snapshot_made *made)
{
	made->created_s = clock_wall_s();
	do {
		made->name = arena_printf(a, "%s-%s-%" PRId64 "%s", how->name, s->options.settings->node_name,
		        made->created_s, how->is_packed ? PACKED_SUFFIX : "");
		made->path = arena_printf(a, "%s/%s", dir, made->name);
	} while (access(made->path, F_OK) == 0 && ++made->created_s);
}

static int take(struct snapshots *s, const struct snapshot_settings *how, bool with_prune, struct arena *a,
        struct snapshot_made *made, struct err *err)
{
	const char *dir = snapshots_folder(a, s->options.settings->data_dir, how);
	struct s3_settings store = how->s3;
	struct s3 s3 = {&store, &s->is_canceled};
	struct err prune_err = ERR_INIT;
	struct stat st;
	if (need_folder(dir, err) != 0)
		return err->code;
	choose_name(s, how, dir, a, made);
	const char *part = arena_printf(a, "%s/" PART_PREFIX "%s" PART_SUFFIX, dir, made->name);
	if (make_file(s, a, part, how->is_packed, made, err) != 0)
		return err->code;
	made->size = stat(made->path, &st) == 0 ? st.st_size : 0;
	log_info("snapshot", "taken", "file=%s bytes=%" PRId64 " revision=%" PRId64, made->path, made->size,
	        made->revision);
	if (how->s3.is_on)
		made->is_in_s3 = server_s3_resolve(s->options.settings, &how->s3, a, &store, &made->s3_err) == 0 &&
		                 s3_put(&s3, made->name, made->path, &made->s3_err) == 0;
	if (made->is_in_s3)
		log_info("snapshot", "put into the S3 store", "endpoint=%s bucket=%s name=%s", store.endpoint,
		        store.bucket, made->name);
	if (with_prune)
		prune(s, how, dir, made->is_in_s3 ? &s3 : NULL, &prune_err);
	if (prune_err.code)
		log_warn("snapshot", "pruning", "error=\"%s\"", prune_err.msg);
	return 0;
}

static void tell(struct snapshots *s, const struct snapshot_made *made, const struct err *err)
{
	char text[ERR_MSG_MAX + 200];
	bool failed = err->code || made->s3_err.code;
	if (err->code)
		snprintf(text, sizeof text, "snapshot failed: %s", err->msg);
	else if (failed)
		snprintf(text, sizeof text, "snapshot %s is here, but not in the S3 store: %s", made->name,
		        made->s3_err.msg);
	else
		snprintf(text, sizeof text, "snapshot %s saved", made->name);
	if (failed)
		log_error("snapshot", "failed", "error=\"%s\"", text);
	s->options.tell(s->options.arg, failed ? "Warning" : "Normal",
	        failed ? "ETCDSnapshotFailed" : "ETCDSnapshotCreated", text);
}

int snapshots_take(struct snapshots *s, const struct snapshot_settings *how, bool with_prune, struct arena *a,
        struct snapshot_made *ret, struct err *err)
{
	*ret = (struct snapshot_made){0};
	pthread_mutex_lock(&s->taking);
	if (atomic_load(&s->is_canceled))
		err_set(err, ERR_CANCELED, "the server stops");
	else
		take(s, how, with_prune, a, ret, err);
	pthread_mutex_unlock(&s->taking);
	snapshots_changed(s);
	if (err->code != ERR_CANCELED)
		tell(s, ret, err);
	return err->code;
}

/* ---- the thread ---- */

void snapshots_changed(struct snapshots *s)
{
	pthread_mutex_lock(&s->lock);
	s->is_changed = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

/* Without the S3 store's when that can't be asked: what is known of it is not forgotten for it. False: it was not,
 * because the Secret that says where it is could not be read, as while the API is not up. */
static bool look(struct snapshots *s)
{
	const struct snapshot_settings *how = &s->options.settings->snapshots;
	struct snapshot_list list = {0};
	struct s3 s3 = {&list.s3, &s->is_canceled};
	struct err err = ERR_INIT;
	const char *dir = snapshots_folder(&list.arena, s->options.settings->data_dir, how);
	int rc = snapshot_list_folder(&list, dir, &err);
	bool knows_where = rc == 0 && how->s3.is_on &&
	                   server_s3_resolve(s->options.settings, &how->s3, &list.arena, &list.s3, &err) == 0;
	bool knows_s3 = knows_where && snapshot_list_s3(&list, &s3, &err) == 0;
	if (err.code && err.code != ERR_CANCELED)
		log_warn("snapshot", "can't tell which there are", "error=\"%s\"", err.msg);
	snapshot_list_sort(&list);
	if (rc == 0)
		s->options.looked(s->options.arg, &list, knows_s3);
	snapshot_list_release(&list);
	return knows_where || !how->s3.is_on || !how->s3.config_secret;
}

/* Until it is `when`, by a clock that may be set meanwhile, or there is something to look at. False: the server stops.
 */
static bool wait_until(struct snapshots *s, int64_t when)
{
	bool go_on = true;
	pthread_mutex_lock(&s->lock);
	while ((go_on = !s->stopping) && !s->is_changed && clock_wall_s() < when) {
		int64_t ms = (when - clock_wall_s()) * 1000;
		struct timespec limit = cond_limit(ms < SLEEP_MS_MAX ? ms : SLEEP_MS_MAX);
		cond_wait_until(&s->wake, &s->lock, &limit);
	}
	s->is_changed = false;
	pthread_mutex_unlock(&s->lock);
	return go_on;
}

static void take_scheduled(struct snapshots *s)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct snapshot_made made;
	snapshots_take(s, &s->options.settings->snapshots, true, &a, &made, &err);
	arena_release(&a);
}

/* When the next one is due; never: no schedule, or one that has no more dates. */
static int64_t next_date(const struct snapshots *s)
{
	const struct snapshot_settings *how = &s->options.settings->snapshots;
	int64_t next = how->is_disabled ? 0 : cron_next(&how->cron, clock_wall_s());
	return next ? next : INT64_MAX;
}

static void *snapshots_main(void *arg)
{
	struct snapshots *s = arg;
	pthread_setname_np(pthread_self(), "snapshots");
	int64_t due = next_date(s), look_at;
	do {
		if (clock_wall_s() >= due) {
			take_scheduled(s);
			due = next_date(s);
		}
		look_at = clock_wall_s() + (look(s) ? LOOK_S : LOOK_AGAIN_S);
	} while (wait_until(s, due < look_at ? due : look_at));
	return NULL;
}

/* What a crash left half done. */
static void clean_up(const char *dir)
{
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));)
		if (slice_starts(slice_of(e->d_name), PART_PREFIX) && slice_ends(slice_of(e->d_name), PART_SUFFIX) &&
		        unlinkat(dirfd(d), e->d_name, 0) == 0)
			log_info("snapshot", "removed what was left half done", "file=%s/%s", dir, e->d_name);
	if (d)
		closedir(d);
}

struct snapshots *snapshots_start(const struct snapshots_options *o)
{
	struct snapshots *s = xcalloc(1, sizeof *s);
	struct arena a = ARENA_INIT;
	s->options = *o;
	pthread_mutex_init(&s->taking, NULL);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	clean_up(snapshots_folder(&a, o->settings->data_dir, &o->settings->snapshots));
	arena_release(&a);
	CHECK(pthread_create(&s->thread, NULL, snapshots_main, s) == 0);
	return s;
}

void snapshots_cancel(struct snapshots *s)
{
	atomic_store(&s->is_canceled, true);
}

void snapshots_stop(struct snapshots *s)
{
	if (!s)
		return;
	snapshots_cancel(s);
	pthread_mutex_lock(&s->lock);
	s->stopping = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	pthread_mutex_destroy(&s->taking);
	pthread_mutex_destroy(&s->lock);
	pthread_cond_destroy(&s->wake);
	free(s);
}
