/* See options.h. One row an annotation; a setter returns why a value is none, or NULL.
 *
 * Names and meanings: traefik 3 (routing configuration of Ingress and of Service), ingress-nginx 1.12 (annotations). */
#include "net/ingress/route/options.h"

#include "base/time/duration.h"

#define TRAEFIK "traefik.ingress.kubernetes.io/"
#define NGINX "nginx.ingress.kubernetes.io/"

struct setting {
	struct arena *a;
	struct route_options *o;
	struct slice value;
};

typedef const char *set_fn(struct setting *s);

static const char *text_of(struct setting *s)
{
	return arena_memdup(s->a, s->value.ptr, s->value.len);
}

static const char *set_bool(struct setting *s, bool *ret)
{
	if (!slice_is(s->value, "true") && !slice_is(s->value, "false"))
		return "must be \"true\" or \"false\"";
	*ret = slice_is(s->value, "true");
	return NULL;
}

static const char *set_number(struct setting *s, uint64_t most, uint64_t *ret)
{
	return slice_to_u64(s->value, ret) && *ret <= most ? NULL : "is no number, or too large";
}

/* ---- routers ---- */

static const char *set_entry_points(struct setting *s)
{
	struct slice rest = s->value;
	s->o->no_web = s->o->no_websecure = true;
	while (rest.ptr) {
		struct slice one = slice_trim(slice_cut(&rest, ','));
		if (slice_is(one, "web"))
			s->o->no_web = false;
		else if (slice_is(one, "websecure"))
			s->o->no_websecure = false;
		else
			return "the entry points are web and websecure";
	}
	return NULL;
}

/* Upstream serves such a router with TLS alone. */
static const char *set_router_tls(struct setting *s)
{
	bool is_on = false;
	const char *why = set_bool(s, &is_on);
	s->o->no_web = s->o->no_web || is_on;
	return why;
}

static const char *set_path_matcher(struct setting *s)
{
	if (!slice_is(s->value, "Path") && !slice_is(s->value, "PathPrefix"))
		return "must be Path or PathPrefix";
	s->o->path_is_exact = slice_is(s->value, "Path");
	return NULL;
}

static const char *set_priority(struct setting *s)
{
	uint64_t n = 0;
	const char *why = set_number(s, UINT32_MAX, &n);
	s->o->priority = (uint32_t)n;
	return why;
}

/* ---- upstreams ---- */

static const char *set_scheme(struct setting *s)
{
	static const struct {
		const char *name;
		enum upstream_scheme scheme;
	} names[] = {{"http", UPSTREAM_HTTP}, {"https", UPSTREAM_HTTPS}, {"h2c", UPSTREAM_H2C}, {"HTTP", UPSTREAM_HTTP},
	        {"HTTPS", UPSTREAM_HTTPS}, {"GRPC", UPSTREAM_H2C}, {"GRPCS", UPSTREAM_HTTPS}};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (slice_is(s->value, names[i].name)) {
			s->o->scheme = names[i].scheme;
			return NULL;
		}
	return "must be http, https or h2c (HTTP, HTTPS, GRPC, GRPCS)";
}

static const char *set_pass_host(struct setting *s)
{
	bool passes = true;
	const char *why = set_bool(s, &passes);
	s->o->drops_host = !passes;
	return why;
}

static const char *set_sticky(struct setting *s)
{
	return set_bool(s, &s->o->is_sticky);
}

static const char *set_affinity(struct setting *s)
{
	s->o->is_sticky = slice_is(s->value, "cookie");
	return s->o->is_sticky ? NULL : "must be cookie";
}

static bool is_token(struct slice t)
{
	for (size_t i = 0; i < t.len; i++)
		if (t.ptr[i] <= ' ' || t.ptr[i] >= 127 || strchr("()<>@,;:\\\"/[]?={}", t.ptr[i]))
			return false;
	return t.len > 0;
}

static const char *set_cookie(struct setting *s)
{
	s->o->cookie = text_of(s);
	return is_token(s->value) ? NULL : (s->o->cookie = NULL, "is no name of a cookie");
}

static const char *set_cookie_secure(struct setting *s)
{
	return set_bool(s, &s->o->cookie_is_secure);
}

static const char *set_cookie_http_only(struct setting *s)
{
	return set_bool(s, &s->o->cookie_is_http_only);
}

static const char *set_cookie_same_site(struct setting *s)
{
	static const char *const ways[] = {"None", "Lax", "Strict"};
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (slice_caseis(s->value, ways[i])) {
			s->o->cookie_same_site = ways[i];
			return NULL;
		}
	return "must be None, Lax or Strict";
}

static const char *set_upstream_host(struct setting *s)
{
	if (!s->value.len || memchr(s->value.ptr, ' ', s->value.len))
		return "is no host";
	s->o->host = text_of(s);
	return NULL;
}

