/* See table.h. One row of a table of kinds names the columns and the function that appends the cells; upstream's
 * printers are in pkg/printers/internalversion. Cells of the larger kinds are made in table_workload.c. */
#include "api/machinery/table/table_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

/* ---- cells ---- */

void cell_str(struct cells *c, struct slice s)
{
	strbuf_adds(c->out, c->count++ ? "," : "");
	json_write_str(c->out, s);
}

void cell_text(struct cells *c, const char *text)
{
	cell_str(c, slice_of(text));
}

void cell_int(struct cells *c, int64_t v)
{
	strbuf_addf(c->out, "%s%" PRId64, c->count++ ? "," : "", v);
}

void cell_fmt(struct cells *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	cell_text(c, text);
}

void cell_or_none(struct cells *c, struct slice s)
{
	cell_str(c, s.len ? s : SLICE("<none>"));
}

/* apimachinery/pkg/util/duration.HumanDuration */
void duration_text(char out[32], int64_t s)
{
	int64_t minutes = s / 60, hours = s / 3600, days = hours / 24, years = hours / 24 / 365;
	if (s < -1)
		snprintf(out, 32, "<invalid>");
	else if (s < 0)
		snprintf(out, 32, "0s");
	else if (s < 120)
		snprintf(out, 32, "%" PRId64 "s", s);
	else if (minutes < 10 && s % 60)
		snprintf(out, 32, "%" PRId64 "m%" PRId64 "s", minutes, s % 60);
	else if (minutes < 180)
		snprintf(out, 32, "%" PRId64 "m", minutes);
	else if (hours < 8 && minutes % 60)
		snprintf(out, 32, "%" PRId64 "h%" PRId64 "m", hours, minutes % 60);
	else if (hours < 48)
		snprintf(out, 32, "%" PRId64 "h", hours);
	else if (hours < 192 && hours % 24)
		snprintf(out, 32, "%" PRId64 "d%" PRId64 "h", days, hours % 24);
	else if (years < 2)
		snprintf(out, 32, "%" PRId64 "d", days);
	else if (years < 8 && days % 365)
		snprintf(out, 32, "%" PRId64 "y%" PRId64 "d", years, days % 365);
	else
		snprintf(out, 32, "%" PRId64 "y", years);
}

