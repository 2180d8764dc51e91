/* `k3x etcd-snapshot save|ls|delete|prune`, as k3s users know it; k3x-store snapshot does the same on files alone, and
 * checks what is in them.
 *
 * `save` asks a server that runs, which takes the snapshot and puts it where it says
 * (tools/k3x/snapshots/server_snapshots.c). The others look at the folder and the S3 store themselves, so they work
 * beside a server that is down. Flags come from the server's config file too: what is there for it counts for these
 * commands.
 *
 * What can go wrong: no server, a folder that can't be read, a name that nobody has, an S3 store that says no. */
#include "tools/operate/operate_int.h"

#include "base/json_lib.h"
#include "base/time/rfc3339.h"
#include "tools/k3x/snapshots/server_snapshots.h"
#include "tools/snapshots/list.h"
#include "tools/snapshots/s3_secret.h"
#include "tools/snapshots/settings_json.h"
#include "tools/store/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { TELL_MS = 2000, SAVE_MS = 15 * 60 * 1000, NAMES_MAX = 1000 };

struct snapshot_command {
	struct admin admin;
	struct snapshot_settings how;
	struct s3_settings store; /* how.s3, as it is used here */
	const char *config, *dir; /* dir: where they are here */
	struct flags flags;
	struct s3 s3;
	struct snapshot_list list;
};

#define DIR_HELP "folder of the snapshots (server/db/snapshots of --data-dir)"

/* 0: go on; else *code is what to return. */
static int begin(struct snapshot_command *m, const char *program, const char *summary, int64_t retention, int argc,
        char **argv, size_t min, size_t max, int *code)
{
	struct snapshot_settings *v = &m->how;
	struct err err = ERR_INIT;
	snapshot_settings_init(v);
	v->name = "on-demand";
	v->retention = v->s3.retention = retention;
	m->config = "/etc/k3x/config.yaml";
	const struct flag table[] = {{"config", 'c', FLAG_STRING, &m->config, "K3X_CONFIG_FILE",
	                                     "the server's config file, for what it says of "
	                                     "snapshots (/etc/k3x/config.yaml)",
	                                     NULL},
	        {"name", 0, FLAG_STRING, &v->name, NULL, "what the name begins with (on-demand)", NULL},
	        {"etcd-snapshot-dir", 0, FLAG_STRING, &v->dir, NULL, DIR_HELP, NULL},
	        {"dir", 0, FLAG_STRING, &v->dir, NULL, NULL, NULL},
	        {"etcd-snapshot-compress", 0, FLAG_BOOL, &v->is_packed, NULL, "pack it: LZ4, .lz4", NULL},
	        {"snapshot-compress", 0, FLAG_BOOL, &v->is_packed, NULL, NULL, NULL},
	        {"snapshot-retention", 0, FLAG_INT, &v->retention, NULL,
	                retention ? "how many to keep of the name (5)" : "then keep so many of the name; 0: all (0)",
	                NULL},
	        S3_FLAGS(v, "etcd-", FLAGS_LISTED), S3_FLAGS(v, "", FLAGS_UNLISTED)};
	m->flags =
	        (struct flags){.program = program, .summary = summary, .config_flag = "config", .shares_config = true};
	if (admin_parse(&m->admin, &m->flags, table, COUNT_OF(table), argc, argv, min, max, code) != 0)
		return -1;
	if (snapshot_settings_check(v, &err) != 0) {
		fprintf(stderr, "%s: %s\n", program, err.msg);
		*code = err_exit_code(err.code);
		return -1;
	}
	m->s3 = (struct s3){&m->store, NULL};
	m->dir = snapshots_folder(&m->admin.arena, m->admin.data_dir ? m->admin.data_dir : "/var/lib/k3x", v);
	return 0;
}

static int end(struct snapshot_command *m, const char *name, const struct err *err)
{
	snapshot_list_release(&m->list);
	admin_release(&m->admin);
	return err->code ? admin_fail(name, err) : 0;
}

/* Of the server, which need not run unless a Secret is wanted of it. */
static int get(void *arg, const char *path, struct strbuf *answer, struct err *err)
{
	struct snapshot_command *m = arg;
	return admin_connect(&m->admin, err) == 0 ? admin_call(&m->admin, "GET", path, SLICE(""), 0, answer, err)
	                                          : err->code;
}

