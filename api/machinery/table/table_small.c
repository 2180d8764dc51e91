/* Printers of the kinds whose cells need little thought. See printers.h. */
#include "api/machinery/table/printers.h"

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

void table_storage_class(struct cells *c)
{
	struct json *o = c->object;
	struct json *def =
	        json_get(json_path(o, "metadata", "annotations", NULL), "storageclass.kubernetes.io/is-default-class");
	struct slice name = json_str(json_path(o, "metadata", "name", NULL));
	cell_fmt(c, "%.*s%s", SLICE_FMT(name), slice_is(json_str(def), "true") ? " (default)" : "");
	cell_str(c, json_get_str(o, "provisioner"));
	cell_str(c, json_get_str(o, "reclaimPolicy"));
	cell_str(c, json_get_str(o, "volumeBindingMode"));
	strbuf_addf(c->out, ",%s", json_get_bool(o, "allowVolumeExpansion", false) ? "true" : "false");
	c->count++;
	cell_age(c);
}

/* "RWO,RWX", in this order and each once. */
static void cell_access_modes(struct cells *c, const struct json *list)
{
	static const char *const modes[][2] = {{"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"},
	        {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
	struct strbuf text = STRBUF_INIT;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
		JSON_FOREACH (it, list)
			if (slice_is(json_str(it), modes[i][0])) {
				strbuf_addf(&text, "%s%s", text.len ? "," : "", modes[i][1]);
				break;
			}
	cell_str(c, strbuf_slice(&text));
	strbuf_release(&text);
}

void table_claim(struct cells *c)
{
	struct json *spec = json_get(c->object, "spec"), *status = json_get(c->object, "status");
	bool dying = json_path(c->object, "metadata", "deletionTimestamp", NULL) != NULL;
	cell_name(c);
	cell_str(c, dying ? SLICE("Terminating") : json_get_str(status, "phase"));
	cell_str(c, json_get_str(spec, "volumeName"));
	cell_str(c, json_str(json_path(status, "capacity", "storage", NULL)));
	cell_access_modes(c, json_get(status, "accessModes"));
	cell_str(c, json_get_str(spec, "storageClassName"));
	cell_text(c, "<unset>");
	cell_age(c);
	cell_str(c, json_get_str(spec, "volumeMode"));
}

void table_volume(struct cells *c)
{
	struct json *spec = json_get(c->object, "spec"), *ref = json_get(spec, "claimRef");
	cell_name(c);
	cell_str(c, json_str(json_path(spec, "capacity", "storage", NULL)));
	cell_access_modes(c, json_get(spec, "accessModes"));
	cell_str(c, json_get_str(spec, "persistentVolumeReclaimPolicy"));
	cell_str(c, json_str(json_path(c->object, "status", "phase", NULL)));
	if (ref)
		cell_fmt(c, "%.*s/%.*s", SLICE_FMT(json_get_str(ref, "namespace")),
		        SLICE_FMT(json_get_str(ref, "name")));
	else
		cell_text(c, "");
	cell_str(c, json_get_str(spec, "storageClassName"));
	cell_text(c, "<unset>");
	cell_str(c, json_str(json_path(c->object, "status", "reason", NULL)));
	cell_age(c);
	cell_str(c, json_get_str(spec, "volumeMode"));
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
