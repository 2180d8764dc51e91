/* Carrying out a stateful set's plan.
 *
 *     claims' owners --> deletions, labels mended, and pods made (claims that are missing first) --> acted()
 *
 * Pods are made in rounds of 1, 2, 4, ... so that what cannot be made fails once. A name that is taken already is an
 * informer that lags, or a stranger's pod: the key comes again, later and later. */
#include "api/controllers/statefulset_int.h"

static const char api_version[] = "apps/v1", kind[] = "StatefulSet";

/* ---- words ---- */

static void tell(struct stateful_sync *y, const char *type, const char *reason, const char *text)
{
	struct recorder_subject about = recorder_about(api_version, kind, &y->meta);
	recorder_event(y->s->recorder, &about, type, reason, "%s", text);
}

/* "create Pod web-0 in StatefulSet web successful" */
static void tell_outcome(
        struct stateful_sync *y, const char *verb, const char *reason, struct slice pod, const struct err *err)
{
	struct arena *a = &y->work->arena;
	if (err->code)
		tell(y, "Warning", arena_printf(a, "Failed%s", reason),
		        arena_printf(a, "%s Pod %.*s in StatefulSet %.*s failed error: %s", verb, SLICE_FMT(pod),
		                SLICE_FMT(y->meta.name), err->msg));
	else
		tell(y, "Normal", arena_printf(a, "Successful%s", reason),
		        arena_printf(a, "%s Pod %.*s in StatefulSet %.*s successful", verb, SLICE_FMT(pod),
		                SLICE_FMT(y->meta.name)));
}

static void answered(struct stateful_sync *y)
{
	if (--y->outstanding == 0)
		y->acted(y);
}

struct slice stateful_pod_name(struct stateful_sync *y, int64_t ordinal)
{
	return slice_of(arena_printf(&y->work->arena, "%.*s-%lld", SLICE_FMT(y->meta.name), (long long)ordinal));
}

/* ---- claims ---- */

static struct informer_object *find_claim(struct stateful_sync *y, struct slice template, struct slice pod)
{
	const char *name = stateful_claim_name(&y->work->arena, template, pod);
	return informer_get_named(shared_informer_base(y->s->claims), y->meta.ns, slice_of(name));
}

static struct slice template_name(const struct json *template)
{
	return json_str(json_path(template, "metadata", "name", NULL));
}

bool stateful_must_wait(struct stateful_sync *y, struct slice pod)
{
	JSON_FOREACH (t, y->claim_templates) {
		struct informer_object *claim = find_claim(y, template_name(t), pod);
		struct owner_ref ref;
		struct meta m;
		if (!claim)
			continue;
		meta_read(informer_text(claim), &m);
		for (struct slice rest = m.owners; owner_ref_next(&rest, &ref);)
			if (slice_is(ref.kind, "Pod") && slice_eq(ref.name, pod))
				return true;
		if (m.deletion_timestamp.len)
			return true;
	}
	return false;
}

static struct json *new_claim(struct stateful_sync *y, const struct json *template, struct slice pod)
{
	struct arena *a = &y->work->arena;
	struct json *claim = json_copy(a, template), *meta = json_need(a, claim, "metadata", JSON_OBJECT);
	struct json *labels = json_need(a, meta, "labels", JSON_OBJECT);
	json_del(claim, "status");
	json_set_cstr(a, meta, "name", stateful_claim_name(a, template_name(template), pod));
	JSON_FOREACH (it, json_path(y->spec, "selector", "matchLabels", NULL))
		json_set_slice(a, labels, it->key, json_copy(a, it));
	if (stateful_claim_owner(y->retention, false) == STATEFUL_CLAIM_OF_SET)
		json_append(json_need(a, meta, "ownerReferences", JSON_ARRAY),
		        owner_ref_new(a, api_version, kind, y->meta.name, y->meta.uid));
	return claim;
}

/* ---- who owns the claims ---- */

static bool owns(struct slice owners, struct slice uid)
{
	struct owner_ref ref;
	while (owner_ref_next(&owners, &ref))
		if (slice_eq(ref.uid, uid))
			return true;
	return false;
}

static void change_owner(struct arena *a, struct json *list, const char *version, const char *of, const struct meta *m,
        bool has, bool wants)
{
	if (has == wants)
		return;
	struct json *ref = json_new(a, JSON_OBJECT);
	if (wants) {
		ref = owner_ref_new(a, version, of, m->name, m->uid);
	} else {
		json_set_cstr(a, ref, "$patch", "delete");
		json_set_str(a, ref, "uid", m->uid);
	}
	json_append(list, ref);
}

static void act(struct stateful_sync *y);

static void claim_patched(struct work_call *call)
{
	struct stateful_sync *y = call->arg;
	work_done_ignore_missing(call);
	if (--y->outstanding == 0)
		act(y);
}

