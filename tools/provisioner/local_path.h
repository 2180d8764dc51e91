/* Where a claim's directory lies, and the objects that make it a volume. Pure. Any thread. */
#ifndef K3X_TOOLS_PROVISIONER_LOCAL_PATH_H
#define K3X_TOOLS_PROVISIONER_LOCAL_PATH_H

#include "base/err.h"
#include "base/json/json.h"

#define LOCAL_PATH_PROVISIONER "rancher.io/local-path"
#define LOCAL_PATH_HELPER_LABEL "local-path-helper"
/* Annotations of helper pods and volumes. */
#define LOCAL_PATH_FOR "local.path.provisioner/for" /* the key of the claim or volume */
#define LOCAL_PATH_BASE "local.path.provisioner/base"
#define LOCAL_PATH_FOLDER "local.path.provisioner/folder"
#define LOCAL_PATH_NODE "local.path.provisioner/selected-node"

/* The directory on the node that volumes go to. `config`: config.json of the config map, parsed; `node`: its name;
 * `wanted`: the class's nodePath, or empty; `salt`: any text, by which one of several paths is taken. ERR_INVAL says
 * what of the config is wrong or missing. */
int local_path_base(struct arena *a, const struct json *config, struct slice node, struct slice wanted,
        struct slice salt, const char **ret, struct err *err);
/* The volume's folder beneath it: PV_NAMESPACE_CLAIM, or what the class's pathPattern says ("{{ .PVC.Namespace }}/{{
 * .PVC.Name }}"; also .PVName, .PVC.Labels.KEY, .PVC.Annotations.KEY). ERR_INVAL: the pattern says something else, or
 * what comes out leaves the base. */
int local_path_folder(struct arena *a, struct slice pattern, const char *volume, const struct json *claim,
        const char **ret, struct err *err);
/* Relative, and without ".", "..", empty names and control characters. */
bool local_path_is_safe(struct slice path);

/* What a helper pod does. */
struct local_path_job {
	bool removes;
	const char *pod, *ns, *image; /* the pod's name, where it runs, from which image */
	const char *for_key;          /* LOCAL_PATH_FOR */
	const char *node;             /* its name */
	const char *base, *folder;
	int64_t size;        /* bytes, for scripts */
	const char *scripts; /* the config map with scripts "setup" and "teardown"; NULL: our own program does it */
};
struct json *local_path_helper(struct arena *a, const struct local_path_job *j);
/* The volume of a claim whose directory is made. `class`: the storage class; `hostname`: the node's label. */
struct json *local_path_volume(struct arena *a, const char *name, const struct json *claim,
        const struct json *storage_class, const char *base, const char *folder, const char *node,
        struct slice hostname);

#endif
