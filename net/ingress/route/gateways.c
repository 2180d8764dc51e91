/* See gateways.h. A route's parents are looked at one after the other; whatever listeners let it in, with the hostnames
 * that both have, get a route of the table for each of its rules' matches. */
#include "net/ingress/route/gateways.h"

#include "api/client/meta.h"
#include "base/check.h"
#include "base/time/duration.h"
#include "net/ingress/route/hostname.h"
#include "net/ingress/route/listeners.h"

struct world {
	struct arena *a;
	struct route_table *t;
	const struct gateways_input *in;
	struct gateway *gateways;
	size_t count;
	struct gateway_status *statuses;
};

/* A condition: NULL reason, nothing is wrong. */
struct fault {
	const char *reason, *message;
};

/* The ports that listeners may have: a rule's match is one route on each that is used, for all hosts together. */
enum { LISTENER_PORTS = 4 };

struct rule_route {
	struct route route; /* of no port yet */
	const struct route_options *options[ENTRY_POINTS];
	const struct route *made[LISTENER_PORTS]; /* NULL: not yet */
};

/* An HTTPRoute that is being looked at. */
struct looked_at {
	struct world *w;
	const struct json *json;
	struct slice ns, name;
	struct fault unserved, unresolved;
	struct rule_route *routes; /* of its rules */
	size_t count;
	struct map places;  /* "PORT HOST" where it is attached already */
	bool has_good_rule; /* one with which nothing is wrong */
};

static void tell(struct world *w, const char *plural, const struct json *object, struct json *status)
{
	if (json_equal(json_get(object, "status"), status))
		return;
	struct gateway_status *s = ARENA_NEW(w->a, struct gateway_status);
	*s = (struct gateway_status){plural, object, status, w->statuses};
	w->statuses = s;
}

static void fault(struct fault *f, const char *reason, const char *message)
{
	if (!f->reason)
		*f = (struct fault){reason, message};
}

/* ---- classes ---- */

static bool class_is_ours(const struct gateways_input *in, struct slice name)
{
	for (size_t i = 0; i < in->classes.count; i++) {
		const struct json *c = in->classes.items[i];
		if (slice_eq(json_get_str(json_get(c, "metadata"), "name"), name))
			return slice_is(json_get_str(json_get(c, "spec"), "controllerName"), in->controller);
	}
	return false;
}

static void tell_classes(struct world *w)
{
	for (size_t i = 0; i < w->in->classes.count; i++) {
		const struct json *c = w->in->classes.items[i];
		if (!slice_is(json_get_str(json_get(c, "spec"), "controllerName"), w->in->controller))
			continue;
		struct json *s =
		        json_get(c, "status") ? json_copy(w->a, json_get(c, "status")) : json_new(w->a, JSON_OBJECT);
		bool is_plain = !json_path(c, "spec", "parametersRef", NULL);
		gateway_condition(w->a, json_need(w->a, s, "conditions", JSON_ARRAY), c, "Accepted", is_plain,
		        is_plain ? "Accepted" : "InvalidParameters",
		        is_plain ? "served by k3x ingress" : "parametersRef is not served");
		tell(w, "gatewayclasses", c, s);
	}
}

/* ---- a route's rules ---- */

static int read_path(struct world *w, const struct json *match, struct path_rule *rule, struct err *err)
{
	const struct json *path = json_get(match, "path");
	struct slice type = json_get_str(path, "type"), text = json_get_str(path, "value");
	struct arena *a = route_table_arena(w->t);
	rule->path = text.len ? (struct slice){arena_memdup(a, text.ptr, text.len), text.len} : SLICE("/");
	if (!type.len || slice_is(type, "PathPrefix"))
		rule->match = PATH_PREFIX;
	else if (slice_is(type, "Exact"))
		rule->match = PATH_EXACT;
	else if (slice_is(type, "RegularExpression")) {
		rule->match = PATH_REGEX;
		rule->is_cased = true;
	} else
		return err_set(err, ERR_INVAL, "a path match of type %.*s is not served", SLICE_FMT(type));
	return path_rule_compile(a, rule, err);
}

