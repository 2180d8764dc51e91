/* ValidatingAdmissionWebhook: all that want to know of the request are asked at once. When all have answered, the first
 * in their order that has something against it is the answer. Upstream takes the one that answers first, so that the
 * same request may be refused in other words each time. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/admission/webhooks/webhook_call.h"
#include "api/server/call.h"
#include "api/server/converting/conversion.h"
#include "base/check.h"

struct asking {
	struct admission *a;
	struct webhooks *set;
	struct webhook_call *calls;
	size_t count, open;
};

/* All have answered. */
static int conclude(struct asking *k, struct err *err)
{
	struct err first = ERR_INIT;
	const struct json *status = NULL;
	for (size_t i = 0; i < k->count; i++) {
		struct err one = ERR_INIT;
		if (webhook_call_judge(&k->calls[i], &one) == 0 || first.code)
			continue;
		first = one;
		status = k->a->call->status;
	}
	webhooks_unref(TAKE(k->set));
	k->a->call->status = status;
	*err = first;
	return err->code;
}

static void answered(struct webhook_call *c)
{
	struct asking *k = c->arg;
	struct err err = ERR_INIT;
	CHECK(k->open > 0);
	if (--k->open > 0)
		return;
	conclude(k, &err);
	admission_resume(k->a, &err);
}

/* Who wants to be asked. */
static int choose(struct asking *k, struct err *err)
{
	for (size_t i = 0; i < k->set->count; i++) {
		struct webhook_call *c = &k->calls[k->count];
		int rc = webhook_wants(&k->set->items[i], k->a, &c->resource, err);
		if (rc < 0)
			return rc;
		if (rc == 0)
			continue;
		c->a = k->a;
		c->hook = &k->set->items[i];
		c->done = answered;
		c->arg = k;
		c->index = i;
		k->count++;
	}
	return 0;
}

/* Versions in which they see the object are known, as far as anybody has been told so far. */
static bool has_forms(struct asking *k)
{
	struct err err = ERR_INIT;
	for (size_t i = 0; i < k->count; i++) {
		admission_object_as(k->a, k->a->object, k->calls[i].resource, &err);
		admission_object_as(k->a, k->a->old, k->calls[i].resource, &err);
	}
	return !conversion_is_wanted(k->a->resource);
}

int admit_by_validating_webhooks(struct admission *a, struct err *err)
{
	struct webhooks *set;
	if (a->was_asked || admission_is_exempt(a))
		return 0;
	set = webhooks_get(a->call->server, false);
	if (!set->count) {
		webhooks_unref(set);
		return 0;
	}
	struct asking *k = ARENA_NEW(a->arena, struct asking);
	*k = (struct asking){.a = a, .set = set, .calls = ARENA_ARRAY(a->arena, struct webhook_call, set->count)};
	int rc = choose(k, err);
	if (a->resource->conversion && !has_forms(k)) {
		webhooks_unref(set);
		*err = ERR_INIT;
		return admission_get_forms(a, a->resource);
	}
	if (rc != 0) {
		webhooks_unref(set);
		return rc;
	}
	for (size_t i = 0; i < k->count; i++)
		k->open += webhook_call_send(&k->calls[i]);
	return k->open ? ADMISSION_LATER : conclude(k, err);
}
