/* See connect_options.h. */
#include "api/server/verbs/connect/connect_options.h"

#include "base/check.h"

enum type { BOOL, TEXT, TEXTS, NUMBERS };

static const struct row {
	const char *name, *kubelet; /* kubelet NULL: it stands in the path, or is not the kubelet's */
	enum type type;
} rows[] = {
        {"stdin", "input", BOOL},
        {"stdout", "output", BOOL},
        {"stderr", "error", BOOL},
        {"tty", "tty", BOOL},
        {"container", NULL, TEXT},
        {"command", "command", TEXTS},
        {"ports", "port", NUMBERS},
        {"path", NULL, TEXT},
};

static const struct row *row_of(struct slice name)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_is(name, rows[i].name))
			return &rows[i];
	return NULL;
}

static void add(struct arena *a, struct json *options, const struct row *r, struct slice value)
{
	int64_t number;
	switch (r->type) {
	case BOOL:
		if (!slice_is(value, "false") && !slice_is(value, "0"))
			json_set_bool(a, options, r->name, true);
		return;
	case TEXT:
		json_set_str(a, options, r->name, value);
		return;
	case TEXTS:
		json_append(json_need(a, options, r->name, JSON_ARRAY), json_new_str(a, value));
		return;
	case NUMBERS:
		if (slice_to_i64(value, &number))
			json_append(json_need(a, options, r->name, JSON_ARRAY), json_new_int(a, number));
		return;
	}
}

/* A proxy's query is the other side's; its path is what follows in this one's. */
static bool is_proxy(const struct call *c)
{
	return strcmp(c->route.sub->name, "proxy") == 0;
}

struct json *connect_options_read(struct call *c)
{
	struct arena *a = &c->arena;
	struct json *options = json_new(a, JSON_OBJECT);
	json_set_cstr(a, options, "kind", c->route.sub->kind);
	json_set_cstr(a, options, "apiVersion", "v1");
	for (size_t i = 0; i < c->n_params && !is_proxy(c); i++) {
		const struct row *r = row_of(c->params[i].name);
		if (r)
			add(a, options, r, c->params[i].value);
	}
	if (is_proxy(c))
		json_set_str(a, options, "path", c->route.tail.len ? c->route.tail : SLICE("/"));
	return options;
}

static void add_query(struct strbuf *out, const char *name, struct slice value, char *sep)
{
	strbuf_addf(out, "%c%s=", *sep, name);
	*sep = '&';
	http_encode(out, value);
}

void connect_options_write(struct strbuf *out, const struct json *options)
{
	char sep = '?';
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct json *v = json_get(options, rows[i].name);
		if (!v || !rows[i].kubelet)
			continue;
		if (rows[i].type == BOOL && json_bool(v, false))
			add_query(out, rows[i].kubelet, SLICE("1"), &sep);
		JSON_FOREACH (it, rows[i].type == BOOL ? NULL : v)
			add_query(out, rows[i].kubelet, it->text, &sep);
	}
}
