/* The sources of volumes: a table of them in the order in which upstream looks, each with the members that it cannot do
 * without and, where there is more to say, a check of its own. A volume has one of them; the first counts, and those
 * after it are refused. Upstream: pkg/apis/core/validation (validateVolumeSource and what it calls). */
#include "api/machinery/rules/pod/volume_sources.h"
#include "api/machinery/rules/checks.h"

#include "api/machinery/codec/quantity.h"
#include "base/check.h"

#include <ctype.h>

enum { MODE_MAX = 0777, LUN_MAX = 255, PORTAL_MAX = 64, DRIVER_MAX = 63, TENANT_MAX = 64 };

typedef void source_check_fn(struct field_errors *e, const char *here, const struct json *source);

static void need(struct field_errors *e, const char *here, const struct json *o, const char *name)
{
	if (!json_get_str(o, name).len)
		bad_required(e, at(e, "%s.%s", here, name), "");
}

/* ---- paths ---- */

const char *path_goes_up(struct slice path)
{
	struct slice rest = path;
	while (rest.ptr)
		if (slice_is(slice_cut(&rest, '/'), ".."))
			return "must not contain '..'";
	return NULL;
}

const char *path_not_descending(struct slice path)
{
	return slice_starts(path, "/") ? "must be a relative path" : path_goes_up(path);
}

/* A path of a file below the volume. What begins with ".." is what the node keeps its own links as. */
static void check_file_path(struct field_errors *e, const char *field, struct slice path)
{
	const char *bad = path_not_descending(path);
	if (bad)
		bad_value(e, field, path, bad);
	if (slice_starts(path, "..") && !slice_starts(path, "../"))
		bad_value(e, field, path, "must not start with '..'");
}

static void check_mode(struct field_errors *e, const char *here, const struct json *o, const char *name)
{
	int64_t mode = json_get_int(o, name, 0);
	if (mode < 0 || mode > MODE_MAX)
		bad_number(e, at(e, "%s.%s", here, name), mode,
		        "must be a number between 0 and 0777 (octal), both inclusive");
}

/* ---- references to fields ---- */

static const char labels[] = "metadata.labels", annotations[] = "metadata.annotations";

/* "metadata.labels['KEY']": its KEY and what is before the bracket. False for what has no brackets. */
static bool split_subscript(struct slice path, struct slice *ret_before, struct slice *ret_key)
{
	const char *open = path.len ? memmem(path.ptr, path.len, "['", 2) : NULL;
	if (!open || !slice_ends(path, "']"))
		return false;
	size_t before = (size_t)(open - path.ptr);
	if (path.len < before + 4)
		return false;
	*ret_before = (struct slice){path.ptr, before};
	*ret_key = (struct slice){open + 2, path.len - before - 4};
	return before > 0;
}

static void check_subscript(
        struct field_errors *e, const char *field, struct slice path, struct slice before, struct slice key)
{
	bool is_label = slice_is(before, labels);
	if (!is_label && !slice_is(before, annotations)) {
		bad_value(e, at(e, "%s.fieldPath", field), path,
		        at(e, "error converting fieldPath: field label does not support subscript: %.*s",
		                SLICE_FMT(path)));
		return;
	}
	const char *bad = check_qualified_name(is_label ? key : slice_lower(e->arena, key));
	if (bad)
		bad_value(e, field, key, bad);
}

void validate_field_ref(struct field_errors *e, const char *field, const struct json *ref, const char *allowed)
{
	static const char *const known[] = {annotations, labels, "metadata.name", "metadata.namespace", "metadata.uid",
	        "spec.host", "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
	        "status.hostIP", "status.hostIPs", "status.phase", "status.podIP", "status.podIPs"};
	struct slice path = json_get_str(ref, "fieldPath"), before, key;
	if (!path.len)
		bad_required(e, at(e, "%s.fieldPath", field), "");
	else if (split_subscript(path, &before, &key))
		check_subscript(e, field, path, before, key);
	else if (!slice_is_any(path, known, COUNT_OF(known)))
		bad_value(e, at(e, "%s.fieldPath", field), path,
		        at(e, "error converting fieldPath: field label not supported: %.*s", SLICE_FMT(path)));
	else
		check_choice(e, at(e, "%s.fieldPath", field), path, allowed, true);
}

