/* Rules in CEL: what definitions may say, what objects are told, and when a rule is not asked. */
#include "api/machinery/rules/custom/custom_rules_define.h"
#include "api/machinery/rules/custom/custom_rule.h"

#include "api/machinery/rules/custom/custom_program.h"
#include "base/check.h"
#include "tests/unit/unit.h"

static struct arena arena;

static struct json *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(&arena, slice_of(text), NULL, &err);
	if (!v)
		fail_msg("%s: %s", text, err.msg);
	return v;
}

static void compare(const struct field_errors *e, const char *want)
{
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < e->count; i++)
		strbuf_addf(&b, "%s%s: %s", i ? "\n" : "", e->items[i].field, e->items[i].message);
	assert_string_equal(strbuf_cstr(&b), want);
}

/* ' stands for ". */
static const char *quoted(const char *text)
{
	char *out = arena_strdup(&arena, text);
	for (char *p = out; *p; p++)
		*p = *p == '\'' ? '"' : *p == '`' ? '\'' : *p;
	return out;
}

static void says(const char *schema, const char *object, const char *old, const char *want)
{
	struct err err = ERR_INIT;
	struct field_errors *e = ARENA_NEW(&arena, struct field_errors);
	const struct custom_program *p = custom_program_new(&arena, parse(quoted(schema)), &err);
	if (!p)
		fail_msg("%s: %s", schema, err.msg);
	field_errors_init(e, &arena);
	custom_program_check_rules(e, p, parse(quoted(object)), old ? parse(quoted(old)) : NULL, "");
	compare(e, want);
}

static void defines(const char *schema, const char *want)
{
	struct field_errors *e = ARENA_NEW(&arena, struct field_errors);
	field_errors_init(e, &arena);
	custom_rules_define(e, parse(quoted(schema)), "s");
	compare(e, want);
}

#define SPEC(properties, rules) \
	"{'type':'object','properties':{'spec':{'type':'object','properties':{" properties \
	"},'x-kubernetes-validations':[" rules "]}}}"

static void rules_are_asked_at_their_place(void **state)
{
	const char *schema = SPEC("'a':{'type':'integer'},'b':{'type':'integer'}", "{'rule':'self.a < self.b'}");
	says(schema, "{'spec':{'a':1,'b':2}}", NULL, "");
	says(schema, "{'spec':{'a':2,'b':2}}", NULL, "spec: Invalid value: \"object\": failed rule: self.a < self.b");
	says(schema, "{'spec':{'a':2}}", NULL,
	        "spec: Invalid value: \"object\": no such key: b evaluating rule: self.a < self.b");
	says(schema, "{}", NULL, "");
	says(SPEC("'a':{'type':'string'}",
	             "{'rule':'self.a == `x`','message':'no','reason':'FieldValueRequired','fieldPath':'.a'}"),
	        "{'spec':{'a':'y'}}", NULL, "spec.a: Required value: no");
	says(SPEC("'a':{'type':'string'}", "{'rule':'false','messageExpression':'`got ` + self.a'}"),
	        "{'spec':{'a':'y'}}", NULL, "spec: Invalid value: \"object\": got y");
	says(SPEC("'a':{'type':'string'}", "{'rule':'false','message':'plain','messageExpression':'self.a'}"),
	        "{'spec':{}}", NULL, "spec: Invalid value: \"object\": plain");
	says("{'type':'object','x-kubernetes-validations':[{'rule':'self.metadata.name == `x`'}]}",
	        "{'metadata':{'name':'y'}}", NULL,
	        "<nil>: Invalid value: \"object\": failed rule: self.metadata.name == 'x'");
	says("{'type':'object','properties':{'l':{'type':'array','items':{'type':'integer','x-kubernetes-validations':["
	     "{'rule':'self > "
	     "0'}]}}}}",
	        "{'l':[1,0,-1]}", NULL,
	        "l[1]: Invalid value: \"integer\": failed rule: self > 0\nl[2]: Invalid value: \"integer\": failed "
	        "rule: self > 0");
	says("{'type':'object','properties':{'m':{'type':'object','additionalProperties':{'type':'object','properties':"
	     "{"
	     "'v':{'type':'integer','x-kubernetes-validations':[{'rule':'self > 0'}]}}}}}}",
	        "{'m':{'k.1':{'v':0}}}", NULL, "m[k.1].v: Invalid value: \"integer\": failed rule: self > 0");
	says("{'type':'object','properties':{'a.b':{'type':'object','properties':{'n':{'type':'integer','x-kubernetes-"
	     "validations':[{"
	     "'rule':'self > 0'}]}}}},'x-kubernetes-validations':[{'rule':'self.a__dot__b.n < 9'}]}",
	        "{'a.b':{'n':9}}", NULL, "<nil>: Invalid value: \"object\": failed rule: self.a__dot__b.n < 9");
	says("{'type':'object','properties':{'n':{'type':'integer'}},'allOf':[{'properties':{'n':{'x-kubernetes-"
	     "validations':[{'rule':"
	     "'self > 0'}]}}}]}",
	        "{'n':0}", NULL, "n: Invalid value: \"integer\": failed rule: self > 0");
	arena_release(&arena);
}

