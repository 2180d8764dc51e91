/* `k3x import-k3s`: a k3s server's cluster becomes one of k3x, with its objects and their versions, its CAs, its key of
 * service accounts and its token: agents and kubeconfigs go on working.
 *
 *     DIR/server/db/state.db (kine's table), DIR/server/db/etcd, a snapshot of its etcd, or kine's table in a database
 *         -> each key that lives: decrypted, protobuf turned into JSON, in the form that k3x stores (k3s_values.c)
 *         -> DATA/server/db/state.db, which k3x server begins its cluster with
 *     DIR/server/tls, token -> DATA/server
 *
 * What is left out is counted and told, see k3s_rules.c. Nothing of k3s's is changed, so the way back is to start it
 * again; or export_k3s.c, with what has changed since.
 *
 * What can go wrong: k3s runs (its database would move on under us: told where it can be seen), a value that no key of
 * the encryption configuration opens, a value that does not read; all of it is told before anything is written to DATA:
 * the state is made in a folder beside, and its being in its place is the last step. What was cut short leaves keys
 * behind, and is done again. */
#include "tools/programs.h"

#include "base/file/file_dirs.h"
#include "base/file/file_sync.h"
#include "base/flags.h"
#include "store/engine/external.h"
#include "store/engine/raft_engine.h"
#include "store/engine/sql/kine_db.h"
#include "store/snapshot/kine.h"
#include "store/snapshot/snapshot.h"
#include "store/snapshot/state_file.h"
#include "tools/moving/k3s_files.h"
#include "tools/moving/k3s_values.h"
#include "tools/store/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct import {
	struct arena a;
	const char *from, *keys, *snapshot, *data_dir, *encryption;
	struct dsn_tls tls;
	bool is_dry;
	const char *work;
	struct k3s_values values;
	struct k3s_table table;
	struct state_out *out;
	int64_t revision;
};

/* ---- objects ---- */

static int take_row(void *arg, const struct store_kv *kv, struct err *err)
{
	struct import *m = arg;
	struct store_kv out = *kv;
	if (k3s_values_move(&m->values, kv, &out.value, err) != 0 || !out.value.ptr)
		return err->code;
	out.lease = 0;
	out.version = 1;
	return state_out_put(m->out, &out, err);
}

/* From an etcd: restored, and read as any state. */
static int read_etcd(struct import *m, const char *file, struct err *err)
{
	const char *folder = arena_printf(&m->a, "%s/etcd", m->work);
	struct store_restore_options o = {
	        .snapshot = file, .data_dir = folder, .skip_hash_check = true, .cluster_id = "any", .token = "import"};
	struct store_file_info info;
	uint64_t id;
	if (store_restore(&o, &info, &id, &m->a, err) != 0)
		return err->code;
	return state_file_each(arena_printf(&m->a, "%s/state.db", folder), take_row, m, &m->revision, err);
}

static int read_source(struct import *m, struct err *err)
{
	if (m->snapshot)
		return read_etcd(m, m->snapshot, err);
	if (external_is_name(m->from))
		return kine_db_each(m->from, &m->tls, take_row, m, &m->revision, err);
	const char *sqlite = arena_printf(&m->a, "%s/server/db/state.db", m->from);
	const char *etcd = arena_printf(&m->a, "%s/server/db/etcd/member/snap/db", m->from);
	if (access(etcd, F_OK) == 0)
		return read_etcd(m, etcd, err);
	if (access(sqlite, F_OK) == 0)
		return kine_each(sqlite, take_row, m, &m->revision, err);
	return err_set(err, ERR_NOT_FOUND,
	        "%s has neither server/db/state.db nor server/db/etcd: is it k3s's --data-dir? (Of a k3s on MySQL or "
	        "PostgreSQL give --from its --datastore-endpoint, and --keys its --data-dir)",
	        m->from);
}

/* ---- all of it ---- */

static int check(struct import *m, struct err *err)
{
	if (!m->from)
		return err_set(err, ERR_INVAL,
		        "--from is needed: k3s's --data-dir, mostly /var/lib/rancher/k3s, or its "
		        "--datastore-endpoint");
	if (!m->keys && !external_is_name(m->from))
		m->keys = m->from;
	if (access(arena_printf(&m->a, "%s/server/db", m->data_dir), F_OK) == 0 ||
	        access(arena_printf(&m->a, "%s/server/datastore", m->data_dir), F_OK) == 0)
		return err_set(
		        err, ERR_EXISTS, "%s has a cluster already: give --data-dir an empty folder", m->data_dir);
	if (m->keys && k3s_files_check(m->keys, m->data_dir, err) != 0)
		return err->code;
	const char *own = arena_printf(&m->a, "%s/server/cred/encryption-config.json", m->keys ? m->keys : "");
	return k3s_values_open(&m->values, m->encryption, own, &m->table, err);
}

