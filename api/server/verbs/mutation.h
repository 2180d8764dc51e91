/* The one way in which objects change: creations, updates, patches, deletions, and the subresources that write.
 *
 *     LOADING -> DECODING -> DEFAULTING -> MUTATING -> VALIDATING -> ADMITTING -> WRITING -> CONVERTING -> ANSWERING ->
 * OVER ^                                                                          |
 *        '----------------- somebody else was faster, and it may be tried again ----'
 *
 * LOADING     the watch cache is awaited, the object looked up
 * DECODING    the verb makes the wanted state: of the body, a patch, a mark of death
 * DEFAULTING  what the server owns is set, what is absent filled in, and whose fields are whose (managing.h)
 * MUTATING    admission plugins change it
 * VALIDATING  the rules of its kind
 * ADMITTING   admission plugins that only look
 * WRITING     one transaction: compare-and-swap on the object's key, and what plugins have added to it
 * ANSWERING   the client is told; also where every failure leads
 *
 * Where a webhook knows how a custom resource's versions differ (converting/conversion.h), a step that lacks a form
 * asks for it and is taken again: a step must not mind that. CONVERTING is what is stored being made what is answered.
 *
 * Every step may finish later. A verb says what is particular to it (struct mutation_verb) and embeds the mutation;
 * what holds for all of them (webhooks, quotas, policies) has its place here, and nothing that changes an object passes
 * it by.
 *
 * A mutation is in its call's arena or its own, holds a reference to the call, and ends exactly once. API loop. */
#ifndef K3X_API_SERVER_VERBS_MUTATION_H
#define K3X_API_SERVER_VERBS_MUTATION_H

#include "api/server/admission/admission.h"
#include "api/server/cache/cache.h"
#include "api/server/call.h"
#include "api/server/verbs/managing.h"
#include "base/rt/sm.h"

struct mutation;

enum {
	MUTATION_LATER = 1,   /* mutation_resume() follows, not from inside */
	MUTATION_SETTLED = 2, /* there is nothing to write: m->result (a reference) is the answer */
	MUTATION_TRIES_MAX = 8,
};

struct mutation_verb {
	const char *name; /* of the verb, for the trace */
	enum admission_operation operation;
	bool may_create; /* an update that creates what is absent */
	bool is_partial; /* the new state is the old one with one thing changed by us: not defaulted and not validated
	                    anew, and managed by nobody */
	bool was_asked;  /* policies and webhooks were, about the request itself (petition.h) */
	/* Makes m->object of m->old and whatever the client sent; or sets m->removes. 0, an error, MUTATION_LATER or
	 * MUTATION_SETTLED. Called again on each try. */
	int (*decode)(struct mutation *m, struct err *err);
	/* How admission sees the object when it is not as it is, but as the subresource's kind; NULL: as it is. And the
	 * other way, into m->object: what a webhook made of that. */
	struct json *(*show)(struct mutation *m, const struct json *object);
	int (*take_shown)(struct mutation *m, const struct json *shown, struct err *err);
	/* It went well: m->result is the object's text in the stored form, NULL when it was removed. Answers the call,
	 * or whoever else waits. */
	void (*answer)(struct mutation *m);
	/* It did not. NULL: the call is answered with the error. */
	void (*fail)(struct mutation *m, const struct err *err);
	/* The end; m is not touched any more and may be freed. May be NULL. */
	void (*over)(struct mutation *m);
};

struct mutation {
	struct sm sm;
	/* set by mutation_init() */
	struct call *call;
	struct arena *arena;
	const struct mutation_verb *verb;
	const struct resource *resource; /* the row of the request */
	const char *sub;                 /* "" or the subresource */
	struct slice ns, name;           /* name: of a creation, when it is known */
	/* set by the verb */
	bool is_dry_run;
	bool is_bound; /* to the version the client named: a lost race is its conflict, and not tried again */
	/* of this try */
	unsigned tries;
	enum admission_operation operation; /* the verb's, or a creation */
	struct object *before;              /* a reference; NULL: a creation */
	struct json *old, *object;          /* in the form of the request's row, without resourceVersion */
	struct managing managing;
	struct field_errors *errors; /* 422 with causes, when there are any */
	struct admission admission;
	struct admission_write *verb_writes; /* those of the verb */
	bool removes;                        /* the object goes for good */
	bool is_filled;                      /* DEFAULTING: all but who manages what is done */
	unsigned conversions;                /* steps of this try that waited for a webhook that knows other versions */
	struct err err;
	/* writing */
	struct strbuf text;   /* of the object, without managedFields */
	struct strbuf stored; /* and with them */
	struct store_request request;
	struct cache_wait wait;
	/* the outcome */
	struct rcbuf *result; /* a reference */
	int64_t revision;
};

/* For the route's object (or collection, of a creation). The arena may be the call's. */
void mutation_init(struct mutation *m, const struct mutation_verb *verb, struct call *c, struct arena *a);
/* Sets off; the first step is taken later. */
void mutation_start(struct mutation *m);
/* A step that answered MUTATION_LATER is through: err.code 0, or why it is not. Not from inside the step. */
void mutation_resume(struct mutation *m, const struct err *err);

/* The client's object as the API answers it: 200 or another status, m->result in the form that was asked for. */
void mutation_answer_object(struct mutation *m, int status);

/* A body's name and namespace, where they are given, are the route's, else ERR_INVAL. */
int mutation_check_place(const struct mutation *m, struct slice name, struct slice ns, struct err *err);
/* The new state is of the object that the client named by metadata.resourceVersion and uid: sets is_bound. ERR_CONFLICT
 * when the present one is another, ERR_INVAL when name or namespace are not the route's. */
int mutation_check_identity(struct mutation *m, const struct json *object, struct err *err);

#endif
