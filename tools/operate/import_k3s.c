/* `k3x import-k3s`: a k3s server's cluster becomes one of k3x, with its objects and their versions, its CAs, its key of
 * service accounts and its token: agents and kubeconfigs go on working.
 *
 *     DIR/server/db/state.db (kine's table), DIR/server/db/etcd, or a snapshot of its etcd
 *         -> each key that lives: decrypted, protobuf turned into JSON, in the form that k3x stores
 *         -> DATA/server/db/state.db, which k3x server begins its cluster with
 *     DIR/server/tls, token -> DATA/server
 *
 * What is left out is counted and told: what servers make anew by themselves (addresses given out, endpoints of
 * masters), events (they are to run out, and their leases do not come along), what k3s's own add-ons are made of (k3x
 * brings its own), and kinds that k3x does not serve. Nothing of k3s's is changed, so the way back is to start it
 * again.
 *
 * What can go wrong: k3s runs (its database would move on under us: told where it can be seen), a value that no key of
 * the encryption configuration opens, a value that does not read; all of it is told before anything is written to DATA
 * but the state, which is the first thing. */
#include "tools/operate/operate_int.h"

#include "api/machinery/codec/transcode.h"
#include "api/machinery/schema/resources.h"
#include "api/server/sealing/sealer.h"
#include "base/file_sync.h"
#include "base/flags.h"
#include "base/pki/pki.h"
#include "store/engine/raft_engine.h"
#include "store/snapshot/kine.h"
#include "store/snapshot/snapshot.h"

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COUNTS_MAX = 256, PAGE_KEYS = 500 };

struct counted {
	char what[96];
	const char *why; /* NULL: taken */
	int64_t n;
};

struct import {
	struct arena a;
	const char *from, *snapshot, *data_dir, *encryption;
	bool is_dry;
	const char *work;
	struct sealer *sealer;
	struct state_out *out;
	struct strbuf text, opened;
	struct counted counts[COUNTS_MAX];
	size_t n_counts;
	int64_t taken, left, revision;
};

/* ---- counting ---- */

static void count(struct import *m, struct slice key, const char *why)
{
	struct slice rest = key;
	char what[96];
	slice_cut(&rest, '/');
	slice_cut(&rest, '/'); /* "registry" */
	struct slice first = slice_cut(&rest, '/'), second = slice_cut(&rest, '/');
	bool is_group = memchr(first.ptr ? first.ptr : "", '.', first.len) != NULL;
	if (is_group)
		snprintf(what, sizeof what, "%.*s/%.*s", SLICE_FMT(first), SLICE_FMT(second));
	else
		snprintf(what, sizeof what, "%.*s", SLICE_FMT(first));
	*(why ? &m->left : &m->taken) += 1;
	for (size_t i = 0; i < m->n_counts; i++)
		if (strcmp(m->counts[i].what, what) == 0 && m->counts[i].why == why) {
			m->counts[i].n++;
			return;
		}
	if (m->n_counts < COUNTS_MAX) {
		struct counted *c = &m->counts[m->n_counts++];
		*c = (struct counted){.why = why, .n = 1};
		memcpy(c->what, what, sizeof what);
	}
}

/* ---- what is left out ---- */

static const char *why_left(struct slice key)
{
	static const struct {
		const char *prefix, *why;
	} rows[] = {{"/registry/events/", "events run out"}, {"/registry/masterleases/", "made anew"},
	        {"/registry/ranges/", "made anew"}, {"/registry/health", "made anew"},
	        {"/registry/leases/kube-node-lease/", "made anew"},
	        {"/registry/leases/kube-system/apiserver-", "made anew"},
	        {"/registry/services/endpoints/default/kubernetes", "made anew"},
	        {"/registry/endpointslices/default/kubernetes", "made anew"}, {"/registry/flowschemas/", "made anew"},
	        {"/registry/prioritylevelconfigurations/", "made anew"},
	        {"/registry/apiregistration.k8s.io/apiservices/v1.", "made anew"}};
	if (!slice_starts(key, "/registry/"))
		return "k3s's own";
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_starts(key, rows[i].prefix))
			return rows[i].why;
	return NULL;
}

/* Of what k3s packs: k3x brings its own under the same names. */
static bool is_packaged(const struct json *object)
{
	static const char *const names[] = {"coredns", "local-storage", "traefik", "ccm", "rolebindings", "runtimes",
	        "aggregated-metrics-reader", "auth-delegator", "auth-reader", "metrics-apiservice",
	        "metrics-server-deployment", "metrics-server-service", "resource-reader"};
	const struct json *meta = json_get(object, "metadata");
	struct slice owner = json_get_str(json_get(meta, "annotations"), "objectset.rio.cattle.io/owner-name");
	if (slice_is(json_get_str(object, "kind"), "Addon"))
		owner = json_get_str(meta, "name");
	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (slice_is(owner, names[i]))
			return true;
	return false;
}