/* The backend of one reference; NULL: there is none, and why. */
static struct backend *backend_of(struct looked_at *x, const struct json *ref)
{
	struct world *w = x->w;
	struct slice own = json_get_str(ref, "namespace"), ns = own.len ? own : x->ns, name = json_get_str(ref, "name"),
	             kind = json_get_str(ref, "kind");
	const struct json *port = json_get(ref, "port");
	const char *who = arena_printf(w->a, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(name));
	if (json_get_str(ref, "group").len || (kind.len && !slice_is(kind, "Service"))) {
		fault(&x->unresolved, "InvalidKind", "backends of kind Service alone are served");
		return NULL;
	}
	if (!slice_eq(ns, x->ns) && !reference_is_granted(w->in, "HTTPRoute", x->ns, "Service", ns, name)) {
		fault(&x->unresolved, "RefNotPermitted",
		        arena_printf(
		                w->a, "no ReferenceGrant of its namespace lets this route use the Service %s", who));
		return NULL;
	}
	if (!port) {
		fault(&x->unresolved, "UnsupportedProtocol", arena_printf(w->a, "the backend %s names no port", who));
		return NULL;
	}
	switch (w->in->service(w->in->arg, ns, name, json_int(port, 0))) {
	case SERVICE_FOUND:
		return route_table_take(w->t, ns, name, port->text);
	case SERVICE_WITHOUT_PORT:
		fault(&x->unresolved, "BackendNotFound",
		        arena_printf(w->a, "the Service %s has no port %.*s", who, SLICE_FMT(port->text)));
		return NULL;
	case SERVICE_EXTERNAL:
		fault(&x->unresolved, "InvalidKind",
		        arena_printf(w->a, "the Service %s is of type ExternalName, which is not served", who));
		return NULL;
	case SERVICE_ABSENT:
		break;
	}
	fault(&x->unresolved, "BackendNotFound", arena_printf(w->a, "there is no Service %s", who));
	return NULL;
}

static void read_backends(struct looked_at *x, const struct json *rule, struct route *r)
{
	const struct json *refs = json_get(rule, "backendRefs");
	struct route_choice *choices =
	        ARENA_ARRAY(route_table_arena(x->w->t), struct route_choice, refs ? refs->count + 1 : 1);
	JSON_FOREACH (it, refs) {
		int64_t weight = json_get_int(it, "weight", 1);
		const struct json *filters = json_get(it, "filters");
		if (filters && filters->count)
			fault(&x->unserved, "UnsupportedValue", "filters of single backends are not served");
		if (weight <= 0 || weight > 1000000)
			continue;
		choices[r->n_choices++] = (struct route_choice){backend_of(x, it), (uint32_t)weight};
		r->weight += (uint64_t)weight;
	}
	r->choices = choices;
}

/* Until the head of the answer: the shorter of the two. */
static unsigned timeout_of(struct world *w, const struct json *rule)
{
	static const char *const members[] = {"request", "backendRequest"};
	uint64_t least = 0;
	for (size_t i = 0; i < COUNT_OF(members); i++) {
		const char *text = json_cstr(w->a, json_get(json_get(rule, "timeouts"), members[i]));
		uint64_t ms = 0;
		if (text && duration_parse_ms(text, &ms) && ms > 0 && (!least || ms < least))
			least = ms;
	}
	return (unsigned)(least > UINT32_MAX / 2 ? UINT32_MAX / 2 : least);
}

/* What is on one entry point alone. */
static const struct route_options *options_for(
        struct world *w, const struct route_options *like, enum entry_point entry)
{
	struct route_options *o = ARENA_NEW(route_table_arena(w->t), struct route_options);
	*o = *like;
	o->no_web = entry != ENTRY_WEB;
	o->no_websecure = entry != ENTRY_WEBSECURE;
	return o;
}