/* The pod's claims as its set and itself should own them. */
static void own_claims(struct stateful_sync *y, const struct stateful_pod *p, bool is_condemned)
{
	struct arena *a = &y->work->arena;
	enum stateful_claim_owner owner = stateful_claim_owner(y->retention, is_condemned);
	JSON_FOREACH (t, y->claim_templates) {
		struct informer_object *claim = find_claim(y, template_name(t), p->view.meta.name);
		struct meta m = {0};
		if (claim)
			meta_read(informer_text(claim), &m);
		if (!claim || m.deletion_timestamp.len)
			continue;
		struct json *patch = json_new(a, JSON_OBJECT), *meta = json_need(a, patch, "metadata", JSON_OBJECT);
		struct json *list = json_need(a, meta, "ownerReferences", JSON_ARRAY);
		json_set_str(a, meta, "uid", m.uid);
		change_owner(a, list, api_version, kind, &y->meta, owns(m.owners, y->meta.uid),
		        owner == STATEFUL_CLAIM_OF_SET);
		change_owner(a, list, "v1", "Pod", &p->view.meta, owns(m.owners, p->view.meta.uid),
		        owner == STATEFUL_CLAIM_OF_POD);
		if (!list->first)
			continue;
		y->outstanding++;
		work_patch(y->work, kube_path(a, "v1", "persistentvolumeclaims", m.ns, m.name, NULL), strategic_patch,
		        patch, claim_patched)
		        ->arg = y;
	}
}

void stateful_act(struct stateful_sync *y, void (*acted)(struct stateful_sync *y))
{
	y->acted = acted;
	y->outstanding = 1;
	for (size_t i = 0; i < y->n_pods; i++)
		if (y->pods[i].exists)
			own_claims(y, &y->pods[i], false);
	for (size_t i = 0; i < y->n_condemned; i++)
		own_claims(y, &y->condemned[i], true);
	if (--y->outstanding == 0)
		act(y);
}

/* ---- making a pod ---- */

struct making {
	struct stateful_sync *y;
	struct stateful_pod *pod;
	struct slice name, claim;
	struct making *whole; /* of a claim: whose it is */
	int waiting;          /* claims */
	bool failed;
};

static void send_round(struct stateful_sync *y);

static void made(struct making *m, bool failed)
{
	struct stateful_sync *y = m->y;
	if (!slow_start_answer(&y->round, failed))
		return;
	slow_start_next(&y->round);
	if (y->round.batch)
		send_round(y);
	else
		answered(y);
}

static void pod_made(struct work_call *call)
{
	struct making *m = call->arg;
	struct err *err = &call->request.err;
	if (err->code && err->code != ERR_TERMINATING)
		work_fail(m->y->work, err);
	if (err->code != ERR_EXISTS && err->code != ERR_TERMINATING)
		tell_outcome(m->y, "create", "Create", m->name, err);
	made(m, err->code != 0);
}

static void send_pod(struct making *m)
{
	struct stateful_sync *y = m->y;
	struct arena *a = &y->work->arena;
	struct slice revision = stateful_revision(&y->rules, m->pod->ordinal);
	struct revision *r = slice_eq(revision, y->fresh->meta.name) ? y->fresh : y->current;
	struct json *template = stateful_pod_template(a, revisions_template(a, r->data), y->claim_templates, m->name,
	        m->pod->ordinal, json_get_str(y->spec, "serviceName"), revision);
	struct json *pod = json_new(a, JSON_OBJECT), *meta = json_need(a, template, "metadata", JSON_OBJECT);
	json_set_str(a, meta, "name", m->name);
	json_append(json_set(a, meta, "ownerReferences", json_new(a, JSON_ARRAY)),
	        owner_ref_new(a, api_version, kind, y->meta.name, y->meta.uid));
	json_set(a, pod, "metadata", json_copy(a, meta));
	json_set(a, pod, "spec", json_copy(a, json_get(template, "spec")));
	work_send(y->work, "POST", kube_path(a, "v1", "pods", y->meta.ns, SLICE_NULL, NULL), pod, pod_made)->arg = m;
}

static void claims_done(struct making *m)
{
	if (--m->waiting)
		return;
	if (m->failed)
		made(m, true);
	else
		send_pod(m);
}

static void claim_made(struct work_call *call)
{
	struct making *part = call->arg, *m = part->whole;
	struct stateful_sync *y = m->y;
	struct err *err = &call->request.err;
	if (!err->code)
		tell(y, "Normal", "SuccessfulCreate",
		        arena_printf(&y->work->arena, "create Claim %.*s Pod %.*s in StatefulSet %.*s success",
		                SLICE_FMT(part->claim), SLICE_FMT(m->name), SLICE_FMT(y->meta.name)));
	else if (err->code != ERR_EXISTS) {
		m->failed = true;
		if (err->code != ERR_TERMINATING) {
			tell(y, "Warning", "FailedCreate",
			        arena_printf(&y->work->arena,
			                "create Claim %.*s for Pod %.*s in StatefulSet %.*s failed error: %s",
			                SLICE_FMT(part->claim), SLICE_FMT(m->name), SLICE_FMT(y->meta.name), err->msg));
			work_fail(y->work, err);
		}
	}
	claims_done(m);
}