static int copy_keys(struct import *m, struct err *err)
{
	if (m->keys)
		return k3s_files_copy(m->keys, m->data_dir, m->is_dry, &m->table, err);
	k3s_table_add(&m->table, "CAs, the key of service accounts, tokens", K3S_LEFT,
	        "new ones are made: --keys names k3s's --data-dir");
	return 0;
}

static int finish(struct import *m, const char *state, struct err *err)
{
	const char *to = arena_printf(&m->a, "%s/server/db/state.db", m->data_dir);
	if (copy_keys(m, err) != 0 || m->is_dry)
		return err->code;
	if (file_make_dirs_above(to, 0700, err) != 0)
		return err->code;
	if (rename(state, to) != 0)
		return err_errno(err, errno, "rename %s to %s", state, to);
	return file_sync_folder(to, err);
}

static int import(struct import *m, struct err *err)
{
	const char *state = arena_printf(&m->a, "%s/state.db", m->work);
	int rc = state_out_open(state, &m->out, err);
	if (rc != 0)
		return rc;
	rc = read_source(m, err);
	rc = state_out_close(m->out, m->revision, rc, err);
	return rc == 0 ? finish(m, state, err) : rc;
}

static void print_result(struct import *m)
{
	const int64_t *n = m->table.objects;
	k3s_table_print(&m->table, stdout);
	printf("%s: %" PRId64 " objects, %" PRId64 " left out, revision %" PRId64 "\n",
	        m->is_dry ? "dry run, nothing was written" : "imported", n[K3S_TAKEN] + n[K3S_CHANGED], n[K3S_LEFT],
	        m->revision);
	if (m->values.sealer)
		printf("Secrets are plain now: start with --secrets-encryption, then k3x secrets-encrypt reencrypt -f "
		       "--skip\n");
	if (!m->is_dry)
		printf("start it: k3x server --data-dir %s (k3s must stay down)\n", m->data_dir);
}

/* Beside the target, so that the state is renamed into its place. */
static int run(struct import *m, struct err *err)
{
	int rc = check(m, err);
	char *work = arena_printf(&m->a, "%s/import-XXXXXX", m->is_dry ? "/tmp" : m->data_dir);
	if (rc == 0 && !m->is_dry)
		rc = file_make_dirs_above(work, 0700, err);
	if (rc == 0 && !mkdtemp(work))
		rc = err_errno(err, errno, "make a folder in %s", m->data_dir);
	if (rc != 0)
		return rc;
	m->work = work;
	rc = import(m, err);
	store_remove_folder(work);
	return rc;
}

int import_k3s_main(int argc, char **argv)
{
	struct import m = {.data_dir = "/var/lib/k3x"};
	struct err err = ERR_INIT;
	const struct flag table[] = {
	        {"from", 0, FLAG_STRING, &m.from, NULL,
	                "k3s's --data-dir: /var/lib/rancher/k3s; or its --datastore-endpoint: postgres://, mysql://",
	                NULL},
	        {"keys", 0, FLAG_STRING, &m.keys, NULL,
	                "with a --datastore-endpoint: k3s's --data-dir, for CAs, keys and tokens (--from)", NULL},
	        {"from-snapshot", 0, FLAG_STRING, &m.snapshot, NULL,
	                "read the objects from this snapshot of its etcd; keys come from --from all the same", NULL},
	        {"encryption-config", 0, FLAG_STRING, &m.encryption, NULL,
	                "how Secrets are encrypted there (server/cred/encryption-config.json of --from)", NULL},
	        {"datastore-cafile", 0, FLAG_STRING, &m.tls.ca_file, NULL, "CA of the datastore's certificate", NULL},
	        {"datastore-certfile", 0, FLAG_STRING, &m.tls.certificate_file, NULL, "certificate for the datastore",
	                NULL},
	        {"datastore-keyfile", 0, FLAG_STRING, &m.tls.key_file, NULL, "its key", NULL},
	        {"data-dir", 0, FLAG_STRING, &m.data_dir, NULL, "k3x's --data-dir (/var/lib/k3x)", NULL},
	        {"dry-run", 0, FLAG_BOOL, &m.is_dry, NULL, "read all of it and say what would come along", NULL},
	};
	struct flags f = {.program = "k3x import-k3s",
	        .summary = "k3x import-k3s --from DIR|ENDPOINT: take over a k3s server's cluster. Stop k3s first.",
	        .table = table,
	        .count = sizeof table / sizeof *table};
	int rc = flags_load(&f, &m.a, argc, argv, &err);
	if (rc == 0 && f.want_help) {
		flags_help(&f);
	} else if (rc == 0) {
		rc = run(&m, &err);
		if (rc == 0)
			print_result(&m);
	}
	if (rc != 0)
		fprintf(stderr, "k3x import-k3s: %s\n", err.msg);
	k3s_values_release(&m.values);
	arena_release(&m.a);
	return rc ? err_exit_code(rc) : 0;
}