static void add_match(struct looked_at *x, const struct json *match, const struct route *like,
        const struct route_options *const options[ENTRY_POINTS])
{
	struct arena *a = route_table_arena(x->w->t);
	struct err err = ERR_INIT;
	struct route r = *like;
	struct request_match *m = ARENA_NEW(a, struct request_match);
	if (read_path(x->w, match, &r.rule, &err) != 0 || request_match_read(a, match, m, &err) != 0) {
		fault(&x->unserved, "UnsupportedValue", arena_strdup(x->w->a, err.msg));
		return;
	}
	r.match = m;
	r.rank = route_rank(&r.rule, 0, m);
	x->routes[x->count] = (struct rule_route){.route = r};
	memcpy(x->routes[x->count++].options, options, sizeof x->routes->options);
}

static size_t matches_in(const struct json *rules)
{
	size_t n = 0;
	JSON_FOREACH (rule, rules)
		n += 1 + (json_get(rule, "matches") ? json_get(rule, "matches")->count : 0);
	return n;
}

/* A rule that is not served as it stands takes its requests all the same, and answers 500: what it would have kept away
 * from others, by a filter that is not known, must not go on to them. */
static void read_rule(struct looked_at *x, const struct json *rule)
{
	struct arena *a = route_table_arena(x->w->t);
	struct err err = ERR_INIT;
	struct fault before = x->unserved;
	struct route_filters *f = ARENA_NEW(a, struct route_filters);
	struct route_options o = {.read_ms = timeout_of(x->w, rule)};
	struct route r = {.filters = f,
	        .ns = {arena_memdup(a, x->ns.ptr, x->ns.len), x->ns.len},
	        .ingress = {arena_memdup(a, x->name.ptr, x->name.len), x->name.len}};
	const struct route_options *options[ENTRY_POINTS];
	const struct json *matches = json_get(rule, "matches");
	x->unserved = (struct fault){0};
	for (int e = 0; e < ENTRY_POINTS; e++)
		options[e] = options_for(x->w, &o, (enum entry_point)e);
	if (route_filters_read(a, json_get(rule, "filters"), f, &err) != 0)
		fault(&x->unserved, "UnsupportedValue", arena_strdup(x->w->a, err.msg));
	if (json_get(rule, "sessionPersistence") || json_get(rule, "retry"))
		fault(&x->unserved, "UnsupportedValue", "sessionPersistence and retry are not served");
	read_backends(x, rule, &r);
	if (x->unserved.reason) {
		r.filters = NULL;
		r.n_choices = 0;
	}
	JSON_FOREACH (match, matches)
		add_match(x, match, &r, options);
	if (!matches || !matches->count)
		add_match(x, NULL, &r, options);
	x->has_good_rule |= !x->unserved.reason;
	if (before.reason)
		x->unserved = before;
}

static void read_rules(struct looked_at *x)
{
	const struct json *rules = json_path(x->json, "spec", "rules", NULL);
	x->routes = ARENA_ARRAY(x->w->a, struct rule_route, matches_in(rules) + 1);
	JSON_FOREACH (rule, rules)
		read_rule(x, rule);
}

/* ---- a route's parents ---- */

static const struct route *on_port(struct looked_at *x, struct rule_route *r, const struct listener *l)
{
	const struct route **made = r->made;
	while (*made && (*made)->port != (unsigned)l->port) {
		made++;
		CHECK(made < r->made + LISTENER_PORTS);
	}
	if (!*made) {
		r->route.port = (unsigned)l->port;
		r->route.options = r->options[l->entry];
		*made = route_table_make(x->w->t, &r->route);
	}
	return *made;
}

static void put(struct looked_at *x, const struct listener *l, struct slice host)
{
	const char *place = arena_printf(x->w->a, "%u %.*s", (unsigned)l->port, SLICE_FMT(host));
	if (map_get(&x->places, slice_of(place)))
		return;
	map_put(&x->places, slice_of(place), x);
	for (size_t i = 0; i < x->count; i++)
		route_table_put(x->w->t, host, on_port(x, &x->routes[i], l));
}

