/* AdmissionReviews: what a webhook is asked, and what it answers. Any thread. */
#ifndef K3X_API_SERVER_ADMISSION_WEBHOOKS_WEBHOOK_REVIEW_H
#define K3X_API_SERVER_ADMISSION_WEBHOOKS_WEBHOOK_REVIEW_H

#include "base/err.h"
#include "base/json/json.h"

/* Appends a review as JSON. version: "v1" or "v1beta1". `request`: an AdmissionRequest's members but uid and objects
 * (cel_request_json()); texts in it that are empty are left out. object and old may be NULL. */
void webhook_review_write(struct strbuf *out, const char *version, const char *uid, const struct json *request,
        const struct json *object, const struct json *old);

struct webhook_answer {
	bool is_allowed;
	const struct json *status;      /* why it is not; NULL: not said */
	struct slice patch;             /* a JSON patch's text; empty: none */
	const struct json *warnings;    /* a list of texts; NULL: none */
	const struct json *annotations; /* an object of texts, for the audit log; NULL: none */
};

/* Reads an answer into the arena, which it borrows from. ERR_INVAL, in upstream's words: it is no review of that
 * version, or one of another question, or has a patch that may not be (`may_patch`) or is of another type. With v1beta1
 * neither version, uid nor type need be there. An exhausted budget of the arena is its own error. */
int webhook_answer_read(struct arena *a, struct slice text, const char *version, const char *uid, bool may_patch,
        struct webhook_answer *ret, struct err *err);

/* The Status with which a client is refused when the webhook of that name did not allow it. In the arena. */
struct json *webhook_rejection(struct arena *a, const char *name, const struct json *status);

#endif
