/* `k3x export-k3s`: a k3x cluster becomes one that a k3s server starts from, with its objects, their uids and versions,
 * CAs, the key of service accounts and tokens: the way back of import_k3s.c.
 *
 *     DATA/server/db of a stopped server, a snapshot, or a datastore
 *         -> a state (tools/store/source.h) -> each key that lives: decrypted, JSON (k3s_values.c)
 *         -> TO/server/db/state.db, kine's table; or TO/server/db/snapshots/from-k3x, a snapshot of an etcd
 *     DATA/server/tls, token -> TO/server, and TO/server/cred/passwd, by which k3s knows its token
 *
 * kube-apiserver takes objects in JSON as it takes its own protobuf, and writes protobuf the next time it writes one.
 * It reads plain Secrets whatever its encryption configuration says, so they go over plain, and `k3s secrets-encrypt
 * reencrypt` seals them again.
 *
 * All of it is made in TO/export.partial and renamed to TO/server in the end: it is there whole, or not there; what was
 * cut short is thrown away by the next. What can go wrong: TO/server is there; DATA's server runs, or is one of several
 * (a snapshot is wanted then); a Secret that no key opens. */
#include "tools/programs.h"

#include "base/check.h"
#include "base/file/file_dirs.h"
#include "base/file/file_sync.h"
#include "base/flags.h"
#include "base/pki/pki.h"
#include "store/engine/external.h"
#include "store/snapshot/kine.h"
#include "store/snapshot/state_file.h"
#include "tools/moving/k3s_files.h"
#include "tools/moving/k3s_rules.h"
#include "tools/moving/k3s_values.h"
#include "tools/store/source.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

struct export
{
	struct arena a;
	const char *to, *data_dir, *snapshot, *endpoint, *encryption;
	struct store_source source;
	bool is_dry, is_etcd;
	const char *work, *made; /* made: what becomes TO/server is in it */
	struct k3s_values values;
	struct k3s_table table;
	struct kine_out *kine; /* one of the two */
	struct state_out *state;
	int64_t revision, moved;
};

static const char *in_work(struct export *m, const char *name)
{
	return arena_printf(&m->a, "%s/%s", m->work, name);
}

static const char *in_data(struct export *m, const char *name)
{
	return arena_printf(&m->a, "%s/%s", m->data_dir, name);
}

/* ---- objects ---- */

static int give_row(void *arg, const struct store_kv *kv, struct err *err)
{
	struct export *m = arg;
	struct store_kv out = *kv;
	if (k3s_values_move(&m->values, kv, &out.value, err) != 0 || !out.value.ptr)
		return err->code;
	out.lease = 0;
	return m->kine ? kine_out_put(m->kine, &out, err) : state_out_put(m->state, &out, err);
}

static int give_kine(struct export *m, const char *state, struct err *err)
{
	const char *to = arena_printf(&m->a, "%s/server/db/state.db", m->made);
	int rc = file_make_dirs_above(to, 0700, err);
	if (rc == 0)
		rc = kine_out_open(to, &m->kine, err);
	if (rc != 0)
		return rc;
	rc = state_file_each(state, give_row, m, &m->revision, err);
	return kine_out_close(m->kine, m->revision, rc, &m->moved, err);
}

static int give_etcd(struct export *m, const char *state, struct err *err)
{
	const char *to = arena_printf(&m->a, "%s/server/db/snapshots/from-k3x", m->made);
	const char *kept = in_work(m, "kept.db");
	struct store_to_etcd info;
	int rc = file_make_dirs_above(to, 0700, err);
	if (rc == 0)
		rc = state_out_open(kept, &m->state, err);
	if (rc != 0)
		return rc;
	rc = state_file_each(state, give_row, m, &m->revision, err);
	rc = state_out_close(m->state, m->revision, rc, err);
	return rc == 0 ? store_snapshot_to_etcd(kept, to, &info, &m->a, err) : rc;
}

