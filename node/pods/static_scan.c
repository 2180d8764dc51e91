/* See static_scan_int.h. A pod's uid is made of the file's path and content and the node's name, so an edited file is
 * another pod. What can go wrong: no descriptor or no memory for the folder or a file, a file that is half written or
 * no pod; what ran because of it goes on then. */
#include "node/pods/static_scan_int.h"

#include "base/limits.h"
#include "base/check.h"
#include "base/pki/pki.h"
#include "base/yaml.h"
#include "node/ground/files.h"
#include "node/ground/times.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

enum { UID_CHARS = 32 };

static void set_default(struct arena *a, struct json *o, const char *key, const char *value)
{
	if (!json_get(o, key))
		json_set_cstr(a, o, key, value);
}

/* What the API server would have filled in. */
static void complete(struct arena *a, struct json *o, const char *node_name, const char *uid)
{
	DCHECK(strlen(uid) == UID_CHARS);
	struct json *meta = json_get(o, "metadata"), *spec = json_get(o, "spec"),
	            *notes = json_need(a, meta, "annotations", JSON_OBJECT);
	char now[TIME_TEXT_MAX];
	const char *name = arena_printf(a, "%s-%s", json_cstr(a, json_get(meta, "name")), node_name);
	json_set_cstr(a, meta, "name", name);
	set_default(a, meta, "namespace", "default");
	json_set_cstr(a, meta, "uid", uid);
	json_set_cstr(a, notes, "kubernetes.io/config.hash", uid);
	json_set_cstr(a, notes, "kubernetes.io/config.source", "file");
	json_set_cstr(a, notes, "kubernetes.io/config.seen", time_text_nano(time_now_ns(), now));
	json_set_cstr(a, spec, "nodeName", node_name);
	set_default(a, spec, "restartPolicy", "Always");
	set_default(a, spec, "dnsPolicy", "ClusterFirst");
	if (!json_get(spec, "terminationGracePeriodSeconds"))
		json_set_int(a, spec, "terminationGracePeriodSeconds", 30);
	if (!json_get(spec, "enableServiceLinks"))
		json_set_bool(a, spec, "enableServiceLinks", true);
	JSON_FOREACH (c, json_get(spec, "containers")) {
		set_default(a, c, "terminationMessagePath", "/dev/termination-log");
		set_default(a, c, "terminationMessagePolicy", "File");
	}
}

static const char *uid_of(struct arena *a, const char *path, struct slice text, const char *node_name)
{
	struct strbuf b = STRBUF_INIT;
	char hash[65];
	strbuf_addf(&b, "%s\n%s\n", node_name, path);
	strbuf_add_slice(&b, text);
	pki_sha256_hex(b.data, b.len, hash);
	strbuf_release(&b);
	hash[UID_CHARS] = 0;
	return arena_strdup(a, hash);
}

static bool is_pod(const struct json *o)
{
	struct json *meta = json_get(o, "metadata"), *containers = json_path(o, "spec", "containers", NULL);
	struct json *ns = json_get(meta, "namespace"), *notes = json_get(meta, "annotations");
	if (!slice_is(json_get_str(o, "kind"), "Pod") || !json_get_str(meta, "name").len ||
	        !json_is(containers, JSON_ARRAY) || !containers->count || (ns && !json_str(ns).len) ||
	        (notes && !json_is(notes, JSON_OBJECT)))
		return false;
	JSON_FOREACH (c, containers)
		if (!json_is(c, JSON_OBJECT) || !json_get_str(c, "name").len)
			return false;
	return true;
}

void static_file_parse(
        struct arena *a, const char *path, struct slice text, const char *node_name, struct static_file *ret)
{
	CHECK(!ret->uid && !ret->object);
	struct err err = ERR_INIT;
	struct strbuf b = STRBUF_INIT;
	struct json *o = yaml_parse(a, text, NULL, &err);
	if (!o || !is_pod(o)) {
		ret->error = arena_strdup(
		        a, err.code ? err.msg : "kind Pod with metadata.name and named spec.containers is wanted");
		return;
	}
	ret->uid = uid_of(a, path, text, node_name);
	complete(a, o, node_name, ret->uid);
	ret->ns = json_cstr(a, json_path(o, "metadata", "namespace", NULL));
	ret->pod = json_cstr(a, json_path(o, "metadata", "name", NULL));
	json_write(&b, o);
	ret->object = rcbuf_copy(b.data, b.len);
	strbuf_release(&b);
}

/* False: the file is not there any more. */
static bool read_one(struct static_folder *f, const char *dir, const char *node_name, struct static_file *file)
{
	size_t len;
	const char *path = arena_printf(&f->arena, "%s/%s", dir, file->name);
	errno = 0;
	char *text = file_read(path, STATIC_MANIFEST_BYTES_MAX + 1, false, &len);
	if (!text && errno == ENOENT)
		return false;
	if (!text)
		file->error = arena_printf(&f->arena, "cannot be read: %s", strerror(errno));
	else if (len > STATIC_MANIFEST_BYTES_MAX)
		file->error = arena_printf(&f->arena, "is larger than %u bytes", STATIC_MANIFEST_BYTES_MAX);
	else
		static_file_parse(&f->arena, path, (struct slice){text, len}, node_name, file);
	free(text);
	return true;
}

static bool is_manifest(const char *name)
{
	struct slice s = slice_of(name);
	return name[0] != '.' && (slice_ends(s, ".yaml") || slice_ends(s, ".yml") || slice_ends(s, ".json"));
}

void static_folder_read(const char *dir, const char *node_name, struct static_folder *f)
{
	CHECK(*dir == '/' && *node_name);
	*f = (struct static_folder){.err = ERR_INIT};
	DIR *d = opendir(dir);
	if (!d) {
		err_errno(&f->err, errno, "open the folder %s", dir);
		return;
	}
	f->files = ARENA_ARRAY(&f->arena, struct static_file, STATIC_MANIFESTS_MAX);
	struct dirent *e;
	for (errno = 0; (e = readdir(d)); errno = 0) {
		if (!is_manifest(e->d_name))
			continue;
		if (f->count == STATIC_MANIFESTS_MAX) {
			err_set(&f->err, ERR_TOO_BIG, "%s has more than %u manifests: the others are left out", dir,
			        STATIC_MANIFESTS_MAX);
			break;
		}
		struct static_file *file = &f->files[f->count];
		*file = (struct static_file){.name = arena_strdup(&f->arena, e->d_name)};
		f->count += read_one(f, dir, node_name, file);
	}
	if (errno && !f->err.code)
		err_errno(&f->err, errno, "read the folder %s", dir);
	closedir(d);
}

void static_folder_release(struct static_folder *f)
{
	for (size_t i = 0; i < f->count; i++)
		rcbuf_unref(f->files[i].object);
	arena_release(&f->arena);
	f->files = NULL;
	f->count = 0;
}

bool static_pod_is_unwanted(const struct static_folder *f, const char *file, const char *uid)
{
	CHECK(*file && *uid);
	if (f->err.code)
		return false;
	for (size_t i = 0; i < f->count; i++)
		if (f->files[i].uid ? strcmp(f->files[i].uid, uid) == 0 : strcmp(f->files[i].name, file) == 0)
			return false;
	return true;
}
