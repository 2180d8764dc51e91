/* See local_path.h. The config map, the class's parameters and annotations are those of rancher's
 * local-path-provisioner, which k3s comes with, so that a cluster's own settings go on to work. What is not built (a
 * file system that all nodes share) is refused by name. */
#include "tools/provisioner/local_path.h"

#include <string.h>

#define ANY_NODE "DEFAULT_PATH_FOR_NON_LISTED_NODES"

/* ---- where ---- */

static const struct json *entry_of(const struct json *config, struct slice node)
{
	const struct json *fallback = NULL;
	JSON_FOREACH (it, json_get(config, "nodePathMap")) {
		if (slice_eq(json_get_str(it, "node"), node))
			return it;
		if (slice_is(json_get_str(it, "node"), ANY_NODE))
			fallback = it;
	}
	return fallback;
}

static int take(struct arena *a, struct slice path, const char **ret, struct err *err)
{
	while (path.len > 1 && path.ptr[path.len - 1] == '/')
		path.len--;
	if (path.len < 2 || path.ptr[0] != '/' || !local_path_is_safe((struct slice){path.ptr + 1, path.len - 1}))
		return err_set(err, ERR_INVAL,
		        "config: \"%.*s\" is no absolute path of a directory (and / is none for volumes)",
		        SLICE_FMT(path));
	*ret = arena_printf(a, "%.*s", SLICE_FMT(path));
	return 0;
}

int local_path_base(struct arena *a, const struct json *config, struct slice node, struct slice wanted,
        struct slice salt, const char **ret, struct err *err)
{
	const struct json *entry = entry_of(config, node), *paths = json_get(entry, "paths");
	size_t sum = 0;
	if (json_get_str(config, "sharedFileSystemPath").len || json_get(config, "storageClassConfigs"))
		return err_set(err, ERR_UNIMPLEMENTED,
		        "config: sharedFileSystemPath and storageClassConfigs are not built: use nodePathMap, and "
		        "nodePath in a "
		        "class's parameters");
	if (!entry)
		return err_set(err, ERR_INVAL, "config doesn't contain node %.*s, and no " ANY_NODE " available",
		        SLICE_FMT(node));
	if (!paths || !paths->first)
		return err_set(err, ERR_INVAL, "no local path available on node %.*s", SLICE_FMT(node));
	for (size_t i = 0; i < salt.len; i++)
		sum = sum * 31 + (unsigned char)salt.ptr[i];
	if (!wanted.len)
		return take(a, json_str(json_at(paths, sum % paths->count)), ret, err);
	JSON_FOREACH (it, paths)
		if (slice_eq(json_str(it), wanted))
			return take(a, wanted, ret, err);
	return err_set(
	        err, ERR_INVAL, "config doesn't contain path %.*s on node %.*s", SLICE_FMT(wanted), SLICE_FMT(node));
}

bool local_path_is_safe(struct slice path)
{
	if (!path.len || path.len > 1024 || path.ptr[path.len - 1] == '/')
		return false;
	for (size_t i = 0; i < path.len; i++)
		if ((unsigned char)path.ptr[i] < ' ' || path.ptr[i] == 127)
			return false;
	while (path.len) {
		struct slice name = slice_cut(&path, '/');
		if (!name.len || name.len > 255 || slice_is(name, ".") || slice_is(name, ".."))
			return false;
	}
	return true;
}

/* ---- patterns ---- */

static bool field(struct slice name, const char *volume, const struct json *claim, struct slice *ret)
{
	static const char labels[] = ".PVC.Labels.", marks[] = ".PVC.Annotations.";
	struct json *meta = json_get(claim, "metadata");
	bool is_label = slice_starts(name, labels), is_mark = slice_starts(name, marks);
	size_t skip = is_label ? sizeof labels - 1 : sizeof marks - 1;
	if (slice_is(name, ".PVName"))
		*ret = slice_of(volume);
	else if (slice_is(name, ".PVC.Name"))
		*ret = json_get_str(meta, "name");
	else if (slice_is(name, ".PVC.Namespace"))
		*ret = json_get_str(meta, "namespace");
	else if (is_label || is_mark)
		*ret = json_str(json_get_slice(json_get(meta, is_label ? "labels" : "annotations"),
		        (struct slice){name.ptr + skip, name.len - skip}));
	else
		return false;
	return true;
}

static size_t find(struct slice text, size_t from, const char *two)
{
	while (from + 1 < text.len && (text.ptr[from] != two[0] || text.ptr[from + 1] != two[1]))
		from++;
	return from + 1 < text.len ? from : text.len;
}

