/* `k3x-store recover`: going on with one member when the majority is lost for good.
 *
 * Look at every survivor with --inspect first, and keep the one with the newest (term, index): what was acknowledged is
 * on a majority, so the newest of the survivors has the most of it. --single-node makes it the only voter of its own
 * log; the lost ones, should they come back, and the other survivors have their data deleted and are added anew. To
 * keep such a one from talking to the recovered cluster it gets another cluster id.
 *
 * A log that is damaged can't be gone on with; the state beside it can, with --from-state: what only the log had is
 * lost. */
#include "tools/store/check.h"

#include "base/check.h"
#include "base/pki/pki.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct recover {
	const char *data_dir, *peer_url, *output;
	bool inspect, single_node, from_state, keep_cluster_id;
	struct store_directory d;
	struct store_file_info state;
	struct arena *a;
};

/* ---- inspect ---- */

static void print_position(const struct recover *r)
{
	const struct raft_host_checked *x = &r->d.raft;
	if (strcmp(r->output, "json") == 0) {
		json_t *v = json_object();
		json_lib_set_cstr(v, "dataDir", r->data_dir);
		json_lib_set_fmt(v, "cluster", "%016" PRIx64, r->d.cluster_id);
		json_lib_set_fmt(v, "member", "%016" PRIx64, r->d.member_id);
		json_lib_set_int(v, "lastTerm", (int64_t)x->last_term);
		json_lib_set_int(v, "lastIndex", (int64_t)x->last_index);
		json_lib_set_int(v, "term", (int64_t)x->term);
		json_lib_set_int(v, "appliedIndex", r->state.applied_index);
		json_lib_set_int(v, "revision", r->state.revision);
		json_lib_set_int(v, "damages", (int64_t)r->d.n_damages);
		json_lib_print(stdout, v);
		return;
	}
	printf("%s: last entry (term, index) = (%" PRIu64 ", %" PRIu64 "), applied %" PRId64 ", revision %" PRId64 "\n",
	        r->data_dir, x->last_term, x->last_index, r->state.applied_index, r->state.revision);
	for (size_t i = 0; i < x->n_servers; i++)
		printf("  member %016" PRIx64 " %s%s\n", x->servers[i].id, x->servers[i].address,
		        x->servers[i].id == r->d.member_id ? " (this one)" : "");
	for (size_t i = 0; i < r->d.n_damages; i++)
		printf("  DAMAGED: %s\n", r->d.damages[i]);
}

/* ---- recover ---- */

/* Where the others reach this server: as asked for, or as its last configuration says. */
static int choose_self(const struct recover *r, struct raft_host_server *self, struct err *err)
{
	*self = (struct raft_host_server){r->d.member_id, r->peer_url, RAFT_HOST_VOTER};
	if (!self->id)
		return err_set(err, ERR_NOT_FOUND,
		        "%s/member is not there: write the id of this member into it (16 hex digits)", r->data_dir);
	for (size_t i = 0; i < r->d.raft.n_servers && !self->address; i++)
		if (r->d.raft.servers[i].id == self->id)
			self->address = r->d.raft.servers[i].address;
	if (!self->address)
		return err_set(err, ERR_INVAL,
		        "what can be read on the disk does not say where this member is reached by "
		        "others: name it with --peer-url");
	return 0;
}

static int save_cluster_id(const struct recover *r, uint64_t id, struct err *err)
{
	char text[24];
	int n = snprintf(text, sizeof text, "%016" PRIx64 "\n", id);
	return pki_file_write(
	        arena_printf(r->a, "%s/cluster", r->data_dir), (struct slice){text, (size_t)n}, 0600, err);
}

static int recover_log(struct recover *r, const struct raft_host_server *self, uint64_t cluster_id, struct err *err)
{
	struct disk *disk = NULL;
	uint64_t last = 0, term = 0;
	if (disk_posix_new(arena_printf(r->a, "%s/raft", r->data_dir), &disk, err) != 0)
		return err->code;
	/* The id goes first: a crash between leaves a server that talks to nobody, and this can be done again. */
	int rc = save_cluster_id(r, cluster_id, err);
	if (rc == 0)
		rc = raft_host_recover(disk, self, &last, &term, err);
	disk->v->free(disk);
	if (rc == 0)
		printf("recovered: member %016" PRIx64 " at %s is the only voter; last entry kept: term %" PRIu64
		       ", index %" PRIu64 "\n",
		        self->id, self->address, term, last);
	return rc;
}

static int recover_state(struct recover *r, const struct raft_host_server *self, uint64_t cluster_id, struct err *err)
{
	struct store_file_info info;
	uint64_t id;
	struct store_restore_options o = {.snapshot = r->data_dir,
	        .data_dir = r->data_dir,
	        .replace = true,
	        .skip_hash_check = true,
	        .cluster_id = "any",
	        .new_cluster_id = cluster_id,
	        .servers = self,
	        .n_servers = 1,
	        .member_id = self->id};
	if (store_restore(&o, &info, &id, r->a, err) != 0)
		return err->code;
	printf("recovered: member %016" PRIx64 " at %s begins a cluster from the state at revision %" PRId64
	       "; what was there is kept as state.db.before-restore and raft.before-restore\n",
	        self->id, self->address, info.revision);
	return 0;
}

