/* `k3x-store migrate`: a cluster's whole state from one datastore into another.
 *
 *     source: a data directory of a stopped server, a snapshot (ours, etcd's), or a datastore's name
 *         -> a snapshot file -> restored, which checks every page and counts -> a state
 *     target: a data directory, or an empty datastore -> the state in it -> read back from there, and compared by hash
 *
 * Revisions, leases, what is compacted and the system keyspace (the sealed keys of the cluster too) stay what they are:
 * clients go on watching where they were. Nothing counts in the target before its last step, so what was cut short is
 * simply done again. A dry run does all of it but writing.
 *
 * What can go wrong: servers still write to the source (its revision is looked at again at the end, and the difference
 * is told); the target is not empty; a data directory of several servers, which may lack what the others have. */
#include "tools/store/offline_int.h"
#include "tools/store/source.h"

#include "base/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct migration {
	struct arena a;
	const char *to, *output, *work;
	struct store_source source;
	struct external_options to_files;
	bool is_dry;
	struct store_file_info info;
	const char *state; /* the file to send */
	int64_t size, sent;
	uint64_t begun_ms;
};

static void say(const struct migration *m, const char *what, const char *more)
{
	if (strcmp(m->output, "json") != 0)
		printf("%-10s %s\n", what, more);
}

/* Into a directory without a log, as after a restoration. */
static int take_state(struct migration *m, const char *into, struct err *err)
{
	m->state = arena_printf(&m->a, "%s/state.db", into);
	return store_source_take(&m->source, into, &m->info, err);
}

/* ---- the target ---- */

static void progressed(void *arg, uint64_t bytes)
{
	struct migration *m = arg;
	m->sent += (int64_t)bytes;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\rsent       %.1f of %.1f MB", (double)m->sent / 1e6, (double)m->size / 1e6);
}

static int open_target(struct migration *m, struct shared_log **ret, struct err *err)
{
	struct shared_log_head head = {0};
	m->to_files.endpoint = m->to;
	int rc = external_log_open(&m->to_files, ret, err);
	if (rc != 0)
		return rc;
	(*ret)->is_look_only = m->is_dry;
	rc = (*ret)->v->connect(*ret, err);
	if (rc == ERR_NOT_FOUND && m->is_dry) {
		*err = ERR_INIT;
		return 0;
	}
	if (rc == 0)
		rc = (*ret)->v->head(*ret, &head, err);
	if (rc == 0 && (head.last || head.snapshot))
		rc = err_set(err, ERR_EXISTS, "--to: the datastore has a cluster's state already: empty it first");
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

static int send_state(struct migration *m, struct shared_log *log, struct err *err)
{
	struct stat st;
	int64_t index = m->info.applied_index > 0 ? m->info.applied_index : 1;
	if (stat(m->state, &st) != 0)
		return err_errno(err, errno, "%s", m->state);
	m->size = (int64_t)st.st_size;
	log->progress = progressed;
	log->arg = m;
	int rc = log->v->save_snapshot(log, m->state, index, 0, err);
	if (isatty(STDERR_FILENO))
		fputc('\n', stderr);
	return rc;
}

static int to_datastore(struct migration *m, struct err *err)
{
	struct shared_log *log = NULL;
	int rc = open_target(m, &log, err);
	if (rc == 0)
		rc = take_state(m, arena_printf(&m->a, "%s/state", m->work), err);
	if (rc == 0 && !m->is_dry)
		rc = send_state(m, log, err);
	if (log) {
		log->v->disconnect(log);
		log->v->free(log);
	}
	if (rc == 0 && !m->is_dry)
		rc = verify(m, err);
	return rc;
}

static int to_directory(struct migration *m, struct err *err)
{
	const char *state = arena_printf(&m->a, "%s/state.db", m->to);
	if (access(state, F_OK) == 0)
		return err_set(err, ERR_EXISTS, "--to: %s is there already: give an empty folder", state);
	return take_state(m, m->is_dry ? arena_printf(&m->a, "%s/state", m->work) : m->to, err);
}

/* ---- */

static void print_result(struct migration *m)
{
	const struct store_file_info *i = &m->info;
	double s = (double)(clock_mono_ms() - m->begun_ms) / 1000;
	if (strcmp(m->output, "json") == 0) {
		json_t *v = json_object();
		store_set_counts(v, i);
		json_lib_set_fmt(v, "hash", "%08x", i->hash);
		json_lib_set_bool(v, "dryRun", m->is_dry);
		json_lib_set_int(v, "milliseconds", (int64_t)(s * 1000));
		json_lib_print(stdout, v);
		return;
	}
	store_print_info(i, false);
	say(m, m->is_dry ? "dry run" : "moved",
	        arena_printf(&m->a, "%" PRId64 " keys, %" PRId64 " versions in %.1f s (%.0f keys/s)%s", i->keys,
	                i->versions, s, s > 0 ? (double)i->keys / s : 0,
	                m->is_dry                 ? ": nothing was written"
	                : external_is_name(m->to) ? ", read back and compared"
	                                          : ""));
}

static int run(struct migration *m, struct err *err)
{
	if (!m->source.from || !m->to)
		return err_set(err, ERR_INVAL, "--from and --to are needed");
	m->begun_ms = clock_mono_ms();
	m->source.a = &m->a;
	m->source.work = m->work;
	int rc = store_source_open(&m->source, err);
	if (rc != 0)
		err_wrap(err, "--from");
	if (rc == 0)
		rc = external_is_name(m->to) ? to_datastore(m, err) : to_directory(m, err);
	if (rc == 0)
		rc = store_source_check_stood(&m->source, err);
	store_source_close(&m->source);
	if (rc == 0)
		print_result(m);
	return rc;
}

static int run_in_folder(struct migration *m, struct err *err)
{
	const char *tmp = getenv("TMPDIR");
	char *work = arena_printf(&m->a, "%s/k3x-migrate-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(work))
		return err_errno(err, errno, "make a folder in %s", tmp ? tmp : "/tmp");
	m->work = work;
	int rc = run(m, err);
	store_remove_folder(work);
	return rc;
}

static const char summary[] =
        "k3x-store migrate --from SOURCE --to TARGET: move a cluster's whole state into another datastore.\n"
        "SOURCE is a data directory of a stopped server (DIR/server/db), a snapshot of this store or of etcd, or the "
        "name\n"
        "of a datastore (postgres://, mysql://, https://); TARGET an empty datastore or an empty folder. Revisions, "
        "leases\n"
        "and the cluster's keys stay what they are. Stop the servers of SOURCE first.";

int store_migrate(int argc, char **argv)
{
	struct migration m = {.output = "table"};
	struct err err = ERR_INIT;
	int code = 0;
	const struct flag table[] = {
	        {"from", 0, FLAG_STRING, &m.source.from, NULL, "where the state is", NULL},
	        {"to", 0, FLAG_STRING, &m.to, NULL, "where it goes", NULL},
	        {"dry-run", 0, FLAG_BOOL, &m.is_dry, NULL, "read and check all of it, and write nothing", NULL},
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
