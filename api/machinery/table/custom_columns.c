/* See custom_columns.h. Upstream: apiextensions-apiserver pkg/registry/customresource/tableconvertor. */
#include "api/machinery/table/custom_columns.h"

#include "base/check.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum step_kind { STEP_MEMBER, STEP_INDEX, STEP_ALL, STEP_FILTER };

struct custom_path {
	enum step_kind kind;
	struct slice name;              /* of a member */
	int64_t index;                  /* from the end when below 0 */
	const struct custom_path *left; /* of a filter: what must be equal to the name */
	const struct custom_path *next;
};

struct column {
	const char *name, *type, *format, *description;
	int64_t priority;
	const struct custom_path *path;
};

struct custom_columns {
	struct column *columns;
	size_t count;
};

/* ---- paths ---- */

static bool take(struct slice *s, const char *text)
{
	if (!slice_starts(*s, text))
		return false;
	*s = (struct slice){s->ptr + strlen(text), s->len - strlen(text)};
	return true;
}

static struct custom_path *parse_steps(struct arena *a, struct slice *rest, int depth);

/* "'a'" or "\"a\"". */
static bool take_quoted(struct arena *a, struct slice *rest, struct slice *out)
{
	if (!rest->len || (rest->ptr[0] != '\'' && rest->ptr[0] != '"'))
		return false;
	const char *end = memchr(rest->ptr + 1, rest->ptr[0], rest->len - 1);
	if (!end)
		return false;
	*out = (struct slice){
	        arena_memdup(a, rest->ptr + 1, (size_t)(end - rest->ptr - 1)), (size_t)(end - rest->ptr - 1)};
	*rest = (struct slice){end + 1, rest->len - (size_t)(end + 1 - rest->ptr)};
	return true;
}

/* Up to a dot or bracket that no backslash precedes. */
static bool take_name(struct arena *a, struct slice *rest, struct slice *out)
{
	char *text = arena_alloc(a, rest->len + 1);
	size_t n = 0, i = 0;
	for (; i < rest->len && !memchr(".[]=!<>() ", rest->ptr[i], 10); i++) {
		if (rest->ptr[i] == '\\' && i + 1 < rest->len)
			i++;
		text[n++] = rest->ptr[i];
	}
	*out = (struct slice){text, n};
	*rest = (struct slice){rest->ptr + i, rest->len - i};
	return n > 0;
}

static void skip_blanks(struct slice *s)
{
	while (take(s, " "))
		;
}

/* Behind "?(@": path == value). */
static bool take_filter(struct arena *a, struct slice *rest, struct custom_path *p, int depth)
{
	p->kind = STEP_FILTER;
	p->left = parse_steps(a, rest, depth + 1);
	skip_blanks(rest);
	if (!p->left || !take(rest, "=="))
		return false;
	skip_blanks(rest);
	if (!take_quoted(a, rest, &p->name) && !take_name(a, rest, &p->name))
		return false;
	skip_blanks(rest);
	return take(rest, ")");
}

/* Behind "[". */
static bool take_bracket(struct arena *a, struct slice *rest, struct custom_path *p, int depth)
{
	struct slice word;
	if (take(rest, "*"))
		p->kind = STEP_ALL;
	else if (take(rest, "?(@")) {
		if (!take_filter(a, rest, p, depth))
			return false;
	} else if (take_quoted(a, rest, &p->name)) {
		p->kind = STEP_MEMBER;
	} else {
		p->kind = STEP_INDEX;
		if (!take_name(a, rest, &word) || !slice_to_i64(word, &p->index))
			return false;
	}
	return take(rest, "]");
}

static struct custom_path *parse_steps(struct arena *a, struct slice *rest, int depth)
{
	struct custom_path *first = NULL, *last = NULL;
	while (depth < 4 && rest->len && (rest->ptr[0] == '.' || rest->ptr[0] == '[')) {
		struct custom_path *p = ARENA_NEW(a, struct custom_path);
		bool good;
		if (take(rest, "["))
			good = take_bracket(a, rest, p, depth);
		else {
			take(rest, ".");
			if (rest->len && rest->ptr[0] == '[')
				continue;
			good = take(rest, "*") ? (p->kind = STEP_ALL, true) : take_name(a, rest, &p->name);
		}
		if (!good)
			return NULL;
		if (last)
			last->next = p;
		else
			first = p;
		last = p;
	}
	return first;
}

const struct custom_path *custom_path_new(struct arena *a, struct slice text, struct err *err)
{
	struct slice rest = slice_trim(text);
	if (rest.len > 1 && rest.ptr[0] == '{' && rest.ptr[rest.len - 1] == '}')
		rest = (struct slice){rest.ptr + 1, rest.len - 2};
	struct custom_path *p = parse_steps(a, &rest, 0);
	if (!p || rest.len) {
		err_set(err, ERR_INVAL, "\"%.*s\" is no JSON path of names, indexes and filters", SLICE_FMT(text));
		return NULL;
	}
	return p;
}

static bool fits(const struct custom_path *filter, const struct json *v)
{
	const struct json *found = custom_path_find(filter->left, v);
	if (!found)
		return false;
	if (found->type == JSON_BOOL)
		return slice_is(filter->name, found->boolean ? "true" : "false");
	return slice_eq(found->text, filter->name);
}

