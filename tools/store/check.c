/* `k3x-store check PATH`: is all of a data directory, database or snapshot sound? Nothing is changed, and a server may
 * run.
 *
 * For a data directory: the checksums of SQLite's pages, the store's invariants, every checksum of the raft log and its
 * meta files, that no entry is missing between state and log, and the identity files. When something is damaged it says
 * what can be saved, for the state and the log are two copies of the newest changes: a sound state is enough to go on
 * from. Exit code 0: sound; 7: damaged; other codes: it could not be looked at. */
#include "tools/store/check.h"

#include "base/check.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { REPORTS_MAX = 64 };

static bool is_folder(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- a directory ---- */

struct reports {
	struct store_directory *d;
	struct arena *a;
};

static void take_report(void *arg, bool is_damage, const char *text)
{
	struct reports *r = arg;
	size_t *n = is_damage ? &r->d->n_damages : &r->d->n_remarks;
	if (*n < REPORTS_MAX)
		(is_damage ? r->d->damages : r->d->remarks)[(*n)++] = arena_strdup(r->a, text);
}

static void read_id(struct store_directory *d, struct arena *a, const char *name, uint64_t *id)
{
	struct reports r = {d, a};
	unsigned long long n = 0;
	FILE *f = fopen(arena_printf(a, "%s/%s", d->path, name), "re");
	if (!f)
		return;
	if (fscanf(f, "%16llx", &n) != 1 || !n)
		take_report(&r, true,
		        arena_printf(a,
		                "the file \"%s\" does not hold an id: write it anew, 16 hex digits, from member list",
		                name));
	fclose(f);
	*id = n;
}

int store_directory_look(const char *path, struct arena *a, struct store_directory *ret, struct err *err)
{
	struct store_directory d = {.path = path};
	const char *folder = arena_printf(a, "%s/raft", path);
	struct reports r = {&d, a};
	struct disk *disk = NULL;
	d.damages = ARENA_ARRAY(a, const char *, REPORTS_MAX);
	d.remarks = ARENA_ARRAY(a, const char *, REPORTS_MAX);
	if (!is_folder(path))
		return err_set(err, ERR_NOT_FOUND, "%s is not a data directory", path);
	read_id(&d, a, "cluster", &d.cluster_id);
	read_id(&d, a, "member", &d.member_id);
	if (is_folder(folder)) {
		if (disk_posix_new(folder, &disk, err) != 0)
			return err->code;
		int rc = raft_host_check(disk, take_report, &r, a, &d.raft, err);
		disk->v->free(disk);
		if (rc != 0)
			return err_wrap(err, "%s", folder);
		d.has_log = !d.raft.is_empty;
	}
	*ret = d;
	return 0;
}

/* Does the log go on where the state ends? */
static void compare(struct store_directory *d, const struct store_file_info *state, struct arena *a)
{
	struct reports r = {d, a};
	uint64_t applied = (uint64_t)state->applied_index;
	if (!d->has_log && applied > 1)
		take_report(&r, true,
		        arena_printf(
		                a, "the state has entry %" PRIu64 " of a raft log and the log is not there", applied));
	if (!d->has_log || d->n_damages)
		return;
	if (applied + 1 < d->raft.first_index && d->raft.n_entries)
		take_report(&r, true,
		        arena_printf(a,
		                "entries %" PRIu64 " to %" PRIu64
		                " are neither in the state nor in the log: the state is older "
		                "than this log",
		                applied + 1, d->raft.first_index - 1));
	if (applied > d->raft.last_index)
		take_report(&r, false,
		        arena_printf(a,
		                "the state has entry %" PRIu64 " and the log ends at %" PRIu64
		                ": a state newer than the log was taken over, or the log lost its end",
		                applied, d->raft.last_index));
}

/* ---- saying it ---- */

static void print_log(const struct store_directory *d)
{
	if (!d->has_log)
		return;
	printf("log        entries %" PRIu64 " to %" PRIu64 ", last of term %" PRIu64 ", %" PRIu64 " bytes\n"
	       "term       %" PRIu64 ", vote %016" PRIx64 "\nbegins at  %" PRIu64 " (snapshot record)\n",
	        d->raft.first_index, d->raft.last_index, d->raft.last_term, d->raft.log_bytes, d->raft.term,
	        d->raft.vote, d->raft.snapshot_index);
	for (size_t i = 0; i < d->raft.n_servers; i++)
		printf("%s %016" PRIx64 " %s %s%s\n", i ? "          " : "members   ", d->raft.servers[i].id,
		        raft_host_role_name(d->raft.servers[i].role), d->raft.servers[i].address,
		        d->raft.servers[i].id == d->member_id ? " (this one)" : "");
}

static void print_json(const struct store_directory *d)
{
	json_t *v = json_object();
	json_lib_set_fmt(v, "cluster", "%016" PRIx64, d->cluster_id);
	json_lib_set_fmt(v, "member", "%016" PRIx64, d->member_id);
	json_lib_set_bool(v, "hasLog", d->has_log);
	json_lib_set_int(v, "firstIndex", (int64_t)d->raft.first_index);
	json_lib_set_int(v, "lastIndex", (int64_t)d->raft.last_index);
	json_lib_set_int(v, "lastTerm", (int64_t)d->raft.last_term);
	json_lib_set_int(v, "term", (int64_t)d->raft.term);
	json_lib_set_int(v, "snapshotIndex", (int64_t)d->raft.snapshot_index);
	json_lib_set_int(v, "damages", (int64_t)d->n_damages);
	json_lib_set_int(v, "remarks", (int64_t)d->n_remarks);
	json_lib_print(stdout, v);
}

static void advise(const char *path, bool state_is_sound, size_t members, const struct store_file_info *state)
{
	fprintf(stderr, "what can be done:\n");
	if (members > 1)
		fprintf(stderr,
		        "  - the other members are up: `member remove` this one, delete %s, `member add` it again\n",
		        path);
	if (state_is_sound)
		fprintf(stderr,
		        "  - the state is sound up to revision %" PRId64
		        ": `k3x-store recover --single-node --from-state "
		        "--peer-url URL --data-dir %s` goes on\n    from it alone, without what only the log had\n",
		        state->revision, path);
	fprintf(stderr, "  - restore a snapshot: `k3x-store snapshot restore FILE --data-dir %s --replace`\n", path);
}

static int check_directory(const char *path, bool json, struct arena *a, struct err *err)
{
	struct store_directory d;
	struct store_file_info state = {.note = ""};
	struct err bad = ERR_INIT;
	if (store_directory_look(path, a, &d, err) != 0)
		return err->code;
	bool state_is_sound = store_file_inspect(path, true, &state, a, &bad) == 0;
	if (!state_is_sound && bad.code != ERR_CORRUPT && bad.code != ERR_NOT_FOUND) {
		*err = bad;
		return err->code;
	}
	if (state_is_sound) {
		compare(&d, &state, a);
		store_print_info(&state, json);
	}
	if (json)
		print_json(&d);
	else
		print_log(&d);
	for (size_t i = 0; i < d.n_remarks; i++)
		fprintf(stderr, "remark: %s\n", d.remarks[i]);
	for (size_t i = 0; i < d.n_damages; i++)
		fprintf(stderr, "DAMAGED: %s\n", d.damages[i]);
	if (!state_is_sound)
		fprintf(stderr, "DAMAGED: %s\n", bad.msg);
	if (!state_is_sound || d.n_damages) {
		advise(path, state_is_sound, d.raft.n_servers, &state);
		return err_set(err, ERR_CORRUPT, "%s is damaged (%zu findings)", path, d.n_damages + !state_is_sound);
	}
	return 0;
}

static int check_path(const char *path, bool json, struct arena *a, struct err *err)
{
	struct store_file_info info;
	if (is_folder(path))
		return check_directory(path, json, a, err);
	if (store_file_inspect(path, true, &info, a, err) != 0)
		return err->code;
	store_print_info(&info, json);
	return 0;
}

int store_check(int argc, char **argv)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	const char *output = "table";
	int code = 0;
	const struct flag table[] = {{"output", 'o', FLAG_STRING, &output, NULL, "table or json", NULL}};
	struct flags f = {.program = "k3x-store check",
	        .summary = "k3x-store check PATH: check a data directory, database or snapshot without changing it.\n"
	                   "SQLite's pages, that the tables agree with each other, every checksum of the raft log, and "
	                   "that "
	                   "log and state fit.\nExit code 0: sound; 7: damaged, with what can be saved.",
	        .table = table,
	        .count = 1};
	if (store_offline_parse(&f, &a, argc, argv, 1, 1, "one PATH", &code) == 0) {
		bool json = strcmp(output, "json") == 0;
		if (check_path(f.arguments[0], json, &a, &err) != 0)
			code = store_tool_fail("check", &err);
		else if (!json)
			printf("sound\n");
	}
	arena_release(&a);
	return code;
}
