/* `k3x-store snapshot restore|to-etcd`: a data directory from a snapshot, for one server or each of several; and a
 * snapshot that etcd restores. */
#include "tools/store/offline.h"
#include "tools/store/serve/serve_settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct restore_command {
	struct store_restore_options o;
	struct serve_settings who;
	const char *output;
};

static const char summary[] =
        "k3x-store snapshot restore FILE --data-dir DIR: make a data directory from a snapshot of this store or of "
        "etcd.\n"
        "Stop the server of DIR first. FILE is read once (-: standard input), checked while it is written, and put in "
        "place\nwhen all of it is right.\n\n"
        "For a cluster of several, restore the same FILE on each with the same --initial-cluster and its own --name "
        "and\n"
        "--initial-advertise-peer-urls, then start them all. The restored cluster has an id of its own.";

/* Given any of etcd's flags for it, the directory is made complete: it starts as that member without being told. */
static int choose_members(
        struct restore_command *c, struct arena *a, struct serve_identity *id, bool is_told, struct err *err)
{
	if (!is_told)
		return 0;
	if (!c->who.name)
		c->who.name = "default";
	if (serve_identity_begin(&c->who, a, id, err) != 0)
		return err->code;
	c->o.servers = id->servers;
	c->o.n_servers = id->n_servers;
	c->o.member_id = id->member_id;
	return 0;
}

static void print_result(const struct restore_command *c, const struct store_file_info *i, uint64_t cluster_id)
{
	if (strcmp(c->output, "json") == 0) {
		json_t *v = json_object();
		json_lib_set_cstr(v, "dataDir", c->o.data_dir);
		json_lib_set_fmt(v, "cluster", "%016" PRIx64, cluster_id);
		store_set_counts(v, i);
		if (i->is_counted)
			json_lib_set_fmt(v, "hash", "%08x", i->hash);
		json_lib_set_int(v, "members", (int64_t)c->o.n_servers);
		json_lib_set_bool(v, "fromEtcd", i->is_etcd);
		store_set_users(v, &i->users);
		json_lib_print(stdout, v);
		return;
	}
	store_print_info(i, false);
	printf("cluster    %016" PRIx64 "%s\n", cluster_id, c->o.keep_cluster_id ? "" : " (new)");
	for (size_t k = 0; k < c->o.n_servers; k++)
		printf("member     %016" PRIx64 " %s%s\n", c->o.servers[k].id, c->o.servers[k].address,
		        c->o.servers[k].id == c->o.member_id ? " (this one)" : "");
	if (i->users.n_without_password)
		printf("note       %" PRId64
		       " users cannot log in here, their hashes are not bcrypt's or cost too much: give them new "
		       "passwords (etcdctl user passwd): %s\n",
		        i->users.n_without_password, i->users.without_password);
	if (i->leaseless)
		printf("note       %" PRId64 " keys named a lease that etcd had lost: they stay, without a lease\n",
		        i->leaseless);
	printf("restored   %s: start it with k3x-store serve --data-dir %s%s\n", c->o.data_dir, c->o.data_dir,
	        c->o.n_servers ? " and the URLs to listen on" : "");
}

static int run(struct restore_command *c, struct arena *a, bool is_told, struct err *err)
{
	struct store_file_info info;
	struct serve_identity id = {0};
	uint64_t cluster_id;
	if (!c->o.data_dir)
		return err_set(err, ERR_INVAL, "--data-dir is needed");
	if (c->o.bump_revision < 0)
		return err_set(err, ERR_INVAL, "--bump-revision must not be negative");
	if (c->o.mark_compacted && !c->o.bump_revision)
		fprintf(stderr,
		        "k3x-store snapshot restore: --mark-compacted without --bump-revision: clients that saw "
		        "revisions newer than the snapshot will see them again with other contents\n");
	if (choose_members(c, a, &id, is_told, err) != 0 || store_restore(&c->o, &info, &cluster_id, a, err) != 0)
		return err->code;
	print_result(c, &info, cluster_id);
	return 0;
}