const struct json *custom_path_find(const struct custom_path *p, const struct json *object)
{
	const struct json *found = NULL;
	for (; p && object; p = p->next) {
		if (p->kind == STEP_MEMBER) {
			object = json_get_slice(object, p->name);
			continue;
		}
		if (p->kind == STEP_INDEX) {
			int64_t i = p->index < 0 ? (int64_t)object->count + p->index : p->index;
			object = json_is(object, JSON_ARRAY) && i >= 0 ? json_at(object, (size_t)i) : NULL;
			continue;
		}
		if (object->type != JSON_ARRAY && object->type != JSON_OBJECT)
			return NULL;
		JSON_FOREACH (it, object)
			if (p->kind == STEP_ALL || fits(p, it)) {
				found = p->next ? custom_path_find(p->next, it) : it;
				if (found)
					return found;
			}
		return NULL;
	}
	return object;
}

/* ---- columns ---- */

static const char *text_of(struct arena *a, const struct json *o, const char *key)
{
	struct slice s = json_get_str(o, key);
	return arena_memdup(a, s.ptr ? s.ptr : "", s.len);
}

/* False: its path is none of ours. */
static bool set_column(struct arena *a, struct column *out, const struct json *column)
{
	struct err err = ERR_INIT;
	*out = (struct column){.name = text_of(a, column, "name"),
	        .type = text_of(a, column, "type"),
	        .format = text_of(a, column, "format"),
	        .description = text_of(a, column, "description"),
	        .priority = json_get_int(column, "priority", 0),
	        .path = custom_path_new(a, json_get_str(column, "jsonPath"), &err)};
	if (!*out->description)
		out->description = arena_printf(a, "Custom resource definition column (in JSONPath format): %.*s",
		        SLICE_FMT(json_get_str(column, "jsonPath")));
	return out->path != NULL;
}

const struct custom_columns *custom_columns_new(struct arena *a, const struct json *version)
{
	struct err err = ERR_INIT;
	const struct json *list = json_get(version, "additionalPrinterColumns");
	size_t n = json_is(list, JSON_ARRAY) ? list->count : 0;
	struct custom_columns *c = ARENA_NEW(a, struct custom_columns);
	c->columns = ARENA_ARRAY(a, struct column, n + 1);
	if (!n) {
		c->columns[c->count++] = (struct column){"Age", "date", "",
		        "CreationTimestamp is a timestamp representing the server time when this object was created.",
		        0, custom_path_new(a, SLICE(".metadata.creationTimestamp"), &err)};
		return c;
	}
	JSON_FOREACH (it, list)
		c->count += set_column(a, &c->columns[c->count], it);
	return c;
}

static void write_member(struct strbuf *out, const char *name, const char *text)
{
	strbuf_addf(out, "%s\"%s\":", out->data[out->len - 1] == '{' ? "" : ",", name);
	json_write_str(out, slice_of(text));
}

void custom_columns_write(struct strbuf *out, const struct custom_columns *c)
{
	strbuf_adds(out,
	        "[{\"name\":\"Name\",\"type\":\"string\",\"format\":\"name\",\"description\":\"Name must be unique "
	        "within a namespace.\",\"priority\":0}");
	for (size_t i = 0; i < c->count; i++) {
		const struct column *col = &c->columns[i];
		strbuf_adds(out, ",{");
		write_member(out, "name", col->name);
		write_member(out, "type", col->type);
		write_member(out, "format", col->format);
		write_member(out, "description", col->description);
		strbuf_addf(out, ",\"priority\":%" PRId64 "}", col->priority);
	}
	strbuf_addc(out, ']');
}

/* ---- cells ---- */

static void put(struct cells *c, const char *text)
{
	strbuf_adds(c->out, c->count++ ? "," : "");
	strbuf_adds(c->out, text);
}

static void string_cell(struct cells *c, const struct json *v)
{
	struct strbuf text = STRBUF_INIT;
	if (v->type == JSON_STRING)
		strbuf_add_slice(&text, v->text);
	else
		json_write(&text, v);
	cell_str(c, strbuf_slice(&text));
	strbuf_release(&text);
}

static void cell(struct cells *c, const struct column *col)
{
	const struct json *v = custom_path_find(col->path, c->object);
	bool is_number = json_is(v, JSON_NUMBER);
	if (!v || v->type == JSON_NULL)
		put(c, "null");
	else if (strcmp(col->type, "string") == 0)
		string_cell(c, v);
	else if (strcmp(col->type, "date") == 0 && v->type == JSON_STRING)
		cell_age_of(c, v->text);
	else if (strcmp(col->type, "integer") == 0 && is_number)
		cell_int(c, json_int(v, (int64_t)strtod(arena_memdup(c->arena, v->text.ptr, v->text.len), NULL)));
	else if (strcmp(col->type, "number") == 0 && is_number)
		put(c, arena_memdup(c->arena, v->text.ptr, v->text.len));
	else if (strcmp(col->type, "boolean") == 0 && v->type == JSON_BOOL)
		put(c, v->boolean ? "true" : "false");
	else
		put(c, "null");
}

void custom_columns_cells(struct cells *cells, const struct custom_columns *c)
{
	cell_name(cells);
	for (size_t i = 0; i < c->count; i++)
		cell(cells, &c->columns[i]);
}
