/* What may be wrong with rules in CEL when a definition is written. Upstream: apiextensions-apiserver
 * pkg/apis/apiextensions/validation, cel_validation.go.
 *
 * Each rule is compiled against the type of its schema, and what it costs at worst is weighed: its own cost times how
 * often its value can be there, which the bounds of the lists and maps around it say, or else the size of a request.
 * Old values can be told apart in keyed lists and in maps alone: below another list, and in an atomic map, a rule may
 * not ask for oldSelf.
 *
 * What can go wrong: depth, bounded by parsing. */
#include "api/machinery/rules/custom/custom_rules_define.h"
#include "api/machinery/rules/custom/custom_rule.h"

#include "api/machinery/cel/schema_type.h"
#include "api/machinery/rules/custom/custom_program_int.h"
#include "api/machinery/rules/checks.h"
#include "base/check.h"

#include <math.h>

enum { RULE_COST_MAX = 10000000, DEAREST_MAX = 4 };
#define DEFINITION_COST_MAX 100000000ull
#define UNBOUND UINT64_MAX

struct dear {
	const char *path;
	uint64_t cost;
};

struct totals {
	uint64_t cost;
	struct dear dearest[DEAREST_MAX];
	size_t count;
};

/* Of a schema: where it stands. */
struct spot {
	const char *path;
	const struct cel_type *type; /* NULL: not shown to expressions */
	uint64_t times;              /* how often it can be in an object; UNBOUND */
	const char *lost_at;         /* the list or map around whose elements cannot be told apart; NULL */
};

struct definer {
	struct field_errors *e;
	struct totals totals;
};

static void visit(struct definer *d, const struct json *s, const struct spot *spot);

/* ---- paths of fields ---- */

/* 'a\'b' without its quotes. */
static bool take_quoted(struct arena *a, struct slice *s, struct slice *ret)
{
	char *out = arena_alloc(a, s->len + 1);
	size_t n = 0, i = 1;
	if (!s->len || s->ptr[0] != '\'')
		return false;
	for (; i < s->len && s->ptr[i] != '\''; i++) {
		if (s->ptr[i] == '\\' && (++i == s->len || !strchr("'\\", s->ptr[i])))
			return false;
		out[n++] = s->ptr[i];
	}
	if (i >= s->len)
		return false;
	*ret = (struct slice){out, n};
	*s = (struct slice){s->ptr + i + 1, s->len - i - 1};
	return true;
}

static bool take_step(struct arena *a, struct slice *s, struct slice *ret)
{
	char mark = s->ptr[0];
	*s = (struct slice){s->ptr + 1, s->len - 1};
	if (mark == '[') {
		if (!take_quoted(a, s, ret) || !s->len || s->ptr[0] != ']')
			return false;
		*s = (struct slice){s->ptr + 1, s->len - 1};
		return true;
	}
	size_t n = 0;
	while (n < s->len && s->ptr[n] != '.' && s->ptr[n] != '[' && s->ptr[n] != ']')
		n++;
	*ret = (struct slice){s->ptr, n};
	*s = (struct slice){s->ptr + n, s->len - n};
	return mark == '.' && n > 0;
}

bool custom_field_path(struct arena *a, const struct json *schema, struct slice path, const char **ret)
{
	struct strbuf out = STRBUF_INIT;
	bool good = path.len > 0;
	while (good && path.len) {
		struct slice name;
		const struct json *properties = json_get(schema, "properties");
		good = take_step(a, &path, &name);
		if (!good)
			break;
		if (properties) {
			schema = json_get_slice(properties, name);
			strbuf_addf(&out, ".%.*s", SLICE_FMT(name));
		} else {
			schema = json_get(schema, "additionalProperties");
			strbuf_addf(&out, "[%.*s]", SLICE_FMT(name));
		}
		good = json_is(schema, JSON_OBJECT);
	}
	if (ret)
		*ret = arena_memdup(a, strbuf_cstr(&out), out.len);
	strbuf_release(&out);
	return good;
}

/* ---- words ---- */

static bool has_line_breaks(struct slice s)
{
	return s.len && (memchr(s.ptr, '\n', s.len) || memchr(s.ptr, '\r', s.len));
}