/* ---- one value ---- */

struct finding {
	struct slice key;
	const struct resource *row;
	size_t len;
};

static bool look_at_row(void *arg, const struct resource *r)
{
	struct finding *f = arg;
	if (r->storage_prefix && r->storage == r && slice_starts(f->key, r->storage_prefix) &&
	        strlen(r->storage_prefix) > f->len) {
		f->row = r;
		f->len = strlen(r->storage_prefix);
	}
	return true;
}

static const struct resource *row_of(struct slice key)
{
	struct finding f = {.key = key};
	resources_each(look_at_row, &f);
	return f.row;
}

static int open_value(
        struct import *m, const struct resource *row, struct slice key, struct slice *value, struct err *err)
{
	uint32_t seal;
	if (!slice_starts(*value, "k8s:enc:"))
		return 0;
	if (!m->sealer)
		return err_set(err, ERR_INVAL,
		        "%.*s is encrypted, and there is no configuration that says how: name it with "
		        "--encryption-config",
		        SLICE_FMT(key));
	return sealer_open(m->sealer, row, key, *value, &m->opened, value, &seal, err);
}

/* NULL and err->code 0: a kind that is not served. */
static struct json *read_object(
        struct import *m, struct arena *a, struct slice key, struct slice value, struct err *err)
{
	struct json *object;
	if (!transcode_is_protobuf(value)) {
		object = json_parse(a, value, NULL, err);
	} else {
		object = transcode_from_protobuf(a, value, NULL, NULL, err);
		if (!object && strstr(err->msg, "is registered for version")) {
			*err = ERR_INIT;
			return NULL;
		}
	}
	if (!object)
		err_wrap(err, "%.*s", SLICE_FMT(key));
	return object;
}

/* In the form of the row that stores it. */
static int bring_to_form(
        struct import *m, struct arena *a, struct json *object, const struct resource *row, struct err *err)
{
	struct slice version = json_get_str(object, "apiVersion");
	if (!row || slice_is(version, row->api_version))
		return 0;
	const struct resource *from = resource_find_kind(version, json_get_str(object, "kind"));
	if (!from || from->storage != row)
		return ERR_UNIMPLEMENTED;
	return resource_convert(a, object, from, row, err) == 0 ? 0 : ERR_UNIMPLEMENTED;
}

/* What is read with an object, and never stored. */
static void drop_read_fields(struct json *object)
{
	struct json *meta = json_get(object, "metadata");
	if (meta) {
		json_del(meta, "resourceVersion");
		json_del(meta, "selfLink");
	}
}

static int put(struct import *m, const struct store_kv *kv, struct json *object, struct err *err)
{
	struct store_kv out = *kv;
	drop_read_fields(object);
	strbuf_reset(&m->text);
	json_write(&m->text, object);
	out.value = strbuf_slice(&m->text);
	out.lease = 0;
	out.version = 1;
	return state_out_put(m->out, &out, err);
}

static int take_in(struct import *m, struct arena *a, const struct store_kv *kv, struct err *err)
{
	const struct resource *row = row_of(kv->key);
	const char *why = why_left(kv->key);
	struct slice value = kv->value;
	struct json *object = NULL;
	int rc = why ? 0 : open_value(m, row, kv->key, &value, err);
	if (rc == 0 && !why)
		object = read_object(m, a, kv->key, value, err);
	if (rc == 0 && err->code)
		rc = err->code;
	if (rc == 0 && !why && (!object || (transcode_is_protobuf(value) && !row)))
		why = "not served by k3x";
	if (rc == 0 && !why && is_packaged(object))
		why = "of k3s's add-ons";
	if (rc == 0 && !why && bring_to_form(m, a, object, row, err) != 0) {
		*err = ERR_INIT;
		why = "not served by k3x";
	}
	if (rc == 0 && !why)
		rc = put(m, kv, object, err);
	if (rc == 0)
		count(m, kv->key, why);
	return rc;
}

static int take_row(void *arg, const struct store_kv *kv, struct err *err)
{
	struct arena a = ARENA_INIT;
	int rc = take_in(arg, &a, kv, err);
	arena_release(&a);
	return rc;
}

/* ---- from an etcd: restored, read by revision ---- */

