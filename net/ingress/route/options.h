/* What annotations of an Ingress, or of a Service, ask for: traefik's and ingress-nginx's common ones in one form.
 *
 * Annotations of those two that are not in the table of options.c are told to the caller, who makes events of them:
 * nothing is silently ignored. Pure; texts live in the arena. */
#ifndef K3X_NET_INGRESS_ROUTE_OPTIONS_H
#define K3X_NET_INGRESS_ROUTE_OPTIONS_H

#include "base/json/json.h"
#include "net/ingress/route/source.h"

enum upstream_scheme { UPSTREAM_UNSET, UPSTREAM_HTTP, UPSTREAM_HTTPS, UPSTREAM_H2C };

struct route_options {
	bool no_web, no_websecure; /* entry points where the route is not */
	bool wants_tls;            /* whoever comes without TLS is sent to https:// */
	bool wants_tls_if_any;     /* so, if the Ingress has tls */
	const char *redirect;      /* everything is sent there; NULL: served */
	unsigned redirect_status;
	const char *app_root;            /* "/" is sent there; NULL: no */
	const char *rewrite;             /* the path becomes this, $1 to $9 from the match; NULL: as it came */
	bool uses_regex;                 /* paths are regular expressions */
	bool path_is_exact;              /* paths of type ImplementationSpecific are exact ones */
	const char *host;                /* the upstream's Host; NULL: the client's */
	const char *prefix;              /* X-Forwarded-Prefix; NULL: none */
	const char *auth_secret;         /* "namespace/name" or "name", with an htpasswd file in `auth`; NULL: none */
	const char *auth_realm;          /* NULL: "Authentication Required" */
	struct source_nets allow;        /* none: all */
	uint32_t rate_per_minute, burst; /* of one client address; 0: no limit */
	unsigned read_ms;                /* until the head of the answer; 0: no limit */
	uint64_t body_bytes_max;         /* 0: no limit */
	uint32_t priority;               /* 0: by the length of the path */
	struct slice aliases;            /* more hosts, commas between */
	/* of upstreams: a Service's own come after these */
	enum upstream_scheme scheme;
	bool is_sticky;
	const char *cookie; /* NULL: a name made from the Service's */
	bool cookie_is_secure, cookie_is_http_only;
	const char *cookie_same_site;
	bool drops_host; /* Host is the endpoint's own */
};

/* annotations: the object, or NULL. told(arg, name, why) for each that is not served, or not as it stands. */
void options_of_ingress(struct arena *a, const struct json *annotations, struct route_options *ret,
        void (*told)(void *arg, struct slice name, const char *why), void *arg);
void options_of_service(struct arena *a, const struct json *annotations, struct route_options *ret,
        void (*told)(void *arg, struct slice name, const char *why), void *arg);
/* Does this annotation concern us at all? */
bool options_are_for_us(struct slice name);

#endif
