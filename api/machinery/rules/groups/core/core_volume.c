/* PersistentVolumes: one source, and where, how and for how much it may be used. Most sources are those of pods
 * (../pod/volume_sources.h); some say more here, as a volume has no namespace that secrets could be looked up in. What
 * a volume is made of stays as it is. Upstream: ValidatePersistentVolume and ValidatePersistentVolumeUpdate in
 * pkg/apis/core/validation. */
#include "api/machinery/rules/groups/core/core_int.h"
#include "api/machinery/rules/groups/core/core_volume_int.h"
#include "api/machinery/rules/checks.h"
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/pod/volume_sources.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"

enum { PORTAL_MAX = 64 };

static const struct json *part(const struct json *o, const char *name)
{
	const struct json *v = json_get(o, name);
	return json_is(v, JSON_OBJECT) ? v : NULL;
}

static void need(struct field_errors *e, const char *here, const struct json *o, const char *name)
{
	if (!json_get_str(o, name).len)
		bad_required(e, at(e, "%s.%s", here, name), "");
}

/* ---- what claims are checked for too ---- */

void check_access_modes(struct field_errors *e, const char *field, const struct json *modes)
{
	static const char known[] = "ReadOnlyMany,ReadWriteMany,ReadWriteOnce,ReadWriteOncePod";
	bool has_single_pod = false, has_other = false;
	JSON_FOREACH (it, modes) {
		size_t before = e->count;
		check_choice(e, field, json_str(it), known, true);
		bool is_single_pod = slice_is(json_str(it), "ReadWriteOncePod");
		has_single_pod |= is_single_pod;
		has_other |= !is_single_pod && e->count == before;
	}
	if (has_single_pod && has_other)
		bad_forbidden(e, field, "may not use ReadWriteOncePod with other access modes");
}

void check_class_name(struct field_errors *e, const char *field, struct slice name)
{
	const char *bad = name.len ? validate_dns1123_subdomain(name) : NULL;
	if (bad)
		bad_value(e, field, name, bad);
}

void check_positive_amount(struct field_errors *e, const char *field, const struct json *amount)
{
	struct quantity q;
	if (quantity_parse(amount->text, &q, NULL) == 0 && quantity_sign(&q) <= 0)
		bad_value(e, field, amount->text, "must be greater than zero");
}

void check_no_debt(struct field_errors *e, const char *field, const struct json *amount)
{
	int64_t value = quantity_json_value(amount);
	if (value < 0)
		bad_number(e, field, value, "must be a valid resource quantity");
}

/* ---- sources that say more than a pod's ---- */

static void check_secret(struct field_errors *e, const char *here, const struct json *source, const char *member)
{
	const struct json *ref = part(source, member);
	const char *field = at(e, "%s.%s", here, member);
	struct slice name = json_get_str(ref, "name"), ns = json_get_str(ref, "namespace");
	const char *bad = name.len ? validate_dns1123_subdomain(name) : NULL;
	if (!ref)
		return;
	need(e, field, ref, "name");
	if (bad)
		bad_value(e, at(e, "%s.name", field), name, bad);
	need(e, field, ref, "namespace");
	if (ns.len && (bad = validate_dns1123_label(ns)))
		bad_value(e, at(e, "%s.namespace", field), ns, bad);
}

static void check_csi(struct field_errors *e, const char *here, const struct json *spec, const struct json *source)
{
	static const char *const secrets[] = {"controllerPublishSecretRef", "controllerExpandSecretRef",
	        "nodePublishSecretRef", "nodeExpandSecretRef"};
	validate_csi_driver_name(e, at(e, "%s.driver", here), json_get_str(source, "driver"));
	need(e, here, source, "volumeHandle");
	for (size_t i = 0; i < COUNT_OF(secrets); i++)
		check_secret(e, here, source, secrets[i]);
}

static void check_local(struct field_errors *e, const char *here, const struct json *spec, const struct json *source)
{
	struct slice path = json_get_str(source, "path");
	need(e, here, source, "path");
	if (path_goes_up(path))
		bad_value(e, at(e, "%s.path", here), path, path_goes_up(path));
	if (!part(spec, "nodeAffinity"))
		bad_required(e, "spec.nodeAffinity", "Local volume requires node affinity");
}

static void check_gluster(struct field_errors *e, const char *here, const struct json *spec, const struct json *source)
{
	const struct json *ns = json_get(source, "endpointsNamespace");
	const char *bad = !ns                ? NULL
	                  : json_str(ns).len ? validate_dns1123_label(json_str(ns))
	                                     : "if the endpointnamespace is set, it must be a valid namespace name";
	validate_source_members(e, "spec", "glusterfs", source);
	if (bad)
		bad_value(e, at(e, "%s.endpointsNamespace", here), json_str(ns), bad);
}

/* Who reads the secret has to be told where it lies. */
static void check_secret_place(
        struct field_errors *e, const char *here, const struct json *spec, const struct json *source)
{
	const struct json *ref = part(source, "secretRef");
	const char *kind = part(spec, "cinder") == source ? "cinder" : "storageos";
	validate_source_members(e, "spec", kind, source);
	if (ref)
		need(e, at(e, "%s.secretRef", here), ref, "namespace");
}