static int give_objects(struct export *m, struct err *err)
{
	const char *folder = in_work(m, "state");
	struct store_file_info info;
	m->source.from = m->endpoint ? m->endpoint : m->snapshot ? m->snapshot : in_data(m, "server/db");
	m->source.work = m->work;
	m->source.a = &m->a;
	int rc = store_source_open(&m->source, err);
	if (rc == 0)
		rc = store_source_take(&m->source, folder, &info, err);
	if (rc == 0)
		rc = store_source_check_stood(&m->source, err);
	store_source_close(&m->source);
	if (rc != 0)
		return rc;
	const char *state = arena_printf(&m->a, "%s/state.db", folder);
	return m->is_etcd ? give_etcd(m, state, err) : give_kine(m, state, err);
}

/* ---- keys ---- */

static int read_token(
        struct export *m, const char *place, bool may_be_absent, char **ret, size_t *ret_len, struct err *err)
{
	const char *path = in_data(m, place);
	*ret = NULL;
	*ret_len = 0;
	return may_be_absent && access(path, F_OK) != 0 ? 0 : pki_file_read(path, ret, ret_len, err);
}

static int give_passwords(struct export *m, struct err *err)
{
	const char *to = arena_printf(&m->a, "%s/server/cred/passwd", m->made);
	struct strbuf text = STRBUF_INIT;
	char *server = NULL, *agent = NULL;
	size_t n_server, n_agent;
	int rc = read_token(m, "server/token", false, &server, &n_server, err);
	if (rc == 0)
		rc = read_token(m, "server/agent-token", true, &agent, &n_agent, err);
	if (rc == 0)
		rc = k3s_passwd(&text, (struct slice){server, n_server}, (struct slice){agent, n_agent}, err);
	if (rc == 0 && !m->is_dry)
		rc = file_make_dirs_above(to, 0700, err);
	if (rc == 0 && !m->is_dry)
		rc = pki_file_write(to, strbuf_slice(&text), 0600, err);
	if (rc == 0)
		k3s_table_add(&m->table, "server/cred/passwd", K3S_CHANGED, "made of the tokens");
	strbuf_release(&text);
	free(server);
	free(agent);
	return rc;
}

static void tell_what_stays(struct export *m)
{
	k3s_table_add(&m->table, "server/manifests of yours", K3S_LEFT, "copy them");
	k3s_table_add(&m->table, "volumes of local-path", K3S_LEFT, "they stay where they are on disk");
	k3s_table_add(&m->table, "pods' containers", K3S_LEFT, "k3s's kubelet starts them anew");
}

/* ---- all of it ---- */

static int check(struct export *m, struct err *err)
{
	if (!m->to)
		return err_set(err, ERR_INVAL, "--to is needed: k3s's --data-dir, mostly /var/lib/rancher/k3s");
	if (m->endpoint && m->snapshot)
		return err_set(err, ERR_INVAL, "--from-snapshot or --datastore-endpoint, not both");
	if (m->endpoint && !external_is_name(m->endpoint))
		return err_set(err, ERR_INVAL, "--datastore-endpoint: a name like postgres://... is wanted");
	const char *server = arena_printf(&m->a, "%s/server", m->to);
	if (access(server, F_OK) == 0 && rmdir(server) != 0)
		return err_set(err, ERR_EXISTS, "%s is there: move it away, nothing is written over", server);
	return k3s_values_open(
	        &m->values, m->encryption, in_data(m, "server/cred/encryption-config.json"), &m->table, err);
}

static int export(struct export *m, struct err *err)
{
	const char *made = arena_printf(&m->a, "%s/server", m->made), *to = arena_printf(&m->a, "%s/server", m->to);
	int rc = give_objects(m, err);
	if (rc == 0)
		rc = k3s_files_copy(m->data_dir, m->made, m->is_dry, &m->table, err);
	if (rc == 0)
		rc = give_passwords(m, err);
	tell_what_stays(m);
	if (rc != 0 || m->is_dry)
		return rc;
	rc = file_sync(made, err);
	if (rc == 0 && rename(made, to) != 0)
		rc = err_errno(err, errno, "rename %s to %s", made, to);
	return rc == 0 ? file_sync_folder(to, err) : rc;
}