static bool is_huge_pages(struct slice resource)
{
	return slice_starts(resource, "requests.hugepages-") || slice_starts(resource, "limits.hugepages-");
}

/* What a divisor may be, and how upstream calls the resource when it is not. */
static void check_divisor(struct field_errors *e, const char *here, const struct json *ref)
{
	static const char *const cores[] = {"1m", "1"};
	static const char *const bytes[] = {
	        "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei"};
	struct slice resource = json_get_str(ref, "resource");
	const char *what = slice_ends(resource, ".memory")              ? "memory"
	                   : slice_ends(resource, ".ephemeral-storage") ? "local ephemeral storage"
	                   : is_huge_pages(resource)                    ? "hugepages"
	                                                                : NULL;
	struct json *divisor = json_get(ref, "divisor");
	char text[QUANTITY_TEXT_MAX];
	struct quantity q;
	if (!divisor || quantity_parse(divisor->text, &q, NULL) != 0 || quantity_sign(&q) == 0)
		return;
	quantity_format(&q, text);
	if (slice_ends(resource, ".cpu") && !slice_is_any(slice_of(text), cores, COUNT_OF(cores)))
		bad_value(e, at(e, "%s.divisor", here), resource,
		        "only divisor's values 1m and 1 are supported with the cpu resource");
	if (what && !slice_is_any(slice_of(text), bytes, COUNT_OF(bytes)))
		bad_value(e, at(e, "%s.divisor", here), resource,
		        at(e,
		                "only divisor's values 1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei are "
		                "supported with the %s resource",
		                what));
}

void validate_resource_ref(struct field_errors *e, const char *field, const struct json *ref, bool is_volume)
{
	struct slice resource = json_get_str(ref, "resource");
	if (is_volume && !json_get_str(ref, "containerName").len)
		bad_required(e, at(e, "%s.containerName", field), "");
	else if (!is_huge_pages(resource))
		check_choice(e, at(e, "%s.resource", field), resource,
		        "limits.cpu,limits.ephemeral-storage,limits.memory,requests.cpu,requests.ephemeral-storage,"
		        "requests.memory",
		        true);
	check_divisor(e, field, ref);
}

/* ---- what the node writes: configMap, secret, downwardAPI, projected ---- */

static void check_items(struct field_errors *e, const char *here, const struct json *source)
{
	int i = 0;
	JSON_FOREACH (it, json_get(source, "items")) {
		const char *item = at(e, "%s.items[%d]", here, i++);
		need(e, item, it, "key");
		need(e, item, it, "path");
		check_file_path(e, at(e, "%s.path", item), json_get_str(it, "path"));
		check_mode(e, item, it, "mode");
	}
}

static void check_keys(struct field_errors *e, const char *here, const struct json *source)
{
	check_mode(e, here, source, "defaultMode");
	check_items(e, here, source);
}

static void check_downward_file(struct field_errors *e, const char *here, const struct json *file)
{
	const struct json *field = object_member(file, "fieldRef"), *resource = object_member(file, "resourceFieldRef");
	need(e, here, file, "path");
	check_file_path(e, at(e, "%s.path", here), json_get_str(file, "path"));
	if (field)
		validate_field_ref(e, at(e, "%s.fieldRef", here), field,
		        "metadata.annotations,metadata.labels,metadata.name,metadata.namespace,metadata.uid");
	if (field && resource)
		bad_value(e, here, SLICE("resource"),
		        "fieldRef and resourceFieldRef can not be specified simultaneously");
	else if (resource)
		validate_resource_ref(e, at(e, "%s.resourceFieldRef", here), resource, true);
	else if (!field)
		bad_required(e, here, "one of fieldRef and resourceFieldRef is required");
	check_mode(e, here, file, "mode");
}

