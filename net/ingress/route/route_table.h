/* Which route a request takes: all rules of all Ingresses and HTTPRoutes as one table, made anew when one of them
 * changes, never changed after. Requests under way hold the table that they came by. Pure but for the counts of
 * references; the loop's thread.
 *
 * Order (the API's own, where it has one): a host by name, then by the longest wildcard, then rules without a host;
 * within a host what has the larger priority, the longer path, then exact before prefix before expression, then what
 * asks for a method, for more headers, for more parameters, then the older. A host whose paths all fail is as good as
 * none. At last come default backends. */
#ifndef K3X_NET_INGRESS_ROUTE_ROUTE_TABLE_H
#define K3X_NET_INGRESS_ROUTE_ROUTE_TABLE_H

#include "base/mem/map.h"
#include "net/ingress/route/filters.h"
#include "net/ingress/route/match.h"
#include "net/ingress/route/options.h"

struct backend; /* of who builds the table */

enum entry_point { ENTRY_WEB, ENTRY_WEBSECURE, ENTRY_POINTS };

/* One of several backends of an HTTPRoute's rule; NULL: one that there is not, whose share is answered with 500. */
struct route_choice {
	struct backend *backend;
	uint32_t weight;
};

struct route {
	struct path_rule rule;
	const struct request_match
	        *match; /* of a rule of an HTTPRoute, and so are the next four; NULL: the path alone */
	const struct route_filters *filters; /* NULL: none */
	const struct route_choice *choices;
	size_t n_choices;
	uint64_t weight; /* of all choices together */
	unsigned port;   /* of the Gateway's listener; 0: an Ingress's */
	const struct route_options *options;
	struct backend *backend;  /* of an Ingress; NULL: choices, if any */
	struct slice ns, ingress; /* whose rule it is: the Ingress's name, or the HTTPRoute's */
	bool is_tls;              /* its Ingress has tls */
	bool is_default;          /* a default backend: of a lower rank than rules */
	uint64_t rank;            /* larger first; route_rank() */
	unsigned order;           /* as made */
};

struct route_table;

struct route_table_makers {
	/* A reference to the backend of a Service's port, which the table gives back by drop(). */
	struct backend *(*take)(void *arg, struct slice ns, struct slice service, struct slice port);
	void (*drop)(struct backend *b);
	/* Something of this Ingress is not served: an annotation, a path, a backend. */
	void (*told)(void *arg, const struct json *ingress, const char *reason, const char *message);
	void *arg;
};

/* Of a path first, then of what else is asked for. `priority`: instead of the path's length; 0: none. */
uint64_t route_rank(const struct path_rule *rule, uint32_t priority, const struct request_match *m);

struct route_table *route_table_new(const struct route_table_makers *m); /* copied */
/* Oldest first: who came first wins among equals. The tree's memory may go after. */
void route_table_add(struct route_table *t, const struct json *ingress);
/* For rules that are no Ingress's (gateways.h): memory that lives as long as the table, a backend that it gives back, a
 * route of no host yet, one host more of a route ("" for all), and the Secret "namespace/name" for a host, if none is
 * there; deep wildcards are those of all that lies below, and "" with them of all. The wildcards of routes are deep
 * when they have a match. */
struct arena *route_table_arena(struct route_table *t);
struct backend *route_table_take(struct route_table *t, struct slice ns, struct slice service, struct slice port);
const struct route *route_table_make(struct route_table *t, const struct route *like);
void route_table_put(struct route_table *t, struct slice host, const struct route *r);
void route_table_put_secret(struct route_table *t, struct slice host, struct slice secret, bool is_deep);
/* Sorts it. From now on it may be asked. */
void route_table_seal(struct route_table *t);
struct route_table *route_table_ref(struct route_table *t);
void route_table_unref(struct route_table *t); /* NULL is allowed */

/* host: lower case, without a port. NULL: nobody serves that. */
const struct route *route_table_find(const struct route_table *t, enum entry_point entry, struct slice host,
        struct slice path, const struct match_asked *asked);
size_t route_table_routes(const struct route_table *t);
const struct route *route_table_route(const struct route_table *t, size_t i); /* as made */

/* ---- whom TLS is for ---- */
/* "namespace/secret" of the Ingress that has tls for this host, exactly or by wildcard; SLICE_NULL: none. */
struct slice route_table_secret(const struct route_table *t, struct slice host);

#endif
