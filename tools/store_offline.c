/* `k3x-store snapshot status|restore`, `check`, `sql`: commands that work on files, without a server. */
#include "tools/store_int.h"

#include "base/flags.h"
#include "base/json/json.h"
#include "store/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int store_tool_fail(const char *command, const struct err *err)
{
	fprintf(stderr, "k3x-store %s: %s\n", command, err->msg);
	return err_exit_code(err->code);
}

static void print_info(const struct store_file_info *i, bool json)
{
	if (json) {
		printf("{\"revision\":%" PRId64 ",\"compactedRevision\":%" PRId64 ",\"keys\":%" PRId64
		       ",\"versions\":%" PRId64 ",\"leases\":%" PRId64 ",\"size\":%" PRId64
		       ",\"hash\":\"%08x\",\"sha256\":\"%s\",\"origin\":%s}\n",
		        i->revision, i->compacted_revision, i->keys, i->versions, i->leases, i->size_bytes, i->hash,
		        i->sha256_hex, i->note[0] ? i->note : "null");
		return;
	}
	printf("revision   %" PRId64 "\ncompacted  %" PRId64 "\nkeys       %" PRId64 "\nversions   %" PRId64
	       "\nleases     %" PRId64 "\nsize       %" PRId64 " bytes\nhash       %08x\n",
	        i->revision, i->compacted_revision, i->keys, i->versions, i->leases, i->size_bytes, i->hash);
	if (i->is_snapshot)
		printf("sha256     %s (right)\n", i->sha256_hex);
	if (i->note[0])
		printf("origin     %s\n", i->note);
}

/* Parses the flags of a command that takes `want` arguments. 0: go on; else *exit_code holds what to return. */
static int parse(struct flags *f, struct arena *a, int argc, char **argv, size_t want, const char *what, int *exit_code)
{
	struct err err = ERR_INIT;
	f->takes_arguments = true;
	int rc = flags_load(f, a, argc, argv, &err);
	if (rc == 0 && f->want_help) {
		flags_help(f);
		*exit_code = 0;
		return 1;
	}
	if (rc == 0 && f->argument_count != want)
		rc = err_set(&err, ERR_INVAL, "takes %s: see --help", what);
	if (rc != 0) {
		fprintf(stderr, "%s: %s\n", f->program, err.msg);
		*exit_code = 2;
	}
	return rc;
}

int store_snapshot_status(int argc, char **argv)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct store_file_info info;
	const char *output = "table";
	int code = 0;
	const struct flag table[] = {{"output", 'o', FLAG_STRING, &output, NULL, "table or json", NULL}};
	struct flags f = {.program = "k3x-store snapshot status",
	        .summary =
	                "k3x-store snapshot status FILE: check a snapshot (sha256, pages, the store's invariants) and "
	                "say what is in it",
	        .table = table,
	        .count = 1};
	if (parse(&f, &a, argc, argv, 1, "one FILE", &code) == 0) {
		if (store_file_inspect(f.arguments[0], true, &info, &a, &err) == 0)
			print_info(&info, strcmp(output, "json") == 0);
		else
			code = store_tool_fail("snapshot status", &err);
	}
	arena_release(&a);
	return code;
}

int store_snapshot_restore(int argc, char **argv)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct store_file_info info;
	struct store_restore_options o = {0};
	const char *output = "table";
	int code = 0;
	const struct flag table[] = {
	        {"data-dir", 0, FLAG_STRING, &o.data_dir, "ETCD_DATA_DIR", "where the restored store goes", NULL},
	        {"replace", 0, FLAG_BOOL, &o.replace, NULL,
	                "put it in the place of data that is there, which is kept as state.db.before-restore", NULL},
	        {"cluster-id", 0, FLAG_STRING, &o.cluster_id, NULL,
	                "whose snapshot it must be: 16 hex digits, see snapshot status; any (that of DIR, if it has "
	                "one)",
	                NULL},
	        {"bump-revision", 0, FLAG_INT, &o.bump_revision, NULL,
	                "add this to the revision, so that no client sees one again (1000000000 is usual)", NULL},
	        {"mark-compacted", 0, FLAG_BOOL, &o.mark_compacted, NULL,
	                "count everything restored as compacted: watches list anew", NULL},
	        {"output", 'o', FLAG_STRING, &output, NULL, "table or json", NULL},
	};
	struct flags f = {.program = "k3x-store snapshot restore",
	        .summary = "k3x-store snapshot restore FILE --data-dir DIR: make a data directory from a snapshot.\n"
	                   "Stop the server of DIR first. The whole snapshot is checked before anything is touched.",
	        .table = table,
	        .count = sizeof table / sizeof *table};
	if (parse(&f, &a, argc, argv, 1, "one FILE", &code) != 0)
		goto out;
	o.snapshot = f.arguments[0];
	if (!o.data_dir || o.bump_revision < 0)
		err_set(&err, ERR_INVAL, o.data_dir ? "--bump-revision must not be negative" : "--data-dir is needed");
	else if (store_restore(&o, &info, &a, &err) == 0)
		print_info(&info, strcmp(output, "json") == 0);
	if (err.code)
		code = store_tool_fail("snapshot restore", &err);
