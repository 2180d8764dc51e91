/* What creations, updates and deletions share: reading bodies, bringing objects into the form that is stored,
 * admission, and the compare-and-swap that carries a write out. */
#ifndef K3X_API_SERVER_WRITE_INT_H
#define K3X_API_SERVER_WRITE_INT_H

#include "api/server/server_int.h"

enum write_kind { WRITE_PUT, WRITE_REMOVE };

/* One compare-and-swap on one key. Embedded by the caller in the call's arena. */
struct write {
	struct call *call;
	struct object *old; /* reference; NULL: the key must not exist */
	struct strbuf text; /* what is stored; released by write_release() */
	enum write_kind kind;
	int attempts;
	struct store_request request;
	struct store_compare compare;
	struct store_op op;
	/* Called with the outcome: err.code 0 and the revision; ERR_CONFLICT when the compare failed (the cache has
	 * caught up by then, so that a retry sees the newer state); other errors of the store. Called also when the
	 * client is gone: answers then go nowhere. */
	void (*done)(struct write *w, const struct err *err, int64_t revision);
	struct err outcome;
	int64_t outcome_revision;
	struct cache_wait wait;
};

enum { WRITE_ATTEMPTS_MAX = 8 };

/* ns and name of the object; w->old, w->kind and w->text are set. */
void write_submit(struct write *w, const struct resource *r, struct slice ns, struct slice name);
void write_release(struct write *w);

/* ---- body.c ---- */
/* The body as a checked tree of `type` (NULL: any object). Errors are upstream's. Adds warnings to the call. */
struct json *body_read(
        struct call *c, const struct schema_type *type, const char *kind, const char *api_version, struct err *err);
/* DeleteOptions from body and query; an empty object when neither has any. */
struct json *body_read_delete_options(struct call *c, struct err *err);
/* 0 or 1; ERR_INVAL when dryRun is something else than All. */
int body_dry_run(struct call *c, bool *dry_run, struct err *err);

/* ---- strategy.c ---- */
/* What the server owns: identity, times, generation, status of new objects. */
void strategy_prepare_create(struct call *c, const struct resource *r, struct json *object);
/* Brings over what the client may not change; sub: "" or the subresource. */
void strategy_prepare_update(
        struct call *c, const struct resource *r, const char *sub, struct json *object, const struct json *old);
/* Compact text in the stored form. The resourceVersion is left out. */
void strategy_write(struct strbuf *out, struct json *object);
/* "2026-01-02T03:04:05Z", now plus some seconds. */
const char *strategy_time(struct arena *a, int64_t plus_s);
const char *strategy_uid(struct arena *a);
/* Five characters that make a generated name unique. */
const char *strategy_random_suffix(struct arena *a);
/* The row is this resource of the core group. */
bool strategy_is_core(const struct resource *r, const char *plural);

/* ---- admission.c ---- */
/* Mutates and checks; old NULL: creation. Upstream's order: mutation first. */
int admission_mutate(
        struct call *c, const struct resource *r, struct json *object, const struct json *old, struct err *err);
int admission_check(struct call *c, const struct resource *r, struct slice ns, struct err *err);

/* ---- service_alloc.c ---- */
struct service_allocator;
struct service_allocator *service_allocator_new(const char *cidr, int port_min, int port_max, struct err *err);
void service_allocator_free(struct service_allocator *a);
/* Fills clusterIP(s) and node ports; what the client chose is checked. old NULL: creation. Addresses in use are read
 * from the cache, those given out in the last moments are remembered until they are seen there. */
int service_allocate(struct call *c, struct json *service, const struct json *old, struct err *err);
struct slice service_first_ip(const struct service_allocator *a);

#endif
