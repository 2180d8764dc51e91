/* Which route a request takes, what is told of Ingresses that can't be served whole, and who gives back what. */
#include "tests/unit/unit.h"

#include "net/ingress/route/route_table.h"

struct backend {
	char name[64];
	int refs;
};

static struct backend backends[16];
static size_t backends_count;
static char told_last[300];
static int told_count;

static struct backend *take(void *arg, struct slice ns, struct slice service, struct slice port)
{
	char name[64];
	snprintf(name, sizeof name, "%.*s/%.*s:%.*s", SLICE_FMT(ns), SLICE_FMT(service), SLICE_FMT(port));
	for (size_t i = 0; i < backends_count; i++)
		if (strcmp(backends[i].name, name) == 0) {
			backends[i].refs++;
			return &backends[i];
		}
	struct backend *b = &backends[backends_count++];
	snprintf(b->name, sizeof b->name, "%s", name);
	b->refs = 1;
	return b;
}

static void drop(struct backend *b)
{
	b->refs--;
}

static void told(void *arg, const struct json *ingress, const char *reason, const char *message)
{
	snprintf(told_last, sizeof told_last, "%s: %s", reason, message);
	told_count++;
}

static const struct route_table_makers makers = {take, drop, told, NULL};

static struct route_table *table_of(const char *const *ingresses, size_t n)
{
	struct route_table *t = route_table_new(&makers);
	backends_count = 0;
	told_count = 0;
	for (size_t i = 0; i < n; i++) {
		struct arena a = ARENA_INIT;
		struct err err = ERR_INIT;
		struct json *j = json_parse(&a, slice_of(ingresses[i]), NULL, &err);
		if (!j)
			fail_msg("%s", err.msg);
		route_table_add(t, j);
		arena_release(&a);
	}
	route_table_seal(t);
	return t;
}

static const char *found(const struct route_table *t, enum entry_point e, const char *host, const char *path)
{
	const struct route *r = route_table_find(t, e, slice_of(host), slice_of(path), NULL);
	return r ? r->backend->name : "none";
}

static void end_of(struct route_table *t)
{
	route_table_unref(t);
	for (size_t i = 0; i < backends_count; i++)
		assert_int_equal(backends[i].refs, 0);
}

#define META "\"metadata\":{\"namespace\":\"ns\",\"name\":\"x\"}"
#define PATH(path, type, service) \
	"{\"path\":\"" path "\",\"pathType\":\"" type "\",\"backend\":{\"service\":{\"name\":\"" service \
	"\",\"port\":{\"number\":80}}}}"