/* Beside the target, so that it is renamed into its place. */
static int run(struct export *m, struct err *err)
{
	char *work = arena_printf(&m->a, "%s", m->is_dry ? "/tmp/k3x-export-XXXXXX" : "");
	int rc = check(m, err);
	if (rc == 0 && m->is_dry && !mkdtemp(work))
		rc = err_errno(err, errno, "make a folder in /tmp");
	if (rc == 0 && !m->is_dry) {
		work = arena_printf(&m->a, "%s/export.partial", m->to);
		store_remove_folder(work);
	}
	m->work = work;
	m->made = in_work(m, "made");
	if (rc == 0)
		rc = file_make_dirs_above(in_work(m, "made/"), 0700, err);
	if (rc != 0)
		return rc;
	rc = export(m, err);
	store_remove_folder(work);
	return rc;
}

static void print_result(struct export *m)
{
	const int64_t *n = m->table.objects;
	k3s_table_print(&m->table, stdout);
	printf("%s: %" PRId64 " objects, %" PRId64 " left out, revision %" PRId64 "\n",
	        m->is_dry ? "dry run, nothing was written" : "exported", n[K3S_TAKEN] + n[K3S_CHANGED], n[K3S_LEFT],
	        m->revision);
	if (m->moved)
		printf("%" PRId64 " of them have new versions: they shared theirs with others\n", m->moved);
	if (m->is_dry)
		return;
	printf("start it, of the same version of Kubernetes or a newer one (k3x must stay down):\n  k3s server "
	       "--data-dir %s",
	        m->to);
	printf(m->is_etcd ? " --cluster-reset --cluster-reset-restore-path %s/server/db/snapshots/from-k3x\n" : "\n",
	        m->to);
	if (m->values.sealer)
		printf("Secrets are plain there: start with --secrets-encryption, then k3s secrets-encrypt reencrypt "
		       "-f "
		       "--skip\n");
}

int export_k3s_main(int argc, char **argv)
{
	struct export m = {.data_dir = "/var/lib/k3x"};
	struct err err = ERR_INIT;
	const struct flag table[] = {
	        {"to", 0, FLAG_STRING, &m.to, NULL, "k3s's --data-dir: /var/lib/rancher/k3s, without server/", NULL},
	        {"data-dir", 0, FLAG_STRING, &m.data_dir, NULL, "k3x's --data-dir (/var/lib/k3x)", NULL},
	        {"from-snapshot", 0, FLAG_STRING, &m.snapshot, NULL,
	                "read the objects from this snapshot; keys come from --data-dir all the same", NULL},
	        {"datastore-endpoint", 0, FLAG_STRING, &m.endpoint, "K3X_DATASTORE_ENDPOINT",
	                "read the objects from this datastore; keys come from --data-dir all the same", NULL},
	        {"datastore-cafile", 0, FLAG_STRING, &m.source.files.ca_file, "K3X_DATASTORE_CAFILE",
	                "CA of the datastore's certificate", NULL},
	        {"datastore-certfile", 0, FLAG_STRING, &m.source.files.certificate_file, "K3X_DATASTORE_CERTFILE",
	                "certificate for the datastore", NULL},
	        {"datastore-keyfile", 0, FLAG_STRING, &m.source.files.key_file, "K3X_DATASTORE_KEYFILE", "its key",
	                NULL},
	        {"encryption-config", 0, FLAG_STRING, &m.encryption, NULL,
	                "how Secrets are encrypted here (server/cred/encryption-config.json of --data-dir)", NULL},
	        {"etcd", 0, FLAG_BOOL, &m.is_etcd, NULL, "for a k3s on its etcd: a snapshot to restore, not SQLite",
	                NULL},
	        {"dry-run", 0, FLAG_BOOL, &m.is_dry, NULL, "read all of it and say what would come along", NULL},
	};
	struct flags f = {.program = "k3x export-k3s",
	        .summary = "k3x export-k3s --to DIR: a cluster for a k3s server to go on with. Stop k3x first.",
	        .table = table,
	        .count = COUNT_OF(table)};
	int rc = flags_load(&f, &m.a, argc, argv, &err);
	if (rc == 0 && f.want_help) {
		flags_help(&f);
	} else if (rc == 0) {
		rc = run(&m, &err);
		if (rc == 0)
			print_result(&m);
	}
	if (rc != 0)
		fprintf(stderr, "k3x export-k3s: %s\n", err.msg);
	k3s_values_release(&m.values);
	arena_release(&m.a);
	return rc ? err_exit_code(rc) : 0;
}
