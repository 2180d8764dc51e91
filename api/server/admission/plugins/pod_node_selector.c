/* PodNodeSelector: pods of a namespace run on the nodes that its annotation (or the configuration's default) selects,
 * and may ask for no other than those that the configuration has for the namespace.
 *
 * The annotation is text like "key=value, other=value". One that does not read lets no pod in. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/server/admission/config.h"
#include "api/server/call.h"
#include "api/server/state.h"

/* Labels of "k=v, k=v" as an object of texts. NULL: it does not read. */
static struct json *labels_of(struct arena *a, struct slice text)
{
	struct json *labels = json_new(a, JSON_OBJECT);
	text = slice_trim(text);
	while (text.len) {
		struct slice value = slice_cut(&text, ','), key = slice_cut(&value, '=');
		key = slice_trim(key);
		value = value.len && *value.ptr == '=' ? (struct slice){value.ptr + 1, value.len - 1} : value;
		if (!key.len || !value.ptr || validate_label_key(key) || validate_label_value(slice_trim(value)))
			return NULL;
		json_set_slice(a, labels, key, json_new_str(a, slice_trim(value)));
	}
	return labels;
}

static const struct json *config_of(const struct admission *a)
{
	return a->call->server->admission->node_selectors;
}

static struct json *selector_of_namespace(struct admission *a)
{
	struct object *o = admission_lookup(a, "", "namespaces", a->ns);
	const struct json *ns = o ? json_parse(a->arena, object_text(o), NULL, NULL) : NULL;
	const struct json *annotation =
	        json_get(json_path(ns, "metadata", "annotations", NULL), "scheduler.alpha.kubernetes.io/node-selector");
	return labels_of(
	        a->arena, annotation ? json_str(annotation) : json_get_str(config_of(a), "clusterDefaultNodeSelector"));
}

static bool conflict(const struct json *x, const struct json *y)
{
	JSON_FOREACH (it, x) {
		const struct json *other = json_get_slice(y, it->key);
		if (other && !slice_eq(json_str(other), json_str(it)))
			return true;
	}
	return false;
}

static bool is_subset(const struct json *x, const struct json *of)
{
	JSON_FOREACH (it, x) {
		const struct json *other = json_get_slice(of, it->key);
		if (!other || !slice_eq(json_str(other), json_str(it)))
			return false;
	}
	return true;
}

int admit_node_selector(struct admission *a, struct err *err)
{
	struct json *want = selector_of_namespace(a), *spec = json_need(a->arena, a->object, "spec", JSON_OBJECT);
	if (!want)
		return admission_forbid(a, err, "the node selector of its namespace does not read");
	if (conflict(want, json_get(spec, "nodeSelector")))
		return admission_forbid(
		        a, err, "pod node label selector conflicts with its namespace node label selector");
	JSON_FOREACH (it, want)
		json_set_slice(a->arena, json_need(a->arena, spec, "nodeSelector", JSON_OBJECT), it->key,
		        json_copy(a->arena, it));
	return 0;
}

int admit_node_selector_again(struct admission *a, struct err *err)
{
	const struct json *asked = json_path(a->object, "spec", "nodeSelector", NULL);
	struct json *want = selector_of_namespace(a);
	if (!want || conflict(want, asked))
		return admission_forbid(
		        a, err, "pod node label selector conflicts with its namespace node label selector");
	const struct json *text = json_get_slice(config_of(a), a->ns);
	struct json *allowed = text ? labels_of(a->arena, json_str(text)) : NULL;
	if (text && !allowed)
		return admission_forbid(a, err, "the configuration's node selector of its namespace does not read");
	if (allowed && allowed->first && !is_subset(asked, allowed))
		return admission_forbid(a, err, "pod node label selector labels conflict with its namespace whitelist");
	return 0;
}
