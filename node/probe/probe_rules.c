/* See probe_rules_int.h. */
#include "node/probe/probe_rules_int.h"

#include "base/check.h"
#include <ctype.h>

enum { FIRST_MS = 50, DEFAULT_PERIOD_S = 10, SECONDS_MAX = 1000000 };

enum probe_verdict probe_count_run(struct probe_count *c, const struct json *spec, bool is_ok)
{
	CHECK(!c->successes || !c->failures);
	if (is_ok) {
		c->failures = 0;
		c->successes++;
		return c->successes >= (unsigned)json_get_int(spec, "successThreshold", 1) ? PROBE_PASSED
		                                                                           : PROBE_UNDECIDED;
	}
	c->successes = 0;
	c->failures++;
	if (c->failures < (unsigned)json_get_int(spec, "failureThreshold", 3))
		return PROBE_UNDECIDED;
	c->failures = 0;
	return PROBE_FAILED;
}

/* Seconds of a field; `fallback` when it is absent or none that can be. */
static int64_t seconds(const struct json *spec, const char *field, int64_t fallback)
{
	CHECK(fallback >= 0 && fallback <= SECONDS_MAX);
	int64_t s = json_get_int(spec, field, fallback);
	return s <= 0 ? fallback : s > SECONDS_MAX ? SECONDS_MAX : s;
}

uint64_t probe_first_ms(const struct json *spec, int64_t age_ms)
{
	int64_t left_ms = seconds(spec, "initialDelaySeconds", 0) * 1000 - age_ms;
	return left_ms > FIRST_MS ? (uint64_t)left_ms : FIRST_MS;
}

unsigned probe_period_ms(const struct json *spec)
{
	return (unsigned)seconds(spec, "periodSeconds", DEFAULT_PERIOD_S) * 1000;
}

unsigned probe_timeout_ms(const struct json *spec)
{
	return (unsigned)seconds(spec, "timeoutSeconds", 1) * 1000;
}

/* ---- requests ---- */

/* RFC 3986: what may stand in a path or a query as it is, and a '%' that begins an escape. */
static bool stands_as_it_is(const char *p)
{
	unsigned char c = (unsigned char)*p;
	if (c == '%')
		return isxdigit((unsigned char)p[1]) && isxdigit((unsigned char)p[2]);
	return c > ' ' && c < 0x7f && !strchr("\"<>\\^`{|}", c);
}

static const char *escaped(struct arena *a, const char *path)
{
	struct strbuf b = STRBUF_INIT;
	if (*path != '/')
		strbuf_addc(&b, '/');
	for (; *path && *path != '#'; path++)
		if (stands_as_it_is(path))
			strbuf_addc(&b, *path);
		else
			strbuf_addf(&b, "%%%02X", (unsigned char)*path);
	const char *target = arena_memdup(a, b.data, b.len);
	strbuf_release(&b);
	return target;
}

static const char *lower(struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, text);
	for (char *c = copy; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

struct probe_request probe_http_request(struct arena *a, const struct json *get)
{
	struct json *list = json_get(get, "httpHeaders");
	struct probe_request r = {.target = escaped(a, json_cstr(a, json_get(get, "path"))),
	        .headers = ARENA_ARRAY(a, struct http_header, (list ? list->count : 0) + 1)};
	bool has_agent = false;
	JSON_FOREACH (it, list) {
		const char *name = lower(a, json_cstr(a, json_get(it, "name")));
		bool is_agent = strcmp(name, "user-agent") == 0;
		has_agent = has_agent || is_agent;
		if (strcmp(name, "host") == 0)
			r.host = json_cstr(a, json_get(it, "value"));
		else if (*name && !(is_agent && !json_get_str(it, "value").len)) /* an empty agent: none is sent */
			r.headers[r.headers_count++] = (struct http_header){slice_of(name), json_get_str(it, "value")};
	}
	if (!has_agent)
		r.headers[r.headers_count++] = (struct http_header){SLICE("user-agent"), SLICE("kube-probe/1.32")};
	return r;
}
