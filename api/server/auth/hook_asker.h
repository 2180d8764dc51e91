/* Questions to one webhook that knows users or rights: who asks the same while a question is under way waits for its
 * answer. API loop. */
#ifndef K3X_API_SERVER_AUTH_HOOK_ASKER_H
#define K3X_API_SERVER_AUTH_HOOK_ASKER_H

#include "base/wire/outgoing.h"

enum { HOOK_HASH_BYTES = 32 };

struct hook_asking;

struct hook_asker {
	struct loop *loop;
	struct outgoing *target;
	const char *name;    /* in the log */
	unsigned timeout_ms; /* 0: OUTGOING_MS_DEFAULT */
	/* An answer came, or none: err.code 0, or why. Whoever waits is to be taken by hook_asking_next(); with the
	 * last of them the asker itself may go. */
	void (*answered)(struct hook_asker *w, struct hook_asking *k, struct slice answer, struct err *err);
	struct list_link asking;
	size_t n_waiting;
	uint64_t warned_ms;
};

struct hook_asking {
	struct outgoing_call call;
	struct hook_asker *hook;
	struct list_link link, waiting;
	unsigned char hash[HOOK_HASH_BYTES];
	struct strbuf body;
	void *arg; /* who asks' own: malloc'ed, freed with it; NULL: none */
};

/* The target is the one that a kubeconfig file says. All other members are set, or zero. */
int hook_asker_init(struct hook_asker *w, struct outgoing_pool *pool, const char *kubeconfig, struct err *err);
void hook_asker_release(struct hook_asker *w); /* nothing is under way */

struct hook_asking *hook_asker_find(struct hook_asker *w, const unsigned char *hash); /* NULL: nobody asks that */
/* The body is taken over. */
struct hook_asking *hook_asker_send(struct hook_asker *w, const unsigned char *hash, struct strbuf *body);
/* Into the log, now and then. */
void hook_asker_warn(struct hook_asker *w, const struct err *err);
void hook_asking_wait(struct hook_asking *k, struct list_link *link);
/* The next who waits; NULL: none is left. */
struct list_link *hook_asking_next(struct hook_asking *k);

#endif
