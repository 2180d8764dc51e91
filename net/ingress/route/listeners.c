/* See listeners.h. */
#include "net/ingress/route/listeners.h"

#include "api/client/meta.h"
#include "api/machinery/schema/selector.h"

#include <string.h>

enum { ADDRESSES_MAX = 16 }; /* of a Gateway's status, by its definition */

static bool is_or_unset(const struct json *object, const char *member, const char *text)
{
	const struct json *v = json_get(object, member);
	return !v || slice_is(json_str(v), text);
}

bool reference_is_granted(const struct gateways_input *in, const char *from_kind, struct slice from_ns,
        const char *to_kind, struct slice to_ns, struct slice to_name)
{
	for (size_t i = 0; i < in->grants.count; i++) {
		const struct json *grant = in->grants.items[i], *spec = json_get(grant, "spec");
		bool from = false, to = false;
		if (!slice_eq(json_get_str(json_get(grant, "metadata"), "namespace"), to_ns))
			continue;
		JSON_FOREACH (it, json_get(spec, "from"))
			from |= slice_is(json_get_str(it, "group"), GATEWAY_GROUP) &&
			        slice_is(json_get_str(it, "kind"), from_kind) &&
			        slice_eq(json_get_str(it, "namespace"), from_ns);
		JSON_FOREACH (it, json_get(spec, "to"))
			to |= !json_get_str(it, "group").len && slice_is(json_get_str(it, "kind"), to_kind) &&
			      (!json_get_str(it, "name").len || slice_eq(json_get_str(it, "name"), to_name));
		if (from && to)
			return true;
	}
	return false;
}

/* ---- reading ---- */

static void wrong(struct listener *l, const char **which, const char *reason, const char *message)
{
	if (!*which) {
		*which = reason;
		l->message = message;
	}
}

static void read_entry(struct listener *l)
{
	struct slice protocol = json_get_str(l->json, "protocol");
	if (slice_is(protocol, "HTTP") && (l->port == 80 || l->port == 8000))
		l->entry = ENTRY_WEB;
	else if (slice_is(protocol, "HTTPS") && (l->port == 443 || l->port == 8443))
		l->entry = ENTRY_WEBSECURE;
	else if (slice_is(protocol, "HTTP") || slice_is(protocol, "HTTPS"))
		wrong(l, &l->not_accepted, "PortUnavailable",
		        "the ports are 80 or 8000 for HTTP, 443 or 8443 for HTTPS");
	else
		wrong(l, &l->not_accepted, "UnsupportedProtocol", "the protocols are HTTP and HTTPS");
}

static bool is_http_route(const struct json *kind)
{
	return slice_is(json_get_str(kind, "kind"), "HTTPRoute") && is_or_unset(kind, "group", GATEWAY_GROUP);
}

static void read_kinds(struct listener *l)
{
	const struct json *kinds = json_path(l->json, "allowedRoutes", "kinds", NULL);
	l->takes_routes = !kinds || !kinds->count;
	JSON_FOREACH (it, kinds)
		if (is_http_route(it))
			l->takes_routes = true;
		else
			wrong(l, &l->unresolved, "InvalidRouteKinds", "routes of kind HTTPRoute alone are served");
}

static void read_certificate(
        struct arena *a, const struct gateways_input *in, const struct gateway *g, struct listener *l)
{
	const struct json *tls = json_get(l->json, "tls"), *ref = json_at(json_get(tls, "certificateRefs"), 0);
	struct slice own = json_get_str(ref, "namespace"), ns = own.len ? own : g->ns, name = json_get_str(ref, "name");
	if (l->not_accepted || l->entry != ENTRY_WEBSECURE)
		return;
	if (json_path(g->json, "spec", "tls", "frontend", NULL))
		wrong(l, &l->not_accepted, "UnsupportedValue",
		        "certificates of clients are not asked for: the Gateway's tls.frontend is not served");
	else if (json_get(tls, "options") && json_get(tls, "options")->count)
		wrong(l, &l->not_accepted, "UnsupportedValue", "tls.options are not served");
	else if (!is_or_unset(tls, "mode", "Terminate"))
		wrong(l, &l->not_accepted, "UnsupportedValue", "tls.mode Passthrough is not served");
	else if (!ref || !is_or_unset(ref, "kind", "Secret") || json_get_str(ref, "group").len)
		wrong(l, &l->unresolved, "InvalidCertificateRef", "tls.certificateRefs is to name a Secret");
	else if (!slice_eq(ns, g->ns) && !reference_is_granted(in, "Gateway", g->ns, "Secret", ns, name))
		wrong(l, &l->unresolved, "RefNotPermitted",
		        arena_printf(a, "no ReferenceGrant of namespace %.*s lets this Gateway use its Secret %.*s",
		                SLICE_FMT(ns), SLICE_FMT(name)));
	else if (!in->has_certificate(in->arg, ns, name))
		wrong(l, &l->unresolved, "InvalidCertificateRef",
		        arena_printf(a, "the Secret %.*s/%.*s is not there, or its certificate and key are no pair",
		                SLICE_FMT(ns), SLICE_FMT(name)));
	else
		l->secret = arena_printf(a, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(name));
}

