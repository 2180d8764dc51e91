/* Kubelets' requests for client certificates are approved by themselves, when whoever asks may ask for them: a node for
 * its own (create certificatesigningrequests/selfnodeclient), whoever brings in nodes for one (.../nodeclient). All
 * other requests wait for a person.
 *
 * Upstream: pkg/controller/certificates/approver/sarapprove.go. */
#include "api/controllers/controllers_int.h"
#include "api/controllers/csr.h"
#include "api/machinery/rules/groups/signers.h"

#define REVIEWS "/apis/authorization.k8s.io/v1/subjectaccessreviews"

struct approver {
	struct controllers *c;
	struct shared_informer *requests;
	struct work_queue *queue;
};

struct approval {
	struct json *object;
	struct json *review;
	bool is_own; /* a node's for itself; the first question */
};

static void changed(void *arg, struct informer_object *o)
{
	struct approver *s = arg;
	work_queue_add(s->queue, o->key);
}

static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	changed(arg, o);
}

static void ask(struct work *w);

static void approve(struct work *w)
{
	struct approval *p = w->data;
	struct arena *a = &w->arena;
	csr_say(a, p->object, "Approved", "AutoApproved",
	        p->is_own ? "Auto approving self kubelet client certificate after SubjectAccessReview."
	                  : "Auto approving kubelet client certificate after SubjectAccessReview.");
	work_send(w, "PUT",
	        kube_path(a, "certificates.k8s.io/v1", "certificatesigningrequests", SLICE_NULL, w->name, "approval"),
	        p->object, work_done_ignore_missing);
}

static void known(struct work_call *call)
{
	struct work *w = call->work;
	struct approval *p = w->data;
	if (call->request.err.code) {
		work_fail(w, &call->request.err);
		return;
	}
	struct slice text = {call->request.response->data, call->request.response->len};
	if (slice_is(json_find(text, "status", "allowed", NULL), "true")) {
		approve(w);
	} else if (p->is_own) {
		p->is_own = false;
		ask(w);
	}
}

/* May whoever made the request have such a certificate? */
static void ask(struct work *w)
{
	struct approval *p = w->data;
	struct arena *a = &w->arena;
	const struct json *from = json_get(p->object, "spec");
	static const char *const members[][2] = {
	        {"username", "user"}, {"uid", "uid"}, {"groups", "groups"}, {"extra", "extra"}};
	struct json *review = json_new(a, JSON_OBJECT), *spec = json_need(a, review, "spec", JSON_OBJECT);
	json_set_cstr(a, review, "apiVersion", "authorization.k8s.io/v1");
	json_set_cstr(a, review, "kind", "SubjectAccessReview");
	for (size_t i = 0; i < COUNT_OF(members); i++)
		if (json_get(from, members[i][0]))
			json_set(a, spec, members[i][1], json_copy(a, json_get(from, members[i][0])));
	struct json *what = json_need(a, spec, "resourceAttributes", JSON_OBJECT);
	json_set_cstr(a, what, "verb", "create");
	json_set_cstr(a, what, "group", "certificates.k8s.io");
	json_set_cstr(a, what, "resource", "certificatesigningrequests");
	json_set_cstr(a, what, "subresource", p->is_own ? "selfnodeclient" : "nodeclient");
	work_send(w, "POST", REVIEWS, review, known);
}

static void run(struct work *w)
{
	struct approver *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->requests), w->key);
	struct json *object = o ? informer_parse(&w->arena, o) : NULL;
	struct signer_request r;
	struct err unused = ERR_INIT;
	if (!object || csr_has(object, "Approved") || csr_has(object, "Denied") ||
	        !slice_is(json_str(json_path(object, "spec", "signerName", NULL)), SIGNER_KUBELET_CLIENT) ||
	        signer_request_read(&w->arena, json_get(object, "spec"), &r, &unused) != 0 || signer_check(&r))
		return;
	struct approval *p = ARENA_NEW(&w->arena, struct approval);
	p->object = object;
	p->is_own = slice_eq(r.username, r.info.common_name);
	w->data = p;
	ask(w);
}

void *csr_approver_start(struct controllers *c)
{
	struct approver *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->queue = controllers_queue(c, "csrapproving", 1, run, s);
	s->requests = controllers_listen(
	        c, CERTIFICATE_REQUESTS, &(struct informer_handler){.added = changed, .updated = updated, .arg = s});
	return s;
}

void csr_approver_release(void *state)
{
	free(state);
}
