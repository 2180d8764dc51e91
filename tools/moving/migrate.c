/* `k3x-store migrate`: a cluster's whole state from one datastore into another.
 *
 *     source: a data directory of a stopped server, a snapshot (ours, etcd's), or a datastore's name
 *         -> a snapshot file -> restored, which checks every page and counts -> a state
 *     target: a data directory, or an empty datastore -> the state in it -> read back from there, and compared by hash
 *
 * Revisions, leases, what is compacted and the system keyspace (the sealed keys of the cluster too) stay what they are:
 * clients go on watching where they were. Nothing counts in the target before its last step.
 *
 * A cluster that runs (--live) is copied while it is written to; then its writes are held back, what has changed since
 * is sent, all of it is put in place, read back and compared, and the source is told to hold writes back for good. Who
 * is killed meanwhile leaves a stop that ends by itself, and a target where nothing counts:
 *
 *     copied --hold, at most --write-stop--> stopped --the rest, put in place, compared--> moved: held for good
 *                                               | an error, or the time is over
 *                                               '--> writes go on; the target is to be emptied when it says so
 *
 * The target's parts that are there are remembered in a file of the folder --work (sent_parts.c): of two copies the
 * second sends what differs, and what was cut short goes on. What can go wrong: servers still write to a source that is
 * not live (its revision is looked at again at the end, and the difference is told); the target is not empty; a data
 * directory of several servers, which may lack what the others have; a target that is away, which is tried again for a
 * minute. */
#include "tools/programs.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/pki/pki.h"
#include "store/ask.h"
#include "store/engine/sql/dsn.h"
#include "tools/moving/live.h"
#include "tools/moving/sent_parts.h"
#include "tools/store/check.h"
#include "tools/store/progress.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WRITE_STOP_S = 60, WRITE_STOP_S_MAX = 3600, AGAIN_MS = 60000, AGAIN_PAUSE_US = 500000 };

struct migration {
	struct arena a;
	const char *to, *output, *work;
	struct store_source source;
	struct external_options to_files;
	bool is_dry, is_live, is_undo, shows_progress;
	int64_t write_stop_s;
	struct live live;
	struct store_file_info info;
	const char *state; /* the file to send */
	struct shared_log *log;
	struct sent_parts sent;
	struct store_progress bar;
	int64_t size, done;
	uint64_t begun_ms, stopped_ms, stop_ms; /* stop_ms: how long writes were held back */
};

static bool is_datastore(const struct migration *m)
{
	return external_is_name(m->to);
}

/* ---- the target ---- */

static void progressed(void *arg, uint64_t bytes)
{
	struct migration *m = arg;
	m->done += (int64_t)bytes;
	store_progress(&m->bar, m->done, m->size);
}

static int open_target(struct migration *m, struct err *err)
{
	struct shared_log_head head = {0};
	m->to_files.endpoint = m->to;
	int rc = external_log_open(&m->to_files, &m->log, err);
	if (rc != 0)
		return rc;
	m->log->is_look_only = m->is_dry;
	m->log->progress = progressed;
	m->log->arg = m;
	rc = m->log->v->connect(m->log, err);
	if (rc == ERR_NOT_FOUND && m->is_dry) {
		*err = ERR_INIT;
		return 0;
	}
	if (rc == 0)
		rc = m->log->v->head(m->log, &head, err);
	if (rc == 0 && (head.last || head.snapshot))
		rc = err_set(err, ERR_EXISTS, "--to: the datastore has a cluster's state already: empty it first");
	if (rc == 0 && !m->is_dry)
		rc = sent_parts_open(&m->sent, arena_printf(&m->a, "%s/sent", m->work), m->log, err);
	if (rc == 0 && !m->is_dry)
		m->log->parts = &m->sent.parts;
	return rc;
}

static void close_target(struct migration *m)
{
	if (!m->log)
		return;
	m->log->v->disconnect(m->log);
	m->log->v->free(m->log);
	m->log = NULL;
	sent_parts_close(&m->sent);
}

