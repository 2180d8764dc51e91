/* Printers of the kinds whose cells need little thought. See printers.h. */
#include "api/machinery/table/printers.h"

#include <stdlib.h>

void table_definition(struct cells *c)
{
	cell_name(c);
	cell_str(c, json_str(json_path(c->object, "metadata", "creationTimestamp", NULL)));
}

static void cell_availability(struct cells *c)
{
	JSON_FOREACH (it, json_path(c->object, "status", "conditions", NULL)) {
		if (!slice_is(json_get_str(it, "type"), "Available"))
			continue;
		if (slice_is(json_get_str(it, "status"), "True"))
			cell_text(c, "True");
		else
			cell_fmt(c, "%.*s (%.*s)", SLICE_FMT(json_get_str(it, "status")),
			        SLICE_FMT(json_get_str(it, "reason")));
		return;
	}
	cell_text(c, "Unknown");
}

void table_aggregated_service(struct cells *c)
{
	const struct json *service = json_path(c->object, "spec", "service", NULL);
	cell_name(c);
	if (json_is(service, JSON_OBJECT))
		cell_fmt(c, "%.*s/%.*s", SLICE_FMT(json_get_str(service, "namespace")),
		        SLICE_FMT(json_get_str(service, "name")));
	else
		cell_text(c, "Local");
	cell_availability(c);
	cell_age(c);
}

void table_admission_policy(struct cells *c)
{
	const struct json *spec = json_get(c->object, "spec"), *checks = json_get(spec, "validations"),
	                  *kind = json_get(spec, "paramKind");
	cell_name(c);
	cell_int(c, checks ? checks->count : 0);
	if (json_is(kind, JSON_OBJECT))
		cell_fmt(c, "%.*s/%.*s", SLICE_FMT(json_get_str(kind, "apiVersion")),
		        SLICE_FMT(json_get_str(kind, "kind")));
	else
		cell_text(c, "<unset>");
	cell_age(c);
}

void table_admission_webhooks(struct cells *c)
{
	const struct json *hooks = json_get(c->object, "webhooks");
	cell_name(c);
	cell_int(c, hooks ? hooks->count : 0);
	cell_age(c);
}

void table_admission_binding(struct cells *c)
{
	const struct json *spec = json_get(c->object, "spec"), *ref = json_get(spec, "paramRef");
	struct slice ns = json_get_str(ref, "namespace"), name = json_get_str(ref, "name");
	cell_name(c);
	cell_str(c, json_get_str(spec, "policyName"));
	if (name.len)
		cell_fmt(c, "%.*s/%.*s", ns.len ? (int)ns.len : 1, ns.len ? ns.ptr : "*", SLICE_FMT(name));
	else if (json_get(ref, "selector"))
		cell_selector(c, json_get(ref, "selector"));
	else
		cell_text(c, "<unset>");
	cell_age(c);
}

void table_config_map(struct cells *c)
{
	struct json *data = json_get(c->object, "data"), *binary = json_get(c->object, "binaryData");
	cell_name(c);
	cell_int(c, (data ? data->count : 0) + (binary ? binary->count : 0));
	cell_age(c);
}

void table_secret(struct cells *c)
{
	cell_name(c);
	cell_str(c, json_get_str(c->object, "type"));
	cell_count(c, "data");
	cell_age(c);
}

void table_service_account(struct cells *c)
{
	cell_name(c);
	cell_count(c, "secrets");
	cell_age(c);
}

void table_namespace(struct cells *c)
{
	cell_name(c);
	cell_str(c, json_str(json_path(c->object, "status", "phase", NULL)));
	cell_age(c);
}

void table_event(struct cells *c)
{
	struct json *o = c->object, *ref = json_get(o, "involvedObject");
	struct slice kind = json_get_str(ref, "kind"), last = json_get_str(o, "lastTimestamp"),
	             name = json_get_str(ref, "name");
	char lower[64];
	size_t n = kind.len < sizeof lower - 1 ? kind.len : sizeof lower - 1;
	for (size_t i = 0; i < n; i++)
		lower[i] = (char)(kind.ptr[i] >= 'A' && kind.ptr[i] <= 'Z' ? kind.ptr[i] + 32 : kind.ptr[i]);
	lower[n] = 0;
	cell_age_of(c, last.len ? last : json_get_str(o, "eventTime"));
	cell_str(c, json_get_str(o, "type"));
	cell_str(c, json_get_str(o, "reason"));
	cell_fmt(c, "%s/%.*s", lower, SLICE_FMT(name));
	cell_str(c, json_get_str(ref, "fieldPath"));
	struct slice component = json_str(json_path(o, "source", "component", NULL));
	cell_str(c, component.len ? component : json_get_str(o, "reportingComponent"));
	struct slice message = slice_trim(json_get_str(o, "message"));
	cell_str(c, message);
	cell_age_of(c, json_get_str(o, "firstTimestamp"));
	cell_int(c, json_get_int(o, "count", 1));
	cell_name(c);
}