/* Its hostnames that the listener has, too; false: none. */
static bool attach(struct looked_at *x, struct listener *l)
{
	const struct json *names = json_path(x->json, "spec", "hostnames", NULL);
	struct slice both;
	bool any = false, serves = l->is_served;
	JSON_FOREACH (it, names)
		if (hostname_meet(l->hostname, slice_lower(x->w->a, json_str(it)), &both)) {
			any = true;
			if (serves)
				put(x, l, both);
		}
	if (names && names->count)
		return any;
	if (serves)
		put(x, l, l->hostname);
	return true;
}

static struct gateway *find_gateway(struct world *w, struct slice ns, struct slice name)
{
	for (size_t i = 0; i < w->count; i++)
		if (slice_eq(w->gateways[i].ns, ns) && slice_eq(w->gateways[i].name, name))
			return &w->gateways[i];
	return NULL;
}

static bool is_meant(const struct json *ref, const struct listener *l)
{
	struct slice section = json_get_str(ref, "sectionName");
	int64_t port = json_get_int(ref, "port", 0);
	return (!section.len || slice_eq(section, l->name)) && (!port || port == l->port);
}

/* One rule is enough; what is wrong with the others is told as PartiallyInvalid. */
static bool is_accepted(const struct looked_at *x)
{
	return !x->unserved.reason || x->has_good_rule;
}

/* Attaches it to the listeners that the reference means. */
static struct fault attach_parent(struct looked_at *x, struct gateway *g, const struct json *ref)
{
	bool is_named = false, is_let_in = false, is_attached = false;
	for (size_t i = 0; i < g->count; i++) {
		struct listener *l = &g->listeners[i];
		if (!is_meant(ref, l))
			continue;
		is_named = true;
		if (!listener_admits(x->w->a, x->w->in, g, l, x->ns))
			continue;
		is_let_in = true;
		if (!attach(x, l))
			continue;
		is_attached = true;
		l->attached += is_accepted(x);
	}
	if (!is_named)
		return (struct fault){"NoMatchingParent", "the Gateway has no listener of this name or port"};
	if (!is_let_in)
		return (struct fault){"NotAllowedByListeners", "no listener lets routes of this kind and namespace in"};
	if (!is_attached)
		return (struct fault){"NoMatchingListenerHostname", "no listener has one of the route's hostnames"};
	return is_accepted(x) ? (struct fault){0} : x->unserved;
}

static const struct json *conditions_before(const struct looked_at *x, const struct json *ref)
{
	JSON_FOREACH (it, json_path(x->json, "status", "parents", NULL))
		if (slice_is(json_get_str(it, "controllerName"), x->w->in->controller) &&
		        json_equal(json_get(it, "parentRef"), ref))
			return json_get(it, "conditions");
	return NULL;
}

static struct json *parent_status(struct looked_at *x, const struct json *ref, struct fault f)
{
	struct arena *a = x->w->a;
	const struct json *before = conditions_before(x, ref);
	struct json *p = json_new(a, JSON_OBJECT), *list = before ? json_copy(a, before) : json_new(a, JSON_ARRAY);
	json_set(a, p, "parentRef", json_copy(a, ref));
	json_set_cstr(a, p, "controllerName", x->w->in->controller);
	gateway_condition(a, list, x->json, "Accepted", !f.reason, f.reason ? f.reason : "Accepted", f.message);
	gateway_condition(a, list, x->json, "ResolvedRefs", !x->unresolved.reason,
	        x->unresolved.reason ? x->unresolved.reason : "ResolvedRefs", x->unresolved.message);
	if (!f.reason && x->unserved.reason)
		gateway_condition(a, list, x->json, "PartiallyInvalid", true, x->unserved.reason,
		        arena_printf(a, "Dropped Rule: %s", x->unserved.message));
	else
		condition_drop(list, "PartiallyInvalid");
	json_set(a, p, "conditions", list);
	return p;
}