/* ---- redirects and rewrites ---- */

static const char *set_force_tls(struct setting *s)
{
	return set_bool(s, &s->o->wants_tls);
}

static const char *set_tls_redirect(struct setting *s)
{
	return set_bool(s, &s->o->wants_tls_if_any);
}

static const char *set_redirect(struct setting *s, unsigned status)
{
	if (!slice_starts(s->value, "http://") && !slice_starts(s->value, "https://") && !slice_starts(s->value, "/"))
		return "is no URL";
	s->o->redirect = text_of(s);
	s->o->redirect_status = s->o->redirect_status ? s->o->redirect_status : status;
	return NULL;
}

static const char *set_redirect_forever(struct setting *s)
{
	return set_redirect(s, 301);
}

static const char *set_redirect_for_now(struct setting *s)
{
	return set_redirect(s, 302);
}

static const char *set_redirect_status(struct setting *s)
{
	uint64_t n = 0;
	if (set_number(s, 399, &n) || n < 300)
		return "must be a status from 300 to 399";
	s->o->redirect_status = (unsigned)n;
	return NULL;
}

static const char *set_app_root(struct setting *s)
{
	if (!slice_starts(s->value, "/"))
		return "must begin with a slash";
	s->o->app_root = text_of(s);
	return NULL;
}

static const char *set_rewrite(struct setting *s)
{
	if (!slice_starts(s->value, "/") && !slice_starts(s->value, "$"))
		return "must begin with a slash";
	if (memchr(s->value.ptr, ' ', s->value.len))
		return "must have no blanks";
	s->o->rewrite = text_of(s);
	s->o->uses_regex = true; /* as there: paths of such an Ingress are expressions */
	return NULL;
}

static const char *set_regex(struct setting *s)
{
	bool is_on = false;
	const char *why = set_bool(s, &is_on);
	s->o->uses_regex |= is_on;
	return why;
}

static const char *set_prefix(struct setting *s)
{
	s->o->prefix = text_of(s);
	return NULL;
}

static const char *set_aliases(struct setting *s)
{
	s->o->aliases = (struct slice){text_of(s), s->value.len};
	return NULL;
}

/* ---- who may, and how much ---- */

static const char *set_auth_type(struct setting *s)
{
	return slice_is(s->value, "basic") ? NULL : "only basic is served";
}

static const char *set_auth_secret(struct setting *s)
{
	s->o->auth_secret = text_of(s);
	return NULL;
}

static const char *set_auth_secret_type(struct setting *s)
{
	return slice_is(s->value, "auth-file") ? NULL : "only auth-file is served";
}

static const char *set_auth_realm(struct setting *s)
{
	s->o->auth_realm = memchr(s->value.ptr, '"', s->value.len) ? NULL : text_of(s);
	return s->o->auth_realm ? NULL : "must not have quotes";
}

static const char *set_allow(struct setting *s)
{
	struct err err = ERR_INIT;
	if (source_nets_parse(s->a, s->value, &s->o->allow, &err) == 0)
		return NULL;
	/* nobody rather than everybody */
	source_nets_parse(s->a, SLICE("255.255.255.255/32"), &s->o->allow, NULL);
	return arena_strdup(s->a, err.msg);
}

static const char *set_rate_minute(struct setting *s)
{
	uint64_t n = 0;
	const char *why = set_number(s, 6000000, &n);
	s->o->rate_per_minute = why ? 0 : (uint32_t)n;
	return why;
}

static const char *set_rate_second(struct setting *s)
{
	const char *why = set_rate_minute(s);
	if (!why && s->o->rate_per_minute > 100000)
		why = "is too large";
	s->o->rate_per_minute = why ? 0 : s->o->rate_per_minute * 60;
	return why;
}

static const char *set_burst(struct setting *s)
{
	uint64_t n = 0;
	const char *why = set_number(s, 1000, &n);
	s->o->burst = (uint32_t)n;
	return why;
}

static const char *set_seconds(struct setting *s, unsigned *ret_ms)
{
	uint64_t n = 0, ms = 0;
	const char *text = text_of(s);
	if (!set_number(s, 86400, &n))
		*ret_ms = (unsigned)n * 1000;
	else if (duration_parse_ms(text, &ms) && ms <= 86400000)
		*ret_ms = (unsigned)ms;
	else
		return "is no number of seconds";
	return NULL;
}

static const char *set_read(struct setting *s)
{
	return set_seconds(s, &s->o->read_ms);
}

