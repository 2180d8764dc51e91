/* Text to tree: drives the scanner of scan.c and builds arena nodes. See json.h.
 *
 * Nesting is bounded by the scanner's depth limit, so the recursion is too. Repeated names are looked for by a linear
 * walk in small objects and through a hash map in large ones, and what is repeated takes its value where the first
 * stood, so that a hostile object costs no quadratic time. The arena's budget is asked at every value. */
#include "base/check.h"
#include "base/json/json.h"
#include "base/json/scan.h"
#include "base/mem/budget.h"

struct parser {
	struct json_scan scan;
	struct arena *arena;
	const struct json_parse_options *opts;
	struct json *open[JSON_DEPTH_MAX]; /* containers being read, for paths in messages */
	int depth;
	struct slice key; /* of the member whose value comes next, for paths in messages */
	struct err *err;
	bool failed;
};

static struct json *parse_value(struct parser *p);

static struct slice text_of(struct parser *p, struct slice raw, bool escaped)
{
	char *copy = arena_alloc(p->arena, raw.len + 1);
	size_t len = raw.len;
	if (escaped)
		len = json_unescape(copy, raw);
	else if (len)
		memcpy(copy, raw.ptr, len);
	copy[len] = 0;
	return (struct slice){copy, len};
}

static const char *path_of(struct parser *p, struct slice name)
{
	struct strbuf b = STRBUF_INIT;
	for (int i = 1; i < p->depth; i++) {
		struct json *v = p->open[i];
		if (p->open[i - 1]->type == JSON_ARRAY)
			strbuf_addf(&b, "[%u]", p->open[i - 1]->count);
		else
			strbuf_addf(&b, "%s%.*s", b.len ? "." : "", SLICE_FMT(v->key));
	}
	strbuf_addf(&b, "%s%.*s", b.len ? "." : "", SLICE_FMT(name));
	char *path = arena_strdup(p->arena, strbuf_cstr(&b));
	strbuf_release(&b);
	return path;
}

static bool note_duplicate(struct parser *p, struct slice key, size_t offset)
{
	if (p->opts && p->opts->on_duplicate) {
		p->opts->on_duplicate(p->opts->arg, path_of(p, key), offset);
		return true;
	}
	p->failed = true;
	err_set(p->err, ERR_INVAL, "offset %zu: duplicate field \"%s\"", json_scan_offset(&p->scan), path_of(p, key));
	return false;
}

static bool has_budget(struct parser *p)
{
	p->failed = p->failed || budget_check(p->arena->budget, p->arena->used_bytes, p->err) != 0;
	return !p->failed;
}

static bool parse_member(struct parser *p, struct json_index *index)
{
	size_t offset = json_scan_offset(&p->scan);
	struct slice key = text_of(p, p->scan.key, p->scan.key_escaped);
	struct json *before = json_index_get(index, key);
	if (before && !note_duplicate(p, key, offset))
		return false;
	p->key = key;
	struct json *value = parse_value(p);
	if (!value)
		return false;
	value->offset = offset < UINT32_MAX ? (uint32_t)offset : UINT32_MAX;
	json_index_set(index, key, value);
	return true;
}

static bool parse_members(struct parser *p, struct json *obj)
{
	struct json_index index = {.object = obj};
	bool ok = true;
	while (ok && json_scan_member(&p->scan))
		ok = has_budget(p) && parse_member(p, &index);
	json_index_release(&index);
	return ok && !p->scan.error;
}

static bool parse_elements(struct parser *p, struct json *array)
{
	while (json_scan_element(&p->scan)) {
		struct json *v = has_budget(p) ? parse_value(p) : NULL;
		if (!v)
			return false;
		json_append(array, v);
	}
	return !p->scan.error;
}

static struct json *parse_container(struct parser *p, struct json *v)
{
	v->key = p->key;
	p->open[p->depth++] = v;
	bool ok = v->type == JSON_OBJECT ? parse_members(p, v) : parse_elements(p, v);
	p->depth--;
	return ok ? v : NULL;
}

static struct json *parse_value(struct parser *p)
{
	enum json_token t = json_scan_next(&p->scan);
	if (t == JSON_TOKEN_END)
		return NULL;
	struct json *v = ARENA_NEW(p->arena, struct json);
	switch (t) {
	case JSON_TOKEN_TRUE:
	case JSON_TOKEN_FALSE:
		v->type = JSON_BOOL;
		v->boolean = t == JSON_TOKEN_TRUE;
		return v;
	case JSON_TOKEN_NUMBER:
		v->type = JSON_NUMBER;
		v->text = text_of(p, p->scan.text, false);
		return v;
	case JSON_TOKEN_STRING:
		v->type = JSON_STRING;
		v->text = text_of(p, p->scan.text, p->scan.escaped);
		return v;
	case JSON_TOKEN_ARRAY:
	case JSON_TOKEN_OBJECT:
		v->type = t == JSON_TOKEN_ARRAY ? JSON_ARRAY : JSON_OBJECT;
		return parse_container(p, v);
	default:
		return v;
	}
}

struct json *json_parse(struct arena *a, struct slice text, const struct json_parse_options *opts, struct err *err)
{
	struct err own = ERR_INIT;
	struct parser p = {.arena = a, .opts = opts, .err = err ? err : &own};
	json_scan_init(&p.scan, text);
	struct json *v = parse_value(&p);
	if (v && !json_scan_at_end(&p.scan))
		v = NULL;
	if (!v && !p.failed)
		err_set(p.err, ERR_INVAL, "offset %zu: %s", json_scan_offset(&p.scan),
		        p.scan.error ? p.scan.error : "invalid JSON");
	return v;
}

struct json *json_literal(struct arena *a, const char *text)
{
	struct json *v = json_parse(a, slice_of(text), NULL, NULL);
	CHECK(v);
	return v;
}