static void the_nearest_rule_is_taken(void **state)
{
	static const char *const one[] = {
	        "{" META ",\"spec\":{\"rules\":["
	        "{\"host\":\"a.test\",\"http\":{\"paths\":[" PATH("/", "Prefix", "root") "," PATH(
	                "/foo", "Prefix", "foo") "," PATH("/foo", "Exact", "exact") "," PATH("/foo/bar", "Prefix",
	                "bar") "]}},"
	                       "{\"host\":\"*.test\",\"http\":{\"paths\":[" PATH("/", "Prefix",
	                               "wild") "]}},"
	                                       "{\"host\":\"B.Test\",\"http\":{\"paths\":[" PATH("/only", "Exact",
	                                               "only") "]}},"
	                                                       "{\"http\":{\"paths\":[" PATH("/any", "Prefix",
	                                                               "any") "]}}],"
	                                                                      "\"defaultBackend\":{\"service\":{"
	                                                                      "\"name\":\"last\",\"port\":{\"name\":"
	                                                                      "\"http\"}}}}}"};
	struct route_table *t = table_of(one, 1);
	static const char *const rows[][3] = {{"a.test", "/", "ns/root:80"}, {"a.test", "/foo", "ns/exact:80"},
	        {"a.test", "/foo/", "ns/foo:80"}, {"a.test", "/foo/bar/x", "ns/bar:80"},
	        {"a.test", "/foobar", "ns/root:80"}, {"c.test", "/x", "ns/wild:80"}, {"c.d.test", "/x", "ns/last:http"},
	        {"b.test", "/only", "ns/only:80"}, {"b.test", "/other", "ns/wild:80"}, {"", "/any/x", "ns/any:80"},
	        {"x.org", "/any", "ns/any:80"}, {"x.org", "/", "ns/last:http"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_string_equal(found(t, ENTRY_WEB, rows[i][0], rows[i][1]), rows[i][2]);
	assert_int_equal(told_count, 0);
	end_of(t);
}

static void the_older_ingress_wins(void **state)
{
	static const char *const two[] = {
	        "{" META
	        ",\"spec\":{\"rules\":[{\"host\":\"a.test\",\"http\":{\"paths\":[" PATH("/", "Prefix", "old") "]}}]}}",
	        "{" META
	        ",\"spec\":{\"rules\":[{\"host\":\"a.test\",\"http\":{\"paths\":[" PATH("/", "Prefix", "new") "]}}]}}",
	        "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"x\",\"annotations\":{\"traefik.ingress.kubernetes.io/"
	        "router.priority\":\"99\"}},\"spec\":{\"rules\":[{\"host\":\"b.test\",\"http\":{\"paths\":[" PATH(
	                "/", "Prefix", "first") "]}}]}}",
	        "{" META ",\"spec\":{\"rules\":[{\"host\":\"b.test\",\"http\":{\"paths\":[" PATH(
	                "/longer", "Prefix", "new") "]}}]}}"};
	struct route_table *t = table_of(two, 4);
	assert_string_equal(found(t, ENTRY_WEB, "a.test", "/"), "ns/old:80");
	assert_string_equal(found(t, ENTRY_WEB, "b.test", "/longer"), "ns/first:80");
	end_of(t);
}

static void entry_points_and_aliases(void **state)
{
	static const char *const one[] = {
	        "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"x\",\"annotations\":{\"traefik.ingress.kubernetes.io/"
	        "router.entrypoints\":\"websecure\",\"nginx.ingress.kubernetes.io/server-alias\":\"b.test, c.test\"}},"
	        "\"spec\":{\"rules\":[{\"host\":\"a.test\",\"http\":{\"paths\":[" PATH(
	                "/", "Prefix", "web") "]}}],\"tls\":[{\"secretName\":\"s\"},{\"hosts\":[\"*.T.test\"],"
	                                      "\"secretName\":\"w\"}]}}"};
	struct route_table *t = table_of(one, 1);
	assert_string_equal(found(t, ENTRY_WEB, "a.test", "/"), "none");
	assert_string_equal(found(t, ENTRY_WEBSECURE, "a.test", "/"), "ns/web:80");
	assert_string_equal(found(t, ENTRY_WEBSECURE, "c.test", "/"), "ns/web:80");
	assert_true(slice_is(route_table_secret(t, SLICE("a.test")), "ns/s"));
	assert_true(slice_is(route_table_secret(t, SLICE("x.t.test")), "ns/w"));
	assert_false(route_table_secret(t, SLICE("x.y.t.test")).len);
	end_of(t);
}

static void what_is_not_served_is_told(void **state)
{
	static const struct {
		const char *annotation, *value, *want;
	} rows[] = {{"nginx.ingress.kubernetes.io/configuration-snippet", "x", "is not served here"},
	        {"traefik.ingress.kubernetes.io/router.middlewares", "x", "is not served here"},
	        {"nginx.ingress.kubernetes.io/ssl-redirect", "yes", "must be \\\"true\\\" or"},
	        {"nginx.ingress.kubernetes.io/limit-rps", "-1", "no number"},
	        {"nginx.ingress.kubernetes.io/whitelist-source-range", "10.0.0.0/33",
	                "neither an address nor a network"},
	        {"nginx.ingress.kubernetes.io/auth-type", "digest", "only basic"},
	        {"nginx.ingress.kubernetes.io/proxy-body-size", "8x", "no size"},
	        {"nginx.ingress.kubernetes.io/affinity", "ip", "must be cookie"},
	        {"nginx.ingress.kubernetes.io/rewrite-target", "/a b", "no blanks"},
	        {"nginx.ingress.kubernetes.io/rewrite-target", "/a\\r\\nX: 1", "control characters"},
	        {"nginx.ingress.kubernetes.io/upstream-vhost", "a\\nX: 1", "control characters"},
	        {"traefik.ingress.kubernetes.io/router.entrypoints", "admin", "web and websecure"}};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[600];
		const char *one = text;
		snprintf(text, sizeof text,
		        "{\"metadata\":{\"namespace\":\"ns\",\"name\":\"x\",\"annotations\":{\"other.example/"
		        "x\":\"y\",\"%s\":\"%s\"}},\"spec\":{}}",
		        rows[i].annotation, rows[i].value);
		end_of(table_of(&one, 1));
		assert_int_equal(told_count, 1);
		assert_non_null(strstr(told_last, rows[i].annotation));
		if (!strchr(rows[i].want, '\\'))
			assert_non_null(strstr(told_last, rows[i].want));
	}
	static const char *const odd[] = {
	        "{" META ",\"spec\":{\"rules\":[{\"http\":{\"paths\":[{\"path\":\"/"
	        "\",\"pathType\":\"Prefix\",\"backend\":{\"resource\":{\"kind\":\"Bucket\"}}}]}}]}}"};
	struct route_table *t = table_of(odd, 1);
	assert_string_equal(found(t, ENTRY_WEB, "", "/"), "none");
	assert_non_null(strstr(told_last, "UnsupportedBackend"));
	end_of(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(the_nearest_rule_is_taken),
	        cmocka_unit_test(the_older_ingress_wins),
	        cmocka_unit_test(entry_points_and_aliases),
	        cmocka_unit_test(what_is_not_served_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