static void check_texts(struct definer *d, const struct json *s, const struct json *rule, const char *path)
{
	struct field_errors *e = d->e;
	struct slice text = slice_trim(json_get_str(rule, "rule")), message = json_get_str(rule, "message"),
	             trimmed = slice_trim(message), said = json_get_str(rule, "messageExpression"),
	             field = json_get_str(rule, "fieldPath"), reason = json_get_str(rule, "reason");
	if (!text.len)
		bad_required(e, at(e, "%s.rule", path), "rule is not specified");
	else if (message.len && !trimmed.len)
		bad_value(e, at(e, "%s.message", path), message, "message must be non-empty if specified");
	else if (has_line_breaks(trimmed))
		bad_value(e, at(e, "%s.message", path), message, "message must not contain line breaks");
	else if (has_line_breaks(text) && !trimmed.len)
		bad_required(e, at(e, "%s.message", path), "message must be specified if rule contains line breaks");
	if (said.len && !slice_trim(said).len)
		bad_required(
		        e, at(e, "%s.messageExpression", path), "messageExpression must be non-empty if specified");
	if (json_get(rule, "reason"))
		check_choice(e, at(e, "%s.reason", path), reason,
		        "FieldValueDuplicate,FieldValueForbidden,FieldValueInvalid,FieldValueRequired", true);
	if (!field.len)
		return;
	if (!slice_trim(field).len)
		bad_value(e, at(e, "%s.fieldPath", path), field, "fieldPath must be non-empty if specified");
	if (has_line_breaks(field))
		bad_value(e, at(e, "%s.fieldPath", path), field, "fieldPath must not contain line breaks");
	if (!custom_field_path(e->arena, s, field, NULL))
		bad_value(e, at(e, "%s.fieldPath", path), field, "fieldPath must be a valid path");
}

/* ---- costs ---- */

static uint64_t product(uint64_t a, uint64_t b)
{
	uint64_t x;
	return __builtin_mul_overflow(a, b, &x) ? UINT64_MAX : x;
}

static const char *too_dear(struct definer *d, const char *what, uint64_t cost, uint64_t most)
{
	double by = (double)cost / (double)most;
	const char *times = by > 100   ? "more than 100x"
	                    : by < 1.5 ? arena_printf(d->e->arena, "%fx", by)
	                               : arena_printf(d->e->arena, "%.1fx", by);
	return arena_printf(d->e->arena,
	        "%s exceeds budget by factor of %s (try simplifying the rule, or adding maxItems, maxProperties, and "
	        "maxLength where arrays, maps, and strings are declared)",
	        what, times);
}

/* Keeps the dearest, in order. */
static void note_cost(struct totals *t, const char *path, uint64_t cost)
{
	uint64_t sum;
	t->cost = __builtin_add_overflow(t->cost, cost, &sum) ? UINT64_MAX : sum;
	if (cost < DEFINITION_COST_MAX / 100)
		return;
	size_t i = t->count < DEAREST_MAX ? t->count++ : DEAREST_MAX - 1;
	if (t->count == DEAREST_MAX && t->dearest[i].path && t->dearest[i].cost >= cost)
		return;
	for (; i > 0 && t->dearest[i - 1].cost < cost; i--)
		t->dearest[i] = t->dearest[i - 1];
	t->dearest[i] = (struct dear){path, cost};
}

static void weigh(struct definer *d, const char *path, const char *what, uint64_t cost)
{
	if (cost > RULE_COST_MAX)
		bad_forbidden(d->e, path, too_dear(d, what, cost, RULE_COST_MAX));
	note_cost(&d->totals, path, cost);
}

/* ---- one rule ---- */

static void bad_rule(struct definer *d, const char *path, const struct json *rule, const char *words)
{
	struct strbuf b = STRBUF_INIT;
	json_write(&b, rule);
	field_error_add(d->e, "FieldValueInvalid", path, "Invalid value: %s: %s", strbuf_cstr(&b), words);
	strbuf_release(&b);
}

static void check_rule(struct definer *d, const struct json *rule, const struct spot *spot, const char *path)
{
	struct field_errors *e = d->e;
	struct strbuf words = STRBUF_INIT, message_words = STRBUF_INIT;
	struct custom_rule out;
	const char *place = at(e, "%s.rule", path), *message_place = at(e, "%s.messageExpression", path);
	uint64_t times = spot->times == UNBOUND ? 3u * 1024 * 1024 / (spot->type->text_bytes_min + 1) : spot->times;
	custom_rule_compile(e->arena, rule, spot->type, &out, &words, &message_words);
	if (out.program)
		weigh(d, place, "estimated rule cost", product(cel_program_cost(out.program), times));
	else
		bad_rule(d, place, rule, strbuf_cstr(&words));
	if (out.message_program)
		weigh(d, message_place, "estimated messageExpression cost", cel_program_cost(out.message_program));
	else if (message_words.len)
		bad_rule(d, message_place, rule, strbuf_cstr(&message_words));
	if (out.uses_old && spot->lost_at)
		bad_value(e, place, json_get_str(rule, "rule"),
		        at(e, "oldSelf cannot be used on the uncorrelatable portion of the schema within %s",
		                spot->lost_at));
	if (out.program && !out.uses_old && json_get(rule, "optionalOldSelf"))
		field_error_add(e, "FieldValueInvalid", at(e, "%s.optionalOldSelf", path), "Invalid value: %s: %s",
		        out.optional_old ? "true" : "false", "may not be set if oldSelf is not used in rule");
	strbuf_release(&words);
	strbuf_release(&message_words);
}

