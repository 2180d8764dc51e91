/* See yaml.h. libyaml's parser gives a flat event stream; a small stack turns it into a JSON tree. Aliases are expanded
 * by copying the anchored subtree, which is how a short text could grow without end: the copies are counted, in values
 * and in bytes, before they are made. The arena's budget is asked at every container and alias. */
#include "base/yaml.h"

#include "base/check.h"
#include "base/json/scan.h"
#include "base/limits.h"
#include "base/mem/budget.h"

#include <errno.h>
#include <stdlib.h>
#include <yaml.h>

/* What aliases may add: as many bytes as a body may have, told as JSON would write them. */
enum { EXPANDED_NODES_MAX = 100000, EXPANDED_BYTES_MAX = API_BODY_BYTES_MAX };

struct frame {
	struct json *container;
	struct json_index members; /* of a mapping */
	struct slice key;          /* of the member whose value comes next */
	size_t key_offset;
	bool has_key;
};

struct loader {
	yaml_parser_t parser;
	struct arena *arena;
	const struct json_parse_options *opts;
	struct err *err, own; /* own: of callers who do not ask why */
	struct map anchors;
	struct frame stack[JSON_DEPTH_MAX];
	int depth;
	struct json *root;
	size_t expanded_nodes, expanded_bytes;
	size_t line;
};

static int fail(struct loader *l, const char *what)
{
	return err_set(l->err, ERR_INVAL, "yaml: line %zu: %s", l->line + 1, what);
}

static bool is_json_number(struct slice s)
{
	struct json_scan scan;
	json_scan_init(&scan, s);
	return s.len < 64 && json_scan_next(&scan) == JSON_TOKEN_NUMBER && json_scan_at_end(&scan);
}

/* 0x1F, 0o17, 0b11 and YAML 1.1's 017, with an optional sign and '_' between digits. */
static bool prefixed_integer(struct slice s, int64_t *out)
{
	char text[32];
	size_t n = 0;
	for (size_t i = 0; i < s.len && n < sizeof text - 1; i++)
		if (s.ptr[i] != '_')
			text[n++] = s.ptr[i];
	text[n] = 0;
	char *p = text, *end;
	bool negative = *p == '-';
	if (*p == '-' || *p == '+')
		p++;
	int base = 0;
	if (p[0] == '0' && (p[1] == 'x' || p[1] == 'o' || p[1] == 'b')) {
		base = p[1] == 'x' ? 16 : p[1] == 'o' ? 8 : 2;
		p += 2;
	} else if (p[0] == '0' && p[1]) {
		base = 8;
	} else if (s.ptr[0] == '+' || memchr(s.ptr, '_', s.len)) {
		base = 10;
	}
	if (!base || !*p || *p == '-' || *p == '+')
		return false;
	errno = 0;
	long long v = strtoll(p, &end, base);
	if (*end || errno)
		return false;
	*out = negative ? -v : v;
	return true;
}

static struct json *plain_scalar(struct arena *a, struct slice s)
{
	static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
	static const char *const trues[] = {"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"};
	static const char *const falses[] = {
	        "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"};
	int64_t integer;
	if (slice_is_any(s, nulls, COUNT_OF(nulls)))
		return json_new(a, JSON_NULL);
	if (slice_is_any(s, trues, COUNT_OF(trues)))
		return json_new_bool(a, true);
	if (slice_is_any(s, falses, COUNT_OF(falses)))
		return json_new_bool(a, false);
	if (is_json_number(s))
		return json_new_number(a, s);
	if (memchr("+-0123456789", s.ptr[0], 12) && prefixed_integer(s, &integer))
		return json_new_int(a, integer);
	return json_new_str(a, s);
}

static int scalar(struct loader *l, const yaml_event_t *e, struct json **ret)
{
	const char *tag = (const char *)e->data.scalar.tag;
	struct slice s = {(const char *)e->data.scalar.value, e->data.scalar.length};
	if (tag && strcmp(tag, YAML_STR_TAG) == 0)
		*ret = json_new_str(l->arena, s);
	else if (tag && strcmp(tag, "!") != 0 && strncmp(tag, "tag:yaml.org,2002:", 18) != 0)
		return fail(l, "unknown tag");
	else if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE)
		*ret = plain_scalar(l->arena, s);
	else
		*ret = json_new_str(l->arena, s);
	return 0;
}

