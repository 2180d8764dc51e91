/* JSON patch and JSON merge patch. See patch.h; strategic merge is in strategic.c. */
#include "api/machinery/patch/patch.h"

#include "base/mem/budget.h"

/* ---- JSON merge patch (RFC 7386) ---- */

struct json *patch_merge_apply(struct arena *a, struct json *object, const struct json *patch)
{
	if (patch->type != JSON_OBJECT)
		return json_copy(a, patch);
	if (!json_is(object, JSON_OBJECT))
		object = json_new(a, JSON_OBJECT);
	struct json_index members;
	json_index_init(&members, object);
	JSON_FOREACH (it, patch) {
		if (it->type == JSON_NULL) {
			json_index_del(&members, it->key);
			continue;
		}
		struct json *old = json_index_get(&members, it->key);
		struct json *value = patch_merge_apply(a, old, it);
		if (value != old)
			json_index_set(&members, (struct slice){arena_memdup(a, it->key.ptr, it->key.len), it->key.len},
			        value);
	}
	json_index_release(&members);
	return object;
}

/* ---- JSON pointers (RFC 6901) ---- */

/* The next reference token, unescaped; *rest moves behind it. */
static struct slice next_token(struct arena *a, struct slice *rest)
{
	struct slice raw = slice_cut(rest, '/');
	char *text = arena_memdup(a, raw.ptr, raw.len);
	size_t n = 0;
	for (size_t i = 0; i < raw.len; i++) {
		char c = raw.ptr[i];
		if (c == '~' && i + 1 < raw.len && (raw.ptr[i + 1] == '0' || raw.ptr[i + 1] == '1'))
			c = raw.ptr[++i] == '0' ? '~' : '/';
		text[n++] = c;
	}
	text[n] = 0;
	return (struct slice){text, n};
}

static bool to_index(struct slice token, uint32_t limit, uint32_t *out)
{
	uint64_t v;
	if (!slice_to_u64(token, &v) || v >= limit || (token.len > 1 && token.ptr[0] == '0'))
		return false;
	*out = (uint32_t)v;
	return true;
}

static struct json *child(const struct json *v, struct slice token)
{
	uint32_t i;
	if (json_is(v, JSON_OBJECT))
		return json_get_slice(v, token);
	return json_is(v, JSON_ARRAY) && to_index(token, v->count, &i) ? json_at(v, i) : NULL;
}

/* A location: the container and the last token. The root has no container. */
struct location {
	struct json *parent;
	struct slice token;
	bool is_root;
};

static int bad_path(struct err *err, struct slice path, const char *what)
{
	return err_set(err, ERR_INVALID_OBJECT,
	        "the server rejected our request due to an error in our request: jsonpatch: path \"%.*s\" %s",
	        SLICE_FMT(path), what);
}

static int locate(struct arena *a, struct json *root, struct slice path, struct location *out, struct err *err)
{
	struct slice rest = path;
	*out = (struct location){.is_root = path.len == 0};
	if (out->is_root)
		return 0;
	if (path.ptr[0] != '/')
		return err_set(err, ERR_INVAL, "jsonpatch: path \"%.*s\" must begin with '/'", SLICE_FMT(path));
	rest = (struct slice){path.ptr + 1, path.len - 1};
	out->parent = root;
	for (;;) {
		out->token = next_token(a, &rest);
		if (!rest.ptr)
			break;
		out->parent = child(out->parent, out->token);
		if (!out->parent)
			return bad_path(err, path, "does not exist");
	}
	if (out->parent->type != JSON_OBJECT && out->parent->type != JSON_ARRAY)
		return bad_path(err, path, "does not lead into an object or array");
	return 0;
}

static struct json *value_at(struct json *root, const struct location *l)
{
	return l->is_root ? root : child(l->parent, l->token);
}

/* ---- operations (RFC 6902 section 4) ---- */

struct patcher {
	struct arena *a;
	struct json *root;
	struct err *err;
};

static int op_add(struct patcher *p, struct slice path, struct json *value)
{
	struct location l;
	uint32_t i;
	if (locate(p->a, p->root, path, &l, p->err) != 0)
		return p->err->code;
	if (l.is_root)
		p->root = value;
	else if (l.parent->type == JSON_OBJECT)
		json_set_slice(p->a, l.parent, l.token, value);
	else if (slice_is(l.token, "-"))
		json_append(l.parent, value);
	else if (to_index(l.token, l.parent->count + 1, &i))
		json_insert(l.parent, i, value);
	else
		return bad_path(p->err, path, "is not an index of the array");
	return 0;
}