static bool names_a_gateway(const struct json *ref)
{
	const struct json *kind = json_get(ref, "kind"), *group = json_get(ref, "group");
	return (!kind || slice_is(json_str(kind), "Gateway")) && (!group || slice_is(json_str(group), GATEWAY_GROUP));
}

static bool is_of(const struct world *w, const struct json *parent)
{
	return slice_is(json_get_str(parent, "controllerName"), w->in->controller);
}

/* Of the parents that stand there: ours as they are now, in their places, the others' as they are. */
static bool keep_places(struct world *w, const struct json *before, struct json *ours, struct json *parents)
{
	bool is_ours = false;
	JSON_FOREACH (it, before) {
		if (!is_of(w, it)) {
			json_append(parents, json_copy(w->a, it));
			continue;
		}
		is_ours = true;
		for (struct json *p = ours->first, *next; p; p = next) {
			next = p->next;
			if (!json_equal(json_get(p, "parentRef"), json_get(it, "parentRef")))
				continue;
			json_remove(ours, p);
			json_append(parents, p);
		}
	}
	return is_ours;
}

static void add_route(struct world *w, const struct json *json)
{
	struct looked_at x = {.w = w,
	        .json = json,
	        .ns = json_get_str(json_get(json, "metadata"), "namespace"),
	        .name = json_get_str(json_get(json, "metadata"), "name")};
	struct json *status = json_new(w->a, JSON_OBJECT), *parents = json_need(w->a, status, "parents", JSON_ARRAY),
	            *ours = json_new(w->a, JSON_ARRAY);
	bool is_ours = false, is_read = false;
	JSON_FOREACH (ref, json_path(json, "spec", "parentRefs", NULL)) {
		struct slice own = json_get_str(ref, "namespace");
		struct gateway *g =
		        names_a_gateway(ref) ? find_gateway(w, own.len ? own : x.ns, json_get_str(ref, "name")) : NULL;
		if (!g)
			continue;
		if (!is_read)
			read_rules(&x);
		is_read = is_ours = true;
		json_append(ours, parent_status(&x, ref, attach_parent(&x, g, ref)));
	}
	is_ours |= keep_places(w, json_path(json, "status", "parents", NULL), ours, parents);
	for (struct json *p = ours->first, *next; p; p = next) {
		next = p->next;
		json_remove(ours, p);
		json_append(parents, p);
	}
	map_release(&x.places);
	if (is_ours)
		tell(w, "httproutes", json, status);
}

/* ---- all of it ---- */

static void read_gateways(struct world *w)
{
	w->gateways = ARENA_ARRAY(w->a, struct gateway, w->in->gateways.count + 1);
	for (size_t i = 0; i < w->in->gateways.count; i++) {
		const struct json *g = w->in->gateways.items[i];
		if (class_is_ours(w->in, json_get_str(json_get(g, "spec"), "gatewayClassName")))
			gateway_read(w->a, w->in, g, &w->gateways[w->count++]);
	}
}

static void put_secrets(struct world *w, const struct gateway *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->listeners[i].is_served && g->listeners[i].secret)
			route_table_put_secret(w->t, g->listeners[i].hostname, slice_of(g->listeners[i].secret), true);
}

struct gateway_status *gateways_add(struct arena *a, struct route_table *t, const struct gateways_input *in)
{
	struct world w = {.a = a, .t = t, .in = in};
	tell_classes(&w);
	read_gateways(&w);
	for (size_t i = 0; i < w.count; i++)
		put_secrets(&w, &w.gateways[i]);
	for (size_t i = 0; i < in->routes.count; i++)
		add_route(&w, in->routes.items[i]);
	for (size_t i = 0; i < w.count; i++)
		tell(&w, "gateways", w.gateways[i].json, gateway_status_of(a, in, &w.gateways[i]));
	return w.statuses;
}
