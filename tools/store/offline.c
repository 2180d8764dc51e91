/* `k3x-store snapshot status`, `sql`: commands that work on files, without a server. */
#include "tools/store/offline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int store_tool_fail(const char *command, const struct err *err)
{
	fprintf(stderr, "k3x-store %s: %s\n", command, err->msg);
	if (strstr(err->msg, "user name is empty"))
		fprintf(stderr, "  the server wants to know who is there: --user NAME:PASSWORD, or ETCDCTL_USER\n");
	return err_exit_code(err->code);
}

int64_t store_note_created_s(const char *note)
{
	json_auto_t *v = json_lib_parse(slice_of(note), NULL);
	return json_lib_get_int(v, "created_s", 0);
}

void store_note_cluster(const char *note, char ret[17])
{
	json_auto_t *v = json_lib_parse(slice_of(note), NULL);
	struct slice id = json_lib_get_str(v, "cluster_id");
	bool is_id = id.len == 16 && strspn(id.ptr, "0123456789abcdef") == 16;
	snprintf(ret, 17, "%s", is_id ? id.ptr : "");
}

void store_set_counts(json_t *object, const struct store_file_info *i)
{
	json_lib_set_int(object, "revision", i->revision);
	json_lib_set_int(object, "compactedRevision", i->compacted_revision);
	json_lib_set_int(object, "keys", i->keys);
	if (i->is_counted)
		json_lib_set_int(object, "versions", i->versions);
	json_lib_set_int(object, "leases", i->leases);
}

/* The note is JSON that a server wrote; what came in a file may be anything. */
static json_t *origin_of(const struct store_file_info *i)
{
	json_t *note = i->note[0] ? json_lib_parse(slice_of(i->note), NULL) : json_null();
	return note ? note : json_lib_new_str(slice_of(i->note));
}

static void print_json(const struct store_file_info *i)
{
	json_t *v = json_object();
	store_set_counts(v, i);
	json_lib_set_int(v, "size", i->size_bytes);
	json_lib_set_fmt(v, "hash", "%08x", i->hash);
	json_lib_set_cstr(v, "sha256", i->sha256_hex);
	json_lib_set_cstr(v, "format", i->is_etcd ? "etcd" : "k3x");
	json_lib_set_int(v, "appliedIndex", i->applied_index);
	json_lib_set_int(v, "appliedTerm", i->applied_term);
	json_lib_set(v, "origin", origin_of(i));
	json_lib_print(stdout, v);
}

void store_set_users(json_t *object, const struct store_users *u)
{
	json_lib_set_int(object, "users", u->users);
	json_lib_set_int(object, "roles", u->roles);
	json_lib_set_bool(object, "authEnabled", u->is_auth_enabled);
	json_lib_set_cstr(object, "withoutPassword", u->without_password);
}

void store_print_users(const struct store_users *u)
{
	if (u->users || u->roles)
		printf("users      %" PRId64 ", roles %" PRId64 ", authentication is %s\n", u->users, u->roles,
		        u->is_auth_enabled ? "on" : "off");
}

void store_print_info(const struct store_file_info *i, bool json)
{
	if (json) {
		print_json(i);
		return;
	}
	printf("revision   %" PRId64 "\ncompacted  %" PRId64 "\nkeys       %" PRId64 "\n", i->revision,
	        i->compacted_revision, i->keys);
	if (i->is_counted)
		printf("versions   %" PRId64 "\nhash       %08x\n", i->versions, i->hash);
	printf("leases     %" PRId64 "\nsize       %" PRId64 " bytes\n", i->leases, i->size_bytes);
	store_print_users(&i->users);
	if (i->is_etcd)
		printf("format     etcd (bbolt)\n");
	if (i->applied_index)
		printf("raft       applied index %" PRId64 ", term %" PRId64 "\n", i->applied_index, i->applied_term);
	if (i->is_snapshot)
		printf("sha256     %s (right)\n", i->sha256_hex);
	if (i->note[0])
		printf("origin     %s\n", i->note);
}

int store_offline_parse(struct flags *f, struct arena *a, int argc, char **argv, size_t min, size_t max,
        const char *what, int *exit_code)
{
	struct err err = ERR_INIT;
	f->takes_arguments = true;
	int rc = flags_load(f, a, argc, argv, &err);
	if (rc == 0 && f->want_help) {
		flags_help(f);
		*exit_code = 0;
		return 1;
	}
	if (rc == 0 && (f->argument_count < min || f->argument_count > max))
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
	if (store_offline_parse(&f, &a, argc, argv, 1, 1, "one FILE", &code) == 0) {
		if (store_file_inspect(f.arguments[0], true, &info, &a, &err) == 0)
			store_print_info(&info, strcmp(output, "json") == 0);
		else
			code = store_tool_fail("snapshot status", &err);
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
	if (is_head) {
		o->names = ARENA_ARRAY(&o->arena, const char *, n + 1);
		for (int i = 0; i < n; i++)
			o->names[i] = arena_strdup(&o->arena, texts[i]);
	}
	if (o->json && is_head)
		return;
	json_t *row = o->json ? json_object() : NULL;
	for (int i = 0; i < n; i++) {
		if (row)
			json_lib_set(row, o->names[i], texts[i] ? json_lib_new_str(slice_of(texts[i])) : json_null());
		else
			printf("%s%s", i ? "\t" : "", texts[i] ? texts[i] : "");
	}
	if (row)
		json_lib_print(stdout, row);
	else
		putchar('\n');
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
	        .summary = "k3x-store sql PATH STATEMENT: read a data directory or snapshot with SQL. Nothing is "
	                   "written.\n"
	                   "Tables: cur (key, id, created, version, lease): the newest version of each key; rev (id, "
	                   "key, prev, "
	                   "created,\nversion, lease, value): every kept version; lease (id, ttl); meta; sys. (rev "
	                   "is a view of\nwhat lies packed in block and dead.) id >> 20 "
	                   "is the "
	                   "revision; version 0 is a deletion.\n\n"
	                   "  all keys         \"SELECT CAST(key AS TEXT), id >> 20 FROM cur WHERE version > 0\"\n"
	                   "  a key's history  \"SELECT id >> 20, version, CAST(value AS TEXT) FROM rev WHERE key = "
	                   "CAST('a' AS BLOB)\"\n"
	                   "  what fills it    \"SELECT CAST(key AS TEXT), count(*), sum(length(value)) FROM rev GROUP "
	                   "BY key "
	                   "ORDER BY 3 DESC LIMIT 10\"\n"
	                   "  per resource     \"SELECT substr(CAST(key AS TEXT), 1, 24), count(*) FROM cur WHERE "
	                   "version > 0 "
	                   "GROUP BY 1\"\n"
	                   "  keys of a lease  \"SELECT printf('%x', lease), CAST(key AS TEXT) FROM cur WHERE lease <> "
	                   "0\"\n"
	                   "  writes over time \"SELECT (id >> 20) / 1000 AS thousands, count(*) FROM rev GROUP BY 1\"",
	        .table = table,
	        .count = 1};
	if (store_offline_parse(&f, &o.arena, argc, argv, 2, 2, "a PATH and a STATEMENT", &code) == 0) {
		o.json = strcmp(output, "json") == 0;
		if (store_sql(f.arguments[0], f.arguments[1], sql_row, &o, &err) != 0)
			code = store_tool_fail("sql", &err);
	}
	arena_release(&o.arena);
	return code;
}
