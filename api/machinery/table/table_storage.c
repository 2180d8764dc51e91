/* Printers of volumes, claims, classes and what CSI drivers say of themselves. See printers.h. */
#include "api/machinery/table/printers.h"

static void cell_bool(struct cells *c, bool v)
{
	strbuf_addf(c->out, ",%s", v ? "true" : "false");
	c->count++;
}

static void cell_or_unset(struct cells *c, struct slice text)
{
	cell_str(c, text.len ? text : SLICE("<unset>"));
}

static void cell_phase(struct cells *c)
{
	bool is_dying = json_path(c->object, "metadata", "deletionTimestamp", NULL) != NULL;
	cell_str(c, is_dying ? SLICE("Terminating") : json_str(json_path(c->object, "status", "phase", NULL)));
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
	cell_bool(c, json_get_bool(o, "allowVolumeExpansion", false));
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
	cell_name(c);
	cell_phase(c);
	cell_str(c, json_get_str(spec, "volumeName"));
	cell_str(c, json_str(json_path(status, "capacity", "storage", NULL)));
	cell_access_modes(c, json_get(status, "accessModes"));
	cell_str(c, json_get_str(spec, "storageClassName"));
	cell_or_unset(c, json_get_str(spec, "volumeAttributesClassName"));
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
	cell_phase(c);
	if (ref)
		cell_fmt(c, "%.*s/%.*s", SLICE_FMT(json_get_str(ref, "namespace")),
		        SLICE_FMT(json_get_str(ref, "name")));
	else
		cell_text(c, "");
	cell_str(c, json_get_str(spec, "storageClassName"));
	cell_or_unset(c, json_get_str(spec, "volumeAttributesClassName"));
	cell_str(c, json_str(json_path(c->object, "status", "reason", NULL)));
	cell_age(c);
	cell_str(c, json_get_str(spec, "volumeMode"));
}

void table_csi_driver(struct cells *c)
{
	const struct json *spec = json_get(c->object, "spec"), *tokens = json_get(spec, "tokenRequests");
	cell_name(c);
	cell_bool(c, json_get_bool(spec, "attachRequired", true));
	cell_bool(c, json_get_bool(spec, "podInfoOnMount", false));
	cell_bool(c, json_get_bool(spec, "storageCapacity", false));
	if (tokens && tokens->first)
		cell_join(c, tokens, "audience");
	else
		cell_text(c, "<unset>");
	cell_bool(c, json_get_bool(spec, "requiresRepublish", false));
	cell_join(c, json_get(spec, "volumeLifecycleModes"), NULL);
	cell_age(c);
}

void table_csi_node(struct cells *c)
{
	const struct json *drivers = json_path(c->object, "spec", "drivers", NULL);
	cell_name(c);
	cell_int(c, drivers ? drivers->count : 0);
	cell_age(c);
}

void table_csi_capacity(struct cells *c)
{
	cell_name(c);
	cell_str(c, json_get_str(c->object, "storageClassName"));
	cell_or_unset(c, json_get_str(c->object, "capacity"));
}

void table_attachment(struct cells *c)
{
	const struct json *spec = json_get(c->object, "spec");
	cell_name(c);
	cell_str(c, json_get_str(spec, "attacher"));
	cell_str(c, json_str(json_path(spec, "source", "persistentVolumeName", NULL)));
	cell_str(c, json_get_str(spec, "nodeName"));
	cell_bool(c, json_bool(json_path(c->object, "status", "attached", NULL), false));
	cell_age(c);
}