/* Asks for the claims that are not there, and then for the pod. */
static void make(struct stateful_sync *y, struct stateful_pod *pod)
{
	struct arena *a = &y->work->arena;
	struct making *m = ARENA_NEW(a, struct making);
	*m = (struct making){.y = y, .pod = pod, .name = stateful_pod_name(y, pod->ordinal), .waiting = 1};
	JSON_FOREACH (t, y->claim_templates) {
		if (find_claim(y, template_name(t), m->name))
			continue;
		struct making *part = ARENA_NEW(a, struct making);
		struct json *claim = new_claim(y, t, m->name);
		part->whole = m;
		part->claim = json_str(json_path(claim, "metadata", "name", NULL));
		m->waiting++;
		work_send(y->work, "POST", kube_path(a, "v1", "persistentvolumeclaims", y->meta.ns, SLICE_NULL, NULL),
		        claim, claim_made)
		        ->arg = part;
	}
	claims_done(m);
}

static void send_round(struct stateful_sync *y)
{
	for (int64_t i = 0, n = y->round.batch; i < n; i++)
		make(y, y->making[y->n_made++]);
}

/* ---- mending and deleting ---- */

struct change {
	struct stateful_sync *y;
	struct slice pod;
};

static void deleted(struct work_call *call)
{
	struct change *c = call->arg;
	struct err *err = &call->request.err;
	if (err->code != ERR_NOT_FOUND) {
		tell_outcome(c->y, "delete", "Delete", c->pod, err);
		if (err->code)
			work_fail(c->y->work, err);
	}
	answered(c->y);
}

static void mended(struct work_call *call)
{
	struct change *c = call->arg;
	tell_outcome(c->y, "update", "Update", c->pod, &call->request.err);
	work_done_ignore_missing(call);
	answered(c->y);
}

static void change_pod(struct stateful_sync *y, struct stateful_pod *p)
{
	struct arena *a = &y->work->arena;
	struct meta *m = &p->view.meta;
	const char *path = kube_path(a, "v1", "pods", m->ns, m->name, NULL);
	struct json *body = json_new(a, JSON_OBJECT);
	struct change *c = ARENA_NEW(a, struct change);
	*c = (struct change){y, m->name};
	y->outstanding++;
	if (p->action == STATEFUL_MEND) {
		struct json *meta = json_need(a, body, "metadata", JSON_OBJECT);
		struct json *labels = json_need(a, meta, "labels", JSON_OBJECT);
		json_set_str(a, meta, "uid", m->uid);
		json_set_str(a, labels, POD_NAME_LABEL, m->name);
		json_set_cstr(a, labels, POD_INDEX_LABEL, arena_printf(a, "%lld", (long long)p->ordinal));
		work_patch(y->work, path, strategic_patch, body, mended)->arg = c;
		return;
	}
	if (p->action == STATEFUL_REPLACE) {
		bool failed = slice_is(p->view.phase, "Failed");
		tell(y, failed ? "Warning" : "Normal", failed ? "RecreatingFailedPod" : "RecreatingTerminatedPod",
		        arena_printf(a, "StatefulSet %.*s/%.*s is recreating %s Pod %.*s", SLICE_FMT(y->meta.ns),
		                SLICE_FMT(y->meta.name), failed ? "failed" : "terminated", SLICE_FMT(m->name)));
	}
	json_set_str(a, json_need(a, body, "preconditions", JSON_OBJECT), "uid", m->uid);
	work_send(y->work, "DELETE", path, body, deleted)->arg = c;
}

static void act(struct stateful_sync *y)
{
	int64_t n = 0;
	y->outstanding = 1;
	y->making = ARENA_ARRAY(&y->work->arena, struct stateful_pod *, y->n_pods + 1);
	for (size_t i = 0; i < y->n_pods; i++)
		if (y->pods[i].action == STATEFUL_CREATE)
			y->making[n++] = &y->pods[i];
		else if (y->pods[i].action != STATEFUL_NOTHING)
			change_pod(y, &y->pods[i]);
	for (size_t i = 0; i < y->n_condemned; i++)
		if (y->condemned[i].action != STATEFUL_NOTHING)
			change_pod(y, &y->condemned[i]);
	if (n) {
		y->outstanding++;
		slow_start_init(&y->round, n);
		send_round(y);
	}
	answered(y);
}
