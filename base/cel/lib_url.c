/* Kubernetes' functions of URLs: what Go's url.ParseRequestURI takes, an absolute URI or an absolute path. */
#include "base/cel/program_int.h"

#include "base/check.h"

typedef const struct cel_value *args_t;

struct url {
	struct cel_opaque head;
	struct slice scheme, host, path, query;
};

static const struct cel_type url_type = {.kind = CEL_OPAQUE, .name = "kubernetes.URL"};

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool escapes_are_good(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] == '%' && (i + 2 >= s.len || hex_digit(s.ptr[i + 1]) < 0 || hex_digit(s.ptr[i + 2]) < 0))
			return false;
	return true;
}

/* "scheme:" at the beginning; false: it begins like one and is none. */
static bool take_scheme(struct slice *s, struct slice *ret)
{
	for (size_t i = 0; i < s->len; i++) {
		char c = s->ptr[i];
		if (is_alpha(c) || (i && (is_digit(c) || c == '+' || c == '-' || c == '.')))
			continue;
		if (c == ':' && i == 0)
			return false;
		if (c == ':') {
			*ret = (struct slice){s->ptr, i};
			*s = (struct slice){s->ptr + i + 1, s->len - i - 1};
		}
		break;
	}
	return true;
}

static bool port_is_good(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_digit(s.ptr[i]))
			return false;
	return true;
}

static bool host_is_good(struct slice host)
{
	const char *bracket = host.len && host.ptr[0] == '[' ? memrchr(host.ptr, ']', host.len) : NULL;
	const char *colon = memrchr(host.ptr, ':', host.len);
	if (host.len && host.ptr[0] == '[') {
		struct slice rest =
		        bracket ? (struct slice){bracket + 1, (size_t)(host.ptr + host.len - bracket - 1)} : SLICE_NULL;
		return bracket &&
		       (!rest.len || (rest.ptr[0] == ':' && port_is_good((struct slice){rest.ptr + 1, rest.len - 1})));
	}
	for (size_t i = 0; i < host.len; i++)
		if (strchr(" \"<>\\^`{|}", host.ptr[i]))
			return false;
	return !colon || port_is_good((struct slice){colon + 1, (size_t)(host.ptr + host.len - colon - 1)});
}

/* NULL, or what is wrong with it. */
static const char *parse(struct slice s, struct url *u)
{
	if (!s.len)
		return "empty url";
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return "invalid control character in URL";
	if (!take_scheme(&s, &u->scheme))
		return "missing protocol scheme";
	const char *mark = memchr(s.ptr, '?', s.len);
	if (mark) {
		u->query = (struct slice){mark + 1, (size_t)(s.ptr + s.len - mark - 1)};
		s.len = (size_t)(mark - s.ptr);
	}
	if (!slice_starts(s, "/"))
		return u->scheme.len ? NULL : "invalid URI for request";
	if (u->scheme.len && slice_starts(s, "//")) {
		struct slice rest = {s.ptr + 2, s.len - 2};
		const char *slash = memchr(rest.ptr, '/', rest.len), *at;
		u->host = (struct slice){rest.ptr, slash ? (size_t)(slash - rest.ptr) : rest.len};
		s = (struct slice){rest.ptr + u->host.len, rest.len - u->host.len};
		at = memrchr(u->host.ptr, '@', u->host.len);
		if (at) {
			u->host.len -= (size_t)(at + 1 - u->host.ptr);
			u->host.ptr = at + 1;
		}
		if (!host_is_good(u->host) || !escapes_are_good(u->host))
			return "invalid host or port";
	}
	if (!escapes_are_good(s))
		return "invalid URL escape";
	u->path = s;
	return NULL;
}

static struct cel_value url(struct cel_run *r, args_t v, size_t n)
{
	struct url *u = ARENA_NEW(r->arena, struct url);
	struct slice s = v[0].text;
	const char *why = parse(s, u);
	if (why)
		return cel_error(r->arena, "URL parse error during conversion from string: parse \"%.*s\": %s",
		        SLICE_FMT(s), why);
	u->head.words = arena_memdup(r->arena, s.ptr, s.len);
	return cel_of_opaque(&url_type, &u->head);
}

static struct cel_value is_url(struct cel_run *r, args_t v, size_t n)
{
	struct url u = {0};
	return cel_of_bool(!parse(v[0].text, &u));
}

static const struct url *of(args_t v)
{
	return v[0].opaque;
}