static void check_azure_file(
        struct field_errors *e, const char *here, const struct json *spec, const struct json *source)
{
	validate_source_members(e, "spec", "azureFile", source);
	if (json_get(source, "secretNamespace"))
		need(e, here, source, "secretNamespace");
}

static void check_iscsi(struct field_errors *e, const char *here, const struct json *spec, const struct json *source)
{
	validate_source_members(e, "spec", "iscsi", source);
	if (part(source, "secretRef"))
		need(e, at(e, "%s.secretRef", here), part(source, "secretRef"), "name");
}

/* ---- the sources, in the order in which upstream looks ---- */

/* `twice`: what upstream calls it when it is one too many, "" when it does not mind. NULL: by its name. `check` does
 * all; NULL: as a pod's. */
static const struct volume_source {
	const char *name, *twice;
	void (*check)(struct field_errors *e, const char *here, const struct json *spec, const struct json *source);
} sources[] = {
        {"hostPath", NULL, NULL},
        {"gcePersistentDisk", NULL, NULL},
        {"awsElasticBlockStore", NULL, NULL},
        {"glusterfs", NULL, check_gluster},
        {"flocker", NULL, NULL},
        {"nfs", NULL, NULL},
        {"rbd", NULL, NULL},
        {"quobyte", NULL, NULL},
        {"cephfs", "cephFS", NULL},
        {"iscsi", NULL, check_iscsi},
        {"cinder", NULL, check_secret_place},
        {"fc", NULL, NULL},
        {"flexVolume", "", NULL},
        {"azureFile", NULL, check_azure_file},
        {"vsphereVolume", NULL, NULL},
        {"photonPersistentDisk", NULL, NULL},
        {"portworxVolume", NULL, NULL},
        {"azureDisk", NULL, NULL},
        {"scaleIO", NULL, NULL},
        {"local", NULL, check_local},
        {"storageos", NULL, check_secret_place},
        {"csi", NULL, check_csi},
};

static void check_source(struct field_errors *e, const struct volume_source *s, const struct json *spec)
{
	const struct json *source = part(spec, s->name);
	if (s->check)
		s->check(e, at(e, "spec.%s", s->name), spec, source);
	else
		validate_source_members(e, "spec", s->name, source);
}

static void check_sources(struct field_errors *e, const struct json *spec)
{
	bool has_one = false;
	for (size_t i = 0; i < COUNT_OF(sources); i++) {
		const struct volume_source *s = &sources[i];
		bool may_be_second = s->twice && !*s->twice;
		if (!part(spec, s->name))
			continue;
		if (has_one && !may_be_second)
			bad_forbidden(e, at(e, "spec.%s", s->twice ? s->twice : s->name),
			        "may not specify more than 1 volume type");
		else
			check_source(e, s, spec);
		has_one = true;
	}
	if (!has_one)
		bad_required(e, "spec", "must specify a volume type");
}

/* The portal and the volume's name make a name of the initiator's. */
static void check_initiator(struct field_errors *e, const struct json *object)
{
	const struct json *iscsi = json_path(object, "spec", "iscsi", NULL);
	struct slice name = json_str(json_path(object, "metadata", "name", NULL)),
	             portal = json_get_str(iscsi, "targetPortal");
	if (json_get(iscsi, "initiatorName") && name.len + 1 + portal.len > PORTAL_MAX)
		bad_value(e, "spec.iscsi.targetportal", portal,
		        "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
		        "iscsi.initiatorName is specified.");
}

/* ---- all else of the spec ---- */

static void check_capacity(struct field_errors *e, const struct json *capacity)
{
	bool is_storage = capacity && capacity->count == 1 && json_get(capacity, "storage");
	if (!capacity || !capacity->first)
		bad_required(e, "spec.capacity", "");
	if (!is_storage)
		field_error_add(e, "FieldValueNotSupported", "spec.capacity",
		        "Unsupported value: core.ResourceList%s: supported values: \"storage\"",
		        capacity && capacity->first ? "{...}" : "(nil)");
	JSON_FOREACH (it, capacity) {
		const char *field = at(e, "spec.capacity[%.*s]", SLICE_FMT(it->key));
		check_no_debt(e, field, it);
		check_positive_amount(e, field, it);
	}
}

static bool is_root(struct slice path)
{
	struct slice rest = path;
	bool is_plain = slice_starts(path, "/");
	while (rest.ptr && is_plain) {
		struct slice name = slice_cut(&rest, '/');
		is_plain = !name.len || slice_is(name, ".");
	}
	return is_plain;
}

