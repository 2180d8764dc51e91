/* Status of ValidatingAdmissionPolicies: what type checking has to say of each generation of a policy. A run looks at
 * one policy, and writes when its status is of another generation. Kinds that come later (of definitions) are not
 * waited for, as upstream's are not.
 *
 * Upstream: pkg/controller/validatingadmissionpolicystatus. */
#include "api/controllers/controllers_int.h"

#include "api/machinery/cel/policy_types.h"

#define POLICIES "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"

struct policy_statuses {
	struct shared_informer *policies;
	struct work_queue *queue;
};

static void policy_changed(void *arg, struct informer_object *o)
{
	struct policy_statuses *s = arg;
	work_queue_add(s->queue, o->key);
}

static void policy_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	policy_changed(arg, o);
}

static void run(struct work *w)
{
	struct policy_statuses *s = w->arg;
	struct informer_object *o = informer_get(shared_informer_base(s->policies), w->key);
	const struct json *policy = o ? informer_parse(&w->arena, o) : NULL;
	int64_t generation = json_int(json_path(policy, "metadata", "generation", NULL), 0);
	if (!policy || json_int(json_path(policy, "status", "observedGeneration", NULL), -1) == generation)
		return;
	struct json *wanted = json_copy(&w->arena, policy);
	struct json *status = json_need(&w->arena, wanted, "status", JSON_OBJECT);
	json_set_int(&w->arena, status, "observedGeneration", generation);
	json_set(&w->arena, status, "typeChecking", policy_type_check(&w->arena, json_get(policy, "spec")));
	work_send(w, "PUT",
	        kube_path(&w->arena, "admissionregistration.k8s.io/v1", "validatingadmissionpolicies", SLICE_NULL,
	                w->key, "status"),
	        wanted, work_done_ignore_missing);
}

void *policy_status_controller_start(struct controllers *c)
{
	struct policy_statuses *s = xcalloc(1, sizeof *s);
	s->queue = controllers_queue(c, "validatingadmissionpolicy-status", 1, run, s);
	s->policies = controllers_listen(
	        c, POLICIES, &(struct informer_handler){.added = policy_changed, .updated = policy_updated, .arg = s});
	return s;
}

void policy_status_controller_release(void *state)
{
	free(state);
}
