/* Audit: who asked for what, when, and what was answered, written down as a policy says (audit.k8s.io/v1).
 *
 * A call that the policy chooses has a record (call->audit) from api_dispatch() on, to which the steps of its way add
 * what they know; at each stage an event is made of it and handed to the backends, which write on threads of their own.
 * Calls without a record cost a comparison. API loop. */
#ifndef K3X_API_SERVER_AUDIT_AUDIT_H
#define K3X_API_SERVER_AUDIT_AUDIT_H

#include "api/server/audit/options.h"
#include "api/server/audit/policy.h"
#include "api/server/call.h"
#include "base/json/json.h"

struct audit;
struct audit_record;

struct outgoing_pool;

/* Opens the backends and reads the policy; *ret stays NULL when nothing is to be audited. Options and pool are borrowed
 * and outlive it. */
int audit_new(struct loop *loop, struct outgoing_pool *pool, const struct audit_options *options, struct audit **ret,
        struct err *err);
/* The server stops: the webhook gets what waits for it, and no more after that. Before the pool closes; `a` may be
 * NULL. */
void audit_close_webhook(struct audit *a, void (*closed)(void *arg), void *arg);
/* When all calls are over, and after that. Events that are still in memory are written first; never from inside. */
void audit_close(struct audit *a, void (*closed)(void *arg), void *arg);
/* Appends lines for /metrics; nothing for NULL. */
void audit_metrics(const struct audit *a, struct strbuf *out);

/* ---- along the way of a call, in this order ---- */

/* Judges the request and, when it is chosen, opens its record. */
void audit_begin(struct call *c, const struct attributes *a);
/* The same for one that proved nothing or something false: a single event says so. a->user is nobody. */
void audit_begin_refused(struct call *c, const struct attributes *a, const char *why);
/* call->user is now the one he acts as. */
void audit_impersonated(struct call *c);
/* The body as it was understood; of a patch, which need not be of the object's kind, its bytes. */
void audit_request_object(struct call *c, const struct json *object);
void audit_request_patch(struct call *c);
/* Key and value are copied. Of several with one key the first stays. */
void audit_annotate(struct call *c, const char *key, struct slice value);
/* The answer: a Status as a tree, which lives as long as the call; the JSON of whatever is answered, before it is
 * encoded; what goes out, which is the same when it is JSON. */
void audit_response_status(struct call *c, const struct json *status);
void audit_response_text(struct call *c, struct slice json);
void audit_response(struct call *c, int status, const char *content_type, struct http_buf *bufs, size_t count);
/* A stream has begun, or a connection became something else. */
void audit_started(struct call *c, int status);
/* Nothing follows: once, at the last when the call's memory goes. */
void audit_complete(struct call *c);

/* "authorization.k8s.io/decision" and "reason" are wanted. */
static inline bool audit_wants_reason(const struct call *c)
{
	return c->audit != NULL;
}

/* For the header Audit-ID; empty: the call is not audited. */
struct slice audit_id(const struct call *c);

#endif