out:
	arena_release(&a);
	return code;
}

int store_check(int argc, char **argv)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct store_file_info info;
	const char *output = "table";
	int code = 0;
	const struct flag table[] = {{"output", 'o', FLAG_STRING, &output, NULL, "table or json", NULL}};
	struct flags f = {.program = "k3x-store check",
	        .summary = "k3x-store check PATH: check a data directory, database or snapshot without changing it.\n"
	                   "SQLite's own check, then that the tables agree with each other. Exit code 0: sound.",
	        .table = table,
	        .count = 1};
	if (parse(&f, &a, argc, argv, 1, "one PATH", &code) == 0) {
		if (store_file_inspect(f.arguments[0], true, &info, &a, &err) == 0) {
			print_info(&info, strcmp(output, "json") == 0);
			if (strcmp(output, "json") != 0)
				printf("sound\n");
		} else {
			code = store_tool_fail("check", &err);
		}
	}
	arena_release(&a);
	return code;
}

struct sql_output {
	bool json;
	struct arena arena;
	const char **names;
};

static void sql_row(void *arg, bool is_head, const char *const *texts, int n)
{
	struct sql_output *o = arg;
	struct strbuf b = STRBUF_INIT;
	if (is_head) {
		o->names = ARENA_ARRAY(&o->arena, const char *, n + 1);
		for (int i = 0; i < n; i++)
			o->names[i] = arena_strdup(&o->arena, texts[i]);
		if (o->json)
			return;
	}
	for (int i = 0; i < n; i++) {
		strbuf_adds(&b, i ? (o->json ? "," : "\t") : "");
		if (o->json) {
			json_write_str(&b, slice_of(o->names[i]));
			strbuf_addc(&b, ':');
		}
		if (o->json && texts[i])
			json_write_str(&b, slice_of(texts[i]));
		else
			strbuf_adds(&b, texts[i] ? texts[i] : o->json ? "null" : "");
	}
	printf(o->json ? "{%.*s}\n" : "%.*s\n", (int)b.len, b.data ? b.data : "");
	strbuf_release(&b);
}

int store_sql_main(int argc, char **argv)
{
	struct sql_output o = {0};
	struct err err = ERR_INIT;
	const char *output = "table";
	int code = 0;
	const struct flag table[] = {
	        {"output", 'o', FLAG_STRING, &output, NULL, "table (tabs) or json (a line a row)", NULL}};
	struct flags f = {.program = "k3x-store sql",
	        .summary =
	                "k3x-store sql PATH STATEMENT: read a data directory or snapshot with SQL. Nothing is "
	                "written.\n"
	                "Tables: cur (key, id, created, version, lease), rev (id, key, prev, created, version, lease, "
	                "value), lease, meta.\nid >> 20 is the revision. "
	                "Try: \"SELECT CAST(key AS TEXT), id >> 20 FROM cur WHERE version > 0\"",
	        .table = table,
	        .count = 1};
	if (parse(&f, &o.arena, argc, argv, 2, "a PATH and a STATEMENT", &code) == 0) {
		o.json = strcmp(output, "json") == 0;
		if (store_sql(f.arguments[0], f.arguments[1], sql_row, &o, &err) != 0)
			code = store_tool_fail("sql", &err);
	}
	arena_release(&o.arena);
	return code;
}
