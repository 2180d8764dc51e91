/* See manifest.h. */
#include "api/controllers/manifest.h"

#include "base/json/scan.h"
#include "base/pki/pki.h"
#include "base/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RANK_NAMESPACE, RANK_DEFINITION, RANK_OTHER, HASH_DIGITS = 40 };

/* ---- reading ---- */

static unsigned rank_of(const struct manifest_object *o)
{
	if (slice_is(o->kind, "Namespace") && slice_is(o->api_version, "v1"))
		return RANK_NAMESPACE;
	if (slice_is(o->kind, "CustomResourceDefinition"))
		return RANK_DEFINITION;
	return RANK_OTHER;
}

struct reading {
	struct arena *a;
	struct manifest *m;
	size_t cap, number;
	struct err *err;
};

/* It becomes a part of a path. */
static bool may_be_in_a_path(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if ((unsigned char)name.ptr[i] <= ' ' || strchr("/?%#", name.ptr[i]))
			return false;
	return !slice_is(name, ".") && !slice_is(name, "..");
}

static int check_names(const struct manifest_object *o, struct err *err)
{
	if (!o->api_version.len || !o->kind.len)
		return err_set(
		        err, ERR_INVAL, "object %zu has no %s", o->number, o->api_version.len ? "kind" : "apiVersion");
	if (!o->name.len)
		return err_set(err, ERR_INVAL, "object %zu, of kind %.*s, has no metadata.name that is a string",
		        o->number, SLICE_FMT(o->kind));
	const struct json *ns = json_path(o->json, "metadata", "namespace", NULL);
	if (ns && ns->type != JSON_STRING && ns->type != JSON_NULL)
		return err_set(err, ERR_INVAL, "object %zu, of kind %.*s, has a metadata.namespace that is no string",
		        o->number, SLICE_FMT(o->kind));
	if (!may_be_in_a_path(o->name) || !may_be_in_a_path(o->ns))
		return err_set(err, ERR_INVAL, "object %zu, of kind %.*s: \"%.*s\" is no name", o->number,
		        SLICE_FMT(o->kind), SLICE_FMT(may_be_in_a_path(o->name) ? o->ns : o->name));
	return 0;
}

static int add_object(struct reading *r, struct json *v)
{
	struct manifest_object o = {.json = v, .number = ++r->number};
	o.api_version = json_get_str(v, "apiVersion");
	o.kind = json_get_str(v, "kind");
	o.ns = json_str(json_path(v, "metadata", "namespace", NULL));
	o.name = json_str(json_path(v, "metadata", "name", NULL));
	if (check_names(&o, r->err) != 0)
		return r->err->code;
	if (r->m->count == MANIFEST_OBJECTS_MAX)
		return err_set(
		        r->err, ERR_TOO_BIG, "more than %u objects: make several files of it", MANIFEST_OBJECTS_MAX);
	if (r->m->count == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 16;
		struct manifest_object *more = ARENA_ARRAY(r->a, struct manifest_object, cap);
		if (r->m->count)
			memcpy(more, r->m->objects, r->m->count * sizeof *more);
		r->m->objects = more;
		r->cap = cap;
	}
	o.rank = rank_of(&o);
	r->m->objects[r->m->count++] = o;
	return 0;
}

static int add(struct reading *r, struct json *v, int depth)
{
	struct json *items = json_get(v, "items");
	if (v->type == JSON_NULL)
		return 0;
	if (v->type != JSON_OBJECT)
		return err_set(
		        r->err, ERR_INVAL, "object %zu is a %s, not an object", r->number + 1, json_type_name(v->type));
	if (!slice_ends(json_get_str(v, "kind"), "List") || !json_is(items, JSON_ARRAY))
		return add_object(r, v);
	if (depth == MANIFEST_LISTS_MAX)
		return err_set(r->err, ERR_INVAL, "Lists lie more than %d deep in Lists", MANIFEST_LISTS_MAX);
	for (struct json *it = items->first, *next; it; it = next) {
		next = it->next;
		json_remove(items, it);
		if (add(r, it, depth + 1) != 0)
			return r->err->code;
	}
	return 0;
}

static int in_order(const void *x, const void *y)
{
	const struct manifest_object *p = x, *q = y;
	if (p->rank != q->rank)
		return p->rank < q->rank ? -1 : 1;
	return p->number < q->number ? -1 : p->number > q->number;
}

int manifest_parse(struct arena *a, struct slice text, struct manifest *ret, struct err *err)
{
	struct reading r = {.a = a, .m = ret, .err = err};
	bool is_json = slice_starts(slice_trim(text), "{");
	*ret = (struct manifest){0};
	pki_sha256_hex(text.ptr, text.len, ret->checksum);
	/* JSON with tabs is no YAML; what only looks like JSON may still be it. */
	struct json *one = is_json ? json_parse(a, text, NULL, NULL) : NULL, *all = NULL;
	if (!one) {
		all = yaml_parse_all(a, text, NULL, err);
		if (!all)
			return err->code;
	} else if (add(&r, one, 0) != 0) {
		return err->code;
	}
	for (struct json *it = all ? all->first : NULL, *next; it; it = next) {
		next = it->next;
		json_remove(all, it);
		if (add(&r, it, 0) != 0)
			return err->code;
	}
	if (ret->count)
		qsort(ret->objects, ret->count, sizeof *ret->objects, in_order);
	return 0;
}