static void old_values_are_told_apart(void **state)
{
	const char *schema = SPEC("'a':{'type':'integer'}", "{'rule':'self.a >= oldSelf.a'}");
	says(schema, "{'spec':{'a':1}}", NULL, "");
	says(schema, "{'spec':{'a':1}}", "{'spec':{'a':2}}",
	        "spec: Invalid value: \"object\": failed rule: self.a >= oldSelf.a");
	says(schema, "{'spec':{'a':1}}", "{}", "");
	says(SPEC("'a':{'type':'integer'}", "{'rule':'oldSelf.hasValue() || self.a == 1','optionalOldSelf':true}"),
	        "{'spec':{'a':2}}", NULL,
	        "spec: Invalid value: \"object\": failed rule: oldSelf.hasValue() || self.a == 1");
	const char *keyed = "{'type':'object','properties':{'l':{'type':'array','x-kubernetes-list-type':'map','x-"
	                    "kubernetes-list-map-keys':['k'],"
	                    "'items':{'type':'object','properties':{'k':{'type':'string'},'n':{'type':'integer'}},'x-"
	                    "kubernetes-validations':[{'rule':'self.n == "
	                    "oldSelf.n'}]}}}}";
	says(keyed, "{'l':[{'k':'b','n':2},{'k':'a','n':1}]}", "{'l':[{'k':'a','n':1}]}", "");
	says(keyed, "{'l':[{'k':'b','n':2},{'k':'a','n':3}]}", "{'l':[{'k':'a','n':1}]}",
	        "l[1]: Invalid value: \"object\": failed rule: self.n == oldSelf.n");
	arena_release(&arena);
}

static void what_is_as_it_was_is_let_be(void **state)
{
	const char *schema = SPEC("'a':{'type':'integer'},'b':{'type':'integer'}", "{'rule':'self.a > 0'}");
	says(schema, "{'spec':{'a':0},'x':1}", "{'spec':{'a':0}}", "");
	says(schema, "{'spec':{'a':0,'b':1}}", "{'spec':{'a':0}}",
	        "spec: Invalid value: \"object\": failed rule: self.a > 0");
	/* elements of a plain list do not correspond: they are as they were when the list is */
	const char *list = "{'type':'object','properties':{'l':{'type':'array','items':{'type':'integer','x-kubernetes-"
	                   "validations':[{'rule':'self > 0'}]}}}}";
	says(list, "{'l':[0]}", "{'l':[0]}", "");
	says(list, "{'l':[0,1]}", "{'l':[0]}", "l[0]: Invalid value: \"integer\": failed rule: self > 0");
	arena_release(&arena);
}

static void the_budget_ends(void **state)
{
	CLEANUP(cleanup_strbuf) struct strbuf b = STRBUF_INIT;
	strbuf_adds(&b, "{'l':[");
	for (int i = 0; i < 2000; i++)
		strbuf_adds(&b, i ? ",1" : "1");
	strbuf_adds(&b, "]}");
	const char *schema = "{'type':'object','properties':{'l':{'type':'array','items':{'type':'integer'},'x-"
	                     "kubernetes-validations':[{'rule':"
	                     "'self.all(x, self.all(y, x == y))','message':'alike'}]}}}";
	says(schema, strbuf_cstr(&b), NULL,
	        "l: Invalid value: \"array\": '" CEL_OVER_BUDGET
	        "': no further validation rules will be run due to call cost exceeds limit for rule: alike");
	arena_release(&arena);
}

static void definitions_are_told(void **state)
{
	defines("{'type':'object','properties':{'m':{'type':'object','x-kubernetes-map-type':'atomic','properties':{'n'"
	        ":{"
	        "'type':'integer','x-kubernetes-validations':[{'rule':'self >= oldSelf'}]}}}}}",
	        "s.properties[m].properties[n].x-kubernetes-validations[0].rule: Invalid value: \"self >= oldSelf\": "
	        "oldSelf "
	        "cannot be used on the uncorrelatable portion of the schema within s.properties[m]");
	defines(SPEC("'a':{'type':'integer'}", "{'rule':'self.a > 0'}"), "");
	defines(SPEC("'a':{'type':'integer'}", "{'rule':'self.b > 0'}"),
	        "s.properties[spec].x-kubernetes-validations[0].rule: Invalid value: {\"rule\":\"self.b > 0\"}: "
	        "compilation failed: ERROR: "
	        "<input>:1:5: undefined field 'b'\n | self.b > 0\n | ....^");
	defines(SPEC("'a':{'x-kubernetes-preserve-unknown-fields':true}", "{'rule':'has(self.a)'}"),
	        "s.properties[spec].x-kubernetes-validations[0].rule: Invalid value: {\"rule\":\"has(self.a)\"}: "
	        "compilation failed: ERROR: "
	        "<input>:1:4: undefined field 'a'\n | has(self.a)\n | ...^");
	defines("{'type':'object','properties':{'l':{'type':'array','maxItems':1000,'items':{'type':'string','"
	        "maxLength':100,'x-kubernetes-validations':[{'rule':"
	        "'self.matches(`^a*$`)'}]}}}}",
	        "");
	defines("{'type':'object','properties':{'l':{'type':'array','items':{'type':'string','x-kubernetes-validations'"
	        ":[{'rule':"
	        "'self.matches(`^a*$`)'}]}}}}",
	        "s.properties[l].items.x-kubernetes-validations[0].rule: Forbidden: estimated rule cost exceeds budget "
	        "by factor of more than "
	        "100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, "
	        "and strings are declared)\n"
	        "s.properties[l].items.x-kubernetes-validations[0].rule: Forbidden: contributed to estimated rule cost "
	        "total exceeding cost limit "
	        "for entire OpenAPIv3 schema\ns: Forbidden: x-kubernetes-validations estimated rule cost total for "
	        "entire OpenAPIv3 schema exceeds "
	        "budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and "
	        "maxLength where arrays, maps, and "
	        "strings are declared)");
	arena_release(&arena);
}