static void check_reclaim(struct field_errors *e, const struct json *spec)
{
	static const char field[] = "spec.persistentVolumeReclaimPolicy";
	struct slice policy = json_get_str(spec, "persistentVolumeReclaimPolicy");
	check_choice(e, field, policy, "Delete,Recycle,Retain", false);
	if (slice_is(policy, "Recycle") && is_root(json_get_str(part(spec, "hostPath"), "path")))
		bad_forbidden(e, field, "may not be 'recycle' for a hostPath mount of '/'");
}

static void check_affinity(struct field_errors *e, const struct json *spec)
{
	const struct json *affinity = part(spec, "nodeAffinity"), *required = part(affinity, "required");
	if (required)
		validate_node_selector(e, "spec.nodeAffinity.required", required);
	else if (affinity)
		bad_required(e, "spec.nodeAffinity.required", "must specify required node constraints");
}

static void check_attributes_class(struct field_errors *e, const struct json *spec)
{
	static const char field[] = "spec.volumeAttributesClassName";
	const struct json *class = json_get(spec, "volumeAttributesClassName");
	if (!class)
		return;
	if (!json_str(class).len)
		bad_required(e, field, "an empty string is disallowed");
	check_class_name(e, field, json_str(class));
	if (!part(spec, "csi"))
		bad_required(e, "spec.csi", "has to be specified when using volumeAttributesClassName");
}

/* ---- changes ---- */

static const struct {
	const char *beta, *stable;
} label_names[] = {
        {"failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"},
        {"failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"},
        {"beta.kubernetes.io/os", "kubernetes.io/os"},
        {"beta.kubernetes.io/arch", "kubernetes.io/arch"},
        {"beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"},
};

/* The old expressions with the names that their labels have today, where the new ones have them. */
static void rename_labels(struct arena *a, const struct json *old_terms, const struct json *terms)
{
	const struct json *term = terms ? terms->first : NULL;
	JSON_FOREACH (old_term, old_terms) {
		const struct json *now = term ? json_get(term, "matchExpressions") : NULL;
		const struct json *x = now ? now->first : NULL;
		JSON_FOREACH (it, json_get(old_term, "matchExpressions")) {
			for (size_t i = 0; x && i < COUNT_OF(label_names); i++)
				if (slice_is(json_get_str(it, "key"), label_names[i].beta) &&
				        slice_is(json_get_str(x, "key"), label_names[i].stable))
					json_set_cstr(a, it, "key", label_names[i].stable);
			x = x ? x->next : NULL;
		}
		term = term ? term->next : NULL;
	}
}

static void check_affinity_change(struct field_errors *e, const struct json *now, const struct json *before)
{
	if (!before || (now && json_equal(now, before)))
		return;
	struct json *renamed = json_copy(e->arena, before);
	rename_labels(e->arena, json_path(renamed, "required", "nodeSelectorTerms", NULL),
	        json_path(now, "required", "nodeSelectorTerms", NULL));
	if (now && json_equal(now, renamed))
		return;
	field_error_add(e, "FieldValueInvalid", "nodeAffinity",
	        "Invalid value: %s: field is immutable, except for updating from beta label to GA",
	        now ? "core.VolumeNodeAffinity{...}" : "\"null\"");
}

/* A secret for growing may be named later. */
static bool is_other_source(const struct json *spec, const struct json *before)
{
	static const char others[] = "capacity,accessModes,claimRef,persistentVolumeReclaimPolicy,storageClassName,"
	                             "mountOptions,volumeMode,nodeAffinity,volumeAttributesClassName,csi";
	const struct json *csi = part(spec, "csi"), *had = part(before, "csi");
	const char *may_come = json_get(had, "controllerExpandSecretRef") ? "" : "controllerExpandSecretRef";
	return differs_beyond(spec, before, others) || !csi != !had || (csi && differs_beyond(csi, had, may_come));
}

static void check_change(struct field_errors *e, const struct json *spec, const struct json *before)
{
	if (is_other_source(spec, before))
		bad_forbidden(
		        e, "spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation");
	check_immutable(e, "volumeMode", json_get(spec, "volumeMode"), json_get(before, "volumeMode"));
	check_affinity_change(e, part(spec, "nodeAffinity"), part(before, "nodeAffinity"));
	if (json_get(before, "volumeAttributesClassName") && !json_get(spec, "volumeAttributesClassName"))
		bad_forbidden(e, "spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden");
}

void validate_volume(struct field_errors *e, const struct json *object, const struct json *old)
{
	const struct json *spec = json_get(object, "spec"), *modes = json_get(spec, "accessModes");
	if (!modes || !modes->first)
		bad_required(e, "spec.accessModes", "");
	check_access_modes(e, "spec.accessModes", modes);
	check_capacity(e, json_get(spec, "capacity"));
	check_reclaim(e, spec);
	check_affinity(e, spec);
	check_sources(e, spec);
	check_initiator(e, object);
	check_class_name(e, "spec.storageClassName", json_get_str(spec, "storageClassName"));
	check_choice(e, "spec.volumeMode", json_get_str(spec, "volumeMode"), "Block,Filesystem", false);
	check_attributes_class(e, spec);
	if (old)
		check_change(e, spec, json_get(old, "spec"));
}