/* A pipe or a device would keep us. */
static int read_text(struct arena *a, const char *path, struct slice *ret, struct err *err)
{
	struct stat st;
	size_t n = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (fstat(fd, &st) != 0)
		err_errno(err, errno, "look at %s", path);
	else if (!S_ISREG(st.st_mode))
		err_set(err, ERR_INVAL, "%s is no regular file", path);
	else if ((uint64_t)st.st_size > MANIFEST_BYTES_MAX)
		err_set(err, ERR_TOO_BIG, "%s has %lld bytes, more than %u: make several files of it", path,
		        (long long)st.st_size, MANIFEST_BYTES_MAX);
	char *text = err->code ? NULL : arena_alloc(a, (size_t)st.st_size + 1);
	while (text && n < (size_t)st.st_size) {
		ssize_t got = read(fd, text + n, (size_t)st.st_size - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			err_errno(err, errno, "read %s", path);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	*ret = (struct slice){text, n};
	return err->code;
}

int manifest_read(struct arena *a, const char *path, struct manifest *ret, struct err *err)
{
	struct slice text;
	*ret = (struct manifest){0};
	if (read_text(a, path, &text, err) != 0)
		return err->code;
	return manifest_parse(a, text, ret, err);
}

/* ---- names ---- */

static struct slice last_part(struct slice path)
{
	for (size_t i = path.len; i-- > 0;)
		if (path.ptr[i] == '/')
			return (struct slice){path.ptr + i + 1, path.len - i - 1};
	return path;
}

struct slice manifest_name(struct slice path)
{
	struct slice rest = last_part(path);
	return slice_cut(&rest, '.');
}

bool manifest_is_one(struct slice path)
{
	struct slice name = last_part(path);
	return name.len && name.ptr[0] != '.' &&
	       (slice_ends(name, ".yaml") || slice_ends(name, ".yml") || slice_ends(name, ".json"));
}

/* ---- whose an object is ---- */

/* A label's value has room for 63 bytes, a name needs more. */
void manifest_hash(struct slice addon, char ret_hex[41])
{
	struct strbuf text = STRBUF_INIT;
	char hex[65];
	strbuf_addf(&text, MANIFEST_ADDON_KIND "/kube-system/%.*s", SLICE_FMT(addon));
	pki_sha256_hex(text.data, text.len, hex);
	snprintf(ret_hex, HASH_DIGITS + 1, "%.*s", HASH_DIGITS, hex);
	strbuf_release(&text);
}

void manifest_mark(struct arena *a, struct json *object, struct slice addon)
{
	char hash[HASH_DIGITS + 1];
	struct json *meta = json_need(a, object, "metadata", JSON_OBJECT);
	struct json *labels = json_need(a, meta, "labels", JSON_OBJECT);
	struct json *annotations = json_need(a, meta, "annotations", JSON_OBJECT);
	manifest_hash(addon, hash);
	json_set_cstr(a, labels, MANIFEST_HASH_LABEL, hash);
	json_set_cstr(a, annotations, "objectset.rio.cattle.io/id", "");
	json_set_cstr(a, annotations, MANIFEST_OWNER_KIND, MANIFEST_ADDON_KIND);
	json_set_str(a, annotations, MANIFEST_OWNER_NAME, addon);
	json_set_cstr(a, annotations, MANIFEST_OWNER_NAMESPACE, "kube-system");
}

bool manifest_is_of(struct slice object, struct slice addon)
{
	struct slice annotations = json_find(object, "metadata", "annotations", NULL);
	return slice_is(json_find(annotations, MANIFEST_OWNER_KIND, NULL), MANIFEST_ADDON_KIND) &&
	       slice_eq(json_find(annotations, MANIFEST_OWNER_NAME, NULL), addon) &&
	       slice_is(json_find(annotations, MANIFEST_OWNER_NAMESPACE, NULL), "kube-system");
}

/* ---- kinds ---- */

void manifest_kinds_add(struct arena *a, struct manifest_kinds *k, struct slice api_version, struct slice kind)
{
	for (size_t i = 0; i < k->count; i++)
		if (slice_eq(k->rows[i].api_version, api_version) && slice_eq(k->rows[i].kind, kind))
			return;
	if (k->count == k->cap) {
		size_t cap = k->cap ? k->cap * 2 : 16;
		struct manifest_kind *more = ARENA_ARRAY(a, struct manifest_kind, cap);
		if (k->count)
			memcpy(more, k->rows, k->count * sizeof *more);
		k->rows = more;
		k->cap = cap;
	}
	k->rows[k->count++] = (struct manifest_kind){api_version, kind};
}

void manifest_kinds_read(struct arena *a, struct manifest_kinds *k, struct slice text)
{
	while (text.len) {
		struct slice kind = slice_cut(&text, ';'), api_version = slice_trim(slice_cut(&kind, ','));
		kind = slice_trim(kind);
		if (slice_starts(api_version, "/")) /* so k3s writes the core group */
			api_version.ptr++, api_version.len--;
		if (!api_version.len || !slice_starts(kind, "Kind=") || kind.len == strlen("Kind="))
			continue;
		manifest_kinds_add(
		        a, k, api_version, (struct slice){kind.ptr + strlen("Kind="), kind.len - strlen("Kind=")});
	}
}

const char *manifest_kinds_text(struct arena *a, const struct manifest_kinds *k)
{
	struct strbuf out = STRBUF_INIT;
	for (size_t i = 0; i < k->count; i++)
		strbuf_addf(&out, "%s%.*s, Kind=%.*s", i ? "; " : "", SLICE_FMT(k->rows[i].api_version),
		        SLICE_FMT(k->rows[i].kind));
	const char *text = arena_strdup(a, strbuf_cstr(&out));
	strbuf_release(&out);
	return text;
}