int64_t time_of(struct slice s)
{
	struct tm tm = {0};
	char text[32];
	snprintf(text, sizeof text, "%.*s", SLICE_FMT(s));
	if (!strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return -1;
	return (int64_t)timegm(&tm);
}

void cell_age_of(struct cells *c, struct slice when)
{
	char text[32];
	int64_t t = when.len ? time_of(when) : -1;
	if (t < 0) {
		cell_text(c, "<unknown>");
		return;
	}
	duration_text(text, c->now_s - t);
	cell_text(c, text);
}

void cell_age(struct cells *c)
{
	cell_age_of(c, json_str(json_path(c->object, "metadata", "creationTimestamp", NULL)));
}

void cell_name(struct cells *c)
{
	cell_str(c, json_str(json_path(c->object, "metadata", "name", NULL)));
}

void cell_count(struct cells *c, const char *member)
{
	struct json *v = json_get(c->object, member);
	cell_int(c, v ? v->count : 0);
}

static void join(struct strbuf *out, struct slice s)
{
	if (out->len)
		strbuf_addc(out, ',');
	strbuf_add_slice(out, s);
}

void cell_join(struct cells *c, const struct json *list, const char *member)
{
	struct strbuf text = STRBUF_INIT;
	JSON_FOREACH (it, list)
		join(&text, member ? json_get_str(it, member) : json_str(it));
	cell_or_none(c, strbuf_slice(&text));
	strbuf_release(&text);
}

void cell_labels(struct cells *c, const struct json *labels)
{
	struct strbuf text = STRBUF_INIT;
	JSON_FOREACH (it, labels)
		strbuf_addf(&text, "%s%.*s=%.*s", text.len ? "," : "", SLICE_FMT(it->key), SLICE_FMT(json_str(it)));
	cell_or_none(c, strbuf_slice(&text));
	strbuf_release(&text);
}

void cell_selector(struct cells *c, const struct json *selector)
{
	struct strbuf text = STRBUF_INIT;
	JSON_FOREACH (it, json_get(selector, "matchLabels"))
		strbuf_addf(&text, "%s%.*s=%.*s", text.len ? "," : "", SLICE_FMT(it->key), SLICE_FMT(json_str(it)));
	JSON_FOREACH (it, json_get(selector, "matchExpressions"))
		strbuf_addf(&text, "%s%.*s %.*s (...)", text.len ? "," : "", SLICE_FMT(json_get_str(it, "key")),
		        SLICE_FMT(json_get_str(it, "operator")));
	cell_or_none(c, strbuf_slice(&text));
	strbuf_release(&text);
}

/* ---- small kinds ---- */

static void config_map(struct cells *c)
{
	struct json *data = json_get(c->object, "data"), *binary = json_get(c->object, "binaryData");
	cell_name(c);
	cell_int(c, (data ? data->count : 0) + (binary ? binary->count : 0));
	cell_age(c);
}

static void secret(struct cells *c)
{
	cell_name(c);
	cell_str(c, json_get_str(c->object, "type"));
	cell_count(c, "data");
	cell_age(c);
}

static void service_account(struct cells *c)
{
	cell_name(c);
	cell_count(c, "secrets");
	cell_age(c);
}

static void namespace(struct cells *c)
{
	cell_name(c);
	cell_str(c, json_str(json_path(c->object, "status", "phase", NULL)));
	cell_age(c);
}

static void event(struct cells *c)
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

static void lease(struct cells *c)
{
	cell_name(c);
	cell_str(c, json_str(json_path(c->object, "spec", "holderIdentity", NULL)));
	cell_age(c);
}

static void priority_class(struct cells *c)
{
	cell_name(c);
	cell_int(c, json_get_int(c->object, "value", 0));
	strbuf_addf(c->out, ",%s", json_get_bool(c->object, "globalDefault", false) ? "true" : "false");
	c->count++;
	cell_age(c);
	cell_str(c, json_get_str(c->object, "preemptionPolicy"));
}

static void role_binding(struct cells *c)
{
	struct json *ref = json_get(c->object, "roleRef");
	cell_name(c);
	cell_fmt(c, "%.*s/%.*s", SLICE_FMT(json_get_str(ref, "kind")), SLICE_FMT(json_get_str(ref, "name")));
	cell_age(c);
}

static void role(struct cells *c)
{
	cell_name(c);
	cell_str(c, json_str(json_path(c->object, "metadata", "creationTimestamp", NULL)));
}

static void storage_class(struct cells *c)
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

static void claim(struct cells *c)
{
	struct json *spec = json_get(c->object, "spec"), *status = json_get(c->object, "status");
	bool dying = json_path(c->object, "metadata", "deletionTimestamp", NULL) != NULL;
	cell_name(c);
	cell_str(c, dying ? SLICE("Terminating") : json_get_str(status, "phase"));
	cell_str(c, json_get_str(spec, "volumeName"));
	cell_str(c, json_str(json_path(status, "capacity", "storage", NULL)));
	struct json *modes = json_get(status, "accessModes");
	if (modes)
		cell_join(c, modes, NULL);
	else
		cell_text(c, "");
	cell_str(c, json_get_str(spec, "storageClassName"));
	cell_text(c, "<unset>");
	cell_age(c);
	cell_str(c, json_get_str(spec, "volumeMode"));
}

static void volume(struct cells *c)
{
	struct json *spec = json_get(c->object, "spec"), *ref = json_get(spec, "claimRef");
	cell_name(c);
	cell_str(c, json_str(json_path(spec, "capacity", "storage", NULL)));
	cell_join(c, json_get(spec, "accessModes"), NULL);
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

static void plain(struct cells *c)
{
	cell_name(c);
	cell_age(c);
}

/* ---- the table ---- */

/* Columns: "Name", "Name:type", "Name:type:priority" with commas between; the first is always the name. */
struct printer {
	const char *group;
	const char *kind;
	const char *columns;
	void (*cells)(struct cells *c);
};

static const struct printer printers[] = {
        {"", "Pod", "Name,Ready,Status,Restarts,Age,IP::1,Node::1,Nominated Node::1,Readiness Gates::1", table_pod},
        {"", "Service", "Name,Type,Cluster-IP,External-IP,Port(s),Age,Selector::1", table_service},
        {"", "Node",
                "Name,Status,Roles,Age,Version,Internal-IP::1,External-IP::1,OS-Image::1,Kernel-Version::1,Container-"
                "Runtime::1",
                table_node},
        {"", "Endpoints", "Name,Endpoints,Age", table_endpoints},
        {"", "ReplicationController",
                "Name,Desired:integer,Current:integer,Ready:integer,Age,Containers::1,Images::1,Selector::1",
                table_replica_set},
        {"", "ConfigMap", "Name,Data:integer,Age", config_map},
        {"", "Secret", "Name,Type,Data:integer,Age", secret},
        {"", "ServiceAccount", "Name,Secrets:integer,Age", service_account},
        {"", "Namespace", "Name,Status,Age", namespace},
        {"", "Event",
                "Last Seen,Type,Reason,Object,Subobject::1,Source::1,Message,First Seen::1,Count:integer:1,Name::1",
                event},
        {"", "PersistentVolumeClaim",
                "Name,Status,Volume,Capacity,Access Modes,StorageClass,VolumeAttributesClass,Age,VolumeMode::1", claim},
        {"", "PersistentVolume",
                "Name,Capacity,Access Modes,Reclaim "
                "Policy,Status,Claim,StorageClass,VolumeAttributesClass,Reason,Age,VolumeMode::1",
                volume},
        {"apps", "Deployment",
                "Name,Ready,Up-to-date:integer,Available:integer,Age,Containers::1,Images::1,Selector::1",
                table_deployment},
        {"apps", "ReplicaSet",
                "Name,Desired:integer,Current:integer,Ready:integer,Age,Containers::1,Images::1,Selector::1",
                table_replica_set},
        {"apps", "DaemonSet",
                "Name,Desired:integer,Current:integer,Ready:integer,Up-to-date:integer,Available:integer,Node "
                "Selector,Age,Containers::1,Images::1,Selector::1",
                table_daemon_set},
        {"apps", "StatefulSet", "Name,Ready,Age,Containers::1,Images::1", table_stateful_set},
        {"batch", "Job", "Name,Status,Completions,Duration,Age,Containers::1,Images::1,Selector::1", table_job},
        {"batch", "CronJob",
                "Name,Schedule,Timezone,Suspend,Active:integer,Last Schedule,Age,Containers::1,Images::1,Selector::1",
                table_cron_job},
        {"discovery.k8s.io", "EndpointSlice", "Name,AddressType,Ports,Endpoints,Age", table_endpoint_slice},
        {"networking.k8s.io", "Ingress", "Name,Class,Hosts,Address,Ports,Age", table_ingress},
        {"networking.k8s.io", "NetworkPolicy", "Name,Pod-Selector,Age", table_network_policy},
        {"coordination.k8s.io", "Lease", "Name,Holder,Age", lease},
        {"scheduling.k8s.io", "PriorityClass", "Name,Value:integer,Global-Default:boolean,Age,PreemptionPolicy",
                priority_class},
        {"rbac.authorization.k8s.io", "RoleBinding", "Name,Role,Age", role_binding},
        {"rbac.authorization.k8s.io", "ClusterRoleBinding", "Name,Role,Age", role_binding},
        {"rbac.authorization.k8s.io", "Role", "Name,Created At", role},
        {"rbac.authorization.k8s.io", "ClusterRole", "Name,Created At", role},
        {"storage.k8s.io", "StorageClass",
                "Name,Provisioner,ReclaimPolicy,VolumeBindingMode,AllowVolumeExpansion:boolean,Age", storage_class},
};

static const struct printer fallback = {"", "", "Name,Age", plain};

static const struct printer *find(const struct resource *r)
{
	r = r->storage ? r->storage : r; /* both events are printed alike */
	for (size_t i = 0; i < sizeof printers / sizeof *printers; i++)
		if (strcmp(printers[i].group, r->group) == 0 && strcmp(printers[i].kind, r->kind) == 0)
			return &printers[i];
	return &fallback;
}

void table_write_columns(struct strbuf *out, const struct resource *r)
{
	struct slice rest = slice_of(find(r)->columns);
	bool first = true;
	strbuf_addc(out, '[');
	while (rest.ptr) {
		struct slice column = slice_cut(&rest, ','), name = slice_cut(&column, ':'),
		             type = slice_cut(&column, ':');
		bool is_name = slice_is(name, "Name") && !column.len;
		strbuf_addf(out,
		        "%s{\"name\":\"%.*s\",\"type\":\"%.*s\",\"format\":\"%s\",\"description\":\"%.*s\","
		        "\"priority\":%s}",
		        first ? "" : ",", SLICE_FMT(name), SLICE_FMT(type.len ? type : SLICE("string")),
		        is_name ? "name" : "", SLICE_FMT(name), column.len ? column.ptr[0] == '1' ? "1" : "0" : "0");
		first = false;
	}
	strbuf_addc(out, ']');
}

void table_write_cells(struct strbuf *out, const struct resource *r, struct slice object_text, int64_t now_s)
{
	struct arena a = ARENA_INIT;
	struct cells c = {.out = out, .arena = &a, .now_s = now_s};
	c.object = json_parse(&a, object_text, NULL, NULL);
	/* events.k8s.io rows are printed from the core form, which is what is stored */
	if (c.object && r->storage && r->storage != r)
		resource_convert(&a, c.object, r, r->storage, NULL);
	strbuf_addc(out, '[');
	find(r)->cells(&c);
	strbuf_addc(out, ']');
	arena_release(&a);
}
