/* Whose is this token? Asked by requests and by TokenReviews (authn.h); the authenticators that must ask somebody else
 * first (oidc.h, token_webhook.h) answer later. API loop. */
#ifndef K3X_API_SERVER_AUTH_IDENTITY_TOKEN_QUESTION_H
#define K3X_API_SERVER_AUTH_IDENTITY_TOKEN_QUESTION_H

#include "api/server/auth/user.h"
#include "base/err.h"
#include "base/mem/list.h"

struct api_server;

enum { AUTHN_LATER = 1, TOKEN_NOTES_MAX = 2 };

/* For the audit of whatever it is asked for. */
struct token_note {
	const char *key;
	struct slice value;
};

struct token_question {
	/* set by who asks; all stays valid until the answer */
	struct arena *arena;
	struct slice token;
	const struct slice *audiences; /* for one of which it must be good; none: those of the API */
	size_t n_audiences;
	/* Of a question that was answered AUTHN_LATER, exactly once, never from inside: err.code 0 or why not. */
	void (*done)(struct token_question *q, const struct err *err);
	void *arg; /* the asker's */
	/* the answer */
	struct user *user;            /* a reference */
	const struct slice *good_for; /* the audiences that it is good for of those asked; in the arena */
	size_t n_good_for;
	/* Told whoever shows it, and written down of it, also when it is refused; in the arena. */
	const char *warning; /* NULL: none */
	struct token_note notes[TOKEN_NOTES_MAX];
	size_t n_notes;
	/* the authenticators' own */
	struct api_server *server;
	struct list_link link;
	void (*step)(struct token_question *q,
	        const struct err *err); /* whom an authenticator tells when it answers later */
	unsigned char hash[32];
};

#endif