/* nginx's sizes: 8m, 100k, 0 for no limit. */
static const char *set_body_size(struct setting *s)
{
	struct slice v = s->value;
	uint64_t n = 0, unit = 1;
	char last = v.len ? v.ptr[v.len - 1] : 0;
	if (last == 'k' || last == 'K')
		unit = 1024;
	else if (last == 'm' || last == 'M')
		unit = 1024 * 1024;
	else if (last == 'g' || last == 'G')
		unit = 1024 * 1024 * 1024;
	v.len -= unit > 1;
	if (!slice_to_u64(v, &n) || n > UINT64_MAX / unit)
		return "is no size";
	s->o->body_bytes_max = n * unit;
	return NULL;
}

/* ---- tables ---- */

struct row {
	const char *name;
	set_fn *set;
};

static const struct row of_ingress[] = {
        {TRAEFIK "router.entrypoints", set_entry_points},
        {TRAEFIK "router.pathmatcher", set_path_matcher},
        {TRAEFIK "router.priority", set_priority},
        {TRAEFIK "router.tls", set_router_tls},
        {NGINX "affinity", set_affinity},
        {NGINX "app-root", set_app_root},
        {NGINX "auth-realm", set_auth_realm},
        {NGINX "auth-secret", set_auth_secret},
        {NGINX "auth-secret-type", set_auth_secret_type},
        {NGINX "auth-type", set_auth_type},
        {NGINX "backend-protocol", set_scheme},
        {NGINX "force-ssl-redirect", set_force_tls},
        {NGINX "limit-burst-multiplier", set_burst},
        {NGINX "limit-rpm", set_rate_minute},
        {NGINX "limit-rps", set_rate_second},
        {NGINX "permanent-redirect", set_redirect_forever},
        {NGINX "permanent-redirect-code", set_redirect_status},
        {NGINX "proxy-body-size", set_body_size},
        {NGINX "proxy-read-timeout", set_read},
        {NGINX "rewrite-target", set_rewrite},
        {NGINX "server-alias", set_aliases},
        {NGINX "session-cookie-name", set_cookie},
        {NGINX "session-cookie-samesite", set_cookie_same_site},
        {NGINX "session-cookie-secure", set_cookie_secure},
        {NGINX "ssl-redirect", set_tls_redirect},
        {NGINX "temporal-redirect", set_redirect_for_now},
        {NGINX "temporal-redirect-code", set_redirect_status},
        {NGINX "upstream-vhost", set_upstream_host},
        {NGINX "use-regex", set_regex},
        {NGINX "whitelist-source-range", set_allow},
        {NGINX "x-forwarded-prefix", set_prefix},
};

static const struct row of_service[] = {
        {TRAEFIK "service.passhostheader", set_pass_host},
        {TRAEFIK "service.serversscheme", set_scheme},
        {TRAEFIK "service.sticky.cookie", set_sticky},
        {TRAEFIK "service.sticky.cookie.httponly", set_cookie_http_only},
        {TRAEFIK "service.sticky.cookie.name", set_cookie},
        {TRAEFIK "service.sticky.cookie.samesite", set_cookie_same_site},
        {TRAEFIK "service.sticky.cookie.secure", set_cookie_secure},
};

bool options_are_for_us(struct slice name)
{
	return slice_starts(name, TRAEFIK) || slice_starts(name, NGINX);
}

/* Values become parts of requests and answers. */
static bool has_controls(struct slice v)
{
	for (size_t i = 0; i < v.len; i++)
		if ((unsigned char)v.ptr[i] < ' ' || v.ptr[i] == 0x7f)
			return true;
	return false;
}

static void read_all(struct arena *a, const struct json *annotations, const struct row *rows, size_t count,
        struct route_options *ret, void (*told)(void *arg, struct slice name, const char *why), void *arg)
{
	*ret = (struct route_options){0};
	JSON_FOREACH (it, annotations) {
		struct setting s = {a, ret, json_str(it)};
		const char *why = "is not served here (docs/ingress.md lists those that are)";
		if (!options_are_for_us(it->key))
			continue;
		for (size_t i = 0; i < count; i++)
			if (slice_is(it->key, rows[i].name))
				why = has_controls(s.value) ? "holds control characters" : rows[i].set(&s);
		if (why)
			told(arg, it->key, why);
	}
	if (ret->redirect && !ret->redirect_status)
		ret->redirect_status = 302;
	if (ret->rate_per_minute && !ret->burst)
		ret->burst = 5;
}

void options_of_ingress(struct arena *a, const struct json *annotations, struct route_options *ret,
        void (*told)(void *arg, struct slice name, const char *why), void *arg)
{
	read_all(a, annotations, of_ingress, sizeof of_ingress / sizeof *of_ingress, ret, told, arg);
}

void options_of_service(struct arena *a, const struct json *annotations, struct route_options *ret,
        void (*told)(void *arg, struct slice name, const char *why), void *arg)
{
	read_all(a, annotations, of_service, sizeof of_service / sizeof *of_service, ret, told, arg);
}
