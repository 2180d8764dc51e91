/* A pod's volumes, and how containers have them: as file systems at paths, or as block devices. Upstream:
 * ValidateVolumes, ValidateVolumeMounts, ValidateVolumeDevices. What each source demands: volume_sources.c. */
#include "api/machinery/rules/pod/pod_parts_int.h"

#include "api/machinery/rules/pod/volume_sources.h"
#include "base/check.h"

/* ---- the volumes ---- */

void pod_volumes_add(struct pod_volumes *v, const struct json *volumes)
{
	JSON_FOREACH (it, volumes) {
		name_set_add(&v->names, json_get_str(it, "name"));
		if (object_member(it, "persistentVolumeClaim") || object_member(it, "ephemeral"))
			name_set_add(&v->claims, json_get_str(it, "name"));
	}
}

void pod_volumes_release(struct pod_volumes *v)
{
	name_set_release(&v->names);
	name_set_release(&v->claims);
}

void validate_volumes(struct field_errors *e, const char *base, const struct json *volumes)
{
	struct name_set own = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (v, volumes) {
		const char *here = at(e, "%s.volumes[%d]", base, i++);
		struct slice name = json_get_str(v, "name");
		const char *bad = name.len ? validate_dns1123_label(name) : NULL;
		if (!name.len)
			bad_required(e, at(e, "%s.name", here), "");
		else if (bad)
			bad_value(e, at(e, "%s.name", here), name, bad);
		if (name.len && !name_set_add(&own, name))
			bad_duplicate(e, at(e, "%s.name", here), name);
		validate_volume_source(e, here, v);
	}
	name_set_release(&own);
}

/* ---- mounts ---- */

/* The names and places that a container's list of one kind uses, for the list of the other. */
struct used {
	struct name_set names, paths;
};

static void use(struct used *u, const struct json *list, const char *path)
{
	JSON_FOREACH (it, list) {
		name_set_add(&u->names, json_get_str(it, "name"));
		name_set_add(&u->paths, json_get_str(it, path));
	}
}

static void used_release(struct used *u)
{
	name_set_release(&u->names);
	name_set_release(&u->paths);
}

/* It is a word about mounts that are read-only and stay inside. */
static void check_recursive(struct field_errors *e, const char *here, const struct json *m)
{
	struct slice mode = json_get_str(m, "recursiveReadOnly"), propagation = json_get_str(m, "mountPropagation");
	const char *field = at(e, "%s.recursiveReadOnly", here);
	check_choice(e, field, mode, "Disabled,Enabled,IfPossible", false);
	if (!slice_is(mode, "Enabled") && !slice_is(mode, "IfPossible"))
		return;
	if (!json_get_bool(m, "readOnly", false))
		bad_forbidden(e, field, "may only be specified when readOnly is true");
	if (propagation.len && !slice_is(propagation, "None"))
		bad_forbidden(e, field, "may only be specified when mountPropagation is None or not specified");
}

/* Here and of paths below volumes upstream names the list, not the mount. */
static void check_propagation(
        struct field_errors *e, const char *base, const struct json *m, const struct json *container)
{
	struct slice mode = json_get_str(m, "mountPropagation");
	const char *field = at(e, "%s.volumeMounts.mountPropagation", base);
	check_choice(e, field, mode, "Bidirectional,HostToContainer,None", false);
	if (slice_is(mode, "Bidirectional") &&
	        !json_bool(json_path(container, "securityContext", "privileged", NULL), false))
		bad_forbidden(e, field, "Bidirectional mount propagation is available only to privileged containers");
}

static void check_sub_path(struct field_errors *e, const char *base, const struct json *m, const char *name)
{
	struct slice path = json_get_str(m, name);
	const char *bad = path_not_descending(path);
	if (bad)
		bad_value(e, at(e, "%s.volumeMounts.%s", base, name), path, bad);
}

