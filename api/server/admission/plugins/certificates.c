/* Of requests for certificates: who asked is written into them, and when their conditions came about (parts of their
 * storage, upstream), and three plugins:
 *
 *   CertificateApproval            who approves or denies needs the verb approve on the signer
 *   CertificateSigning             who brings a certificate, or says it failed, needs the verb sign on it
 *   CertificateSubjectRestriction  nobody gets a client certificate that makes him one of system:masters
 *
 * The verb is asked for on the resource signers, with the signer's name, and then with its domain and "/" and a star.
 */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/machinery/rules/groups/signers.h"
#include "api/server/auth/rights/authorize.h"
#include "api/server/call.h"
#include "api/server/strategy.h"
#include "base/check.h"

#include <string.h>

/* ---- who asked ---- */

int name_requester(struct admission *a, struct err *err)
{
	struct arena *arena = a->arena;
	struct json *spec = json_need(arena, a->object, "spec", JSON_OBJECT);
	const struct user *u = a->call->user;
	static const char *const owned[] = {"username", "uid", "groups", "extra"};
	for (size_t i = 0; i < COUNT_OF(owned); i++)
		json_del(spec, owned[i]);
	json_set_str(arena, spec, "username", u->name);
	if (u->uid.len)
		json_set_str(arena, spec, "uid", u->uid);
	for (size_t i = 0; i < u->n_groups; i++)
		json_append(json_need(arena, spec, "groups", JSON_ARRAY), json_new_str(arena, u->groups[i]));
	for (const struct user_extra *e = u->extras; e; e = e->next) {
		struct json *extra = json_need(arena, spec, "extra", JSON_OBJECT),
		            *values = json_get_slice(extra, e->key);
		if (!values)
			values = json_set_slice(arena, extra, e->key, json_new(arena, JSON_ARRAY));
		json_append(values, json_new_str(arena, e->value));
	}
	return 0;
}

/* ---- when conditions came about ---- */

/* When a condition became what it is: at what was stored of the same type and status, else now. */
static const char *transition_time(struct admission *a, const struct json *condition, const char *now)
{
	JSON_FOREACH (it, json_path(a->old, "status", "conditions", NULL))
		if (slice_eq(json_get_str(it, "type"), json_get_str(condition, "type")) &&
		        slice_eq(json_get_str(it, "status"), json_get_str(condition, "status")) &&
		        json_get_str(it, "lastTransitionTime").len)
			return json_cstr(a->arena, json_get(it, "lastTransitionTime"));
	return now;
}

int stamp_conditions(struct admission *a, struct err *err)
{
	const char *now = strategy_time(a->arena, 0);
	if (strcmp(a->sub, "approval") != 0 && strcmp(a->sub, "status") != 0)
		return 0;
	JSON_FOREACH (it, json_path(a->object, "status", "conditions", NULL)) {
		if (!json_get_str(it, "lastUpdateTime").len)
			json_set_cstr(a->arena, it, "lastUpdateTime", now);
		if (!json_get_str(it, "lastTransitionTime").len)
			json_set_cstr(a->arena, it, "lastTransitionTime", transition_time(a, it, now));
	}
	return 0;
}

/* ---- the verbs on signers ---- */

struct question {
	struct admission *a;
	struct authorization z;
	const char *verb;
	struct slice signer;
	bool is_of_domain; /* the second question */
};

static void ask(struct question *q, struct slice name);

static void known(struct authorization *z)
{
	struct question *q = CONTAINER_OF(z, struct question, z);
	struct err err = ERR_INIT;
	struct slice domain = signer_domain(q->signer);
	if (z->verdict != VERDICT_ALLOW && !q->is_of_domain && domain.len) {
		q->is_of_domain = true;
		ask(q, slice_of(arena_printf(q->a->arena, "%.*s/*", SLICE_FMT(domain))));
		return;
	}
	if (z->verdict != VERDICT_ALLOW)
		admission_forbid(q->a, &err,
		        arena_printf(q->a->arena, "user not permitted to %s requests with signerName \"%.*s\"", q->verb,
		                SLICE_FMT(q->signer)));
	admission_resume(q->a, &err);
}

static void ask(struct question *q, struct slice name)
{
	q->z = (struct authorization){.arena = q->a->arena,
	        .done = known,
	        .attributes = {.user = q->a->call->user,
	                .is_resource = true,
	                .verb = slice_of(q->verb),
	                .group = SLICE("certificates.k8s.io"),
	                .version = SLICE("*"),
	                .resource = SLICE("signers"),
	                .name = name}};
	authorize(q->a->call->server, &q->z);
}

static int need(struct admission *a, const char *verb)
{
	struct question *q = ARENA_NEW(a->arena, struct question);
	q->a = a;
	q->verb = verb;
	q->signer = json_str(json_path(a->old, "spec", "signerName", NULL));
	ask(q, q->signer);
	return ADMISSION_LATER;
}

int admit_certificate_approval(struct admission *a, struct err *err)
{
	return strcmp(a->sub, "approval") == 0 ? need(a, "approve") : 0;
}

static bool is_same(const struct admission *a, const char *member)
{
	const struct json *now = json_path(a->object, "status", member, NULL),
	                  *before = json_path(a->old, "status", member, NULL);
	return now && before ? json_equal(now, before) : !now && !before;
}

int admit_certificate_signing(struct admission *a, struct err *err)
{
	if (strcmp(a->sub, "status") != 0 || (is_same(a, "certificate") && is_same(a, "conditions")))
		return 0;
	return need(a, "sign");
}

/* ---- subjects ---- */

int admit_certificate_subject(struct admission *a, struct err *err)
{
	const struct json *spec = json_get(a->object, "spec");
	struct signer_request r;
	struct err unread = ERR_INIT; /* what does not read is told by the rules of the kind */
	if (*a->sub || !slice_is(json_get_str(spec, "signerName"), SIGNER_CLIENT) ||
	        signer_request_read(a->arena, spec, &r, &unread) != 0)
		return 0;
	for (size_t i = 0; i < r.info.n_organizations; i++)
		if (slice_is(r.info.organizations[i], "system:masters"))
			return admission_forbid(
			        a, err, "use of " SIGNER_CLIENT " signer with system:masters group is not allowed");
	return 0;
}
