/* Any JSON as the objects of the Gateway API, {"classes":[],"gateways":[],"routes":[],"grants":[]}, and what stands
 * behind the first zero byte, "HOST PATH QUERY", as a request: a table is made of it, asked and given back without
 * harm. */
#include "net/ingress/route/gateways.h"

#include "base/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct backend {
	int refs;
};

static struct backend only;

static struct backend *take(void *arg, struct slice ns, struct slice service, struct slice port)
{
	only.refs++;
	return &only;
}

static void drop(struct backend *b)
{
	b->refs--;
}

static void told(void *arg, const struct json *ingress, const char *reason, const char *message)
{
}

static const struct json *labels(void *arg, struct slice ns)
{
	return arg;
}

static enum service_found service(void *arg, struct slice ns, struct slice name, int64_t port)
{
	return name.len % 3 == 0 ? SERVICE_ABSENT : name.len % 3 == 1 ? SERVICE_FOUND : SERVICE_WITHOUT_PORT;
}

static bool has_certificate(void *arg, struct slice ns, struct slice secret)
{
	return secret.len % 2;
}

static struct slice header(void *arg, const char *name)
{
	struct slice *s = arg;
	return *name == 'x' ? *s : SLICE_NULL;
}

static struct json_list list_of(struct arena *a, const struct json *all, const char *member)
{
	const struct json *list = json_get(all, member);
	struct json_list out = {ARENA_ARRAY(a, const struct json *, list ? list->count + 1 : 1), 0};
	JSON_FOREACH (it, list)
		out.items[out.count++] = it;
	return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct route_table_makers makers = {take, drop, told, NULL};
	struct arena a = ARENA_INIT;
	struct slice rest = {(const char *)data, size}, text = slice_cut(&rest, 0), host, path;
	const struct json *all = json_parse(&a, text, NULL, NULL);
	if (all) {
		struct route_table *t = route_table_new(&makers);
		struct gateways_input in = {.controller = "ours",
		        .classes = list_of(&a, all, "classes"),
		        .gateways = list_of(&a, all, "gateways"),
		        .routes = list_of(&a, all, "routes"),
		        .grants = list_of(&a, all, "grants"),
		        .addresses = json_get(all, "addresses"),
		        .labels = labels,
		        .labels_arg = json_get(all, "labels"),
		        .service = service,
		        .has_certificate = has_certificate};
		for (struct gateway_status *s = gateways_add(&a, t, &in); s; s = s->next)
			CHECK(s->status && s->object && s->plural);
		route_table_seal(t);
		host = slice_cut(&rest, ' ');
		path = slice_cut(&rest, ' ');
		struct match_asked asked = {SLICE("GET"), rest, header, &rest};
		for (int e = 0; e < ENTRY_POINTS; e++) {
			const struct route *r = route_table_find(t, (enum entry_point)e, host, path, &asked);
			if (r && r->filters && r->filters->rewrite)
				CHECK(url_change_path(&a, r->filters->rewrite, &r->rule, path).ptr || !path.len);
		}
		route_table_secret(t, host);
		route_table_unref(t);
		CHECK(only.refs == 0);
	}
	arena_release(&a);
	return 0;
}
