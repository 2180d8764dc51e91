/* See selector.h. A small hand-written lexer: words, operators, parentheses and commas. */
#include "api/machinery/schema/selector.h"

#include "base/json/scan.h"

enum { FEW_REQUIREMENTS = 24 };

enum { VALUES_MAX = 1024, REQUIREMENTS_MAX = 256 };

struct lexer {
	struct arena *arena;
	const char *begin;
	const char *pos;
	const char *end;
	struct err *err;
};

static int fail(struct lexer *l, const char *expected)
{
	return err_set(l->err, ERR_INVAL, "unable to parse requirement: found '%.*s' at offset %zu, expected: %s",
	        (int)(l->end - l->pos < 40 ? l->end - l->pos : 40), l->pos, (size_t)(l->pos - l->begin), expected);
}

static void skip_space(struct lexer *l)
{
	while (l->pos < l->end && (*l->pos == ' ' || *l->pos == '\t' || *l->pos == '\n' || *l->pos == '\r'))
		l->pos++;
}

static bool accept(struct lexer *l, const char *text)
{
	size_t n = strlen(text);
	skip_space(l);
	if ((size_t)(l->end - l->pos) < n || memcmp(l->pos, text, n) != 0)
		return false;
	l->pos += n;
	return true;
}

static struct slice word(struct lexer *l)
{
	skip_space(l);
	const char *start = l->pos;
	while (l->pos < l->end && !memchr("=!<>(), \t\r\n", *l->pos, 11))
		l->pos++;
	return (struct slice){start, (size_t)(l->pos - start)};
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
	       c == '.';
}

/* A qualified name, or a label value (may be empty): at most 63 characters behind the prefix, no odd ones. */
static bool is_label_text(struct slice s, bool is_key)
{
	const char *slash = is_key && s.len ? memchr(s.ptr, '/', s.len) : NULL;
	if (slash) {
		size_t prefix = (size_t)(slash - s.ptr);
		if (prefix == 0 || prefix > 253)
			return false;
		s = (struct slice){slash + 1, s.len - prefix - 1};
	}
	if (s.len > 63 || (is_key && s.len == 0))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_name_char(s.ptr[i]))
			return false;
	return s.len == 0 || (!memchr("-_.", s.ptr[0], 3) && !memchr("-_.", s.ptr[s.len - 1], 3));
}

static int add_value(struct lexer *l, struct selector_requirement *r, struct slice value)
{
	if (!is_label_text(value, false))
		return err_set(l->err, ERR_INVAL,
		        "invalid label value \"%.*s\": at most 63 characters of [A-Za-z0-9._-] that begin "
		        "and end with a letter or digit",
		        SLICE_FMT(value));
	if (r->count == VALUES_MAX)
		return err_set(l->err, ERR_INVAL, "more than %d values in one requirement", VALUES_MAX);
	if ((r->count & (r->count - 1)) == 0) { /* grow at powers of two */
		struct slice *bigger = ARENA_ARRAY(l->arena, struct slice, r->count ? r->count * 2 : 1);
		if (r->count)
			memcpy(bigger, r->values, r->count * sizeof *bigger);
		r->values = bigger;
	}
	r->values[r->count++] = value;
	return 0;
}

static int parse_set(struct lexer *l, struct selector_requirement *r)
{
	if (!accept(l, "("))
		return fail(l, "'('");
	do {
		if (add_value(l, r, word(l)) != 0)
			return ERR_INVAL;
	} while (accept(l, ","));
	return accept(l, ")") ? 0 : fail(l, "',' or ')'");
}

static int parse_operator(struct lexer *l, struct selector_requirement *r)
{
	skip_space(l);
	if (l->pos == l->end || *l->pos == ',') {
		r->op = SELECTOR_EXISTS;
		return 0;
	}
	if (accept(l, "!=")) {
		r->op = SELECTOR_NOT_IN;
		return add_value(l, r, word(l));
	}
	if (accept(l, "==") || accept(l, "=")) {
		r->op = SELECTOR_IN;
		return add_value(l, r, word(l));
	}
	if (accept(l, ">") || accept(l, "<")) {
		r->op = l->pos[-1] == '>' ? SELECTOR_GREATER : SELECTOR_LESS;
		int64_t number;
		struct slice value = word(l);
		if (!slice_to_i64(value, &number))
			return fail(l, "an integer");
		return add_value(l, r, value);
	}
	struct slice op = word(l);
	if (slice_is(op, "in"))
		r->op = SELECTOR_IN;
	else if (slice_is(op, "notin"))
		r->op = SELECTOR_NOT_IN;
	else
		return fail(l, "'in', 'notin', '=', '==', '!=', '<' or '>'");
	return parse_set(l, r);
}