/* Upstream names the source, not the item. */
static void check_downward_files(struct field_errors *e, const char *here, const struct json *source)
{
	JSON_FOREACH (it, json_get(source, "items"))
		check_downward_file(e, here, it);
}

static void check_downward(struct field_errors *e, const char *here, const struct json *source)
{
	check_mode(e, here, source, "defaultMode");
	check_downward_files(e, here, source);
}

static void check_token(struct field_errors *e, const char *here, const char *volume, const struct json *token)
{
	enum { BY_DEFAULT_S = 3600 };
	check_token_seconds(
	        e, at(e, "%s.expirationSeconds", here), json_get_int(token, "expirationSeconds", BY_DEFAULT_S));
	need(e, volume, token, "path");
	check_file_path(e, at(e, "%s.path", volume), json_get_str(token, "path"));
}

static void check_bundle(struct field_errors *e, const char *here, const struct json *bundle)
{
	const struct json *name = json_get(bundle, "name"), *signer = json_get(bundle, "signerName");
	if (!name && !signer)
		bad_required(e, here, "either name or signerName must be specified");
	if (name && signer)
		bad_value(e, here, SLICE(""), "only one of name and signerName may be used");
	else if (name && !json_str(name).len)
		bad_required(e, at(e, "%s.name", here), "must be a valid object name");
	else if (signer && !json_str(signer).len)
		bad_required(e, at(e, "%s.signerName", here), "must be a valid signer name");
	if (signer && object_member(bundle, "labelSelector"))
		check_selector(e, at(e, "%s.labelSelector", here), object_member(bundle, "labelSelector"));
	need(e, here, bundle, "path");
	check_file_path(e, at(e, "%s.path", here), json_get_str(bundle, "path"));
}

/* Two sources that write one file. `shown`: whose name upstream shows, NULL for the path itself. */
static void take_path(struct field_errors *e, const char *volume, struct name_set *paths, const struct json *file,
        const struct json *shown)
{
	struct slice path = json_get_str(file, "path");
	if (path.len && !name_set_add(paths, path))
		bad_value(e, volume, shown ? json_get_str(shown, "name") : path, "conflicting duplicate paths");
}

static void check_projection(
        struct field_errors *e, const char *volume, const char *here, const struct json *source, struct name_set *paths)
{
	static const char *const named[] = {"secret", "configMap"};
	const struct json *down = object_member(source, "downwardAPI"),
	                  *token = object_member(source, "serviceAccountToken"),
	                  *bundle = object_member(source, "clusterTrustBundle");
	int n = (down != NULL) + (token != NULL) + (bundle != NULL);
	for (size_t i = 0; i < COUNT_OF(named); i++) {
		const struct json *s = object_member(source, named[i]);
		if (!s)
			continue;
		n++;
		need(e, at(e, "%s.%s", here, named[i]), s, "name");
		check_items(e, at(e, "%s.%s", here, named[i]), s);
		JSON_FOREACH (it, json_get(s, "items"))
			take_path(e, volume, paths, it, s);
	}
	if (down)
		check_downward_files(e, at(e, "%s.downwardAPI", here), down);
	JSON_FOREACH (it, json_get(down, "items"))
		take_path(e, volume, paths, it, NULL);
	if (token)
		check_token(e, at(e, "%s.serviceAccountToken", here), volume, token);
	if (bundle) {
		check_bundle(e, at(e, "%s.clusterTrustBundle", here), bundle);
		take_path(e, volume, paths, bundle, NULL);
	}
	if (n > 1)
		bad_forbidden(e, here, "may not specify more than 1 volume type per source");
}

static void check_projected(struct field_errors *e, const char *here, const struct json *source)
{
	struct name_set paths = {MAP_INIT};
	int i = 0;
	check_mode(e, here, source, "defaultMode");
	JSON_FOREACH (it, json_get(source, "sources"))
		check_projection(e, here, at(e, "%s.sources[%d]", here, i++), it, &paths);
	name_set_release(&paths);
}

/* ---- the node's own ---- */

