/* See warnings.h. Upstream: pkg/api/node (labels), pkg/api/persistentvolumeclaim, and the strategies of pkg/registry.
 */
#include "api/machinery/rules/warnings.h"

#include "api/machinery/codec/quantity.h"
#include "api/machinery/schema/kind_ops.h"
#include "base/check.h"

#include <stdarg.h>
#include <stdio.h>

void warnings_init(struct warnings *w, struct arena *a)
{
	w->arena = a;
	w->count = 0;
}

void warning_add(struct warnings *w, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	for (size_t i = 0; i < w->count; i++)
		if (strcmp(w->items[i], text) == 0)
			return;
	if (!warnings_are_full(w))
		w->items[w->count++] = arena_strdup(w->arena, text);
}

void object_warnings(struct warnings *w, const struct resource *r, const struct json *object, const struct json *old,
        const char *sub)
{
	const struct kind_ops *ops = resource_ops(r);
	if (ops->warn && !*sub)
		ops->warn(w, object, old);
}

bool is_new_spec(const struct json *object, const struct json *old)
{
	const struct json *now = json_path(object, "metadata", "generation", NULL);
	return !old || json_int(now, 0) != json_int(json_path(old, "metadata", "generation", NULL), 0);
}

const char *old_node_label(struct slice key)
{
	static const struct {
		const char *key, *message;
	} rows[] = {{"beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"},
	        {"beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"},
	        {"failure-domain.beta.kubernetes.io/region",
	                "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"},
	        {"failure-domain.beta.kubernetes.io/zone",
	                "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"},
	        {"beta.kubernetes.io/instance-type",
	                "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"}};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (slice_is(key, rows[i].key))
			return rows[i].message;
	return NULL;
}

void warn_of_node_term(struct warnings *w, const char *field, const struct json *term)
{
	int i = 0;
	JSON_FOREACH (it, json_get(term, "matchExpressions")) {
		struct slice key = json_get_str(it, "key");
		const char *old = old_node_label(key);
		if (old)
			warning_add(w, "%s.matchExpressions[%d].key: %.*s is %s", field, i, SLICE_FMT(key), old);
		i++;
	}
}

bool has_fraction(const struct json *amounts, const char *resource)
{
	const struct json *v = json_get(amounts, resource);
	struct quantity q;
	return v && quantity_parse(v->text, &q, NULL) == 0 && quantity_milli_value(&q) % 1000 != 0;
}

void warn_of_fraction(struct warnings *w, const char *field, const struct json *amounts, const char *resource)
{
	struct quantity q;
	char text[QUANTITY_TEXT_MAX];
	if (quantity_parse(json_get(amounts, resource)->text, &q, NULL) != 0)
		return;
	quantity_format(&q, text);
	warning_add(w, "%s[%s]: fractional byte value \"%s\" is invalid, must be an integer", field, resource, text);
}

void warn_of_claim_spec(struct warnings *w, const char *field, const struct json *spec)
{
	static const char *const parts[] = {"requests", "limits"};
	const struct json *resources = json_get(spec, "resources");
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (has_fraction(json_get(resources, parts[i]), "storage"))
			warn_of_fraction(w, arena_printf(w->arena, "%s.resources.%s", field, parts[i]),
			        json_get(resources, parts[i]), "storage");
}
