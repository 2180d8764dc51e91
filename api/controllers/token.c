/* Secrets of type kubernetes.io/service-account-token: filled with a token that is bound to the secret and lives as
 * long as the server grants, with the cluster's CA and the namespace. Secrets whose account is gone, or is another one
 * of the same name, are deleted. Upstream: pkg/controller/serviceaccount/tokens_controller.go. */
#include "api/controllers/controllers_int.h"

#include "base/base64.h"

#define SECRETS "/api/v1/secrets"
#define SERVICE_ACCOUNTS "/api/v1/serviceaccounts"

static const char token_type[] = "kubernetes.io/service-account-token";

enum { TOKEN_S = 1 << 30 };

struct tokens {
	struct controllers *c;
	struct shared_informer *secrets, *accounts;
	struct informer_index *by_account;
	struct work_queue *queue;
};

struct filling {
	struct tokens *s;
	struct work *work;
	struct meta meta;
	struct slice text; /* of the secret as it was found */
	struct slice account, account_uid;
	const char *path;
};

static void index_account(struct slice object, struct strbuf *out)
{
	if (!slice_is(json_find(object, "type", NULL), token_type))
		return;
	struct slice meta = json_find(object, "metadata", NULL);
	struct slice name = json_find(meta, "annotations", "kubernetes.io/service-account.name", NULL);
	if (name.len)
		strbuf_addf(out, "%.*s/%.*s", SLICE_FMT(json_find(meta, "namespace", NULL)), SLICE_FMT(name));
}

static void secret_changed(void *arg, struct informer_object *o)
{
	struct tokens *s = arg;
	if (slice_is(json_find(informer_text(o), "type", NULL), token_type))
		work_queue_add(s->queue, o->key);
}

static void secret_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	secret_changed(arg, o);
}

static void account_changed(void *arg, struct informer_object *o)
{
	struct tokens *s = arg;
	INFORMER_GROUP_FOREACH(secret, informer_index_group(s->by_account, o->key))
	work_queue_add(s->queue, secret->key);
}

static void set_data(struct arena *a, struct json *data, const char *name, struct slice value)
{
	json_set_str(a, data, name, base64_encode(a, value));
}

static void issued(struct work_call *call)
{
	struct filling *f = call->arg;
	struct arena *a = &f->work->arena;
	if (call->request.err.code) {
		work_fail(f->work, &call->request.err);
		return;
	}
	struct slice token = json_find(work_call_text(call), "status", "token", NULL);
	struct json *secret = json_parse(a, f->text, NULL, NULL), *data = json_need(a, secret, "data", JSON_OBJECT);
	json_set_str(a, json_need(a, json_get(secret, "metadata"), "annotations", JSON_OBJECT),
	        "kubernetes.io/service-account.uid", f->account_uid);
	set_data(a, data, "token", token);
	set_data(a, data, "namespace", f->meta.ns);
	if (f->s->c->root_ca)
		set_data(a, data, "ca.crt", slice_of(f->s->c->root_ca));
	work_send(f->work, "PUT", f->path, secret, work_done_ignore_missing);
}

static void request_token(struct filling *f)
{
	struct arena *a = &f->work->arena;
	struct json *body = json_new(a, JSON_OBJECT), *spec = json_need(a, body, "spec", JSON_OBJECT);
	struct json *ref = json_need(a, spec, "boundObjectRef", JSON_OBJECT);
	json_set_cstr(a, body, "apiVersion", "authentication.k8s.io/v1");
	json_set_cstr(a, body, "kind", "TokenRequest");
	json_set_int(a, spec, "expirationSeconds", TOKEN_S);
	json_set(a, spec, "audiences", json_new(a, JSON_ARRAY));
	json_set_cstr(a, ref, "apiVersion", "v1");
	json_set_cstr(a, ref, "kind", "Secret");
	json_set_str(a, ref, "name", f->meta.name);
	json_set_str(a, ref, "uid", f->meta.uid);
	work_send(f->work, "POST", kube_path(a, "v1", "serviceaccounts", f->meta.ns, f->account, "token"), body, issued)
	        ->arg = f;
}

static void run(struct work *w)
{
	struct tokens *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->secrets), w->key);
	if (!o)
		return;
	struct slice text = informer_text(o), notes = json_find(text, "metadata", "annotations", NULL);
	struct filling *f = ARENA_NEW(&w->arena, struct filling);
	rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
	*f = (struct filling){.s = s, .work = w, .text = text};
	meta_read(text, &f->meta);
	f->account = notes.len ? json_find(notes, "kubernetes.io/service-account.name", NULL) : SLICE_NULL;
	if (!f->account.len || f->meta.deletion_timestamp.len || !slice_is(json_find(text, "type", NULL), token_type))
		return;
	f->path = kube_path(&w->arena, "v1", "secrets", f->meta.ns, f->meta.name, NULL);
	struct informer_object *account = informer_get_named(shared_informer_base(s->accounts), f->meta.ns, f->account);
	struct slice uid = account ? json_find(informer_text(account), "metadata", "uid", NULL) : SLICE_NULL;
	struct slice noted = json_find(notes, "kubernetes.io/service-account.uid", NULL);
	if (!account || (noted.len && !slice_eq(noted, uid))) {
		work_send(w, "DELETE", f->path, NULL, work_done_ignore_missing);
		return;
	}
	f->account_uid = (struct slice){arena_memdup(&w->arena, uid.ptr, uid.len), uid.len};
	if (!noted.len || !json_find(text, "data", "token", NULL).len)
		request_token(f);
}

void *token_controller_start(struct controllers *c)
{
	struct tokens *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->queue = controllers_queue(c, "serviceaccount-token", 4, run, s);
	s->secrets = controllers_listen(
	        c, SECRETS, &(struct informer_handler){.added = secret_changed, .updated = secret_updated, .arg = s});
	s->by_account = informer_index_get(s->secrets, "account", index_account);
	s->accounts = controllers_listen(c, SERVICE_ACCOUNTS,
	        &(struct informer_handler){.added = account_changed, .deleted = account_changed, .arg = s});
	return s;
}

void token_controller_release(void *state)
{
	free(state);
}