void table_lease(struct cells *c)
{
	cell_name(c);
	cell_str(c, json_str(json_path(c->object, "spec", "holderIdentity", NULL)));
	cell_age(c);
}

void table_priority_class(struct cells *c)
{
	cell_name(c);
	cell_int(c, json_get_int(c->object, "value", 0));
	strbuf_addf(c->out, ",%s", json_get_bool(c->object, "globalDefault", false) ? "true" : "false");
	c->count++;
	cell_age(c);
	cell_str(c, json_get_str(c->object, "preemptionPolicy"));
}

/* Its level is not there: True, False, or "?" as long as nobody has looked. */
static struct slice is_level_missing(const struct json *schema)
{
	JSON_FOREACH (it, json_path(schema, "status", "conditions", NULL))
		if (slice_is(json_get_str(it, "type"), "Dangling"))
			return json_get_str(it, "status");
	return SLICE("?");
}

void table_flow_schema(struct cells *c)
{
	const struct json *spec = json_get(c->object, "spec");
	cell_name(c);
	cell_str(c, json_str(json_path(spec, "priorityLevelConfiguration", "name", NULL)));
	cell_int(c, json_get_int(spec, "matchingPrecedence", 0));
	cell_or_none(c, json_str(json_path(spec, "distinguisherMethod", "type", NULL)));
	cell_age(c);
	cell_str(c, is_level_missing(c->object));
}

static void cell_number_or_none(struct cells *c, const struct json *v)
{
	cell_or_none(c, v ? v->text : SLICE_NULL);
}

void table_priority_level(struct cells *c)
{
	const struct json *spec = json_get(c->object, "spec"), *limited = json_get(spec, "limited"),
	                  *exempt = json_get(spec, "exempt"),
	                  *queuing = json_path(limited, "limitResponse", "queuing", NULL);
	cell_name(c);
	cell_str(c, json_get_str(spec, "type"));
	cell_number_or_none(c, json_get(limited ? limited : exempt, "nominalConcurrencyShares"));
	cell_number_or_none(c, json_get(queuing, "queues"));
	cell_number_or_none(c, json_get(queuing, "handSize"));
	cell_number_or_none(c, json_get(queuing, "queueLengthLimit"));
	cell_age(c);
}

/* A number or a percentage; "N/A" when it is not set. */
static void cell_amount(struct cells *c, const struct json *v)
{
	if (v)
		cell_str(c, v->text);
	else
		cell_text(c, "N/A");
}

void table_budget(struct cells *c)
{
	struct json *spec = json_get(c->object, "spec");
	cell_name(c);
	cell_amount(c, json_get(spec, "minAvailable"));
	cell_amount(c, json_get(spec, "maxUnavailable"));
	cell_int(c, json_int(json_path(c->object, "status", "disruptionsAllowed", NULL), 0));
	cell_age(c);
}

void table_role_binding(struct cells *c)
{
	struct json *ref = json_get(c->object, "roleRef");
	cell_name(c);
	cell_fmt(c, "%.*s/%.*s", SLICE_FMT(json_get_str(ref, "kind")), SLICE_FMT(json_get_str(ref, "name")));
	cell_age(c);
}

void table_role(struct cells *c)
{
	cell_name(c);
	cell_str(c, json_str(json_path(c->object, "metadata", "creationTimestamp", NULL)));
}

void table_plain(struct cells *c)
{
	cell_name(c);
	cell_age(c);
}

/* What became of a request, as kubectl shows it: the verdict, then Failed or Issued. */
void table_certificate_request(struct cells *c)
{
	struct json *spec = json_get(c->object, "spec"), *status = json_get(c->object, "status");
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	char text[32];
	JSON_FOREACH (it, json_get(status, "conditions")) {
		strbuf_adds(&b, b.len ? "," : "");
		strbuf_add_slice(&b, json_get_str(it, "type"));
	}
	if (!b.len)
		strbuf_adds(&b, "Pending");
	if (json_get_str(status, "certificate").len)
		strbuf_adds(&b, ",Issued");
	cell_name(c);
	cell_age(c);
	cell_or_none(c, json_get_str(spec, "signerName"));
	cell_str(c, json_get_str(spec, "username"));
	int64_t seconds = json_get_int(spec, "expirationSeconds", 0);
	if (seconds)
		duration_text(text, seconds);
	cell_text(c, seconds ? text : "<none>");
	cell_str(c, strbuf_slice(&b));
}

