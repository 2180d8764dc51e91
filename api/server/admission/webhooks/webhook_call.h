/* One question to one webhook, for the plugins that ask them. API loop. */
#ifndef K3X_API_SERVER_ADMISSION_WEBHOOKS_WEBHOOK_CALL_H
#define K3X_API_SERVER_ADMISSION_WEBHOOKS_WEBHOOK_CALL_H

#include "api/server/admission/webhooks/webhook_review.h"
#include "api/server/admission/webhooks/webhooks.h"

struct webhook_call {
	/* set by who asks */
	struct admission *a;
	struct webhook *hook;            /* stays while the call is under way: who asks holds its set */
	const struct resource *resource; /* in whose form it sees the object */
	bool may_patch;
	unsigned round; /* of mutating webhooks: 0 or 1 */
	size_t index;   /* among those of its kind */
	void (*done)(struct webhook_call *k);
	void *arg;
	/* what it was shown; a copy. NULL: a deletion */
	struct json *shown;
	/* the outcome */
	struct err err; /* 0: `answer` holds. Else why there is none */
	struct webhook_answer answer;
	/* its own */
	struct outgoing_call call;
	const char *uid;
	struct strbuf body;
};

/* True: done() follows, never from inside. False: it could not be asked, k->err says why, and there is no done(). */
bool webhook_call_send(struct webhook_call *k);

/* What the outcome means: warnings go to the client, annotations into its audit event. 0: nothing is against the
 * request, or its failure is ignored. Else an error, and the call has the status to be answered with. */
int webhook_call_judge(struct webhook_call *k, struct err *err);

/* The request is refused because something does not work: 500 "Internal error occurred: WHY". */
int webhook_internal_error(struct admission *a, const char *why, struct err *err);

#endif
