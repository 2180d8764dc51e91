/* See authorizer.h. Each step of a question is a value of its own, with what was said so far. */
#include "api/machinery/cel/authorizer.h"
#include "api/machinery/cel/kube_cel.h"

#include "base/check.h"

typedef const struct cel_value *args_t;

struct asking {
	struct cel_opaque head;
	const struct kube_authorizer *authorizer;
	struct kube_question q;
	struct kube_answer answer;
};

const struct cel_type kube_authorizer_type = {.kind = CEL_OPAQUE, .name = "kubernetes.authorization.Authorizer"};
const struct cel_type kube_resource_check_type = {.kind = CEL_OPAQUE, .name = "kubernetes.authorization.ResourceCheck"};
static const struct cel_type path_type = {.kind = CEL_OPAQUE, .name = "kubernetes.authorization.PathCheck"},
                             group_type = {.kind = CEL_OPAQUE, .name = "kubernetes.authorization.GroupCheck"},
                             decision_type = {.kind = CEL_OPAQUE, .name = "kubernetes.authorization.Decision"};

static struct asking *copy(struct arena *a, const struct asking *from)
{
	struct asking *out = ARENA_NEW(a, struct asking);
	if (from)
		*out = *from;
	out->head.words = "";
	return out;
}

struct cel_value kube_authorizer_value(struct arena *a, const struct kube_authorizer *z)
{
	struct asking *x = copy(a, NULL);
	x->authorizer = z;
	return cel_of_opaque(&kube_authorizer_type, &x->head);
}

struct cel_value kube_resource_value(struct arena *a, const struct kube_authorizer *z, const struct kube_question *q)
{
	struct asking *x = copy(a, NULL);
	x->authorizer = z;
	x->q = *q;
	return cel_of_opaque(&kube_resource_check_type, &x->head);
}

/* The question with a word more. */
#define WORD(fn, member, to) \
	static struct cel_value fn(struct cel_run *r, args_t v, size_t n) \
	{ \
		struct asking *x = copy(r->arena, v[0].opaque); \
		x->q.member = v[1].text; \
		return cel_of_opaque(&(to), &x->head); \
	}
WORD(ask_path, path, path_type)
WORD(ask_group, group, group_type)
WORD(ask_subresource, subresource, kube_resource_check_type)
WORD(ask_namespace, ns, kube_resource_check_type)
WORD(ask_name, name, kube_resource_check_type)
WORD(ask_fields, field_selector, kube_resource_check_type)
WORD(ask_labels, label_selector, kube_resource_check_type)

static struct cel_value ask_resource(struct cel_run *r, args_t v, size_t n)
{
	struct asking *x = copy(r->arena, v[0].opaque);
	x->q.resource = v[1].text;
	x->q.is_resource = true;
	return cel_of_opaque(&kube_resource_check_type, &x->head);
}

static struct cel_value ask_account(struct cel_run *r, args_t v, size_t n)
{
	struct asking *x = copy(r->arena, v[0].opaque);
	if (!v[1].text.len || !v[2].text.len)
		return cel_error(r->arena, "Invalid service account: namespace and name are needed");
	x->q.service_account_ns = v[1].text;
	x->q.service_account = v[2].text;
	return cel_of_opaque(&kube_authorizer_type, &x->head);
}

static struct cel_value check(struct cel_run *r, args_t v, size_t n)
{
	struct asking *x = copy(r->arena, v[0].opaque);
	x->q.verb = v[1].text;
	/* what is too dear is not asked: the cost is counted after the call */
	if (r->cost + 350000 <= r->cost_max)
		x->authorizer->check(x->authorizer->arg, r->arena, &x->q, &x->answer);
	return cel_of_opaque(&decision_type, &x->head);
}

static const struct kube_answer *answer(args_t v)
{
	return &((const struct asking *)v[0].opaque)->answer;
}

static struct cel_value allowed(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(answer(v)->allowed);
}

static struct cel_value errored(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_bool(answer(v)->error != NULL);
}

static struct cel_value reason(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_text(slice_of(answer(v)->reason ? answer(v)->reason : ""));
}

static struct cel_value error(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_text(slice_of(answer(v)->error ? answer(v)->error : ""));
}

#define K "kubernetes.authorization."
static const struct cel_overload rows[] = {
        {"path", K "Authorizer.(string)" K "PathCheck", ask_path, CEL_COST_ONE},
        {"group", K "Authorizer.(string)" K "GroupCheck", ask_group, CEL_COST_ONE},
        {"serviceAccount", K "Authorizer.(string,string)" K "Authorizer", ask_account, CEL_COST_ONE},
        {"resource", K "GroupCheck.(string)" K "ResourceCheck", ask_resource, CEL_COST_ONE},
        {"subresource", K "ResourceCheck.(string)" K "ResourceCheck", ask_subresource, CEL_COST_ONE},
        {"namespace", K "ResourceCheck.(string)" K "ResourceCheck", ask_namespace, CEL_COST_ONE},
        {"name", K "ResourceCheck.(string)" K "ResourceCheck", ask_name, CEL_COST_ONE},
        {"fieldSelector", K "ResourceCheck.(string)" K "ResourceCheck", ask_fields, CEL_COST_SELECTOR},
        {"labelSelector", K "ResourceCheck.(string)" K "ResourceCheck", ask_labels, CEL_COST_SELECTOR},
        {"check", K "PathCheck.(string)" K "Decision", check, CEL_COST_CHECK},
        {"check", K "ResourceCheck.(string)" K "Decision", check, CEL_COST_CHECK},
        {"allowed", K "Decision.()bool", allowed, CEL_COST_ONE},
        {"errored", K "Decision.()bool", errored, CEL_COST_ONE},
        {"reason", K "Decision.()string", reason, CEL_COST_ONE},
        {"error", K "Decision.()string", error, CEL_COST_ONE},
};

const struct cel_library kube_authorizers = {rows, COUNT_OF(rows)};