struct question {
	struct store_request req;
	sem_t done;
};

static void answered(struct store_request *req)
{
	sem_post(&CONTAINER_OF(req, struct question, req)->done);
}

static int ask(struct engine *e, struct question *q)
{
	sem_init(&q->done, 0, 0);
	q->req.done = answered;
	store_submit(e, &q->req);
	while (sem_wait(&q->done) != 0)
		;
	sem_destroy(&q->done);
	return q->req.err.code;
}

static int take_all(struct import *m, struct engine *e, struct err *err)
{
	struct question q = {.req.op = {.type = STORE_OP_RANGE,
	                             .range = {.keys = {.key = SLICE("\0"), .end = SLICE("\0")},
	                                     .sort = STORE_SORT_ASCEND,
	                                     .sort_target = STORE_TARGET_MOD}}};
	int rc = ask(e, &q);
	if (rc != 0)
		*err = q.req.err;
	m->revision = q.req.revision;
	for (size_t i = 0; i < q.req.result.n_kvs && rc == 0; i++)
		rc = take_row(m, &q.req.result.kvs[i], err);
	store_request_release(&q.req);
	return rc;
}

static int read_etcd(struct import *m, const char *file, struct err *err)
{
	const char *folder = arena_printf(&m->a, "%s/etcd", m->work);
	struct store_restore_options o = {
	        .snapshot = file, .data_dir = folder, .skip_hash_check = true, .cluster_id = "any", .token = "import"};
	struct raft_engine_options r = {.data_dir = folder};
	struct store_file_info info;
	struct engine *e;
	uint64_t id;
	if (store_restore(&o, &info, &id, &m->a, err) != 0 || raft_engine_open_alone(&r, &e, err) != 0)
		return err->code;
	int rc = take_all(m, e, err);
	store_close(e);
	return rc;
}

static int read_source(struct import *m, struct err *err)
{
	const char *sqlite = arena_printf(&m->a, "%s/server/db/state.db", m->from);
	const char *etcd = arena_printf(&m->a, "%s/server/db/etcd/member/snap/db", m->from);
	if (m->snapshot)
		return read_etcd(m, m->snapshot, err);
	if (access(etcd, F_OK) == 0)
		return read_etcd(m, etcd, err);
	if (access(sqlite, F_OK) == 0)
		return kine_each(sqlite, take_row, m, &m->revision, err);
	return err_set(err, ERR_NOT_FOUND,
	        "%s has neither server/db/state.db nor server/db/etcd: is it k3s's --data-dir? (Of a k3s on MySQL or "
	        "PostgreSQL only a copy of its table in SQLite can be read)",
	        m->from);
}

/* ---- keys ---- */

static int make_folders(struct import *m, const char *path, struct err *err)
{
	char *copy = arena_printf(&m->a, "%s", path);
	for (char *p = copy + 1; *p; p++)
		if (*p == '/') {
			*p = 0;
			if (mkdir(copy, 0700) != 0 && errno != EEXIST)
				return err_errno(err, errno, "make folder %s", copy);
			*p = '/';
		}
	return 0;
}

static const struct {
	const char *place;
	unsigned mode;
	bool is_needed;
} files[] = {{"server/tls/server-ca.key", 0600, true}, {"server/tls/server-ca.crt", 0644, true},
        {"server/tls/client-ca.key", 0600, true}, {"server/tls/client-ca.crt", 0644, true},
        {"server/tls/request-header-ca.key", 0600, false}, {"server/tls/request-header-ca.crt", 0644, false},
        {"server/tls/etcd/peer-ca.key", 0600, false}, {"server/tls/etcd/peer-ca.crt", 0644, false},
        {"server/tls/service.key", 0600, true}, {"server/token", 0600, true}, {"server/agent-token", 0600, false}};

static int copy_file(struct import *m, size_t i, struct err *err)
{
	const char *from = arena_printf(&m->a, "%s/%s", m->from, files[i].place);
	const char *to = arena_printf(&m->a, "%s/%s", m->data_dir, files[i].place);
	char *text;
	size_t len;
	if (access(from, F_OK) != 0 && !files[i].is_needed)
		return 0;
	if (pki_file_read(from, &text, &len, err) != 0)
		return err->code;
	int rc = m->is_dry ? 0 : make_folders(m, to, err);
	if (rc == 0 && !m->is_dry)
		rc = pki_file_write(to, (struct slice){text, len}, files[i].mode, err);
	free(text);
	return rc;
}

static int copy_files(struct import *m, struct err *err)
{
	int rc = 0;
	for (size_t i = 0; i < COUNT_OF(files) && rc == 0; i++)
		rc = copy_file(m, i, err);
	return rc;
}