/* A target that is lost over it is connected to again: what it has is not sent twice. */
static int send_state(struct migration *m, bool is_draft, struct err *err)
{
	struct stat st;
	int64_t index = m->info.applied_index > 0 ? m->info.applied_index : 1;
	uint64_t until = clock_mono_ms() + AGAIN_MS;
	if (stat(m->state, &st) != 0)
		return err_errno(err, errno, "%s", m->state);
	m->size = (int64_t)st.st_size;
	m->sent.parts.is_draft = is_draft;
	m->bar = (struct store_progress){.what = is_draft ? "copy" : "send", .is_forced = m->shows_progress};
	int rc;
	do {
		*err = ERR_INIT;
		m->done = 0;
		rc = m->log->v->save_snapshot(m->log, m->state, index, 0, err);
		for (struct err e = ERR_INIT; rc == ERR_UNAVAILABLE && clock_mono_ms() < until; e = ERR_INIT) {
			usleep(AGAIN_PAUSE_US);
			m->log->v->disconnect(m->log);
			if (m->log->v->connect(m->log, &e) == 0)
				break;
		}
	} while (rc == ERR_UNAVAILABLE && clock_mono_ms() < until);
	store_progress_end(&m->bar);
	return rc;
}

static int hash_of(
        struct migration *m, const char *folder, uint32_t *ret_hash, struct store_stats *ret, struct err *err)
{
	struct external_options o = m->to_files;
	struct engine *e;
	o.endpoint = m->to;
	o.data_dir = folder;
	int rc = external_engine_open(&o, &e, err);
	if (rc != 0)
		return rc;
	struct store_question q = {.req.type = STORE_REQUEST_HASH};
	if (store_ask(e, &q) != 0)
		*err = q.req.err;
	*ret_hash = q.req.hash;
	store_request_release(&q.req);
	store_stats(e, ret);
	store_close(e);
	return err->code;
}

static int verify(struct migration *m, struct err *err)
{
	struct store_stats got;
	uint32_t hash = 0;
	if (hash_of(m, arena_printf(&m->a, "%s/to", m->work), &hash, &got, err) != 0)
		return err_wrap(err, "reading back what was moved");
	if (hash == m->info.hash && got.revision == m->info.revision && got.keys == m->info.keys &&
	        got.compacted_revision == m->info.compacted_revision)
		return 0;
	return err_set(err, ERR_CORRUPT,
	        "what was moved is not what was there (hash %08x and %08x): empty the target and do it again", hash,
	        m->info.hash);
}

/* ---- the way over ---- */

/* Into a directory without a log, as after a restoration. */
static int take_state(struct migration *m, const char *into, struct err *err)
{
	m->state = arena_printf(&m->a, "%s/state.db", into);
	return store_source_take(&m->source, into, &m->info, err);
}

static const char *in_work(struct migration *m, const char *name)
{
	return arena_printf(&m->a, "%s/%s", m->work, name);
}

/* All of it, as it is now. */
static int move_all(struct migration *m, struct err *err)
{
	if (!is_datastore(m))
		return take_state(m, m->is_dry ? in_work(m, "state") : m->to, err);
	int rc = take_state(m, in_work(m, "state"), err);
	if (rc == 0 && !m->is_dry)
		rc = send_state(m, false, err);
	return rc == 0 && !m->is_dry ? verify(m, err) : rc;
}

/* What is copied while writes go on, so that little is left for the stop. */
static int copy_first(struct migration *m, struct err *err)
{
	const char *folder = in_work(m, "first");
	int rc = is_datastore(m) ? take_state(m, folder, err) : 0;
	if (rc == 0 && is_datastore(m))
		rc = send_state(m, true, err);
	store_remove_folder(folder);
	m->sent.skipped_bytes = 0;
	return rc;
}

static int move_live(struct migration *m, struct err *err)
{
	const char *why =
	        arena_printf(&m->a, "the cluster has moved to %s: start this server with it", dsn_redact(&m->a, m->to));
	int rc = m->is_dry ? 0 : copy_first(m, err);
	if (rc != 0 || m->is_dry)
		return rc == 0 ? move_all(m, err) : rc;
	if (live_hold(&m->live, m->write_stop_s, err) != 0)
		return err_wrap(err, "holding back writes");
	m->stopped_ms = clock_mono_ms();
	rc = move_all(m, err);
	if (rc == 0 && live_end_for_good(&m->live, why, err) != 0)
		rc = err_set(err, err->code, "%s; writes go on where they were: empty the target, and do it again%s",
		        arena_strdup(&m->a, err->msg), err->code == ERR_CONFLICT ? " with a longer --write-stop" : "");
	live_end(&m->live);
	m->stop_ms = clock_mono_ms() - m->stopped_ms;
	return rc;
}

static int move(struct migration *m, struct err *err)
{
	const char *state = arena_printf(&m->a, "%s/state.db", m->to);
	if (!is_datastore(m) && access(state, F_OK) == 0)
		return err_set(err, ERR_EXISTS, "--to: %s is there already: give an empty folder", state);
	int rc = is_datastore(m) ? open_target(m, err) : 0;
	if (rc == 0)
		rc = m->is_live ? move_live(m, err) : move_all(m, err);
	if (rc == 0 && !m->is_live)
		rc = store_source_check_stood(&m->source, err);
	close_target(m);
	return rc;
}