static int expand(
        struct slice pattern, const char *volume, const struct json *claim, struct strbuf *out, struct err *err)
{
	for (size_t at = 0; at < pattern.len;) {
		size_t open = find(pattern, at, "{{"), close = find(pattern, open, "}}");
		struct slice value;
		strbuf_add(out, pattern.ptr + at, open - at);
		if (open == pattern.len)
			return 0;
		struct slice name =
		        slice_trim((struct slice){pattern.ptr + open + 2, close > open ? close - open - 2 : 0});
		if (close == pattern.len || !field(name, volume, claim, &value))
			return err_set(err, ERR_INVAL,
			        "pathPattern: \"{{ %.*s }}\" is not known: .PVName, .PVC.Name, .PVC.Namespace, "
			        ".PVC.Labels.KEY "
			        "and .PVC.Annotations.KEY are",
			        SLICE_FMT(name));
		strbuf_add_slice(out, value);
		at = close + 2;
	}
	return 0;
}

int local_path_folder(struct arena *a, struct slice pattern, const char *volume, const struct json *claim,
        const char **ret, struct err *err)
{
	struct json *meta = json_get(claim, "metadata");
	struct strbuf out = STRBUF_INIT;
	if (pattern.len)
		expand(pattern, volume, claim, &out, err);
	else
		strbuf_addf(&out, "%s_%.*s_%.*s", volume, SLICE_FMT(json_get_str(meta, "namespace")),
		        SLICE_FMT(json_get_str(meta, "name")));
	if (!err->code && !local_path_is_safe(strbuf_slice(&out)))
		err_set(err, ERR_INVAL, "pathPattern: \"%s\" leaves the base, or is no path", strbuf_cstr(&out));
	if (!err->code)
		*ret = arena_strdup(a, strbuf_cstr(&out));
	strbuf_release(&out);
	return err->code;
}

/* ---- helper pods ---- */

static struct json *append(struct arena *a, struct json *parent, const char *list)
{
	struct json *one = json_new(a, JSON_OBJECT);
	json_append(json_need(a, parent, list, JSON_ARRAY), one);
	return one;
}

static void add_words(struct arena *a, struct json *container, const char *list, const char *const *words)
{
	struct json *l = json_need(a, container, list, JSON_ARRAY);
	for (; *words; words++)
		json_append(l, json_new_cstr(a, *words));
}

static void add_env(struct arena *a, struct json *container, const char *name, const char *value)
{
	struct json *e = append(a, container, "env");
	json_set_cstr(a, e, "name", name);
	json_set_cstr(a, e, "value", value);
}

static void mount_at(struct arena *a, struct json *container, const char *volume, const char *path)
{
	struct json *m = append(a, container, "volumeMounts");
	json_set_cstr(a, m, "name", volume);
	json_set_cstr(a, m, "mountPath", path);
}

/* What upstream's scripts are given: arguments, environment, and the base where it lies on the node. */
static void run_script(struct arena *a, struct json *spec, struct json *container, const struct local_path_job *j)
{
	const char *path = arena_printf(a, "%s/%s", j->base, j->folder), *mode = "Filesystem",
	           *size = arena_printf(a, "%lld", (long long)j->size);
	const char *const command[] = {"/bin/sh", j->removes ? "/script/teardown" : "/script/setup", NULL};
	const char *const args[] = {"-p", path, "-s", size, "-m", mode, "-a", j->removes ? "delete" : "create", NULL};
	add_words(a, container, "command", command);
	add_words(a, container, "args", args);
	add_env(a, container, "VOL_DIR", path);
	add_env(a, container, "VOL_MODE", mode);
	add_env(a, container, "VOL_SIZE_BYTES", size);
	mount_at(a, container, "data", j->base);
	mount_at(a, container, "script", "/script");
	struct json *v = append(a, spec, "volumes");
	json_set_cstr(a, v, "name", "script");
	json_set_cstr(a, json_need(a, v, "configMap", JSON_OBJECT), "name", j->scripts);
}

static void run_own(struct arena *a, struct json *container, const struct local_path_job *j)
{
	const char *const args[] = {
	        "provisioner", j->removes ? "teardown" : "setup", "--base", "/data", "--path", j->folder, NULL};
	static const char *const dropped[] = {"ALL", NULL}, *const kept[] = {"DAC_OVERRIDE", "FOWNER", NULL};
	struct json *security = json_need(a, container, "securityContext", JSON_OBJECT),
	            *capabilities = json_need(a, security, "capabilities", JSON_OBJECT);
	add_words(a, container, "args", args);
	mount_at(a, container, "data", "/data");
	json_set_int(a, security, "runAsUser", 0);
	json_set_bool(a, security, "readOnlyRootFilesystem", true);
	json_set_bool(a, security, "allowPrivilegeEscalation", false);
	add_words(a, capabilities, "drop", dropped);
	add_words(a, capabilities, "add", kept);
}