/* Rules as published definitions have them, whose cost is within bounds because of how upstream counts. */
static void rules_of_the_field_are_taken(void **state)
{
	static const char *const rows[] = {
	        /* names of members, objects and what only is asked for count as nothing */
	        "{'type':'object','maxProperties':16,'additionalProperties':{'type':'string','maxLength':4096},'x-"
	        "kubernetes-validations':[{'rule':"
	        "'self.all(key, "
	        "key.matches(`^([a-z0-9]([-a-z0-9]*[a-z0-9])?/)?[A-Za-z0-9]$`))'},{'rule':'self.all(key, "
	        "key.split(`/`)[0].size() < "
	        "253)'}]}",
	        "{'type':'object','properties':{'a':{'type':'array','items':{'type':'string'}}},'x-kubernetes-"
	        "validations':[{'rule':'self == oldSelf'}]}",
	        "{'type':'array','maxItems':50,'items':{'type':'object','properties':{'s':{'type':'string'},'d':{'type'"
	        ":'string'}}},"
	        "'x-kubernetes-validations':[{'rule':'self.all(x, has(x.s) == has(x.d))'}]}",
	        /* and so do elements of what is made in the rule */
	        "{'type':'object','properties':{'l':{'type':'array','maxItems':256,'items':{'type':'string','maxLength'"
	        ":256}}},"
	        "'x-kubernetes-validations':[{'rule':'(has(self.l) ? self.l : []).exists(k, k.contains(`/`))'}]}",
	        "{'type':'string','maxLength':20,'x-kubernetes-validations':[{'rule':'size(self) == 0 || "
	        "format.dns1123Label().validate(self) == "
	        "null'}]}",
	        /* what libraries make has no size, and needs none to be compared */
	        "{'type':'string','maxLength':48,'x-kubernetes-validations':[{'rule':'cidr(self) == "
	        "cidr(self).masked()'},"
	        "{'rule':'ip(self) != ip(`1.1.1.1`)'},{'rule':'quantity(self) == quantity(`1`)'},"
	        "{'rule':'cidr(`169.254.0.0/16`).containsIP(cidr(self).ip())'}]}",
	        "{'x-kubernetes-int-or-string':true,'x-kubernetes-validations':[{'rule':'type(self) == string ? "
	        "self.endsWith(`%`) : self > 0'}]}",
	};
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		defines(arena_printf(&arena, "{'type':'object','properties':{'x':%s}}", rows[i]), "");
	arena_release(&arena);
}

static void paths_of_fields(void **state)
{
	static const char schema[] =
	        "{'properties':{'a':{'properties':{'b.c':{'additionalProperties':{'type':'string'}}}}}}";
	static const struct {
		const char *path, *want;
	} rows[] = {{".a", ".a"}, {".a['b.c']", ".a.b.c"}, {".a['b.c']['x']", ".a.b.c[x]"}, {"['a']", ".a"},
	        {".nope", NULL}, {"a", NULL}, {".a[b]", NULL}, {".a['b.c'", NULL}, {".", NULL}};
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const char *got;
		bool good = custom_field_path(&arena, parse(quoted(schema)), slice_of(rows[i].path), &got);
		assert_int_equal(good, rows[i].want != NULL);
		if (good)
			assert_string_equal(got, rows[i].want);
	}
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(rules_are_asked_at_their_place),
	        cmocka_unit_test(old_values_are_told_apart),
	        cmocka_unit_test(what_is_as_it_was_is_let_be),
	        cmocka_unit_test(the_budget_ends),
	        cmocka_unit_test(definitions_are_told),
	        cmocka_unit_test(rules_of_the_field_are_taken),
	        cmocka_unit_test(paths_of_fields),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
