/* An API server in memory for tests of controllers: objects with resource versions, watches, patches by the schema,
 * finalizers and graceful deletion, namespaces; and what can go wrong, by a plan. One loop, no threads, no sockets;
 * time is the test's (virtual_time.c), so a run of ten minutes takes milliseconds and is the same each time.
 *
 * It is no judge of what clients send: nothing is validated and everybody may do everything. Defaults, and what of an
 * object is not the client's to say, are the real server's (api/machinery/rules). */
#ifndef K3X_TESTS_FAKE_API_H
#define K3X_TESTS_FAKE_API_H

#include "api/client/client.h"
#include "api/machinery/schema/resources.h"
#include "base/json/json.h"

struct fake_api;

enum fake_fault {
	FAKE_NOTHING,
	FAKE_CONFLICT,     /* 409, nothing is written */
	FAKE_BUSY,         /* 429, nothing is written */
	FAKE_LOST,         /* written, but the answer is lost */
	FAKE_CRASH_BEFORE, /* the process dies with its request on the way */
	FAKE_CRASH_AFTER,  /* the process dies when it is written, without an answer */
	FAKE_FAULTS
};

struct fake_plan {
	enum fake_fault fault;
	unsigned at_write;     /* of the controllers, the first is 1; events and reads do not count */
	unsigned faulty;       /* how many from there on; 0: one */
	unsigned lag_ms;       /* watches tell so much later */
	unsigned cut_every_ms; /* all watches end so often; each second time what they knew is too old to go on. 0:
	                          never */
	unsigned percent;      /* of the writes have a fault, of any kind, in the first three minutes */
	unsigned seed;         /* of these, and of whatever else is left to chance */
};

/* `crashed` is called from the loop's next turn: until fake_api_revive() nothing is written or answered. */
struct fake_api *fake_api_new(struct loop *loop, const struct fake_plan *plan, void (*crashed)(void *arg), void *arg);
void fake_api_free(struct fake_api *f); /* nobody uses its client any more */
struct client *fake_api_client(struct fake_api *f);
void fake_api_close(struct fake_api *f, void (*closed)(void *arg), void *arg); /* its timer; before fake_api_free() */
void fake_api_revive(struct fake_api *f);
unsigned fake_api_writes(const struct fake_api *f);
int64_t fake_api_revision(const struct fake_api *f); /* grows with every change */

/* A write of the test's own, at once and never faulty: a method, a path and a body. The code of the error. */
int fake_api_do(struct fake_api *f, const char *method, const char *path, const char *body);

/* Objects of a resource in the order of their making; fn may write. */
void fake_api_each(struct fake_api *f, const char *path, void (*fn)(struct fake_api *f, struct json *object));

void fake_api_texts(
        struct fake_api *f, void (*fn)(void *arg, const struct resource *r, struct slice text), void *arg); /* of all */

/* Reads of an API that somebody else serves: fn answers those whose path begins so, with a text of its own arena. */
void fake_api_serve(struct fake_api *f, const char *prefix, const char *(*fn)(void *arg, struct arena *a), void *arg);

/* fake_picture.c: all that is there but events, in an order and without what differs between two runs that are the same
 * to a user: uids, versions, times, made-up names and addresses. */
void fake_api_picture(struct fake_api *f, struct strbuf *out);

/* fake_scale.c: an object's Scale. */
struct rcbuf *fake_scale_of(struct arena *a, struct slice text);

/* ---- virtual_time.c ---- */

void virtual_time_start(unsigned seed); /* from now on time passes when everybody sleeps, and randomness begins anew */
uint64_t virtual_time_ms(void);

#endif
