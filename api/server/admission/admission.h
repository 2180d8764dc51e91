/* Admission: what is done to objects, and asked of them, between the request and the store, whatever the way they came.
 *
 * Plugins stand in a table (admission.c) and run in its order: all that mutate, then, when the object has been
 * validated, all that only look. A plugin may answer later. API loop. */
#ifndef K3X_API_SERVER_ADMISSION_ADMISSION_H
#define K3X_API_SERVER_ADMISSION_ADMISSION_H

#include "api/machinery/rules/validate.h"
#include "api/server/cache/object.h"
#include "base/json/json.h"
#include "base/mem/list.h"

struct call;
struct quota_line;
struct webhook_passes;

enum admission_operation { ADMISSION_CREATE, ADMISSION_UPDATE, ADMISSION_DELETE, ADMISSION_CONNECT };
const char *admission_operation_name(enum admission_operation o); /* "CREATE" */

/* Another key that is written in the transaction of the object's own, so that either both happen or neither: an address
 * that is claimed or given back, a budget that is drawn on. */
struct admission_write {
	struct admission_write *next;
	struct slice key;
	struct slice value;              /* ptr NULL: the key is deleted */
	const struct resource *resource; /* whose object the value is; NULL: it is none */
	enum { ADMISSION_IF_ABSENT, ADMISSION_IF_AT, ADMISSION_ALWAYS } when;
	int64_t revision; /* IF_AT: its modification revision */
	/* IF_ABSENT: the transaction failed, and the key is there. Then the whole mutation is tried again. */
	void (*is_taken)(struct admission_write *w, void *arg);
	void *arg;
};

struct admission {
	/* set by who asks */
	struct call *call;
	struct arena *arena; /* of trees and texts */
	enum admission_operation operation;
	const struct resource *resource;
	const char *sub; /* "" or the subresource */
	struct slice ns, name;
	/* The object is of the kind that the subresource speaks ("Scale", "Eviction"); NULL: of the resource's own. */
	const struct resource_sub *as;
	struct json *object;    /* NULL: a deletion */
	const struct json *old; /* NULL: a creation */
	bool is_dry_run;
	bool was_asked;   /* webhooks and policies were, about the request as it came, whose consequence this is */
	int64_t revision; /* of the old object; 0: there is none */
	struct field_errors *errors; /* a plugin may refuse field by field: 422 */
	void (*done)(struct admission *a,
	        const struct err *err); /* of a plugin that answered later: err.code 0 or why not */
	/* Of a plugin that has changed the object as a client might: it is checked as a body is, what the server owns
	 * in it is as it was, and it becomes a->object. ERR_INVAL says what is wrong with it. NULL: it may not be
	 * changed. */
	int (*replace)(struct admission *a, struct json *object, struct err *err);
	/* added to by plugins */
	struct admission_write *writes;
	/* admission's own */
	size_t at;
	bool is_mutating;
	const struct resource
	        *lacking; /* a reference: a parameter is of it, in a version that is not known yet; else NULL */
	struct webhook_passes *webhooks; /* webhook_mutating.c; NULL: none was asked yet */
	struct quota_line *line;         /* its turn with the namespace's quotas, or its place in the queue for one */
	struct list_link in_line;
};

/* Success, an error (also in a->errors), or ADMISSION_LATER: done() then tells, never from inside. */
enum { ADMISSION_LATER = 1 };
int admission_mutate(struct admission *a, struct err *err);
int admission_validate(struct admission *a, struct err *err);
/* For a plugin that has answered ADMISSION_LATER: it is through, err.code 0 or why not; those after it follow. Not from
 * inside the plugin. */
void admission_resume(struct admission *a, const struct err *err);

/* A form of the request's object, or of one of `r`, is not known yet (converting/conversion.h): it is asked for, and
 * the plugin is called again when it is there. To be returned. */
int admission_get_forms(struct admission *a, const struct resource *r);

/* This try is over: written at `revision`, or not (0). What plugins hold for it is given back. */
void admission_end(struct admission *a, int64_t revision);

/* The object a->old is about to be removed for good: adds what must be given back to a->writes. */
void admission_remove(struct admission *a);

/* Which plugins are on, by the arguments and their configuration file. ERR_INVAL and ERR_UNIMPLEMENTED name what is
 * odd. */
struct api_server;
struct admission_config;
int admission_config_new(struct api_server *s, struct admission_config **ret, struct err *err);
void admission_config_free(struct admission_config *c); /* NULL is allowed */

/* In the arena, linked. */
struct admission_write *admission_add_write(struct admission *a, struct slice key);

#endif