static void check_empty_dir(struct field_errors *e, const char *here, const struct json *source)
{
	const struct json *limit = json_get(source, "sizeLimit");
	struct quantity q;
	if (limit && quantity_parse(limit->text, &q, NULL) == 0 && quantity_sign(&q) < 0)
		bad_forbidden(e, at(e, "%s.sizeLimit", here), "SizeLimit field must be a valid resource quantity");
}

static void check_host_path(struct field_errors *e, const char *here, const struct json *source)
{
	struct slice path = json_get_str(source, "path");
	if (!path.len)
		return;
	if (path_goes_up(path))
		bad_value(e, at(e, "%s.path", here), path, path_goes_up(path));
	if (json_get_str(source, "type").len)
		check_choice(e, at(e, "%s.type", here), json_get_str(source, "type"),
		        ",BlockDevice,CharDevice,Directory,DirectoryOrCreate,File,FileOrCreate,Socket", false);
}

static void check_git(struct field_errors *e, const char *here, const struct json *source)
{
	struct slice directory = json_get_str(source, "directory");
	const char *bad = path_not_descending(directory);
	if (bad)
		bad_value(e, at(e, "%s.directory", here), directory, bad);
}

static void check_image(struct field_errors *e, const char *here, const struct json *source)
{
	check_choice(e, at(e, "%s.pullPolicy", here), json_get_str(source, "pullPolicy"), "Always,IfNotPresent,Never",
	        false);
}

/* ---- over the network ---- */

static void check_nfs(struct field_errors *e, const char *here, const struct json *source)
{
	struct slice path = json_get_str(source, "path");
	if (!slice_starts(path, "/"))
		bad_value(e, at(e, "%s.path", here), path, "must be an absolute path");
}

static bool all_alnum(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]))
			return false;
	return true;
}

/* "iqn.2001-04.com.example:storage" */
static bool is_iqn(struct slice s)
{
	static const char shape[] = "iqn.dddd-dd.";
	size_t i = 0, n = sizeof shape - 1;
	if (s.len <= n)
		return false;
	for (; i < n; i++)
		if (shape[i] == 'd' && i > 3 ? !isdigit((unsigned char)s.ptr[i]) : s.ptr[i] != shape[i])
			return false;
	for (; i < s.len && (isalnum((unsigned char)s.ptr[i]) || s.ptr[i] == '-' || s.ptr[i] == '.'); i++)
		;
	if (i == n || i + 1 >= s.len || s.ptr[i] != ':')
		return false;
	for (i++; i < s.len; i++)
		if (memchr(",;*&$| \t\n\f\r", s.ptr[i], 11))
			return false;
	return true;
}

static const char *iscsi_name_error(struct slice s)
{
	enum { EUI_LEN = 4 + 16, NAA_LEN = 4 + 32 };
	bool good;
	if (slice_starts(s, "iqn"))
		good = is_iqn(s);
	else if (slice_starts(s, "eui"))
		good = s.len == EUI_LEN && all_alnum(s.ptr + 4, s.len - 4);
	else if (slice_starts(s, "naa"))
		good = s.len == NAA_LEN && all_alnum(s.ptr + 4, s.len - 4);
	else
		return "must be valid format starting with iqn, eui, or naa";
	return good ? NULL : "must be valid format";
}

static void check_lun(struct field_errors *e, const char *here, const struct json *source)
{
	int64_t lun = json_get_int(source, "lun", 0);
	if (lun < 0 || lun > LUN_MAX)
		bad_number(e, at(e, "%s.lun", here), lun, "must be between 0 and 255, inclusive");
}

static void check_iscsi(struct field_errors *e, const char *here, const struct json *source)
{
	struct slice iqn = json_get_str(source, "iqn");
	const struct json *initiator = json_get(source, "initiatorName");
	const char *bad = iqn.len ? iscsi_name_error(iqn) : NULL;
	if (bad)
		bad_value(e, at(e, "%s.iqn", here), iqn, bad);
	check_lun(e, here, source);
	if ((json_get_bool(source, "chapAuthDiscovery", false) || json_get_bool(source, "chapAuthSession", false)) &&
	        !object_member(source, "secretRef"))
		bad_required(e, at(e, "%s.secretRef", here), "");
	bad = json_is(initiator, JSON_STRING) ? iscsi_name_error(json_str(initiator)) : NULL;
	if (bad)
		bad_value(e, at(e, "%s.initiatorname", here), json_str(initiator), bad);
}