static void check_mount_place(
        struct field_errors *e, const char *here, const struct json *m, const struct pod_volumes *volumes)
{
	struct slice name = json_get_str(m, "name");
	if (!name.len)
		bad_required(e, at(e, "%s.name", here), "");
	else if (!name_set_has(&volumes->names, name))
		bad_not_found(e, at(e, "%s.name", here), name);
	if (!json_get_str(m, "mountPath").len)
		bad_required(e, at(e, "%s.mountPath", here), "");
	if (json_get_str(m, "subPath").len && json_get_str(m, "subPathExpr").len)
		bad_value(e, at(e, "%s.subPathExpr", here), json_get_str(m, "subPathExpr"),
		        "subPathExpr and subPath are mutually exclusive");
}

static void check_mounts(struct field_errors *e, const char *base, const struct json *container,
        const struct pod_volumes *volumes, const struct used *devices)
{
	struct name_set paths = {MAP_INIT};
	int i = 0;
	JSON_FOREACH (m, json_get(container, "volumeMounts")) {
		const char *here = at(e, "%s.volumeMounts[%d]", base, i++);
		struct slice name = json_get_str(m, "name"), path = json_get_str(m, "mountPath");
		check_mount_place(e, here, m, volumes);
		if (path.len && !name_set_add(&paths, path))
			bad_value(e, at(e, "%s.mountPath", here), path, "must be unique");
		if (name_set_has(&devices->names, name))
			bad_value(e, at(e, "%s.name", here), name, "must not already exist in volumeDevices");
		if (name_set_has(&devices->paths, path))
			bad_value(e, at(e, "%s.mountPath", here), path,
			        "must not already exist as a path in volumeDevices");
		check_sub_path(e, base, m, "subPath");
		check_sub_path(e, base, m, "subPathExpr");
		check_propagation(e, base, m, container);
		check_recursive(e, here, m);
	}
	name_set_release(&paths);
}

/* ---- devices ---- */

static void check_device_name(
        struct field_errors *e, const char *here, struct slice name, const struct pod_volumes *volumes)
{
	if (!name.len)
		bad_required(e, at(e, "%s.name", here), "");
	if (!name_set_has(&volumes->names, name))
		bad_not_found(e, at(e, "%s.name", here), name);
	else if (!name_set_has(&volumes->claims, name))
		bad_value(e, at(e, "%s.name", here), name,
		        "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode");
}

static void check_devices(struct field_errors *e, const char *base, const struct json *devices,
        const struct pod_volumes *volumes, const struct used *mounts)
{
	struct used own = {{MAP_INIT}, {MAP_INIT}};
	int i = 0;
	JSON_FOREACH (d, devices) {
		const char *here = at(e, "%s.volumeDevices[%d]", base, i++);
		struct slice name = json_get_str(d, "name"), path = json_get_str(d, "devicePath");
		if (!name_set_add(&own.names, name))
			bad_value(e, at(e, "%s.name", here), name, "must be unique");
		check_device_name(e, here, name, volumes);
		if (!path.len)
			bad_required(e, at(e, "%s.devicePath", here), "");
		if (!name_set_add(&own.paths, path))
			bad_value(e, at(e, "%s.devicePath", here), path, "must be unique");
		if (path_goes_up(path))
			bad_value(e, at(e, "%s.devicePath", here), path, "can not contain backsteps ('..')");
		if (name_set_has(&mounts->names, name))
			bad_value(e, at(e, "%s.name", here), name, "must not already exist in volumeMounts");
		if (name_set_has(&mounts->paths, path))
			bad_value(e, at(e, "%s.devicePath", here), path,
			        "must not already exist as a path in volumeMounts");
	}
	used_release(&own);
}

void validate_mounts(
        struct field_errors *e, const char *base, const struct json *container, const struct pod_volumes *volumes)
{
	const struct json *devices = json_get(container, "volumeDevices");
	struct used by_mounts = {{MAP_INIT}, {MAP_INIT}}, by_devices = {{MAP_INIT}, {MAP_INIT}};
	if (devices && devices->first) {
		use(&by_mounts, json_get(container, "volumeMounts"), "mountPath");
		use(&by_devices, devices, "devicePath");
	}
	check_mounts(e, base, container, volumes, &by_devices);
	check_devices(e, base, devices, volumes, &by_mounts);
	used_release(&by_mounts);
	used_release(&by_devices);
}