/* ---- what is told ---- */

static void print_json(const struct migration *m, double s)
{
	json_t *v = json_object();
	store_set_counts(v, &m->info);
	json_lib_set_fmt(v, "hash", "%08x", m->info.hash);
	json_lib_set_bool(v, "dryRun", m->is_dry);
	json_lib_set_int(v, "milliseconds", (int64_t)(s * 1000));
	if (m->is_live && !m->is_dry)
		json_lib_set_int(v, "writeStopMilliseconds", (int64_t)m->stop_ms);
	json_lib_set_int(v, "keptBytes", m->sent.skipped_bytes);
	json_lib_print(stdout, v);
}

static void print_next(struct migration *m)
{
	const char *name = dsn_redact(&m->a, m->to);
	const char *live = m->is_live && !external_is_name(m->source.from) ? " --live" : "";
	if (!m->is_live || m->is_dry)
		return;
	printf("writes     held back for %.1f s; they stay so where the cluster was\n", (double)m->stop_ms / 1000);
	printf("next       stop every server, move DATA/server/db away, and start them%s%s\n"
	       "           or give it up: empty the target, and k3x-store migrate --undo%s --from %s\n",
	        is_datastore(m) ? " with --datastore-endpoint " : " with this folder as DATA/server/db: ", name, live,
	        dsn_redact(&m->a, m->source.from));
}

static void print_result(struct migration *m)
{
	const struct store_file_info *i = &m->info;
	double s = (double)(clock_mono_ms() - m->begun_ms) / 1000;
	if (strcmp(m->output, "json") == 0) {
		print_json(m, s);
		return;
	}
	store_print_info(i, false);
	printf("%-10s %" PRId64 " keys, %" PRId64 " versions in %.1f s (%.0f keys/s)%s\n",
	        m->is_dry ? "dry run" : "moved", i->keys, i->versions, s, s > 0 ? (double)i->keys / s : 0,
	        m->is_dry         ? ": nothing was written"
	        : is_datastore(m) ? ", read back and compared"
	                          : "");
	if (m->sent.skipped_bytes)
		printf("kept       %.1f MB that were there already\n", (double)m->sent.skipped_bytes / 1e6);
	print_next(m);
}

/* ---- the source ---- */

static int open_source(struct migration *m, struct err *err)
{
	bool is_live_server = m->is_live && !external_is_name(m->source.from);
	m->source.a = &m->a;
	m->source.work = m->work;
	m->live.source = &m->source;
	int rc = is_live_server ? 0 : store_source_open(&m->source, err);
	if (rc == 0 && (m->is_live || m->is_undo))
		rc = m->source.engine || is_live_server
		             ? live_open(&m->live, err)
		             : err_set(err, ERR_INVAL, "a snapshot does not run, and holds nothing back");
	return rc == 0 ? 0 : err_wrap(err, "--from");
}

static int undo(struct migration *m, struct err *err)
{
	int rc = live_undo(&m->live, err);
	if (rc == 0)
		printf("writes go on\n");
	return rc;
}

static int run(struct migration *m, struct err *err)
{
	m->begun_ms = clock_mono_ms();
	int rc = open_source(m, err);
	if (rc == 0)
		rc = m->is_undo ? undo(m, err) : move(m, err);
	live_release(&m->live);
	store_source_close(&m->source);
	if (rc == 0 && !m->is_undo)
		print_result(m);
	return rc;
}

static int check(struct migration *m, struct err *err)
{
	if (!m->source.from || (!m->to && !m->is_undo))
		return err_set(err, ERR_INVAL, "--from and --to are needed");
	if (m->write_stop_s < 1 || m->write_stop_s > WRITE_STOP_S_MAX)
		return err_set(err, ERR_INVAL, "--write-stop is 1 to %d seconds", WRITE_STOP_S_MAX);
	return 0;
}

/* ---- the folder ---- */

/* The same of the same source and target, so that it goes on where it was cut short. */
static const char *default_work(struct migration *m)
{
	const char *tmp = getenv("TMPDIR");
	unsigned char sum[32];
	struct pki_digest *d = pki_digest_new();
	pki_digest_add(d, m->source.from, strlen(m->source.from) + 1);
	pki_digest_add(d, m->to ? m->to : "", m->to ? strlen(m->to) : 0);
	pki_digest_get(d, sum);
	pki_digest_free(d);
	return arena_printf(&m->a, "%s/k3x-migrate-%02x%02x%02x%02x%02x%02x", tmp ? tmp : "/tmp", sum[0], sum[1],
	        sum[2], sum[3], sum[4], sum[5]);
}