static bool has_any(const struct json *o, const char *list)
{
	const struct json *l = json_get(o, list);
	return l && l->first;
}

static void check_fc(struct field_errors *e, const char *here, const struct json *source)
{
	const char *field = at(e, "%s.targetWWNs", here);
	bool by_target = has_any(source, "targetWWNs"), by_id = has_any(source, "wwids");
	if (!by_target && !by_id)
		bad_required(e, field, "must specify either targetWWNs or wwids, but not both");
	if (by_target && by_id)
		field_error_add(e, "FieldValueInvalid", field,
		        "Invalid value: %s: targetWWNs and wwids can not be specified simultaneously",
		        go_list_text(e->arena, "[]string", json_get(source, "targetWWNs")));
	if (by_target && !json_get(source, "lun"))
		bad_required(e, at(e, "%s.lun", here), "lun is required if targetWWNs is specified");
	else if (by_target)
		check_lun(e, here, source);
}

static void check_partition(struct field_errors *e, const char *here, const struct json *source)
{
	int64_t partition = json_get_int(source, "partition", 0);
	if (partition < 0 || partition > 255)
		bad_number(e, at(e, "%s.partition", here), partition, "must be between 0 and 255, inclusive");
}

static void check_monitors(struct field_errors *e, const char *here, const struct json *source)
{
	if (!has_any(source, "monitors"))
		bad_required(e, at(e, "%s.monitors", here), "");
}

static void check_flocker(struct field_errors *e, const char *here, const struct json *source)
{
	struct slice name = json_get_str(source, "datasetName"), uuid = json_get_str(source, "datasetUUID");
	if (!name.len && !uuid.len)
		bad_required(e, here, "one of datasetName and datasetUUID is required");
	if (name.len && uuid.len)
		bad_value(
		        e, here, SLICE("resource"), "datasetName and datasetUUID can not be specified simultaneously");
	if (name.len && memchr(name.ptr, '/', name.len))
		bad_value(e, at(e, "%s.datasetName", here), name, "must not contain '/'");
}

static void check_quobyte(struct field_errors *e, const char *here, const struct json *source)
{
	static const char pairs[] = "must be a host:port pair or multiple pairs separated by commas";
	struct slice registry = json_get_str(source, "registry"), rest = registry;
	if (!registry.len) {
		bad_required(e, at(e, "%s.registry", here), pairs);
		return;
	}
	if (json_get_str(source, "tenant").len > TENANT_MAX) {
		bad_required(
		        e, at(e, "%s.tenant", here), "must be a UUID and may not exceed a length of 64 characters");
		return;
	}
	while (rest.ptr) {
		struct slice pair = slice_cut(&rest, ',');
		if (!pair.len || !memchr(pair.ptr, ':', pair.len))
			bad_value(e, at(e, "%s.registry", here), registry, pairs);
	}
}

static void check_flex(struct field_errors *e, const char *here, const struct json *source)
{
	JSON_FOREACH (it, json_get(source, "options")) {
		struct slice rest = it->key, first = slice_cut(&rest, '/');
		const char *dotted = at(e, ".%.*s", SLICE_FMT(slice_lower(e->arena, rest.ptr ? first : it->key)));
		if (slice_ends(slice_of(dotted), ".kubernetes.io") || slice_ends(slice_of(dotted), ".k8s.io"))
			bad_value(e, at(e, "%s.options[%.*s]", here, SLICE_FMT(it->key)), it->key,
			        "kubernetes.io and k8s.io namespaces are reserved");
	}
}