static int load(struct snapshot_command *m, struct err *err)
{
	struct s3_secret_source source = {get, m};
	if (snapshot_list_folder(&m->list, m->dir, err) == 0 && m->how.s3.is_on &&
	        s3_settings_resolve(&m->how.s3, &source, &m->admin.arena, &m->store, err) == 0)
		snapshot_list_s3(&m->list, &m->s3, err);
	snapshot_list_sort(&m->list);
	return err->code;
}

/* ---- save ---- */

static int print_saved(const struct snapshot_command *m, const json_t *v, struct err *err)
{
	struct slice problem = json_lib_get_str(v, "s3Error");
	if (m->admin.json)
		json_lib_print(stdout, json_incref((json_t *)(uintptr_t)v));
	else
		printf("saved %.*s on %.*s (%" PRId64 " bytes, revision %" PRId64 ")%s\n",
		        SLICE_FMT(json_lib_get_str(v, "location")), SLICE_FMT(json_lib_get_str(v, "node")),
		        json_lib_get_int(v, "size", 0), json_lib_get_int(v, "revision", 0),
		        json_lib_get_bool(v, "inS3", false) ? ", and in the S3 store" : "");
	return problem.len ? err_set(err, ERR_UNAVAILABLE, "it is not in the S3 store: %.*s", SLICE_FMT(problem)) : 0;
}

static int save(int argc, char **argv)
{
	struct snapshot_command m = {0};
	struct err err = ERR_INIT;
	struct strbuf body = STRBUF_INIT, answer = STRBUF_INIT;
	int code;
	if (begin(&m, "k3x etcd-snapshot save",
	            "k3x etcd-snapshot save: take a snapshot of a running server's data, on that server and, with "
	            "--etcd-s3, "
	            "in an S3\nstore. Restore it with k3x server --cluster-reset --cluster-reset-restore-path FILE",
	            0, argc, argv, 0, 0, &code) != 0) {
		admin_release(&m.admin);
		return code;
	}
	json_auto_t *ask = json_object();
	snapshot_settings_write(&m.how, ask);
	json_lib_write(&body, ask);
	json_auto_t *v = NULL;
	if (admin_connect(&m.admin, &err) == 0 && admin_call(&m.admin, "POST", "/v1-k3x/server-operate/snapshot-save",
	                                                  strbuf_slice(&body), SAVE_MS, &answer, &err) == 0)
		v = json_lib_parse(strbuf_slice(&answer), &err);
	if (v)
		print_saved(&m, v, &err);
	strbuf_release(&body);
	strbuf_release(&answer);
	return end(&m, "etcd-snapshot save", &err);
}

/* ---- ls ---- */

static const struct store_column columns[] = {{"NAME", "name", STORE_COLUMN_TEXT},
        {"LOCATION", "location", STORE_COLUMN_TEXT}, {"SIZE", NULL, STORE_COLUMN_NUMBER},
        {NULL, "size", STORE_COLUMN_NUMBER}, {"CREATED", "created", STORE_COLUMN_TEXT}};

static void print_list(struct snapshot_command *m)
{
	struct store_table t = {columns, COUNT_OF(columns), ARENA_INIT, NULL, 0, 0};
	for (size_t i = 0; i < m->list.n; i++) {
		const struct snapshot_entry *e = &m->list.entries[i];
		char when[RFC3339_MAX];
		store_table_add(&t, "%s", e->name);
		store_table_add(&t, "%s", e->location);
		store_table_add(&t, "%s", store_table_size(&t, e->size));
		store_table_add(&t, "%" PRId64, e->size);
		store_table_add(&t, "%s", rfc3339_seconds(when, e->created_s));
	}
	store_table_print(&t, m->admin.json);
}

static int list(int argc, char **argv)
{
	struct snapshot_command m = {0};
	struct err err = ERR_INIT;
	int code;
	if (begin(&m, "k3x etcd-snapshot ls",
	            "k3x etcd-snapshot ls: the snapshots in the folder of this machine's server and, with --etcd-s3, "
	            "in the S3 "
	            "store,\nnewest first. k3x-store snapshot ls DIR looks into them",
	            0, argc, argv, 0, 0, &code) != 0) {
		admin_release(&m.admin);
		return code;
	}
	if (load(&m, &err) == 0)
		print_list(&m);
	return end(&m, "etcd-snapshot ls", &err);
}