int store_snapshot_restore(int argc, char **argv)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct restore_command c = {.output = "table", .who.initial_cluster_token = "etcd-cluster"};
	int code = 0;
	const struct flag table[] = {
	        {"data-dir", 0, FLAG_STRING, &c.o.data_dir, "ETCD_DATA_DIR", "where the restored store goes", NULL},
	        {"replace", 0, FLAG_BOOL, &c.o.replace, NULL,
	                "put it in the place of data that is there, which is kept as state.db.before-restore and "
	                "raft.before-restore",
	                NULL},
	        {"name", 0, FLAG_STRING, &c.who.name, "ETCD_NAME", "name of this member (default)", NULL},
	        {"initial-cluster", 0, FLAG_STRING, &c.who.initial_cluster, "ETCD_INITIAL_CLUSTER",
	                "name=peer-url,... of all members of the restored cluster", NULL},
	        {"initial-cluster-token", 0, FLAG_STRING, &c.who.initial_cluster_token, "ETCD_INITIAL_CLUSTER_TOKEN",
	                "goes into the identities; use another one to restore a snapshot a second time", NULL},
	        {"initial-advertise-peer-urls", 0, FLAG_LIST, &c.who.advertise_peer, "ETCD_INITIAL_ADVERTISE_PEER_URLS",
	                "peer URL of this member (http://localhost:2380)", NULL},
	        {"bump-revision", 0, FLAG_INT, &c.o.bump_revision, NULL,
	                "add this to the revision, so that no client sees one again (1000000000 is usual)", NULL},
	        {"mark-compacted", 0, FLAG_BOOL, &c.o.mark_compacted, NULL,
	                "count everything restored as compacted: watches list anew", NULL},
	        {"skip-hash-check", 0, FLAG_BOOL, &c.o.skip_hash_check, NULL,
	                "take a file without a sha256, like member/snap/db of etcd or a copied state.db", NULL},
	        {"cluster-id", 0, FLAG_STRING, &c.o.cluster_id, NULL,
	                "whose snapshot it must be: 16 hex digits, see snapshot status; any (that of DIR, if it has "
	                "one)",
	                NULL},
	        {"keep-cluster-id", 0, FLAG_BOOL, &c.o.keep_cluster_id, NULL,
	                "keep the id of the snapshot's cluster: only when none of its members will run again", NULL},
	        {"output", 'o', FLAG_STRING, &c.output, NULL, "table or json", NULL},
	};
	struct flags f = {.program = "k3x-store snapshot restore",
	        .summary = summary,
	        .table = table,
	        .count = sizeof table / sizeof *table};
	if (store_offline_parse(&f, &a, argc, argv, 1, 1, "one FILE", &code) == 0) {
		c.o.snapshot = f.arguments[0];
		c.o.token = c.who.initial_cluster_token;
		bool is_told = c.who.name || c.who.initial_cluster || c.who.advertise_peer.count;
		if (run(&c, &a, is_told, &err) != 0)
			code = store_tool_fail("snapshot restore", &err);
	}
	arena_release(&a);
	return code;
}

static void print_written(const char *file, const struct store_to_etcd *got, bool json)
{
	if (json) {
		json_t *v = json_object();
		json_lib_set_cstr(v, "file", file);
		json_lib_set_int(v, "revision", got->revision);
		json_lib_set_int(v, "versions", got->versions);
		json_lib_set_int(v, "leases", got->leases);
		json_lib_set_int(v, "size", got->size_bytes);
		json_lib_set_cstr(v, "sha256", got->sha256_hex);
		store_set_users(v, &got->users);
		json_lib_print(stdout, v);
	} else {
		printf("wrote      %s\nrevision   %" PRId64 "\nversions   %" PRId64 "\nleases     %" PRId64
		       "\nsize       %" PRId64 " bytes\nsha256     %s\n",
		        file, got->revision, got->versions, got->leases, got->size_bytes, got->sha256_hex);
		store_print_users(&got->users);
	}
	if (got->lost_revision)
		fprintf(stderr,
		        "note: the store is at revision %" PRId64
		        " and nothing was written there: etcd will be at %" PRId64 "; use etcdutl's --bump-revision\n",
		        got->lost_revision, got->revision);
	if (got->users.n_without_password)
		fprintf(stderr,
		        "note: %" PRId64
		        " users go without their passwords, whose hashes are older ones that etcd does not know: give "
		        "them new passwords before (etcdctl user passwd) or in etcd: %s\n",
		        got->users.n_without_password, got->users.without_password);
}

int store_snapshot_to_etcd_main(int argc, char **argv)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct store_to_etcd got;
	const char *output = "table";
	int code = 0;
	const struct flag table[] = {{"output", 'o', FLAG_STRING, &output, NULL, "table or json", NULL}};
	struct flags f = {.program = "k3x-store snapshot to-etcd",
	        .summary = "k3x-store snapshot to-etcd FILE OUT: write a snapshot for etcd from a snapshot or data "
	                   "directory: every "
	                   "kept\nversion, leases and compaction with their numbers, users and roles. Then\n\n"
	                   "  etcdutl snapshot restore OUT --data-dir DIR",
	        .table = table,
	        .count = 1};
	if (store_offline_parse(&f, &a, argc, argv, 2, 2, "a FILE and the OUT to be made", &code) != 0)
		goto out;
	if (store_snapshot_to_etcd(f.arguments[0], f.arguments[1], &got, &a, &err) != 0) {
		code = store_tool_fail("snapshot to-etcd", &err);
		goto out;
	}
	print_written(f.arguments[1], &got, strcmp(output, "json") == 0);
out:
	arena_release(&a);
	return code;
}
