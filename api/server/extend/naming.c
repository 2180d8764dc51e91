/* See naming.h. */
#include "api/server/extend/naming.h"

#include "api/machinery/rules/custom/definition.h"
#include "base/check.h"

static struct slice copy(struct arena *a, struct slice s)
{
	return (struct slice){arena_memdup(a, s.ptr ? s.ptr : "", s.len), s.len};
}

void naming_read(struct arena *a, const struct json *crd, struct definition_names *out)
{
	const struct json *names = json_path(crd, "status", "acceptedNames", NULL),
	                  *shorts = json_get(names, "shortNames");
	*out = (struct definition_names){.group = copy(a, json_str(json_path(crd, "spec", "group", NULL))),
	        .plural = copy(a, json_get_str(names, "plural")),
	        .singular = copy(a, json_get_str(names, "singular")),
	        .kind = copy(a, json_get_str(names, "kind")),
	        .list_kind = copy(a, json_get_str(names, "listKind")),
	        .is_refused = !definition_has_condition(crd, "NamesAccepted")};
	out->short_names = ARENA_ARRAY(a, struct slice, json_is(shorts, JSON_ARRAY) ? shorts->count + 1 : 1);
	JSON_FOREACH (it, shorts)
		out->short_names[out->short_count++] = copy(a, json_str(it));
}

/* ---- conditions ---- */

bool naming_set_condition(struct arena *a, struct json *status, const char *type, bool value, const char *reason,
        const char *message, const char *now)
{
	struct json *list = json_need(a, status, "conditions", JSON_ARRAY), *c = NULL;
	const char *word = value ? "True" : "False";
	JSON_FOREACH (it, list)
		if (slice_is(json_get_str(it, "type"), type))
			c = it;
	if (c && slice_is(json_get_str(c, "status"), word) && slice_is(json_get_str(c, "reason"), reason) &&
	        slice_is(json_get_str(c, "message"), message))
		return false;
	bool moves = !c || !slice_is(json_get_str(c, "status"), word);
	if (!c) {
		c = json_new(a, JSON_OBJECT);
		json_append(list, c);
	}
	if (moves)
		json_set_cstr(a, c, "lastTransitionTime", now);
	json_set_cstr(a, c, "message", message);
	json_set_cstr(a, c, "reason", reason);
	json_set_cstr(a, c, "status", word);
	json_set_cstr(a, c, "type", type);
	return true;
}

/* ---- names ---- */

struct accepting {
	struct arena *arena;
	const struct naming *naming;
	struct slice group;
	const struct json *wanted;
	struct json *accepted;
	const char *reason, *message; /* of the last conflict, as upstream tells it */
	bool changed;
};

static bool refuse(struct accepting *x, const char *reason, struct slice name)
{
	x->reason = reason;
	x->message = arena_printf(x->arena, "\"%.*s\" is already in use", SLICE_FMT(name));
	return false;
}

static bool is_free(struct accepting *x, struct slice name, bool is_kind, const char *reason)
{
	const struct naming *n = x->naming;
	bool taken = name.len && (is_kind ? n->is_kind_taken : n->is_resource_taken)(n->arg, x->group, name);
	return taken ? refuse(x, reason, name) : true;
}

static void accept_value(struct accepting *x, const char *key)
{
	const struct json *v = json_get(x->wanted, key);
	if (json_equal(v, json_get(x->accepted, key)))
		return;
	x->changed = true;
	if (v)
		json_set(x->arena, x->accepted, key, json_copy(x->arena, v));
	else
		json_del(x->accepted, key);
}

static void accept_name(struct accepting *x, const char *key, bool is_kind, const char *reason)
{
	if (is_free(x, json_get_str(x->wanted, key), is_kind, reason))
		accept_value(x, key);
}

static void accept_names(struct accepting *x)
{
	bool shorts_free = true;
	accept_name(x, "plural", false, "PluralConflict");
	accept_name(x, "singular", false, "SingularConflict");
	JSON_FOREACH (it, json_get(x->wanted, "shortNames"))
		shorts_free = is_free(x, json_str(it), false, "ShortNamesConflict") && shorts_free;
	if (shorts_free)
		accept_value(x, "shortNames");
	accept_name(x, "kind", true, "KindConflict");
	accept_name(x, "listKind", true, "ListKindConflict");
	accept_value(x, "categories");
}

static bool set_approval(struct arena *a, struct json *status, const struct json *crd, const char *now)
{
	const char *reason, *bad = definition_approval(crd, &reason);
	struct slice word = json_get_str(json_path(crd, "metadata", "annotations", NULL), DEFINITION_APPROVAL);
	if (!*reason)
		return false;
	const char *message = bad ? bad : arena_printf(a, "approved in %.*s", SLICE_FMT(word));
	if (strcmp(reason, "UnapprovedAnnotation") == 0)
		message = arena_printf(a, "not approved: \"%.*s\"", SLICE_FMT(word));
	return naming_set_condition(a, status, "KubernetesAPIApprovalPolicyConformant", !bad, reason, message, now);
}

struct json *naming_status(struct arena *a, const struct json *crd, const struct naming *n)
{
	const struct json *before = json_get(crd, "status");
	struct json *status = before ? json_copy(a, before) : json_new(a, JSON_OBJECT);
	struct accepting x = {.arena = a,
	        .naming = n,
	        .group = json_str(json_path(crd, "spec", "group", NULL)),
	        .wanted = json_path(crd, "spec", "names", NULL),
	        .accepted = json_need(a, status, "acceptedNames", JSON_OBJECT)};
	accept_names(&x);
	bool changed = x.changed;
	changed |= naming_set_condition(a, status, "NamesAccepted", !x.reason, x.reason ? x.reason : "NoConflicts",
	        x.reason ? x.message : "no conflicts found", n->now);
	if (!definition_has_condition(crd, "Established"))
		changed |= naming_set_condition(a, status, "Established", !x.reason,
		        x.reason ? "NotAccepted" : "InitialNamesAccepted",
		        x.reason ? "not all names are accepted" : "the initial names have been accepted", n->now);
	changed |= set_approval(a, status, crd, n->now);
	return changed ? status : NULL;
}