/* Of two listeners that can't be told apart neither is served. */
static void find_conflicts(struct gateway *g)
{
	for (size_t i = 0; i < g->count; i++)
		for (size_t j = 0; j < g->count; j++) {
			struct listener *l = &g->listeners[i];
			const struct listener *m = &g->listeners[j];
			bool is_shared = !l->not_accepted && !m->not_accepted && l->entry == m->entry;
			if (i == j || (l->port != m->port && !is_shared))
				continue;
			if (!slice_eq(json_get_str(l->json, "protocol"), json_get_str(m->json, "protocol")))
				wrong(l, &l->conflicted, "ProtocolConflict",
				        "another listener of this port has another protocol");
			else if (slice_eq(l->hostname, m->hostname))
				wrong(l, &l->conflicted, "HostnameConflict",
				        "another listener of this port, or of the other that is the same entry point, "
				        "has the "
				        "same hostname");
		}
}

void gateway_read(struct arena *a, const struct gateways_input *in, const struct json *json, struct gateway *ret)
{
	const struct json *list = json_path(json, "spec", "listeners", NULL);
	*ret = (struct gateway){.json = json,
	        .ns = json_get_str(json_get(json, "metadata"), "namespace"),
	        .name = json_get_str(json_get(json, "metadata"), "name"),
	        .listeners = ARENA_ARRAY(a, struct listener, list ? list->count + 1 : 1)};
	JSON_FOREACH (it, list) {
		struct listener *l = &ret->listeners[ret->count++];
		*l = (struct listener){.json = it,
		        .name = json_get_str(it, "name"),
		        .hostname = slice_lower(a, json_get_str(it, "hostname")),
		        .port = json_get_int(it, "port", 0)};
		read_entry(l);
		read_kinds(l);
		read_certificate(a, in, ret, l);
	}
	find_conflicts(ret);
	for (size_t i = 0; i < ret->count; i++) {
		struct listener *l = &ret->listeners[i];
		bool has_certificate = l->entry == ENTRY_WEB || l->secret;
		l->is_served = !l->not_accepted && !l->conflicted && has_certificate && l->takes_routes;
	}
}

bool listener_admits(struct arena *a, const struct gateways_input *in, const struct gateway *g,
        const struct listener *l, struct slice ns)
{
	const struct json *from = json_path(l->json, "allowedRoutes", "namespaces", NULL);
	struct slice which = json_get_str(from, "from");
	struct label_selector selector;
	struct err err = ERR_INIT;
	if (!l->takes_routes)
		return false;
	if (slice_is(which, "All"))
		return true;
	if (!slice_is(which, "Selector"))
		return slice_eq(ns, g->ns);
	bool nothing = false;
	return json_get(from, "selector") &&
	       label_selector_from_json(a, json_get(from, "selector"), &selector, &nothing, &err) == 0 && !nothing &&
	       label_selector_matches_tree(&selector, in->labels(in->labels_arg, ns));
}

/* ---- status ---- */

void gateway_condition(struct arena *a, struct json *list, const struct json *object, const char *type, bool holds,
        const char *reason, const char *message)
{
	condition_set(a, list, type, holds ? "True" : "False", reason, message ? message : "", NULL);
	json_set_int(a, condition_find(list, type), "observedGeneration",
	        json_get_int(json_get(object, "metadata"), "generation", 0));
}

static struct json *copy_or_new(struct arena *a, const struct json *list)
{
	return list ? json_copy(a, list) : json_new(a, JSON_ARRAY);
}