/* ---- all of it ---- */

static int open_sealer(struct import *m, struct err *err)
{
	const char *own = arena_printf(&m->a, "%s/server/cred/encryption-config.json", m->from);
	if (!m->encryption && access(own, F_OK) == 0)
		m->encryption = own;
	return m->encryption ? sealer_new(m->encryption, false, &m->sealer, err) : 0;
}

static int check(struct import *m, struct err *err)
{
	if (!m->from)
		return err_set(err, ERR_INVAL, "--from is needed: k3s's --data-dir, mostly /var/lib/rancher/k3s");
	if (access(arena_printf(&m->a, "%s/server/db", m->data_dir), F_OK) == 0 ||
	        access(arena_printf(&m->a, "%s/server/tls", m->data_dir), F_OK) == 0)
		return err_set(
		        err, ERR_EXISTS, "%s has a cluster already: give --data-dir an empty folder", m->data_dir);
	return open_sealer(m, err);
}

static int finish(struct import *m, const char *state, struct err *err)
{
	const char *to = arena_printf(&m->a, "%s/server/db/state.db", m->data_dir);
	if (copy_files(m, err) != 0 || m->is_dry)
		return err->code;
	if (make_folders(m, to, err) != 0)
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

static int by_name(const void *a, const void *b)
{
	const struct counted *x = a, *y = b;
	if (!x->why != !y->why)
		return x->why ? 1 : -1;
	return strcmp(x->what, y->what);
}

static void print_result(struct import *m)
{
	qsort(m->counts, m->n_counts, sizeof m->counts[0], by_name);
	for (size_t i = 0; i < m->n_counts; i++)
		printf("%-10s %6" PRId64 " %s%s%s%s\n", m->counts[i].why ? "left out" : "taken", m->counts[i].n,
		        m->counts[i].what, m->counts[i].why ? " (" : "", m->counts[i].why ? m->counts[i].why : "",
		        m->counts[i].why ? ")" : "");
	printf("%s: %" PRId64 " objects, %" PRId64 " left out, revision %" PRId64 "\n",
	        m->is_dry ? "dry run, nothing was written" : "imported", m->taken, m->left, m->revision);
	if (m->sealer)
		printf("Secrets are plain now: start with --secrets-encryption, then k3x secrets-encrypt reencrypt -f "
		       "--skip\n");
	if (!m->is_dry)
		printf("start it: k3x server --data-dir %s (k3s must stay down)\n", m->data_dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* Beside the target, so that the state is renamed into its place. */
static int run(struct import *m, struct err *err)
{
	int rc = check(m, err);
	char *work = arena_printf(&m->a, "%s/import-XXXXXX", m->is_dry ? "/tmp" : m->data_dir);
	if (rc == 0 && !m->is_dry)
		rc = make_folders(m, work, err);
	if (rc == 0 && !mkdtemp(work))
		rc = err_errno(err, errno, "make a folder in %s", m->data_dir);
	if (rc != 0)
		return rc;
	m->work = work;
	rc = import(m, err);
	nftw(work, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return rc;
}

int import_k3s_main(int argc, char **argv)
{
	struct import m = {.data_dir = "/var/lib/k3x"};
	struct err err = ERR_INIT;
	const struct flag table[] = {
	        {"from", 0, FLAG_STRING, &m.from, NULL, "k3s's --data-dir: /var/lib/rancher/k3s", NULL},
	        {"from-snapshot", 0, FLAG_STRING, &m.snapshot, NULL,
	                "read the objects from this snapshot of its etcd; keys come from --from all the same", NULL},
	        {"encryption-config", 0, FLAG_STRING, &m.encryption, NULL,
	                "how Secrets are encrypted there (server/cred/encryption-config.json of --from)", NULL},
	        {"data-dir", 0, FLAG_STRING, &m.data_dir, NULL, "k3x's --data-dir (/var/lib/k3x)", NULL},
	        {"dry-run", 0, FLAG_BOOL, &m.is_dry, NULL, "read all of it and say what would come along", NULL},
	};
	struct flags f = {.program = "k3x import-k3s",
	        .summary = "k3x import-k3s --from DIR: take over a k3s server's cluster. Stop k3s first.",
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
		fprintf(stderr, "k3x import-k3s: %s\n", err.msg);
	sealer_free(m.sealer);
	strbuf_release(&m.text);
	strbuf_release(&m.opened);
	arena_release(&m.a);
	return rc ? err_exit_code(rc) : 0;
}