static int parse_requirement(struct lexer *l, struct selector_requirement *r)
{
	bool absent = accept(l, "!");
	r->key = word(l);
	if (!is_label_text(r->key, true))
		return err_set(l->err, ERR_INVAL, "unable to parse requirement: invalid label key \"%.*s\"",
		        SLICE_FMT(r->key));
	if (!absent)
		return parse_operator(l, r);
	r->op = SELECTOR_ABSENT;
	return 0;
}

int label_selector_parse(struct arena *a, struct slice text, struct label_selector *out, struct err *err)
{
	char *copy = arena_memdup(a, text.ptr, text.len);
	struct lexer l = {.arena = a, .begin = copy, .pos = copy, .end = copy + text.len, .err = err};
	*out = (struct label_selector){0};
	skip_space(&l);
	if (l.pos == l.end)
		return 0;
	out->requirements =
	        ARENA_ARRAY(a, struct selector_requirement, REQUIREMENTS_MAX < text.len ? REQUIREMENTS_MAX : text.len);
	do {
		if (out->count == REQUIREMENTS_MAX)
			return err_set(err, ERR_INVAL, "more than %d requirements in one selector", REQUIREMENTS_MAX);
		if (parse_requirement(&l, &out->requirements[out->count++]) != 0)
			return ERR_INVAL;
	} while (accept(&l, ","));
	skip_space(&l);
	return l.pos == l.end ? 0 : fail(&l, "',' or the end");
}

static int expression_from_json(struct lexer *l, const struct json *e, struct selector_requirement *r)
{
	struct slice op = json_get_str(e, "operator");
	r->key = json_get_str(e, "key");
	if (slice_is(op, "In"))
		r->op = SELECTOR_IN;
	else if (slice_is(op, "NotIn"))
		r->op = SELECTOR_NOT_IN;
	else if (slice_is(op, "Exists"))
		r->op = SELECTOR_EXISTS;
	else if (slice_is(op, "DoesNotExist"))
		r->op = SELECTOR_ABSENT;
	else if (slice_is(op, "Gt"))
		r->op = SELECTOR_GREATER;
	else if (slice_is(op, "Lt"))
		r->op = SELECTOR_LESS;
	else
		return err_set(l->err, ERR_INVAL, "\"%.*s\" is not a valid label selector operator", SLICE_FMT(op));
	JSON_FOREACH (v, json_get(e, "values"))
		if (add_value(l, r, json_str(v)) != 0)
			return ERR_INVAL;
	return 0;
}

int label_selector_from_json(
        struct arena *a, const struct json *v, struct label_selector *out, bool *matches_nothing, struct err *err)
{
	struct lexer l = {.arena = a, .err = err};
	struct json *labels = json_get(v, "matchLabels"), *expressions = json_get(v, "matchExpressions");
	size_t total = (labels ? labels->count : 0) + (expressions ? expressions->count : 0);
	*out = (struct label_selector){0};
	*matches_nothing = !json_is(v, JSON_OBJECT);
	out->requirements = ARENA_ARRAY(a, struct selector_requirement, total + 1);
	JSON_FOREACH (it, labels) {
		struct selector_requirement *r = &out->requirements[out->count++];
		r->key = it->key;
		r->op = SELECTOR_IN;
		if (add_value(&l, r, json_str(it)) != 0)
			return ERR_INVAL;
	}
	JSON_FOREACH (it, expressions)
		if (expression_from_json(&l, it, &out->requirements[out->count++]) != 0)
			return ERR_INVAL;
	return 0;
}

/* value.ptr NULL: the label is absent. */
static bool requirement_holds(const struct selector_requirement *r, struct slice value)
{
	bool present = value.ptr != NULL, among = false;
	int64_t have, want;
	for (size_t i = 0; present && i < r->count && !among; i++)
		among = slice_eq(r->values[i], value);
	switch (r->op) {
	case SELECTOR_IN:
		return among;
	case SELECTOR_NOT_IN:
		return !among;
	case SELECTOR_EXISTS:
		return present;
	case SELECTOR_ABSENT:
		return !present;
	case SELECTOR_GREATER:
	case SELECTOR_LESS:
		if (!present || r->count != 1 || !slice_to_i64(value, &have) || !slice_to_i64(r->values[0], &want))
			return false;
		return r->op == SELECTOR_GREATER ? have > want : have < want;
	}
	return false;
}