static const struct json *status_before(const struct json *gateway, struct slice listener)
{
	JSON_FOREACH (it, json_path(gateway, "status", "listeners", NULL))
		if (slice_eq(json_get_str(it, "name"), listener))
			return it;
	return NULL;
}

static struct json *listener_status(struct arena *a, const struct gateway *g, const struct listener *l)
{
	struct json *s = json_new(a, JSON_OBJECT), *kinds = json_need(a, s, "supportedKinds", JSON_ARRAY), *kind;
	struct json *list = copy_or_new(a, json_get(status_before(g->json, l->name), "conditions"));
	const char *unprogrammed = l->is_served ? NULL : "Invalid";
	json_set_str(a, s, "name", l->name);
	if (l->takes_routes) {
		kind = json_new(a, JSON_OBJECT);
		json_set_cstr(a, kind, "group", GATEWAY_GROUP);
		json_set_cstr(a, kind, "kind", "HTTPRoute");
		json_append(kinds, kind);
	}
	json_set_int(a, s, "attachedRoutes", l->attached);
	gateway_condition(a, list, g->json, "Accepted", !l->not_accepted && !l->conflicted,
	        l->not_accepted ? l->not_accepted
	        : l->conflicted ? l->conflicted
	                        : "Accepted",
	        l->not_accepted || l->conflicted ? l->message : NULL);
	gateway_condition(a, list, g->json, "Conflicted", l->conflicted, l->conflicted ? l->conflicted : "NoConflicts",
	        l->conflicted ? l->message : NULL);
	gateway_condition(a, list, g->json, "ResolvedRefs", !l->unresolved,
	        l->unresolved ? l->unresolved : "ResolvedRefs", l->unresolved ? l->message : NULL);
	gateway_condition(a, list, g->json, "Programmed", !unprogrammed, unprogrammed ? unprogrammed : "Programmed",
	        unprogrammed ? l->message : NULL);
	json_set(a, s, "conditions", list);
	return s;
}

static void add_addresses(struct arena *a, struct json *list, const struct json *from)
{
	JSON_FOREACH (it, from) {
		if (list->count >= ADDRESSES_MAX)
			break;
		struct json *one = json_new(a, JSON_OBJECT);
		struct slice ip = json_get_str(it, "ip"), name = json_get_str(it, "hostname");
		json_set_cstr(a, one, "type", ip.len ? "IPAddress" : "Hostname");
		json_set_str(a, one, "value", ip.len ? ip : name);
		json_append(list, one);
	}
}

struct json *gateway_status_of(struct arena *a, const struct gateways_input *in, const struct gateway *g)
{
	struct json *s = json_new(a, JSON_OBJECT),
	            *list = copy_or_new(a, json_path(g->json, "status", "conditions", NULL)), *listeners;
	const struct json *wanted = json_path(g->json, "spec", "addresses", NULL);
	size_t served = 0, accepted = 0;
	for (size_t i = 0; i < g->count; i++) {
		served += g->listeners[i].is_served;
		accepted += !g->listeners[i].not_accepted && !g->listeners[i].conflicted;
	}
	add_addresses(a, json_need(a, s, "addresses", JSON_ARRAY), in->addresses);
	if (json_path(g->json, "spec", "infrastructure", "parametersRef", NULL))
		gateway_condition(a, list, g->json, "Accepted", false, "InvalidParameters",
		        "infrastructure.parametersRef is not served");
	else if (wanted && wanted->count)
		gateway_condition(a, list, g->json, "Accepted", false, "UnsupportedAddress",
		        "addresses can't be asked for: they are those of the Service by which the ingress is reached");
	else
		gateway_condition(a, list, g->json, "Accepted", accepted > 0,
		        accepted == g->count ? "Accepted" : "ListenersNotValid",
		        accepted == g->count ? NULL : "some listeners are not served: see their conditions");
	if (served && (!in->addresses || !in->addresses->count))
		gateway_condition(a, list, g->json, "Programmed", false, "AddressNotAssigned",
		        "the Service by which the ingress is reached has no address yet");
	else
		gateway_condition(a, list, g->json, "Programmed", served > 0, served ? "Programmed" : "Invalid",
		        served ? NULL : "no listener is served: see their conditions");
	json_set(a, s, "conditions", list);
	listeners = json_need(a, s, "listeners", JSON_ARRAY);
	for (size_t i = 0; i < g->count; i++)
		json_append(listeners, listener_status(a, g, &g->listeners[i]));
	return s;
}