static int add_member(struct loader *l, struct frame *f, struct json *v)
{
	if (json_index_get(&f->members, f->key)) {
		if (!l->opts || !l->opts->on_duplicate)
			return err_set(l->err, ERR_INVAL, "yaml: line %zu: duplicate field \"%.*s\"", l->line + 1,
			        SLICE_FMT(f->key));
		l->opts->on_duplicate(l->opts->arg, f->key.ptr, f->key_offset);
	}
	v->offset = (uint32_t)f->key_offset;
	json_index_set(&f->members, f->key, v);
	f->has_key = false;
	return 0;
}

static int place(struct loader *l, struct json *v, bool is_key)
{
	if (l->depth == 0) {
		l->root = v;
		return 0;
	}
	struct frame *f = &l->stack[l->depth - 1];
	if (f->container->type == JSON_ARRAY) {
		json_append(f->container, v);
		return 0;
	}
	if (f->has_key)
		return add_member(l, f, v);
	if (!is_key)
		return fail(l, "a key must be a scalar");
	return 0;
}

/* A scalar where a key is due: its text is the key, whatever type it would have as a value. */
static bool take_key(struct loader *l, const yaml_event_t *e)
{
	struct frame *f = l->depth ? &l->stack[l->depth - 1] : NULL;
	if (!f || f->container->type != JSON_OBJECT || f->has_key)
		return false;
	size_t len = e->data.scalar.length;
	f->key = (struct slice){arena_memdup(l->arena, e->data.scalar.value, len), len};
	f->key_offset = e->start_mark.index < UINT32_MAX ? e->start_mark.index : UINT32_MAX;
	f->has_key = true;
	return true;
}

static void remember(struct loader *l, const yaml_char_t *anchor, struct json *v)
{
	if (anchor)
		map_put(&l->anchors, slice_of(arena_strdup(l->arena, (const char *)anchor)), v);
}

static int push(struct loader *l, enum json_type type, const yaml_char_t *anchor)
{
	if (l->depth == JSON_DEPTH_MAX)
		return fail(l, "nested too deeply");
	if (budget_check(l->arena->budget, l->arena->used_bytes, l->err) != 0)
		return l->err->code;
	struct json *v = json_new(l->arena, type);
	remember(l, anchor, v);
	int rc = place(l, v, false);
	if (rc != 0)
		return rc;
	struct frame *f = &l->stack[l->depth++];
	*f = (struct frame){.container = v};
	json_index_init(&f->members, type == JSON_OBJECT ? v : NULL);
	return 0;
}

/* Adds what a copy of v takes; stops once that is too much. */
static void count_copy(struct loader *l, const struct json *v)
{
	l->expanded_nodes++;
	l->expanded_bytes += v->key.len + v->text.len + 4; /* quotes, colon, comma */
	for (struct json *it = v->first; it && l->expanded_nodes <= EXPANDED_NODES_MAX; it = it->next)
		count_copy(l, it);
}

static int alias(struct loader *l, const yaml_event_t *e)
{
	struct json *v = map_get(&l->anchors, slice_of((const char *)e->data.alias.anchor));
	if (!v)
		return fail(l, "unknown anchor");
	for (int i = 0; i < l->depth; i++)
		if (l->stack[i].container == v)
			return fail(l, "an anchor contains itself");
	count_copy(l, v);
	if (l->expanded_nodes > EXPANDED_NODES_MAX || l->expanded_bytes > EXPANDED_BYTES_MAX)
		return err_set(l->err, ERR_TOO_BIG,
		        "yaml: line %zu: aliases expand to more than %d bytes or %d values: write them out",
		        l->line + 1, (int)EXPANDED_BYTES_MAX, (int)EXPANDED_NODES_MAX);
	if (budget_check(l->arena->budget, l->arena->used_bytes, l->err) != 0)
		return l->err->code;
	return place(l, json_copy(l->arena, v), false);
}

static int value_event(struct loader *l, const yaml_event_t *e)
{
	struct json *v = NULL;
	l->line = e->start_mark.line;
	switch (e->type) {
	case YAML_SCALAR_EVENT:
		if (take_key(l, e))
			return 0;
		if (scalar(l, e, &v) != 0)
			return l->err->code;
		remember(l, e->data.scalar.anchor, v);
		return place(l, v, false);
	case YAML_SEQUENCE_START_EVENT:
		return push(l, JSON_ARRAY, e->data.sequence_start.anchor);
	case YAML_MAPPING_START_EVENT:
		return push(l, JSON_OBJECT, e->data.mapping_start.anchor);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		json_index_release(&l->stack[--l->depth].members);
		return 0;
	case YAML_ALIAS_EVENT:
		return alias(l, e);
	default:
		return 0;
	}
}