/* Label keys and values need no escapes in JSON, so raw text compares. */
static struct slice find_label(struct slice labels, struct slice key)
{
	struct json_scan s;
	if (!labels.len)
		return SLICE_NULL;
	json_scan_init(&s, labels);
	if (json_scan_next(&s) != JSON_TOKEN_OBJECT)
		return SLICE_NULL;
	while (json_scan_member(&s)) {
		if (slice_eq(s.key, key))
			return json_scan_next(&s) == JSON_TOKEN_STRING ? s.text : SLICE_NULL;
		if (!json_scan_skip(&s))
			break;
	}
	return SLICE_NULL;
}

/* Selectors of objects may have as many requirements as labels: then the text is walked once, not once for each. */
static bool matches_many(const struct label_selector *s, struct slice labels_json)
{
	struct arena a = ARENA_INIT;
	bool holds = label_selector_matches_tree(s, labels_json.ptr ? json_parse(&a, labels_json, NULL, NULL) : NULL);
	arena_release(&a);
	return holds;
}

bool label_selector_matches(const struct label_selector *s, struct slice labels_json)
{
	if (s->count > FEW_REQUIREMENTS)
		return matches_many(s, labels_json);
	for (size_t i = 0; i < s->count; i++)
		if (!requirement_holds(&s->requirements[i], find_label(labels_json, s->requirements[i].key)))
			return false;
	return true;
}

bool label_selector_matches_tree(const struct label_selector *s, const struct json *labels)
{
	struct json_index members;
	bool holds = true;
	json_index_init(&members, (struct json *)labels);
	for (size_t i = 0; i < s->count && holds; i++)
		holds = requirement_holds(
		        &s->requirements[i], json_str(json_index_get(&members, s->requirements[i].key)));
	json_index_release(&members);
	return holds;
}

/* ---- field selectors ---- */

static size_t unescaped_find(struct slice s, char c)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\\')
			i++;
		else if (s.ptr[i] == c)
			return i;
	}
	return s.len;
}

static int unescape_value(struct arena *a, struct slice raw, struct slice *out, struct err *err)
{
	char *copy = arena_alloc(a, raw.len + 1);
	size_t n = 0;
	for (size_t i = 0; i < raw.len; i++) {
		if (raw.ptr[i] == '\\' && (++i == raw.len || !memchr("\\,=", raw.ptr[i], 3)))
			return err_set(
			        err, ERR_INVAL, "invalid field selector: a backslash escapes only '\\', ',' and '='");
		copy[n++] = raw.ptr[i];
	}
	copy[n] = 0;
	*out = (struct slice){copy, n};
	return 0;
}

static int parse_term(struct arena *a, struct slice term, struct field_requirement *r, struct err *err)
{
	size_t eq = unescaped_find(term, '=');
	if (eq == term.len)
		return err_set(err, ERR_INVAL, "invalid selector: '%.*s'; can't understand '%.*s'", SLICE_FMT(term),
		        SLICE_FMT(term));
	r->negated = eq > 0 && term.ptr[eq - 1] == '!';
	struct slice field = {term.ptr, eq - r->negated};
	struct slice value = {term.ptr + eq + 1, term.len - eq - 1};
	if (!r->negated && value.len && value.ptr[0] == '=')
		value = (struct slice){value.ptr + 1, value.len - 1};
	field = slice_trim(field);
	r->field = (struct slice){arena_memdup(a, field.ptr, field.len), field.len};
	return unescape_value(a, value, &r->value, err);
}

int field_selector_parse(struct arena *a, struct slice text, struct field_selector *out, struct err *err)
{
	*out = (struct field_selector){0};
	out->requirements =
	        ARENA_ARRAY(a, struct field_requirement, REQUIREMENTS_MAX < text.len ? REQUIREMENTS_MAX : text.len + 1);
	while (text.len) {
		size_t end = unescaped_find(text, ',');
		struct slice term = {text.ptr, end};
		text = end < text.len ? (struct slice){text.ptr + end + 1, text.len - end - 1} : SLICE_NULL;
		if (!term.len)
			continue;
		if (out->count == REQUIREMENTS_MAX)
			return err_set(err, ERR_INVAL, "more than %d requirements in one selector", REQUIREMENTS_MAX);
		if (parse_term(a, term, &out->requirements[out->count++], err) != 0)
			return ERR_INVAL;
	}
	return 0;
}