static struct cel_value scheme(struct cel_run *r, args_t v, size_t n)
{
	char *low = arena_memdup(r->arena, of(v)->scheme.ptr ? of(v)->scheme.ptr : "", of(v)->scheme.len);
	for (char *p = low; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
	return cel_of_text(slice_of(low));
}

static struct cel_value host(struct cel_run *r, args_t v, size_t n)
{
	return cel_of_text(of(v)->host);
}

/* Behind the colon that is no part of an address. */
static struct slice port_of(struct slice h)
{
	const char *colon = memrchr(h.ptr ? h.ptr : "", ':', h.len), *bracket = memrchr(h.ptr ? h.ptr : "", ']', h.len);
	if (!colon || (bracket && bracket > colon))
		return SLICE_NULL;
	return (struct slice){colon + 1, (size_t)(h.ptr + h.len - colon - 1)};
}

static struct cel_value port(struct cel_run *r, args_t v, size_t n)
{
	struct slice p = port_of(of(v)->host);
	return cel_of_text(p.ptr ? p : SLICE(""));
}

static struct cel_value hostname(struct cel_run *r, args_t v, size_t n)
{
	struct slice h = of(v)->host, p = port_of(h);
	if (p.ptr)
		h.len -= p.len + 1;
	if (h.len >= 2 && h.ptr[0] == '[' && h.ptr[h.len - 1] == ']')
		h = (struct slice){h.ptr + 1, h.len - 2};
	return cel_of_text(h);
}

static struct cel_value escaped_path(struct cel_run *r, args_t v, size_t n)
{
	struct strbuf b = STRBUF_INIT;
	struct slice p = of(v)->path;
	for (size_t i = 0; i < p.len; i++) {
		unsigned char c = (unsigned char)p.ptr[i];
		if (c >= 0x80 || strchr(" \"<>\\^`{|}#", c))
			strbuf_addf(&b, "%%%02X", c);
		else
			strbuf_addc(&b, (char)c);
	}
	struct cel_value out = cel_of_text((struct slice){arena_memdup(r->arena, strbuf_cstr(&b), b.len), b.len});
	strbuf_release(&b);
	return out;
}

static bool unescape(struct cel_run *r, struct slice s, struct cel_value *ret)
{
	char *out = arena_alloc(r->arena, s.len + 1);
	size_t len = 0;
	if (!escapes_are_good(s))
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '%') {
			out[len++] = (char)(hex_digit(s.ptr[i + 1]) * 16 + hex_digit(s.ptr[i + 2]));
			i += 2;
		} else {
			out[len++] = s.ptr[i] == '+' ? ' ' : s.ptr[i];
		}
	}
	*ret = cel_of_text((struct slice){out, len});
	return true;
}

/* Every name with its values, in the order they came; what is broken is left out. */
static struct cel_value query(struct cel_run *r, args_t v, size_t n)
{
	struct cel_map_maker m = {0};
	struct slice rest = of(v)->query;
	struct map names = MAP_INIT;
	while (rest.ptr && rest.len) {
		struct slice pair = slice_cut(&rest, '&'), name = slice_cut(&pair, '=');
		struct cel_value k, x = cel_of_text(SLICE(""));
		if ((!name.len && !pair.ptr) || memchr(name.ptr, ';', name.len) || !unescape(r, name, &k) ||
		        (pair.ptr && !unescape(r, pair, &x)))
			continue;
		struct cel_list_maker *values = map_get(&names, k.text);
		if (!values) {
			values = ARENA_NEW(r->arena, struct cel_list_maker);
			map_put(&names, k.text, values);
			cel_map_add(r, &m, k, cel_null());
		}
		cel_list_add(r, values, x);
	}
	for (size_t i = 0; i < m.keys.count; i++)
		m.values.items[i] = cel_list_value(r, map_get(&names, m.keys.items[i].text));
	map_release(&names);
	return cel_map_value(r, &m);
}

static const struct cel_overload rows[] = {
        {"url", "(string)kubernetes.URL", url, CEL_COST_SCAN_SAME},
        {"isURL", "(string)bool", is_url, CEL_COST_SCAN},
        {"getScheme", "kubernetes.URL.()string", scheme, CEL_COST_ONE},
        {"getHost", "kubernetes.URL.()string", host, CEL_COST_ONE},
        {"getHostname", "kubernetes.URL.()string", hostname, CEL_COST_ONE},
        {"getPort", "kubernetes.URL.()string", port, CEL_COST_ONE},
        {"getEscapedPath", "kubernetes.URL.()string", escaped_path, CEL_COST_ONE},
        {"getQuery", "kubernetes.URL.()map(string,list(string))", query, CEL_COST_ONE},
};

const struct cel_library cel_urls = {rows, COUNT_OF(rows)};