/* Reads one document. Returns 1 when there was one, 0 at the end of the stream, or an error. */
static int load_document(struct loader *l)
{
	bool in_document = false;
	l->root = NULL;
	for (;;) {
		yaml_event_t e;
		if (!yaml_parser_parse(&l->parser, &e)) {
			l->line = l->parser.problem_mark.line;
			return fail(l, l->parser.problem ? l->parser.problem : "invalid YAML");
		}
		yaml_event_type_t type = e.type;
		int rc = value_event(l, &e);
		yaml_event_delete(&e);
		if (rc != 0)
			return rc;
		if (type == YAML_DOCUMENT_START_EVENT)
			in_document = true;
		if (type == YAML_DOCUMENT_END_EVENT && in_document)
			return 1;
		if (type == YAML_STREAM_END_EVENT)
			return 0;
	}
}

static void loader_init(
        struct loader *l, struct arena *a, struct slice text, const struct json_parse_options *opts, struct err *err)
{
	*l = (struct loader){.arena = a, .opts = opts, .err = err ? err : &l->own};
	int ok = yaml_parser_initialize(&l->parser);
	if (ok)
		yaml_parser_set_input_string(&l->parser, (const unsigned char *)(text.ptr ? text.ptr : ""), text.len);
}

static void loader_release(struct loader *l)
{
	while (l->depth > 0)
		json_index_release(&l->stack[--l->depth].members);
	map_release(&l->anchors);
	yaml_parser_delete(&l->parser);
}

struct json *yaml_parse_all(struct arena *a, struct slice text, const struct json_parse_options *opts, struct err *err)
{
	struct loader l;
	struct json *all = json_new(a, JSON_ARRAY);
	int rc;
	loader_init(&l, a, text, opts, err);
	while ((rc = load_document(&l)) == 1)
		if (l.root && l.root->type != JSON_NULL)
			json_append(all, l.root);
	loader_release(&l);
	return rc == 0 ? all : NULL;
}

struct json *yaml_parse(struct arena *a, struct slice text, const struct json_parse_options *opts, struct err *err)
{
	struct json *all = yaml_parse_all(a, text, opts, err);
	if (!all)
		return NULL;
	if (all->count > 1) {
		err_set(err, ERR_INVAL, "yaml: more than one document where one is expected");
		return NULL;
	}
	return all->first ? all->first : json_new(a, JSON_NULL);
}

/* ---- writing ---- */

static bool needs_quotes(struct slice s)
{
	struct arena a = ARENA_INIT;
	bool quotes = s.len == 0 || plain_scalar(&a, s)->type != JSON_STRING;
	arena_release(&a);
	if (quotes || memchr("-?:,[]{}#&*!|>'\"%@` ", s.ptr[0], 20) || s.ptr[s.len - 1] == ' ' ||
	        s.ptr[s.len - 1] == ':' || slice_starts(s, "..."))
		return true;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		if (c < 0x20 || c >= 0x7f || (c == ':' && i + 1 < s.len && s.ptr[i + 1] == ' ') ||
		        (c == '#' && s.ptr[i - 1] == ' '))
			return true;
	}
	return false;
}

static void write_scalar(struct strbuf *out, const struct json *v)
{
	if (v->type == JSON_STRING && !needs_quotes(v->text))
		strbuf_add_slice(out, v->text);
	else
		json_write(out, v); /* JSON's double-quoted strings are YAML's */
}

static void pad(struct strbuf *out, int indent)
{
	for (int i = 0; i < indent; i++)
		strbuf_adds(out, "  ");
}

static bool is_block(const struct json *v)
{
	return (v->type == JSON_ARRAY || v->type == JSON_OBJECT) && v->first;
}

/* `started`: the cursor stands behind "- " or at the line's start with its indent already written. */
static void write_block(struct strbuf *out, const struct json *v, int indent, bool started)
{
	JSON_FOREACH (it, v) {
		if (!started)
			pad(out, indent);
		started = false;
		if (v->type == JSON_ARRAY) {
			strbuf_adds(out, "- ");
			if (is_block(it)) {
				write_block(out, it, indent + 1, true);
				continue;
			}
		} else {
			struct json key = {.type = JSON_STRING, .text = it->key};
			write_scalar(out, &key);
			strbuf_addc(out, ':');
			if (is_block(it)) {
				strbuf_addc(out, '\n');
				write_block(out, it, it->type == JSON_ARRAY ? indent : indent + 1, false);
				continue;
			}
			strbuf_addc(out, ' ');
		}
		write_scalar(out, it);
		strbuf_addc(out, '\n');
	}
}

void yaml_write(struct strbuf *out, const struct json *v)
{
	if (is_block(v)) {
		write_block(out, v, 0, true);
		return;
	}
	write_scalar(out, v);
	strbuf_addc(out, '\n');
}
