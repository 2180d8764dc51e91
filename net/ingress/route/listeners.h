/* The listeners of a Gateway: what each serves, and what is wrong with it. Pure. See gateways.h. */
#ifndef K3X_NET_INGRESS_ROUTE_LISTENERS_H
#define K3X_NET_INGRESS_ROUTE_LISTENERS_H

#include "net/ingress/route/gateway_input.h"
#include "net/ingress/route/route_table.h"

struct listener {
	const struct json *json;
	struct slice name, hostname; /* lower case */
	int64_t port;
	enum entry_point entry;
	bool takes_routes; /* HTTPRoutes are among its kinds */
	bool is_served;    /* nothing is wrong with it */
	unsigned attached;
	const char *secret; /* "namespace/name"; NULL: none */
	/* conditions: a reason and a message where something is wrong; NULL: nothing */
	const char *not_accepted, *conflicted, *unresolved, *message;
};

struct gateway {
	const struct json *json;
	struct slice ns, name;
	struct listener *listeners;
	size_t count;
};

/* Its listeners, in the arena. */
void gateway_read(struct arena *a, const struct gateways_input *in, const struct json *json, struct gateway *ret);
/* May an HTTPRoute of this namespace come in? */
bool listener_admits(struct arena *a, const struct gateways_input *in, const struct gateway *g,
        const struct listener *l, struct slice ns);
struct json *gateway_status_of(struct arena *a, const struct gateways_input *in, const struct gateway *g);

/* Does a ReferenceGrant of namespace `to_ns` let objects of from_kind (of GATEWAY_GROUP) in from_ns name this one? */
bool reference_is_granted(const struct gateways_input *in, const char *from_kind, struct slice from_ns,
        const char *to_kind, struct slice to_ns, struct slice to_name);

/* Sets a condition of an object's status, with observedGeneration; `list` begins as a copy of what is there. */
void gateway_condition(struct arena *a, struct json *list, const struct json *object, const char *type, bool holds,
        const char *reason, const char *message);

#endif
