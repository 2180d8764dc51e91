/* See fields_v1.h. What is read has come from a client at some time: names are checked once, here, so that everything
 * else may trust them. */
#include "api/machinery/fields/fields_v1.h"

#include "base/json/json.h"

struct reader {
	struct arena *a;
	struct json_scan *scan;
	struct err *err;
	int depth;
	bool is_own;
};

static int refuse(struct reader *r, const char *why, struct slice name)
{
	return err_set(r->err, ERR_INVAL, "fieldsV1: \"%.*s\" %s", SLICE_FMT(name), why);
}

/* ---- names ---- */

/* Members of a key in byte order, each a scalar. */
static bool write_key(struct strbuf *out, const struct json *key)
{
	const struct json *last = NULL;
	if (!json_is(key, JSON_OBJECT) || !key->count)
		return false;
	strbuf_addc(out, '{');
	for (uint32_t n = 0; n < key->count; n++) {
		const struct json *least = NULL;
		JSON_FOREACH (it, key)
			if ((!last || slice_cmp(it->key, last->key) > 0) &&
			        (!least || slice_cmp(it->key, least->key) < 0))
				least = it;
		if (!least || least->type == JSON_ARRAY || least->type == JSON_OBJECT)
			return false;
		if (n)
			strbuf_addc(out, ',');
		json_write_str(out, least->key);
		strbuf_addc(out, ':');
		json_write(out, least);
		last = least;
	}
	strbuf_addc(out, '}');
	return true;
}

/* Keys of more members than any list has would make finding their order dear. */
enum { KEY_MEMBERS_MAX = 16 };

static int take_json_name(struct reader *r, struct field_set *n)
{
	struct strbuf out = STRBUF_INIT;
	struct json *v = json_parse(r->a, n->name, NULL, NULL);
	bool ok = v && v->count <= KEY_MEMBERS_MAX;
	if (ok && n->kind == 'k')
		ok = write_key(&out, v);
	else if (ok)
		json_write(&out, v);
	if (ok)
		n->name = (struct slice){arena_memdup(r->a, out.data, out.len), out.len};
	strbuf_release(&out);
	return ok ? 0 : refuse(r, n->kind == 'k' ? "is no key of a list element" : "is no value in JSON", n->name);
}

static int take_name(struct reader *r, struct slice text, struct field_set *n)
{
	int64_t index;
	if (text.len < 2 || text.ptr[1] != ':')
		return refuse(r, "is no step of a path: f:NAME, k:{KEYS}, v:VALUE or i:NUMBER", text);
	n->kind = text.ptr[0];
	n->name = (struct slice){text.ptr + 2, text.len - 2};
	if (n->kind == 'f')
		return 0;
	if (n->kind == 'i')
		return slice_to_i64(n->name, &index) ? 0 : refuse(r, "is no place in a list", text);
	if (n->kind == 'k' || n->kind == 'v')
		return r->is_own ? 0 : take_json_name(r, n);
	return refuse(r, "is no step of a path: f:NAME, k:{KEYS}, v:VALUE or i:NUMBER", text);
}

static struct slice text_of(struct reader *r)
{
	struct slice raw = r->scan->key;
	if (r->is_own && !r->scan->key_escaped)
		return raw;
	char *copy = arena_memdup(r->a, raw.ptr, raw.len);
	size_t len = r->scan->key_escaped ? json_unescape(copy, raw) : raw.len;
	return (struct slice){copy, len};
}

/* ---- nodes ---- */

static int read_node(struct reader *r, struct field_set *n);

static int read_dot(struct reader *r, struct field_set *n)
{
	n->is_member = true;
	return json_scan_skip(r->scan) && slice_is(r->scan->text, "{}") ? 0 : refuse(r, "must be {}", SLICE("."));
}

static int read_child(struct reader *r, struct field_set *parent)
{
	struct field_set child = {0};
	struct slice name = text_of(r);
	if (slice_is(name, "."))
		return read_dot(r, parent);
	if (take_name(r, name, &child) != 0 || read_node(r, &child) != 0)
		return r->err->code;
	if (field_set_is_empty(&child)) /* {}: the field itself */
		child.is_member = true;
	field_set_push(r->a, parent, &child);
	return 0;
}

static void reverse(struct field_set *n)
{
	struct field_set *list = NULL;
	for (struct field_set *next, *it = n->first; it; it = next) {
		next = it->next;
		it->next = list;
		list = it;
	}
	n->first = list;
}

static int read_node(struct reader *r, struct field_set *n)
{
	if (json_scan_next(r->scan) != JSON_TOKEN_OBJECT)
		return err_set(r->err, ERR_INVAL, "fieldsV1: %s",
		        r->scan->error ? r->scan->error : "every field must have an object as its value");
	if (++r->depth > API_TREE_DEPTH_MAX)
		return err_set(r->err, ERR_INVAL, "fieldsV1 nests deeper than %d fields", API_TREE_DEPTH_MAX);
	while (json_scan_member(r->scan))
		if (read_child(r, n) != 0)
			return r->err->code;
	r->depth--;
	if (r->scan->error)
		return err_set(r->err, ERR_INVAL, "fieldsV1: %s", r->scan->error);
	reverse(n); /* mostly in order then */
	return field_set_sort(n) ? 0 : err_set(r->err, ERR_INVAL, "fieldsV1 names a field twice");
}

struct field_set *fields_v1_read(struct arena *a, struct json_scan *s, bool is_own, struct err *err)
{
	struct err own = ERR_INIT;
	struct reader r = {a, s, err ? err : &own, 0, is_own};
	struct field_set *set = ARENA_NEW(a, struct field_set);
	if (read_node(&r, set) != 0)
		return NULL;
	set->is_member = false; /* the object itself is nobody's */
	return set;
}

/* ---- writing ---- */

/* Nothing but what needs no escape, or a backslash before it. */
static bool is_simple(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] < 0x20 || (unsigned char)s.ptr[i] >= 0x80)
			return false;
	return true;
}

/* "f:name": and "k:{\"name\":\"x\"}": as one piece, and {} behind a leaf: nearly every node is simple. */
static void write_simple(struct strbuf *out, const struct field_set *n)
{
	strbuf_reserve(out, 2 * n->name.len + 8);
	char *at = out->data + out->len;
	*at++ = '"';
	*at++ = n->kind;
	*at++ = ':';
	for (size_t i = 0; i < n->name.len; i++) {
		char c = n->name.ptr[i];
		if (c == '"' || c == '\\')
			*at++ = '\\';
		*at++ = c;
	}
	memcpy(at, n->first ? "\":\0\0" : "\":{}", 5);
	out->len = (size_t)(at - out->data) + (n->first ? 2 : 4);
	out->data[out->len] = 0;
}

/* As one string: the name's opening quote becomes the colon behind the letter. */
static void write_name(struct strbuf *out, const struct field_set *n)
{
	strbuf_addc(out, '"');
	strbuf_addc(out, n->kind);
	size_t at = out->len;
	json_write_str(out, n->name);
	out->data[at] = ':';
	strbuf_adds(out, n->first ? ":" : ":{}");
}

void fields_v1_write(struct strbuf *out, const struct field_set *set)
{
	strbuf_addc(out, '{');
	if (set->is_member && set->first)
		strbuf_adds(out, "\".\":{}");
	for (const struct field_set *it = set->first; it; it = it->next) {
		if (out->data[out->len - 1] != '{')
			strbuf_addc(out, ',');
		if (is_simple(it->name))
			write_simple(out, it);
		else
			write_name(out, it);
		if (it->first)
			fields_v1_write(out, it);
	}
	strbuf_addc(out, '}');
}