static int single_node(struct recover *r, struct err *err)
{
	struct raft_host_server self;
	uint64_t cluster_id = r->d.cluster_id;
	int lock = -1;
	if (!r->from_state && (r->d.n_damages || !r->d.has_log))
		return err_set(err, ERR_CORRUPT,
		        "%s: %s. --from-state goes on from the state at revision %" PRId64
		        " instead, without what only the log "
		        "had",
		        r->data_dir, r->d.n_damages ? r->d.damages[0] : "there is no raft log", r->state.revision);
	if (choose_self(r, &self, err) != 0 || store_lock(r->data_dir, &lock, err) != 0)
		return err->code;
	while (!cluster_id || (!r->keep_cluster_id && cluster_id == r->d.cluster_id))
		pki_random(&cluster_id, sizeof cluster_id);
	if (r->from_state)
		close(lock); /* the restore takes it itself */
	int rc = r->from_state ? recover_state(r, &self, cluster_id, err) : recover_log(r, &self, cluster_id, err);
	if (!r->from_state)
		close(lock);
	if (rc != 0)
		return rc;
	printf("cluster    %016" PRIx64 "%s\n"
	       "Start it with its usual flags. Delete the data of the other members and add them with `member add`: "
	       "they can't go "
	       "on.\n",
	        cluster_id, r->keep_cluster_id ? "" : " (new)");
	return 0;
}

static int run(struct recover *r, struct err *err)
{
	struct err bad = ERR_INIT;
	if (!r->data_dir)
		return err_set(err, ERR_INVAL, "--data-dir is needed");
	if (r->inspect == r->single_node)
		return err_set(
		        err, ERR_INVAL, "--inspect or --single-node: look at every survivor first, keep the newest");
	if (r->from_state && !r->single_node)
		return err_set(err, ERR_INVAL, "--from-state belongs to --single-node");
	if (store_directory_look(r->data_dir, r->a, &r->d, err) != 0)
		return err->code;
	r->state.note = "";
	if (store_file_inspect(r->data_dir, false, &r->state, r->a, &bad) != 0) {
		*err = bad;
		return err_wrap(err, "the state");
	}
	if (r->single_node)
		return single_node(r, err);
	print_position(r);
	return r->d.n_damages ? err_set(err, ERR_CORRUPT, "%s is damaged: see check", r->data_dir) : 0;
}

int store_recover_alone(const char *data_dir, const char *peer_url, struct arena *a, struct err *err)
{
	struct recover r = {.data_dir = data_dir, .peer_url = peer_url, .output = "table", .a = a, .state.note = ""};
	char *log = xprintf("%s/raft", data_dir);
	bool is_new = access(log, F_OK) != 0;
	free(log);
	if (is_new)
		return 0;
	if (store_directory_look(data_dir, a, &r.d, err) != 0)
		return err->code;
	const struct raft_host_server *only = r.d.raft.n_servers == 1 ? &r.d.raft.servers[0] : NULL;
	if (!r.d.n_damages && only && only->id == r.d.member_id && (!peer_url || strcmp(only->address, peer_url) == 0))
		return 0;
	return single_node(&r, err);
}

int store_recover(int argc, char **argv)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	struct recover r = {.output = "table", .a = &a};
	int code = 0;
	const struct flag table[] = {
	        {"data-dir", 0, FLAG_STRING, &r.data_dir, "ETCD_DATA_DIR", "of the member, whose server is stopped",
	                NULL},
	        {"inspect", 0, FLAG_BOOL, &r.inspect, NULL,
	                "print (term, index) of the last entry: keep the survivor where it is highest", NULL},
	        {"single-node", 0, FLAG_BOOL, &r.single_node, NULL, "make this member the only voter", NULL},
	        {"from-state", 0, FLAG_BOOL, &r.from_state, NULL,
	                "begin from the state instead of the log, when that is damaged or lost", NULL},
	        {"peer-url", 0, FLAG_STRING, &r.peer_url, NULL, "its address for peers (the one it had)", NULL},
	        {"keep-cluster-id", 0, FLAG_BOOL, &r.keep_cluster_id, NULL,
	                "keep the cluster's id: only when no other member will ever run again", NULL},
	        {"output", 'o', FLAG_STRING, &r.output, NULL, "table or json (of --inspect)", NULL},
	};
	struct flags f = {.program = "k3x-store recover",
	        .summary = "k3x-store recover --data-dir DIR --inspect | --single-node: go on with one member when the "
	                   "majority "
	                   "is lost for good.\nWhat was acknowledged and is only on the lost ones is lost. While a "
	                   "majority "
	                   "can be started, start it instead.",
	        .table = table,
	        .count = COUNT_OF(table)};
	if (store_offline_parse(&f, &a, argc, argv, 0, 0, "no arguments", &code) == 0 && run(&r, &err) != 0)
		code = store_tool_fail("recover", &err);
	arena_release(&a);
	return code;
}
