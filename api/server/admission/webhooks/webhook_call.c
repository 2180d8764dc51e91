/* See webhook_call.h. Upstream: callHook of apiserver pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go.
 *
 * What can go wrong: the webhook is not there, is slow, answers something else than a review. All of that is one
 * failure, which its failurePolicy lets pass (and the log tells, now and then) or makes a 500 of. */
#include "api/server/admission/webhooks/webhook_call.h"

#include "api/server/admission/cel_request.h"
#include "api/server/audit/audit.h"
#include "api/server/call.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "api/server/strategy.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

/* Upstream's, when there are many. */
enum { WARNING_BYTES_MAX = 256 };

/* ---- asking ---- */

/* With the version it has: webhooks compare and keep it. */
static struct json *show(struct webhook_call *k, const struct json *object, struct err *err)
{
	struct admission *a = k->a;
	const struct json *as = admission_object_as(a, object, k->resource, err);
	if (!as)
		return NULL;
	struct json *copy = json_copy(a->arena, as);
	if (a->revision)
		json_set_cstr(a->arena, json_need(a->arena, copy, "metadata", JSON_OBJECT), "resourceVersion",
		        arena_printf(a->arena, "%lld", (long long)a->revision));
	return copy;
}

static void answered(struct outgoing_call *c)
{
	struct webhook_call *k = c->arg;
	k->err = c->err;
	strbuf_release(&k->body);
	if (!k->err.code && (c->status < 200 || c->status > 299))
		err_set(&k->err, ERR_UNAVAILABLE, "the server answered %d", c->status);
	if (k->err.code)
		err_wrap(&k->err, "failed to call webhook");
	else if (webhook_answer_read(
	                 k->a->arena, c->answer, k->hook->version, k->uid, k->may_patch, &k->answer, &k->err) != 0)
		err_wrap(&k->err, "received invalid webhook response");
	k->done(k);
}

static int prepare(struct webhook_call *k, struct outgoing **ret)
{
	struct admission *a = k->a;
	if (!k->hook->version)
		return err_set(&k->err, ERR_UNIMPLEMENTED,
		        "webhook does not accept known AdmissionReview versions (v1, v1beta1)");
	k->shown = show(k, a->object, &k->err);
	const struct json *old = k->err.code ? NULL : show(k, a->old, &k->err);
	if (k->err.code ||
	        hook_place_target(&k->hook->place, a->call->server, a->arena, k->hook->timeout_s, ret, &k->err) != 0)
		return err_wrap(&k->err, "failed to call webhook");
	k->uid = strategy_uid(a->arena);
	webhook_review_write(&k->body, k->hook->version, k->uid, cel_request_json(a, k->resource), k->shown, old);
	return 0;
}

bool webhook_call_send(struct webhook_call *k)
{
	struct outgoing *target = NULL;
	CHECK(k->a && k->hook && k->resource && k->done);
	k->err = ERR_INIT;
	k->answer = (struct webhook_answer){0};
	if (prepare(k, &target) != 0)
		return false;
	k->call = (struct outgoing_call){
	        .body = strbuf_slice(&k->body), .timeout_ms = k->hook->timeout_s * 1000, .done = answered, .arg = k};
	outgoing_send(target, &k->call);
	outgoing_unref(target);
	return true;
}

/* ---- judging ---- */

int webhook_internal_error(struct admission *a, const char *why, struct err *err)
{
	struct arena *arena = &a->call->arena;
	const char *message = arena_printf(arena, "Internal error occurred: %s", why);
	struct json *status = status_new(arena, err_http_status(ERR_INTERNAL), err_reason(ERR_INTERNAL), message);
	struct json *details = json_need(arena, status, "details", JSON_OBJECT), *cause = json_new(arena, JSON_OBJECT);
	json_set_cstr(arena, cause, "message", arena_strdup(arena, why));
	json_append(json_need(arena, details, "causes", JSON_ARRAY), cause);
	a->call->status = status;
	return err_set(err, ERR_INTERNAL, "%s", message);
}

static void tell_failure(struct webhook_call *k)
{
	uint64_t now = loop_now_ms(k->a->call->loop);
	if (k->hook->warned_ms && now - k->hook->warned_ms < LOG_REPEAT_MS)
		return;
	k->hook->warned_ms = now;
	log_warn("admission", "a webhook gave no answer", "webhook=%s policy=%s error=\"%s\"", k->hook->id,
	        k->hook->ignores_failure ? "Ignore" : "Fail", k->err.msg);
}

/* They become headers. */
static size_t warning_len(struct slice text)
{
	size_t n = text.len < WARNING_BYTES_MAX ? text.len : WARNING_BYTES_MAX;
	while (n < text.len && n > 0 && ((unsigned char)text.ptr[n] & 0xc0) == 0x80)
		n--; /* not amid a character */
	return n;
}

static void pass_on(struct webhook_call *k)
{
	struct admission *a = k->a;
	JSON_FOREACH (it, k->answer.warnings)
		call_warn(a->call, arena_memdup(&a->call->arena, json_str(it).ptr, warning_len(json_str(it))));
	JSON_FOREACH (it, k->answer.annotations)
		audit_annotate(
		        a->call, arena_printf(a->arena, "%s/%.*s", k->hook->name, SLICE_FMT(it->key)), json_str(it));
}

int webhook_call_judge(struct webhook_call *k, struct err *err)
{
	struct call *c = k->a->call;
	if (k->err.code && c->server->closing) {
		*err = k->err; /* nobody failed but we */
		return err->code;
	}
	if (k->err.code) {
		tell_failure(k);
		if (k->hook->ignores_failure) {
			audit_annotate(c,
			        arena_printf(&c->arena, "failed-open.%s.webhook.admission.k8s.io/round_%u_index_%zu",
			                k->may_patch ? "mutating" : "validating", k->round, k->index),
			        slice_of(k->hook->name));
			return 0;
		}
		return webhook_internal_error(k->a,
		        arena_printf(&c->arena, "failed calling webhook \"%s\": %s", k->hook->name, k->err.msg), err);
	}
	pass_on(k);
	if (k->answer.is_allowed)
		return 0;
	struct json *status = webhook_rejection(&c->arena, k->hook->name, k->answer.status);
	c->status = status;
	return err_set(err, ERR_FORBIDDEN, "%.*s", SLICE_FMT(json_get_str(status, "message")));
}
