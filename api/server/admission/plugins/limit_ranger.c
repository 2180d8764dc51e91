/* LimitRanger: what the LimitRanges of a namespace say of its pods' containers, of pods as a whole and of claims.
 * Containers that name no request or limit get the default one, and an annotation that says so; then what is below the
 * least, above the most, or asks for too little of what it may use, is refused, with every reason at once.
 *
 * Words and order are upstream's. Containers cannot change, so pods are looked at when they are made. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/machinery/codec/resource_list.h"

#include <stdlib.h>

/* Quantities are compared in thousandths where both fit, and then a ratio of 1.5 says something. */
#define MILLI_MAX (((INT64_C(1) << 53) - 1) / 1000)

static bool is_claim(const struct admission *a)
{
	return !resource_has(a->resource, KIND_IS_POD);
}

/* Calls fn for each limit (of spec.limits) of each LimitRange of the namespace. */
struct limits {
	struct admission *a;
	void (*fn)(struct limits *l, const struct json *limit, struct slice type);
	struct strbuf *why;
	size_t n_reasons;
};

static void take_limits(void *arg, struct object *o)
{
	struct limits *l = arg;
	struct json *range = json_parse(l->a->arena, object_text(o), NULL, NULL);
	JSON_FOREACH (limit, json_path(range, "spec", "limits", NULL))
		l->fn(l, limit, json_get_str(limit, "type"));
}

static void each_limit(struct limits *l)
{
	admission_each(l->a, "", "limitranges", l->a->ns, take_limits, l);
}

/* ---- defaults ---- */

static int compare_texts(const void *x, const void *y)
{
	return slice_cmp(*(const struct slice *)x, *(const struct slice *)y);
}

/* "cpu, memory request for container web" */
static void note_defaults(struct admission *a, struct strbuf *notes, struct slice *names, size_t n, const char *what,
        const char *kind, const struct json *container)
{
	if (!n)
		return;
	qsort(names, n, sizeof *names, compare_texts);
	strbuf_adds(notes, notes->len ? "; " : "");
	for (size_t i = 0; i < n; i++)
		strbuf_addf(notes, "%s%.*s", i ? ", " : "", SLICE_FMT(names[i]));
	strbuf_addf(notes, " %s for %s %.*s", what, kind, SLICE_FMT(json_get_str(container, "name")));
}

/* Members of `defaults` that the container's list lacks. */
static void fill_list(struct admission *a, struct json *container, const struct json *defaults, const char *list,
        const char *what, const char *kind, struct strbuf *notes)
{
	struct slice *names = ARENA_ARRAY(a->arena, struct slice, (defaults ? defaults->count : 0) + 1);
	size_t n = 0;
	JSON_FOREACH (it, defaults) {
		struct json *resources = json_need(a->arena, container, "resources", JSON_OBJECT);
		struct json *own = json_need(a->arena, resources, list, JSON_OBJECT);
		if (json_get_slice(own, it->key))
			continue;
		json_set_slice(a->arena, own, it->key, json_copy(a->arena, it));
		names[n++] = it->key;
	}
	note_defaults(a, notes, names, n, what, kind, container);
}

static void fill_containers(
        struct admission *a, const char *member, const char *kind, const struct json *limit, struct strbuf *notes)
{
	JSON_FOREACH (c, json_path(a->object, "spec", member, NULL)) {
		fill_list(a, c, json_get(limit, "defaultRequest"), "requests", "request", kind, notes);
		fill_list(a, c, json_get(limit, "default"), "limits", "limit", kind, notes);
	}
}

static void fill_from(struct limits *l, const struct json *limit, struct slice type)
{
	if (!slice_is(type, "Container"))
		return;
	fill_containers(l->a, "containers", "container", limit, l->why);
	fill_containers(l->a, "initContainers", "init container", limit, l->why);
}

int admit_limit_defaults(struct admission *a, struct err *err)
{
	struct strbuf notes = STRBUF_INIT;
	struct limits l = {.a = a, .fn = fill_from, .why = &notes};
	if (is_claim(a) || *a->sub)
		return 0;
	each_limit(&l);
	if (notes.len) {
		struct json *meta = json_need(a->arena, a->object, "metadata", JSON_OBJECT);
		struct json *annotations = json_need(a->arena, meta, "annotations", JSON_OBJECT);
		json_set_cstr(a->arena, annotations, "kubernetes.io/limit-ranger",
		        arena_printf(a->arena, "LimitRanger plugin set: %.*s", (int)notes.len, notes.data));
	}
	strbuf_release(&notes);
	return 0;
}

/* ---- limits ---- */

static void refuse(struct limits *l, const char *why)
{
	strbuf_adds(l->why, l->n_reasons++ ? ", " : "");
	strbuf_adds(l->why, why);
}

static const char *text(struct limits *l, const struct quantity *q)
{
	char out[QUANTITY_TEXT_MAX];
	quantity_format(q, out);
	return arena_strdup(l->a->arena, out);
}

/* What somebody uses of a resource. */
struct used {
	struct slice name, type;
	const struct quantity *request, *limit; /* NULL: none */
};

static void check_least(struct limits *l, const struct used *u, const struct quantity *least)
{
	const char *head = arena_printf(l->a->arena, "minimum %.*s usage per %.*s is %s", SLICE_FMT(u->name),
	        SLICE_FMT(u->type), text(l, least));
	if (!u->request)
		refuse(l, arena_printf(l->a->arena, "%s.  No request is specified", head));
	else if (quantity_cmp(u->request, least) < 0)
		refuse(l, arena_printf(l->a->arena, "%s, but request is %s", head, text(l, u->request)));
	else if (u->limit && quantity_cmp(u->limit, least) < 0)
		refuse(l, arena_printf(l->a->arena, "%s, but limit is %s", head, text(l, u->limit)));
}

