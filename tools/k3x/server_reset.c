/* See server_reset.h. When a majority of the servers is lost for good, one that is left goes on alone: the list of
 * members in its log becomes this server and nobody else (tools/store/recover.c), or its data is replaced by a
 * snapshot's (what was there stays beside it). Either gives the cluster another id, so that an old server that comes
 * back can't talk to it; CA, tokens and objects are the same, and agents and clients notice nothing.
 *
 * What can go wrong: the log is damaged (a snapshot is left, or k3x-store recover --from-state), the server runs. */
#include "tools/k3x/server_reset.h"

#include "base/log.h"
#include "base/pki/pki.h"
#include "store/snapshot/snapshot.h"
#include "tools/k3x/keys/server_keys.h"
#include "tools/k3x/snapshots/server_snapshots.h"
#include "tools/k3x/server_store.h"
#include "tools/snapshots/s3.h"
#include "tools/store/check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A name in the S3 store becomes a file beside the server's own snapshots. */
static int fetch(struct server_settings *s, struct err *err)
{
	struct s3_settings store = s->snapshots.s3;
	struct s3 s3 = {&store, NULL};
	const char *dir = snapshots_folder(&s->arena, s->data_dir, &s->snapshots);
	if (!s->snapshots.s3.is_on || !snapshot_name_is_good(s->restore_path) || access(s->restore_path, F_OK) == 0)
		return 0;
	if (store.config_secret)
		return err_set(err, ERR_INVAL,
		        "--etcd-s3-config-secret: the Secret is in the cluster that is to be restored: say by flags "
		        "where the S3 store is");
	if (s3_settings_complete(&store, err) != 0)
		return err->code;
	const char *file = arena_printf(&s->arena, "%s/%s", dir, s->restore_path);
	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make folder %s", dir);
	if (s3_get(&s3, s->restore_path, file, err) != 0)
		return err_wrap(err, "--cluster-reset-restore-path %s", s->restore_path);
	printf("fetched    %s from the S3 store\n", s->restore_path);
	s->restore_path = file;
	return 0;
}

static int restore(struct server_settings *s, const char *address, struct err *err)
{
	/* Before: a restore that is done without it would be followed by the snapshot's keys. */
	bool has_keys = access(server_file(s, "server/tls/server-ca.crt"), F_OK) == 0;
	if (has_keys && pki_file_write(server_file(s, SERVER_OWN_KEYS_MARK), SLICE("\n"), 0600, err) != 0)
		return err->code;
	struct raft_host_server self = {s->member_id, address, RAFT_HOST_VOTER};
	struct store_file_info info = {.note = ""};
	uint64_t cluster_id = 0, got;
	if (fetch(s, err) != 0)
		return err->code;
	if (store_file_inspect(s->restore_path, false, &info, &s->arena, err) != 0)
		return err_wrap(err, "--cluster-reset-restore-path");
	while (!cluster_id)
		pki_random(&cluster_id, sizeof cluster_id);
	struct store_restore_options o = {.snapshot = s->restore_path,
	        .data_dir = server_file(s, "server/db"),
	        .replace = true,
	        .skip_hash_check = !info.is_snapshot, /* a copied state.db has none; a wrong one was told above */
	        .cluster_id = "any",
	        .new_cluster_id = cluster_id,
	        .servers = &self,
	        .n_servers = 1,
	        .member_id = self.id};
	if (store_restore(&o, &info, &got, &s->arena, err) != 0)
		return err_wrap(err, "--cluster-reset-restore-path");
	printf("restored   %s, at revision %" PRId64 "; what was there is kept as *.before-restore in %s\n",
	        s->restore_path, info.revision, o.data_dir);
	return 0;
}

int server_reset(struct server_settings *s, struct err *err)
{
	const char *address = server_peer_address(s);
	if (!s->restore_path && access(server_file(s, "server/db/raft"), F_OK) != 0)
		return err_set(err, ERR_NOT_FOUND,
		        "--cluster-reset: %s has no data of a server: start it without the flag, or name a snapshot by "
		        "--cluster-reset-restore-path",
		        s->data_dir);
	if (server_store_identify(s, err) != 0)
		return err->code;
	int rc = s->restore_path ? restore(s, address, err)
	                         : store_recover_alone(server_file(s, "server/db"), address, &s->arena, err);
	if (rc != 0)
		return err_wrap(err, "--cluster-reset");
	unlink(server_file(s, "server/joining"));
	printf("This server (%s) is the only one of its cluster now. Start it with its usual flags, without "
	       "--cluster-reset\nand --server. Empty the data directories of the other servers, then let them join it "
	       "again.\n",
	        address);
	return 0;
}