/* It holds a cluster's secrets: whoever made it before must have been us. */
static int make_work(struct migration *m, struct err *err)
{
	struct stat st;
	m->work = m->work ? m->work : default_work(m);
	if (mkdir(m->work, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make folder %s", m->work);
	if (lstat(m->work, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 0077))
		return err_set(err, ERR_FORBIDDEN, "%s is not a folder of this user's alone: name another with --work",
		        m->work);
	return 0;
}

/* What was sent stays known when it is to go on; copies of the state do not stay. */
static void clean_work(struct migration *m, bool with_sent)
{
	static const char *const names[] = {"snapshot", "state", "first", "from", "to", "sent"};
	for (size_t i = 0; i < COUNT_OF(names) - !with_sent; i++)
		store_remove_folder(in_work(m, names[i]));
	rmdir(m->work); /* unless something is to be remembered */
}

static int run_in_folder(struct migration *m, struct err *err)
{
	int rc = check(m, err);
	if (rc == 0)
		rc = make_work(m, err);
	if (rc != 0)
		return rc;
	clean_work(m, false);
	rc = make_work(m, err);
	if (rc == 0)
		rc = run(m, err);
	clean_work(m, rc == 0 || m->is_dry || m->is_undo);
	return rc;
}

static const char summary[] =
        "k3x-store migrate --from SOURCE --to TARGET: move a cluster's whole state into another datastore.\n"
        "SOURCE is a data directory of a stopped server (DIR/server/db), a snapshot of this store or of etcd, or the "
        "name\n"
        "of a datastore (postgres://, mysql://, https://); TARGET an empty datastore or an empty folder. Revisions, "
        "leases\n"
        "and the cluster's keys stay what they are. Stop the servers of SOURCE first; or with --live leave them "
        "running: "
        "it is\n"
        "copied, writes are held back for a moment while the rest is moved, and stay so where it was.";

int store_migrate(int argc, char **argv)
{
	struct migration m = {.output = "table", .write_stop_s = WRITE_STOP_S};
	struct err err = ERR_INIT;
	int code = 0;
	const struct flag table[] = {
	        {"from", 0, FLAG_STRING, &m.source.from, NULL, "where the state is", NULL},
	        {"to", 0, FLAG_STRING, &m.to, NULL, "where it goes", NULL},
	        {"dry-run", 0, FLAG_BOOL, &m.is_dry, NULL, "read and check all of it, and write nothing", NULL},
	        {"live", 0, FLAG_BOOL, &m.is_live, NULL, "its servers run; of a data directory on this machine", NULL},
	        {"write-stop", 0, FLAG_INT, &m.write_stop_s, NULL,
	                "with --live: how many seconds writes may be held back (60); then they go on", NULL},
	        {"undo", 0, FLAG_BOOL, &m.is_undo, NULL,
	                "writes go on at --from, where they are held back by a migration", NULL},
	        {"work", 0, FLAG_STRING, &m.work, NULL,
	                "folder for copies, and for what is known of one that was cut short (one in TMPDIR)", NULL},
	        {"progress", 0, FLAG_BOOL, &m.shows_progress, NULL, "a progress bar, also where no terminal is", NULL},
	        {"from-cafile", 0, FLAG_STRING, &m.source.files.ca_file, NULL, "CA of the source's certificate", NULL},
	        {"from-certfile", 0, FLAG_STRING, &m.source.files.certificate_file, NULL, "certificate for the source",
	                NULL},
	        {"from-keyfile", 0, FLAG_STRING, &m.source.files.key_file, NULL, "its key", NULL},
	        {"to-cafile", 0, FLAG_STRING, &m.to_files.ca_file, NULL, "CA of the target's certificate", NULL},
	        {"to-certfile", 0, FLAG_STRING, &m.to_files.certificate_file, NULL, "certificate for the target", NULL},
	        {"to-keyfile", 0, FLAG_STRING, &m.to_files.key_file, NULL, "its key", NULL},
	        {"output", 'o', FLAG_STRING, &m.output, NULL, "table or json", NULL},
	};
	struct flags f = {.program = "k3x-store migrate", .summary = summary, .table = table, .count = COUNT_OF(table)};
	if (store_offline_parse(&f, &m.a, argc, argv, 0, 0, "no arguments", &code) == 0 && run_in_folder(&m, &err) != 0)
		code = store_tool_fail("migrate", &err);
	arena_release(&m.a);
	return code;
}