static void check_most(struct limits *l, const struct used *u, const struct quantity *most)
{
	const char *head = arena_printf(l->a->arena, "maximum %.*s usage per %.*s is %s", SLICE_FMT(u->name),
	        SLICE_FMT(u->type), text(l, most));
	if (!u->limit)
		refuse(l, arena_printf(l->a->arena, "%s.  No limit is specified", head));
	else if (quantity_cmp(u->limit, most) > 0)
		refuse(l, arena_printf(l->a->arena, "%s, but limit is %s", head, text(l, u->limit)));
	else if (u->request && quantity_cmp(u->request, most) > 0)
		refuse(l, arena_printf(l->a->arena, "%s, but request is %s", head, text(l, u->request)));
}

/* Of a claim, which has no limit. */
static void check_most_request(struct limits *l, const struct used *u, const struct quantity *most)
{
	const char *head = arena_printf(l->a->arena, "maximum %.*s usage per %.*s is %s", SLICE_FMT(u->name),
	        SLICE_FMT(u->type), text(l, most));
	if (!u->request)
		refuse(l, arena_printf(l->a->arena, "%s.  No request is specified", head));
	else if (quantity_cmp(u->request, most) > 0)
		refuse(l, arena_printf(l->a->arena, "%s, but request is %s", head, text(l, u->request)));
}

static void check_ratio(struct limits *l, const struct used *u, const struct quantity *most)
{
	const char *head = arena_printf(l->a->arena, "%.*s max limit to request ratio per %.*s is %s",
	        SLICE_FMT(u->name), SLICE_FMT(u->type), text(l, most));
	if (!u->request || !quantity_sign(u->request)) {
		refuse(l, arena_printf(l->a->arena, "%s, but no request is specified or request is 0", head));
		return;
	}
	if (!u->limit || !quantity_sign(u->limit)) {
		refuse(l, arena_printf(l->a->arena, "%s, but no limit is specified or limit is 0", head));
		return;
	}
	double ratio = quantity_double(u->limit) / quantity_double(u->request);
	bool is_fine = quantity_value(most) <= MILLI_MAX;
	double allowed = is_fine ? (double)quantity_milli_value(most) / 1000 : (double)quantity_value(most);
	if (ratio > allowed)
		refuse(l, arena_printf(l->a->arena, "%s, but provided ratio is %f", head, ratio));
}

static void check_each(struct limits *l, const struct json *limit, const char *rule, struct slice type,
        const struct resource_list *requests, const struct resource_list *limits,
        void (*check)(struct limits *l, const struct used *u, const struct quantity *bound))
{
	struct resource_list bounds = resource_list_read(l->a->arena, json_get(limit, rule));
	for (size_t i = 0; i < bounds.n; i++) {
		struct slice name = bounds.list[i].name;
		struct used u = {
		        name, type, resource_list_get(requests, name), limits ? resource_list_get(limits, name) : NULL};
		check(l, &u, &bounds.list[i].q);
	}
}

static void check_all(struct limits *l, const struct json *limit, struct slice type,
        const struct resource_list *requests, const struct resource_list *limits)
{
	check_each(l, limit, "min", type, requests, limits, check_least);
	check_each(l, limit, "max", type, requests, limits, check_most);
	check_each(l, limit, "maxLimitRequestRatio", type, requests, limits, check_ratio);
}

static void check_containers(struct limits *l, const char *member, const struct json *limit, struct slice type)
{
	JSON_FOREACH (c, json_path(l->a->object, "spec", member, NULL)) {
		struct resource_list requests =
		        resource_list_read(l->a->arena, json_path(c, "resources", "requests", NULL));
		struct resource_list limits =
		        resource_list_read(l->a->arena, json_path(c, "resources", "limits", NULL));
		check_all(l, limit, type, &requests, &limits);
	}
}

static void check_pod(struct limits *l, const struct json *limit, struct slice type)
{
	const struct json *spec = json_get(l->a->object, "spec");
	if (slice_is(type, "Container")) {
		check_containers(l, "containers", limit, type);
		check_containers(l, "initContainers", limit, type);
	} else if (slice_is(type, "Pod")) {
		struct resource_list requests = resource_list_of_pod(l->a->arena, spec, "requests");
		struct resource_list limits = resource_list_of_pod(l->a->arena, spec, "limits");
		check_all(l, limit, type, &requests, &limits);
	}
}

static void check_claim(struct limits *l, const struct json *limit, struct slice type)
{
	if (!slice_is(type, "PersistentVolumeClaim"))
		return;
	struct resource_list requests =
	        resource_list_read(l->a->arena, json_path(l->a->object, "spec", "resources", "requests", NULL));
	check_each(l, limit, "min", type, &requests, NULL, check_least);
	check_each(l, limit, "max", type, &requests, NULL, check_most_request);
}

int admit_limits(struct admission *a, struct err *err)
{
	struct strbuf why = STRBUF_INIT;
	struct limits l = {.a = a, .fn = is_claim(a) ? check_claim : check_pod, .why = &why};
	if (!is_claim(a) && a->operation != ADMISSION_CREATE && !*a->sub) /* else it is a resize */
		return 0;
	each_limit(&l);
	if (l.n_reasons)
		admission_forbid(a, err,
		        arena_printf(a->arena, "%s%.*s%s", l.n_reasons > 1 ? "[" : "", (int)why.len, why.data,
		                l.n_reasons > 1 ? "]" : ""));
	strbuf_release(&why);
	return err->code;
}