static void check_secret_ref(struct field_errors *e, const char *here, const struct json *source)
{
	if (object_member(source, "secretRef"))
		need(e, at(e, "%s.secretRef", here), object_member(source, "secretRef"), "name");
}

static void check_storageos(struct field_errors *e, const char *here, const struct json *source)
{
	static const char *const names[] = {"volumeName", "volumeNamespace"};
	for (size_t i = 0; i < COUNT_OF(names); i++) {
		struct slice name = json_get_str(source, names[i]);
		const char *bad = name.len ? validate_dns1123_label(name) : NULL;
		if (bad)
			bad_value(e, at(e, "%s.%s", here, names[i]), name, bad);
	}
	check_secret_ref(e, here, source);
}

/* Where an Azure disk lies depends on its kind. */
static void check_azure_uri(struct field_errors *e, const char *here, struct slice kind, struct slice uri)
{
	bool managed = slice_is(kind, "Managed");
	if (kind.len && !slice_starts(uri, managed ? "/subscriptions/" : "https://"))
		bad_choice(e, at(e, "%s.diskURI", here), uri,
		        managed ? "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/"
		                  "disks/{disk-id}"
		                : "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd");
}

static void check_azure_disk(struct field_errors *e, const char *here, const struct json *source)
{
	struct slice kind = json_get_str(source, "kind");
	check_choice(e, at(e, "%s.cachingMode", here), json_get_str(source, "cachingMode"), "None,ReadOnly,ReadWrite",
	        false);
	check_choice(e, at(e, "%s.kind", here), kind, "Dedicated,Managed,Shared", false);
	check_azure_uri(e, here, kind, json_get_str(source, "diskURI"));
}

void validate_csi_driver_name(struct field_errors *e, const char *field, struct slice name)
{
	const char *bad = validate_dns1123_subdomain(slice_lower(e->arena, name));
	if (!name.len)
		bad_required(e, field, "");
	if (name.len > DRIVER_MAX)
		field_error_add(e, "FieldValueTooLong", field, "Too long: may not be more than 63 bytes");
	if (bad)
		bad_value(e, field, name, bad);
}

static void check_csi(struct field_errors *e, const char *here, const struct json *source)
{
	const struct json *secret = object_member(source, "nodePublishSecretRef");
	struct slice name = json_get_str(secret, "name");
	const char *bad = name.len ? validate_dns1123_subdomain(name) : NULL;
	validate_csi_driver_name(e, at(e, "%s.driver", here), json_get_str(source, "driver"));
	if (secret)
		need(e, at(e, "%s.nodePublishSecretRef", here), secret, "name");
	if (bad)
		bad_value(e, at(e, "%s.name", here), name, bad);
}

static void check_ephemeral(struct field_errors *e, const char *here, const struct json *source)
{
	const struct json *tmpl = object_member(source, "volumeClaimTemplate");
	const char *field = at(e, "%s.volumeClaimTemplate", here);
	if (!tmpl) {
		bad_required(e, field, "");
		return;
	}
	check_labels(e, at(e, "%s.metadata.labels", field), json_path(tmpl, "metadata", "labels", NULL));
	check_annotations(e, at(e, "%s.metadata.annotations", field), json_path(tmpl, "metadata", "annotations", NULL));
	if (!has_any(json_get(tmpl, "spec"), "accessModes"))
		bad_required(e, at(e, "%s.spec.accessModes", field), "at least 1 access mode is required");
	if (!json_path(tmpl, "spec", "resources", "requests", "storage", NULL))
		bad_required(e, at(e, "%s.spec.resources[storage]", field), "");
}

/* ---- the table ---- */