static int op_remove(struct patcher *p, struct slice path, struct json **removed)
{
	struct location l;
	if (locate(p->a, p->root, path, &l, p->err) != 0)
		return p->err->code;
	struct json *v = value_at(p->root, &l);
	if (!v || l.is_root)
		return bad_path(p->err, path, l.is_root ? "is the whole object" : "does not exist");
	json_remove(l.parent, v);
	if (removed)
		*removed = v;
	return 0;
}

static int op_replace(struct patcher *p, struct slice path, struct json *value)
{
	struct location l;
	if (locate(p->a, p->root, path, &l, p->err) != 0)
		return p->err->code;
	struct json *old = value_at(p->root, &l);
	if (!old)
		return bad_path(p->err, path, "does not exist");
	if (l.is_root) {
		p->root = value;
	} else if (l.parent->type == JSON_OBJECT) {
		json_set_slice(p->a, l.parent, l.token, value);
	} else {
		uint32_t i = 0;
		to_index(l.token, l.parent->count, &i);
		json_remove(l.parent, old);
		json_insert(l.parent, i, value);
	}
	return 0;
}

static int op_copy(struct patcher *p, struct slice from, struct slice path)
{
	struct location l;
	if (locate(p->a, p->root, from, &l, p->err) != 0)
		return p->err->code;
	struct json *v = value_at(p->root, &l);
	return v ? op_add(p, path, json_copy(p->a, v)) : bad_path(p->err, from, "does not exist");
}

static int op_move(struct patcher *p, struct slice from, struct slice path)
{
	struct json *v;
	if (path.len > from.len && memcmp(path.ptr, from.ptr, from.len) == 0 && path.ptr[from.len] == '/')
		return bad_path(p->err, path, "lies inside what is moved");
	if (slice_eq(from, path))
		return 0;
	return op_remove(p, from, &v) == 0 ? op_add(p, path, v) : p->err->code;
}

static int op_test(struct patcher *p, struct slice path, const struct json *value)
{
	struct location l;
	if (locate(p->a, p->root, path, &l, p->err) != 0)
		return p->err->code;
	struct json *have = value_at(p->root, &l);
	bool both_null = (!have || have->type == JSON_NULL) && value->type == JSON_NULL;
	return both_null || json_equal(have, value) ? 0 : bad_path(p->err, path, "does not have the value tested for");
}

static int apply_one(struct patcher *p, const struct json *op)
{
	struct slice name = json_get_str(op, "op"), path = json_get_str(op, "path"), from = json_get_str(op, "from");
	struct json *value = json_get(op, "value");
	if (!json_is(json_get(op, "path"), JSON_STRING))
		return err_set(p->err, ERR_INVAL, "jsonpatch: an operation needs a \"path\"");
	bool takes_value = slice_is(name, "add") || slice_is(name, "replace") || slice_is(name, "test");
	if (takes_value && !value)
		return err_set(p->err, ERR_INVAL, "jsonpatch: operation \"%.*s\" needs a \"value\"", SLICE_FMT(name));
	bool takes_from = slice_is(name, "move") || slice_is(name, "copy");
	if (takes_from && !from.ptr)
		return err_set(p->err, ERR_INVAL, "jsonpatch: operation \"%.*s\" needs a \"from\"", SLICE_FMT(name));
	if (slice_is(name, "add"))
		return op_add(p, path, json_copy(p->a, value));
	if (slice_is(name, "remove"))
		return op_remove(p, path, NULL);
	if (slice_is(name, "replace"))
		return op_replace(p, path, json_copy(p->a, value));
	if (slice_is(name, "test"))
		return op_test(p, path, value);
	if (slice_is(name, "move"))
		return op_move(p, from, path);
	if (slice_is(name, "copy"))
		return op_copy(p, from, path);
	return err_set(p->err, ERR_INVALID_OBJECT, "jsonpatch: unknown operation \"%.*s\"", SLICE_FMT(name));
}

/* What copies may add up to: an operation list can double an object each time. */
enum { PATCHED_BYTES_MAX = 8 * 1024 * 1024 };

int patch_json_apply(struct arena *a, struct json **object, const struct json *patch, struct err *err)
{
	struct patcher p = {a, *object, err};
	size_t before = a->used_bytes;
	if (!json_is(patch, JSON_ARRAY))
		return err_set(err, ERR_INVAL, "a JSON patch must be an array of operations");
	if (patch->count > PATCH_OPERATIONS_MAX)
		return err_set(err, ERR_TOO_BIG, "The allowed maximum operations in a JSON patch is %d, got %u",
		        PATCH_OPERATIONS_MAX, patch->count);
	JSON_FOREACH (op, patch) {
		if (budget_check(a->budget, a->used_bytes, err) != 0 || apply_one(&p, op) != 0)
			return err->code;
		if (a->used_bytes - before > PATCHED_BYTES_MAX)
			return err_set(err, ERR_TOO_BIG, "the patch makes the object too large");
	}
	*object = p.root;
	return 0;
}
