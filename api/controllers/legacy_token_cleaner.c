/* Secrets with tokens that accounts once got by themselves, and that nobody uses: those that an account lists, that no
 * pod of the namespace refers to, and that were not used for a year (legacy-service-account-token-clean-up-period) are
 * marked as invalid, and deleted when nobody has taken the mark away for as long again. Who looks: once a day, and when
 * the server that leads begins. The API server writes down who was used, and since when it does (a ConfigMap).
 *
 * A look is one key of one queue: when one of its writes fails the whole look is taken again later, and finds what is
 * left. Deletions carry the version that was looked at, so that a use in between keeps the Secret. Upstream:
 * pkg/controller/serviceaccount/legacy_serviceaccount_token_cleaner.go. */
#include "api/controllers/controllers_int.h"
#include "api/controllers/legacy_tokens.h"

#include "api/machinery/codec/scalar.h"
#include "api/machinery/rules/pod/pod_refs.h"
#include "base/log.h"

#define SECRETS "/api/v1/secrets"
#define SERVICE_ACCOUNTS "/api/v1/serviceaccounts"
#define TRACKING "/api/v1/namespaces/kube-system/configmaps/kube-apiserver-legacy-service-account-token-tracking"
#define LAST_USED "kubernetes.io/legacy-token-last-used"
#define INVALID_SINCE "kubernetes.io/legacy-token-invalid-since"

enum { LOOK_MS = 24 * 3600 * 1000, LOOK_AGAIN_MS = 60 * 1000 };

struct cleaner {
	struct controllers *c;
	struct shared_informer *secrets, *accounts, *pods;
	struct informer_index *pods_of;
	struct work_queue *queue;
};

/* ---- is it one of those? ---- */

static void read_secret(struct slice text, struct meta *m, struct legacy_secret *x)
{
	meta_read(text, m);
	*x = (struct legacy_secret){.created_s = kube_time_parse(m->creation_timestamp),
	        .last_used = m->labels.len ? json_find(m->labels, LAST_USED, NULL) : SLICE_NULL,
	        .invalid_since = m->labels.len ? json_find(m->labels, INVALID_SINCE, NULL) : SLICE_NULL};
}

/* Its account is there, the same one, and lists it. */
static bool is_listed(struct cleaner *s, struct arena *a, const struct meta *m)
{
	struct slice notes = m->annotations;
	struct slice account = notes.len ? json_find(notes, "kubernetes.io/service-account.name", NULL) : SLICE_NULL;
	struct slice uid = notes.len ? json_find(notes, "kubernetes.io/service-account.uid", NULL) : SLICE_NULL;
	struct informer_object *o =
	        account.len ? informer_get_named(shared_informer_base(s->accounts), m->ns, account) : NULL;
	if (!o || (uid.len && !slice_eq(uid, json_find(informer_text(o), "metadata", "uid", NULL))))
		return false;
	JSON_FOREACH (it, json_get(informer_parse(a, o), "secrets"))
		if (slice_eq(json_get_str(it, "name"), m->name))
			return true;
	return false;
}

struct looking_for {
	struct slice name;
	bool found;
};

static void compare(void *arg, enum pod_ref kind, struct slice name)
{
	struct looking_for *l = arg;
	l->found |= kind == POD_REF_SECRET && slice_eq(name, l->name);
}

static bool is_mounted(struct cleaner *s, struct arena *a, const struct meta *m)
{
	struct looking_for l = {.name = m->name};
	INFORMER_GROUP_FOREACH(pod, informer_index_group(s->pods_of, m->ns))
	if (!l.found)
		pod_refs_each(informer_parse(a, pod), compare, &l);
	return l.found;
}

/* ---- what is done to it ---- */