/* ---- delete, prune ---- */

static void say_removed(void *arg, const struct snapshot_entry *e)
{
	const struct snapshot_command *m = arg;
	printf(m->admin.json ? "{\"removed\":\"%s\"}\n" : "removed %s\n", e->location);
}

/* The server's objects of them follow; one that does not run now looks when it starts. */
static void tell_server(struct snapshot_command *m)
{
	struct strbuf answer = STRBUF_INIT;
	struct err err = ERR_INIT;
	if (admin_connect(&m->admin, &err) == 0)
		admin_call(&m->admin, "POST", "/v1-k3x/server-operate/snapshots-changed", SLICE("{}"), TELL_MS, &answer,
		        &err);
	strbuf_release(&answer);
}

static int delete_one(struct snapshot_command *m, const char *name, struct err *err)
{
	size_t n = 0;
	for (size_t i = 0; i < m->list.n && !err->code; i++) {
		const struct snapshot_entry *e = &m->list.entries[i];
		if (strcmp(e->name, name) != 0)
			continue;
		n++;
		if (snapshot_remove(e, m->dir, &m->s3, err) == 0)
			say_removed(m, e);
	}
	if (!n)
		err_set(err, ERR_NOT_FOUND, "there is no snapshot %s in %s%s", name, m->dir,
		        m->how.s3.is_on ? " nor in the S3 store" : "");
	return err->code;
}

static int delete (int argc, char **argv)
{
	struct snapshot_command m = {0};
	struct err err = ERR_INIT;
	int code;
	if (begin(&m, "k3x etcd-snapshot delete",
	            "k3x etcd-snapshot delete NAME...: remove snapshots, by the names that ls prints: from the folder "
	            "and, "
	            "with --etcd-s3,\nfrom the S3 store",
	            0, argc, argv, 1, NAMES_MAX, &code) != 0) {
		admin_release(&m.admin);
		return code;
	}
	load(&m, &err);
	for (size_t i = 0; i < m.flags.argument_count && !err.code; i++)
		delete_one(&m, m.flags.arguments[i], &err);
	tell_server(&m);
	return end(&m, "etcd-snapshot delete", &err);
}

static int prune(int argc, char **argv)
{
	struct snapshot_command m = {0};
	struct err err = ERR_INIT;
	int code;
	if (begin(&m, "k3x etcd-snapshot prune",
	            "k3x etcd-snapshot prune [--name NAME] --snapshot-retention N: remove all but the newest N "
	            "snapshots whose "
	            "names begin\nwith NAME, of each server by itself: from the folder and, with --etcd-s3, from the "
	            "S3 store",
	            SNAPSHOT_RETENTION_DEFAULT, argc, argv, 0, 0, &code) != 0) {
		admin_release(&m.admin);
		return code;
	}
	if (m.how.retention < 1)
		err_set(&err, ERR_INVAL, "--snapshot-retention: at least 1 stays");
	struct snapshot_pruning p = {.dir = m.dir,
	        .s3 = &m.s3,
	        .name = m.how.name,
	        .keep = m.how.retention,
	        .keep_s3 = m.how.retention,
	        .removed = say_removed,
	        .arg = &m};
	if (!err.code && load(&m, &err) == 0)
		snapshot_prune(&m.list, &p, &err);
	tell_server(&m);
	return end(&m, "etcd-snapshot prune", &err);
}

static const struct operate_command commands[] = {
        {"save", "", "take a snapshot of a running server now", save},
        {"ls", "", "the snapshots there are", list},
        {"list", "", "the same", list},
        {"l", "", NULL, list},
        {"delete", "NAME...", "remove snapshots", delete},
        {"prune", "", "remove all but the newest", prune},
};

int etcd_snapshot_main(int argc, char **argv)
{
	return operate_group(
	        "etcd-snapshot", "snapshots of the cluster's data", commands, COUNT_OF(commands), argc, argv);
}