static void check_rules(struct definer *d, const struct json *s, const struct spot *spot)
{
	const struct json *rules = json_get(s, "x-kubernetes-validations");
	size_t before = d->e->count;
	int i = 0;
	JSON_FOREACH (it, rules)
		check_texts(d, s, it, at(d->e, "%s.x-kubernetes-validations[%d]", spot->path, i++));
	if (d->e->count != before || !rules)
		return;
	if (!spot->type) {
		field_error_add(d->e, "InternalError", at(d->e, "%s.x-kubernetes-validations", spot->path),
		        "Internal error: internal error: failed to construct type information for "
		        "x-kubernetes-validations rules: unable to convert structural schema to CEL declarations");
		return;
	}
	i = 0;
	JSON_FOREACH (it, rules)
		check_rule(d, it, spot, at(d->e, "%s.x-kubernetes-validations[%d]", spot->path, i++));
}

/* What is filled in must please the rules, too. */
static void check_default(struct definer *d, const struct json *s, const struct spot *spot)
{
	const struct json *fallback = json_get(s, "default");
	struct err err = ERR_INIT;
	if (!fallback || d->e->count || !custom_schema_has_rules(s))
		return;
	const struct custom_program *p = custom_program_of_part(d->e->arena, s, true, &err);
	if (p)
		custom_program_check_rules(d->e, p, fallback, NULL, at(d->e, "%s.default", spot->path));
}

/* ---- the walk ---- */

/* How much more often a part is there than its whole. */
static uint64_t parts(const struct json *s)
{
	bool is_list = slice_is(json_get_str(s, "type"), "array");
	const char *bound = is_list ? "maxItems" : "maxProperties";
	if (!is_list && !json_get(s, "additionalProperties"))
		return 1;
	int64_t most = json_get_int(s, bound, -1);
	return !json_get(s, bound) ? UNBOUND : most < 0 ? 0 : (uint64_t)most;
}

static void visit_part(
        struct definer *d, const struct json *s, const struct json *part, const struct spot *spot, struct spot below)
{
	uint64_t by = parts(s);
	below.times = spot->times == UNBOUND || by == UNBOUND ? UNBOUND : product(spot->times, by);
	if (!below.lost_at)
		below.lost_at = spot->lost_at;
	visit(d, part, &below);
}

static void visit_properties(struct definer *d, const struct json *s, const struct spot *spot)
{
	struct arena *a = d->e->arena;
	bool is_atomic = slice_is(json_get_str(s, "x-kubernetes-map-type"), "atomic");
	JSON_FOREACH (it, json_get(s, "properties")) {
		struct slice name = cel_escape(a, it->key);
		bool is_object = spot->type && spot->type->kind == CEL_OBJECT;
		const struct cel_field *f = name.ptr && is_object ? cel_type_field(spot->type, name) : NULL;
		const struct cel_type *own = f ? f->type : schema_cel_type(a, it, schema_is_embedded(it));
		visit_part(d, s, it, spot,
		        (struct spot){.path = at(d->e, "%s.properties[%.*s]", spot->path, SLICE_FMT(it->key)),
		                .type = own,
		                .lost_at = is_atomic ? spot->path : NULL});
	}
}

static void visit(struct definer *d, const struct json *s, const struct spot *spot)
{
	const struct json *items = json_get(s, "items"), *values = json_get(s, "additionalProperties");
	const struct cel_type *t = spot->type;
	const struct cel_type *elem = t && (t->kind == CEL_LIST || t->kind == CEL_MAP) ? t->elem : NULL;
	if (d->e->count == FIELD_ERRORS_MAX)
		return;
	check_rules(d, s, spot);
	visit_properties(d, s, spot);
	if (json_is(items, JSON_OBJECT)) {
		bool is_keyed = slice_is(json_get_str(s, "x-kubernetes-list-type"), "map");
		visit_part(d, s, items, spot,
		        (struct spot){.path = at(d->e, "%s.items", spot->path),
		                .type = elem ? elem : schema_cel_type(d->e->arena, items, schema_is_embedded(items)),
		                .lost_at = is_keyed ? NULL : spot->path});
	}
	if (json_is(values, JSON_OBJECT))
		visit_part(d, s, values, spot,
		        (struct spot){.path = at(d->e, "%s.additionalProperties", spot->path),
		                .type = elem ? elem
		                             : schema_cel_type(d->e->arena, values, schema_is_embedded(values))});
	check_default(d, s, spot);
}

void custom_rules_define(struct field_errors *e, const struct json *schema, const char *path)
{
	struct definer d = {.e = e};
	if (!custom_schema_has_rules(schema))
		return;
	struct spot root = {.path = path, .type = schema_cel_type(e->arena, schema, true), .times = 1};
	visit(&d, schema, &root);
	if (d.totals.cost <= DEFINITION_COST_MAX)
		return;
	for (size_t i = 0; i < d.totals.count; i++)
		bad_forbidden(e, d.totals.dearest[i].path,
		        "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema");
	bad_forbidden(e, path,
	        too_dear(&d, "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema",
	                d.totals.cost, DEFINITION_COST_MAX));
}