static void mark(struct work *w, const struct meta *m, int64_t now_s)
{
	struct arena *a = &w->arena;
	struct json *patch = json_new(a, JSON_OBJECT), *meta = json_need(a, patch, "metadata", JSON_OBJECT);
	char *today = ARENA_ARRAY(a, char, SCALAR_DAY_BYTES);
	scalar_day_format(now_s, today);
	log_info("token", "a service account's token that nobody used is marked as invalid",
	        "secret=%.*s/%.*s since=%s", SLICE_FMT(m->ns), SLICE_FMT(m->name), today);
	json_set_str(a, meta, "uid", m->uid);
	json_set_cstr(a, json_need(a, meta, "labels", JSON_OBJECT), INVALID_SINCE, today);
	work_patch(
	        w, kube_path(a, "v1", "secrets", m->ns, m->name, NULL), merge_patch, patch, work_done_ignore_missing);
}

static void remove_secret(struct work *w, const struct meta *m, const struct legacy_secret *x)
{
	struct arena *a = &w->arena;
	struct json *options = json_new(a, JSON_OBJECT);
	log_info("token", "a service account's token that nobody used is deleted",
	        "secret=%.*s/%.*s last_used=%.*s invalid_since=%.*s", SLICE_FMT(m->ns), SLICE_FMT(m->name),
	        SLICE_FMT(x->last_used), SLICE_FMT(x->invalid_since));
	json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "resourceVersion", m->resource_version);
	work_send(w, "DELETE", kube_path(a, "v1", "secrets", m->ns, m->name, NULL), options, work_done_ignore_missing);
}

static void judge(struct work *w, struct informer_object *o, int64_t now_s)
{
	struct cleaner *s = w->arg;
	int64_t period_s = s->c->token_period_s;
	struct slice text = informer_text(o);
	struct legacy_secret x;
	struct meta m;
	if (!slice_is(json_find(text, "type", NULL), "kubernetes.io/service-account-token"))
		return;
	rcbuf_unref_with(&w->arena, rcbuf_ref(o->json));
	read_secret(text, &m, &x);
	if (m.deletion_timestamp.len || !legacy_is_unused(&x, now_s, period_s) || !is_listed(s, &w->arena, &m) ||
	        is_mounted(s, &w->arena, &m))
		return;
	switch (legacy_fate(&x, now_s, period_s)) {
	case LEGACY_STAYS:
		break;
	case LEGACY_IS_MARKED:
		mark(w, &m, now_s);
		break;
	case LEGACY_GOES:
		remove_secret(w, &m, &x);
	}
}

static void look(struct work_call *call)
{
	struct work *w = call->work;
	struct cleaner *s = w->arg;
	int64_t now_s = kube_time_now_s();
	if (call->request.err.code == ERR_NOT_FOUND) { /* the cluster is young */
		work_again(w, LOOK_AGAIN_MS);
		return;
	}
	if (call->request.err.code) {
		work_fail(w, &call->request.err);
		return;
	}
	work_again(w, LOOK_MS);
	if (!legacy_is_tracked(json_find(work_call_text(call), "data", "since", NULL), now_s, s->c->token_period_s))
		return;
	INFORMER_FOREACH(o, shared_informer_base(s->secrets))
	judge(w, o, now_s);
}

static void run(struct work *w)
{
	work_send(w, "GET", TRACKING, NULL, look);
}

void *legacy_token_cleaner_start(struct controllers *c)
{
	static const struct informer_handler nothing = {0};
	struct cleaner *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->queue = controllers_queue(c, "legacy-token-cleaner", 1, run, s);
	s->secrets = controllers_listen(c, SECRETS, &nothing);
	s->accounts = controllers_listen(c, SERVICE_ACCOUNTS, &nothing);
	s->pods = controllers_listen(c, PODS, &nothing);
	s->pods_of = informer_index_get(s->pods, "namespace", informer_index_namespace);
	work_queue_add(s->queue, SLICE("tokens"));
	return s;
}

void legacy_token_cleaner_release(void *state)
{
	free(state);
}