/* ---- what is counted, kept and asked for by name ---- */

static int by_key(const void *l, const void *r)
{
	const struct json *const *a = l, *const *b = r;
	return slice_cmp((*a)->key, (*b)->key);
}

/* "cpu: 1/2, pods: 3/4", of limits or of all else. */
static const char *use_text(struct cells *c, bool of_limits)
{
	const struct json *hard = json_path(c->object, "status", "hard", NULL),
	                  *used = json_path(c->object, "status", "used", NULL);
	const struct json **by_name = ARENA_ARRAY(c->arena, const struct json *, hard ? hard->count + 1 : 1);
	const char *text = "";
	size_t n = 0;
	JSON_FOREACH (it, hard)
		if (slice_starts(it->key, "limits.") == of_limits)
			by_name[n++] = it;
	qsort(by_name, n, sizeof *by_name, by_key);
	for (size_t i = 0; i < n; i++) {
		struct slice now = json_str(json_get_slice(used, by_name[i]->key));
		text = arena_printf(c->arena, "%s%s%.*s: %.*s/%.*s", text, i ? ", " : "", SLICE_FMT(by_name[i]->key),
		        SLICE_FMT(now.len ? now : SLICE("0")), SLICE_FMT(json_str(by_name[i])));
	}
	return text;
}

void table_quota(struct cells *c)
{
	cell_name(c);
	cell_age(c);
	cell_text(c, use_text(c, false));
	cell_text(c, use_text(c, true));
}

/* "statefulset.apps/web" */
static void cell_controller(struct cells *c)
{
	JSON_FOREACH (it, json_path(c->object, "metadata", "ownerReferences", NULL)) {
		struct slice group = json_get_str(it, "apiVersion"), version = group;
		if (!json_get_bool(it, "controller", false))
			continue;
		group = slice_cut(&version, '/');
		cell_fmt(c, "%.*s%s%.*s/%.*s", SLICE_FMT(slice_lower(c->arena, json_get_str(it, "kind"))),
		        version.ptr ? "." : "", version.ptr ? (int)group.len : 0, version.ptr ? group.ptr : "",
		        SLICE_FMT(json_get_str(it, "name")));
		return;
	}
	cell_text(c, "<none>");
}

void table_revision(struct cells *c)
{
	cell_name(c);
	cell_controller(c);
	cell_fmt(c, "%lld", (long long)json_get_int(c->object, "revision", 0));
	cell_age(c);
}

void table_pod_template(struct cells *c)
{
	const struct json *template = json_get(c->object, "template"),
	                  *containers = json_path(template, "spec", "containers", NULL);
	cell_name(c);
	cell_join(c, containers, "name");
	cell_join(c, containers, "image");
	cell_labels(c, json_path(template, "metadata", "labels", NULL));
}

void table_component(struct cells *c)
{
	struct slice status = SLICE("Unknown"), message = SLICE(""), error = SLICE("");
	JSON_FOREACH (it, json_get(c->object, "conditions"))
		if (slice_is(json_get_str(it, "type"), "Healthy")) {
			status = slice_is(json_get_str(it, "status"), "True") ? SLICE("Healthy") : SLICE("Unhealthy");
			message = json_get_str(it, "message");
			error = json_get_str(it, "error");
		}
	cell_name(c);
	cell_str(c, status);
	cell_str(c, message);
	cell_str(c, error);
}

void table_ingress_class(struct cells *c)
{
	const struct json *spec = json_get(c->object, "spec"), *ref = json_get(spec, "parameters");
	struct slice group = json_get_str(ref, "apiGroup");
	cell_name(c);
	cell_str(c, json_get_str(spec, "controller"));
	if (json_is(ref, JSON_OBJECT))
		cell_fmt(c, "%.*s%s%.*s/%.*s", SLICE_FMT(json_get_str(ref, "kind")), group.len ? "." : "",
		        SLICE_FMT(group), SLICE_FMT(json_get_str(ref, "name")));
	else
		cell_text(c, "<none>");
	cell_age(c);
}

void table_runtime_class(struct cells *c)
{
	cell_name(c);
	cell_str(c, json_get_str(c->object, "handler"));
	cell_age(c);
}