/* `path`: what upstream calls it in the paths of its members; `twice`: when it is one too many. NULL: by its name. */
static const struct source_kind {
	const char *name, *path, *twice, *required;
	source_check_fn *check;
} source_kinds[] = {
        {"emptyDir", NULL, NULL, NULL, check_empty_dir},
        {"hostPath", NULL, NULL, "path", check_host_path},
        {"gitRepo", NULL, NULL, "repository", check_git},
        {"gcePersistentDisk", "persistentDisk", NULL, "pdName", check_partition},
        {"awsElasticBlockStore", NULL, NULL, "volumeID", check_partition},
        {"secret", NULL, NULL, "secretName", check_keys},
        {"nfs", NULL, NULL, "server,path", check_nfs},
        {"iscsi", NULL, NULL, "targetPortal,iqn", check_iscsi},
        {"glusterfs", NULL, NULL, "endpoints,path", NULL},
        {"flocker", NULL, NULL, NULL, check_flocker},
        {"persistentVolumeClaim", NULL, NULL, "claimName", NULL},
        {"rbd", NULL, NULL, "image", check_monitors},
        {"cinder", NULL, NULL, "volumeID", check_secret_ref},
        {"cephfs", NULL, "cephFS", NULL, check_monitors},
        {"quobyte", NULL, NULL, "volume", check_quobyte},
        {"downwardAPI", NULL, "downwarAPI", NULL, check_downward},
        {"fc", NULL, NULL, NULL, check_fc},
        {"flexVolume", NULL, NULL, "driver", check_flex},
        {"configMap", NULL, NULL, "name", check_keys},
        {"azureFile", NULL, NULL, "secretName,shareName", NULL},
        {"vsphereVolume", NULL, NULL, "volumePath", NULL},
        {"photonPersistentDisk", NULL, NULL, "pdID", NULL},
        {"portworxVolume", NULL, NULL, "volumeID", NULL},
        {"azureDisk", NULL, NULL, "diskName,diskURI", check_azure_disk},
        {"storageos", NULL, NULL, "volumeName", check_storageos},
        {"projected", NULL, NULL, NULL, check_projected},
        {"scaleIO", NULL, NULL, "gateway,system,volumeName", NULL},
        {"csi", NULL, NULL, NULL, check_csi},
        {"ephemeral", NULL, NULL, NULL, check_ephemeral},
        {"image", NULL, NULL, NULL, check_image},
};

static void check_members(
        struct field_errors *e, const char *field, const struct source_kind *k, const struct json *source)
{
	const char *here = at(e, "%s.%s", field, k->path ? k->path : k->name);
	struct slice rest = k->required ? slice_of(k->required) : SLICE_NULL;
	while (rest.ptr) {
		struct slice name = slice_cut(&rest, ',');
		if (!json_str(json_get_slice(source, name)).len)
			bad_required(e, at(e, "%s.%.*s", here, SLICE_FMT(name)), "");
	}
	if (k->check)
		k->check(e, here, source);
}

void validate_source_members(struct field_errors *e, const char *field, const char *kind, const struct json *source)
{
	for (size_t i = 0; i < COUNT_OF(source_kinds); i++)
		if (strcmp(source_kinds[i].name, kind) == 0)
			check_members(e, field, &source_kinds[i], source);
}

/* The portal and the volume's name make a name of the initiator's. */
static void check_iscsi_name(struct field_errors *e, const char *field, const struct json *volume)
{
	const struct json *iscsi = object_member(volume, "iscsi");
	struct slice name = json_get_str(volume, "name");
	if (json_get(iscsi, "initiatorName") && name.len + 1 + json_get_str(iscsi, "targetPortal").len > PORTAL_MAX)
		bad_value(e, at(e, "%s.name", field), name,
		        "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if "
		        "iscsi.initiatorName is specified.");
}

void validate_volume_source(struct field_errors *e, const char *field, const struct json *volume)
{
	bool has_one = false;
	for (size_t i = 0; i < COUNT_OF(source_kinds); i++) {
		const struct source_kind *k = &source_kinds[i];
		const struct json *source = object_member(volume, k->name);
		if (!source)
			continue;
		if (has_one)
			bad_forbidden(e, at(e, "%s.%s", field, k->twice ? k->twice : k->name),
			        "may not specify more than 1 volume type");
		else
			check_members(e, field, k, source);
		has_one = true;
	}
	if (!has_one)
		bad_required(e, field, "must specify a volume type");
	check_iscsi_name(e, field, volume);
}