struct json *local_path_helper(struct arena *a, const struct local_path_job *j)
{
	struct json *pod = json_new(a, JSON_OBJECT), *meta = json_need(a, pod, "metadata", JSON_OBJECT),
	            *spec = json_need(a, pod, "spec", JSON_OBJECT),
	            *marks = json_need(a, meta, "annotations", JSON_OBJECT);
	json_set_cstr(a, meta, "name", j->pod);
	json_set_cstr(a, meta, "namespace", j->ns);
	json_set_cstr(a, json_need(a, meta, "labels", JSON_OBJECT), "app", LOCAL_PATH_HELPER_LABEL);
	json_set_cstr(a, marks, LOCAL_PATH_FOR, j->for_key);
	json_set_cstr(a, marks, LOCAL_PATH_BASE, j->base);
	json_set_cstr(a, marks, LOCAL_PATH_FOLDER, j->folder);
	json_set_cstr(a, spec, "nodeName", j->node);
	json_set_cstr(a, spec, "restartPolicy", "Never");
	json_set_bool(a, spec, "automountServiceAccountToken", false);
	json_set_int(a, spec, "terminationGracePeriodSeconds", 1);
	json_set_cstr(a, append(a, spec, "tolerations"), "operator", "Exists");
	struct json *volume = append(a, spec, "volumes"), *host = json_need(a, volume, "hostPath", JSON_OBJECT);
	json_set_cstr(a, volume, "name", "data");
	json_set_cstr(a, host, "path", j->base);
	json_set_cstr(a, host, "type", "DirectoryOrCreate");
	struct json *container = append(a, spec, "containers");
	json_set_cstr(a, container, "name", "helper-pod");
	json_set_cstr(a, container, "image", j->image);
	json_set_cstr(a, container, "imagePullPolicy", "IfNotPresent");
	if (j->scripts)
		run_script(a, spec, container, j);
	else
		run_own(a, container, j);
	return pod;
}

/* ---- volumes ---- */

static bool is_local(const struct json *claim, const struct json *storage_class)
{
	struct slice type = json_str(json_path(claim, "metadata", "annotations", "volumeType", NULL));
	if (!type.len)
		type = json_str(json_path(storage_class, "metadata", "annotations", "defaultVolumeType", NULL));
	return slice_caseis(type, "local");
}

struct json *local_path_volume(struct arena *a, const char *name, const struct json *claim,
        const struct json *storage_class, const char *base, const char *folder, const char *node, struct slice hostname)
{
	struct json *volume = json_new(a, JSON_OBJECT), *meta = json_need(a, volume, "metadata", JSON_OBJECT),
	            *spec = json_need(a, volume, "spec", JSON_OBJECT),
	            *marks = json_need(a, meta, "annotations", JSON_OBJECT);
	struct json *wish = json_get(claim, "spec"), *of = json_get(claim, "metadata");
	struct slice policy = json_get_str(storage_class, "reclaimPolicy");
	json_set_cstr(a, meta, "name", name);
	json_set_cstr(a, marks, "pv.kubernetes.io/provisioned-by", LOCAL_PATH_PROVISIONER);
	json_set_cstr(a, marks, LOCAL_PATH_NODE, node);
	json_set_cstr(a, marks, LOCAL_PATH_BASE, base);
	json_set_cstr(a, marks, LOCAL_PATH_FOLDER, folder);
	json_set_str(a, spec, "persistentVolumeReclaimPolicy", policy.len ? policy : SLICE("Delete"));
	json_set_str(a, spec, "storageClassName", json_str(json_path(storage_class, "metadata", "name", NULL)));
	json_set(a, spec, "accessModes", json_copy(a, json_get(wish, "accessModes")));
	json_set_cstr(a, spec, "volumeMode", "Filesystem");
	if (json_get(storage_class, "mountOptions"))
		json_set(a, spec, "mountOptions", json_copy(a, json_get(storage_class, "mountOptions")));
	json_set_str(a, json_need(a, spec, "capacity", JSON_OBJECT), "storage",
	        json_str(json_path(wish, "resources", "requests", "storage", NULL)));
	struct json *ref = json_need(a, spec, "claimRef", JSON_OBJECT);
	json_set_cstr(a, ref, "apiVersion", "v1");
	json_set_cstr(a, ref, "kind", "PersistentVolumeClaim");
	json_set_str(a, ref, "namespace", json_get_str(of, "namespace"));
	json_set_str(a, ref, "name", json_get_str(of, "name"));
	json_set_str(a, ref, "uid", json_get_str(of, "uid"));
	json_set_str(a, ref, "resourceVersion", json_get_str(of, "resourceVersion"));
	bool local = is_local(claim, storage_class);
	struct json *source = json_need(a, spec, local ? "local" : "hostPath", JSON_OBJECT);
	json_set_cstr(a, source, "path", arena_printf(a, "%s/%s", base, folder));
	if (!local)
		json_set_cstr(a, source, "type", "DirectoryOrCreate");
	struct json *required = json_need(a, json_need(a, spec, "nodeAffinity", JSON_OBJECT), "required", JSON_OBJECT);
	struct json *e = append(a, append(a, required, "nodeSelectorTerms"), "matchExpressions");
	json_set_cstr(a, e, "key", "kubernetes.io/hostname");
	json_set_cstr(a, e, "operator", "In");
	json_append(json_need(a, e, "values", JSON_ARRAY), json_new_str(a, hostname));
	return volume;
}
