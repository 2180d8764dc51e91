/* Who somebody is, and whether they may do what they ask for, when only the API server knows: a program that serves
 * others asks it by TokenReview and SubjectAccessReview, as upstream's delegating authenticators and authorizers do.
 *
 * What was answered is remembered for a short time (limits: ACCESS_ANSWERS_MAX), under a hash: no token is kept. All on
 * the client's loop. The client's identity needs `create` of tokenreviews and subjectaccessreviews. */
#ifndef K3X_API_CLIENT_ACCESS_H
#define K3X_API_CLIENT_ACCESS_H

#include "api/client/client.h"
#include "base/json/json.h"

struct access;
struct access_question;

struct access_options {
	struct client *client;
	unsigned identity_ms, allowed_ms, denied_ms; /* how long answers are believed */
};

struct access *access_new(const struct access_options *options);
/* Before the client is closed. done() of questions that are open is not called. */
void access_free(struct access *a); /* NULL is allowed */

/* What is to be done: to a resource, or to a path that is none. Members that don't apply are empty. */
struct access_deed {
	const char *verb; /* "get" */
	struct slice group, version, resource, subresource, ns, name;
	struct slice path; /* not empty: of a nonresource request, and the rest is not looked at */
};

struct access_request {
	struct slice token;      /* a bearer token; empty: `user` says who it is */
	const struct json *user; /* {"user","uid","groups","extra"}, as in the spec of a SubjectAccessReview */
	struct access_deed deed;
	/* Exactly once, from the loop, never before access_ask() returns; not after access_forget(). err is NULL: it
	 * is allowed. ERR_UNAUTHENTICATED: the token is nobody's. ERR_FORBIDDEN: and why. Else it could not be asked.
	 */
	void (*done)(void *arg, const struct err *err);
	void *arg;
};

/* *r is copied. The question is gone once done() was called. */
struct access_question *access_ask(struct access *a, const struct access_request *r);
void access_forget(struct access_question *q);

/* `user` of somebody whom a certificate or a proxy vouches for: a tree in the arena, to which uid and extra may be
 * added. */
struct json *access_user(struct arena *a, struct slice name, const struct slice *groups, size_t n_groups);

#endif
