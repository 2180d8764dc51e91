/* What rules match, as upstream documents it, and what covers what. */
#include "api/server/auth/rights/rbac_rules.h"

#include "tests/unit/unit_json.h"

static struct rbac_rules rules(const char *text)
{
	return rbac_rules_of_json(&a, parse(text));
}

/* "VERB GROUP RESOURCE[/SUB] [NAME]", where "-" is the core group; or "VERB /PATH". */
static struct attributes ask(const char *text)
{
	struct attributes q = {0};
	struct slice rest = slice_of(text);
	q.verb = slice_cut(&rest, ' ');
	q.path = rest;
	if (rest.len && rest.ptr[0] == '/')
		return q;
	q.is_resource = true;
	q.group = slice_cut(&rest, ' ');
	if (slice_is(q.group, "-"))
		q.group = SLICE("");
	q.subresource = slice_cut(&rest, ' ');
	q.resource = slice_cut(&q.subresource, '/');
	q.name = rest;
	return q;
}

static const struct {
	const char *rule, *question;
	bool is_allowed;
} table[] = {
#define PODS "[{\"verbs\":[\"get\",\"list\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]"
        {PODS, "get - pods", true},
        {PODS, "get - pods one", true},
        {PODS, "list - pods", true},
        {PODS, "watch - pods", false},
        {PODS, "get apps pods", false},
        {PODS, "get - pods/log one", false},
        {PODS, "get - pod", false},
        {PODS, "get /pods", false},
#define LOGS "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods\",\"pods/log\"]}]"
        {LOGS, "get - pods/log one", true},
        {LOGS, "get - pods/exec one", false},
        {LOGS, "get - pods/logs one", false},
#define SCALE "[{\"verbs\":[\"update\"],\"apiGroups\":[\"apps\",\"x.io\"],\"resources\":[\"*/scale\"]}]"
        {SCALE, "update apps deployments/scale d", true},
        {SCALE, "update x.io things/scale d", true},
        {SCALE, "update apps deployments d", false},
        {SCALE, "update apps deployments/status d", false},
        {SCALE, "update - replicationcontrollers/scale d", false},
#define NAMED \
	"[{\"verbs\":[\"get\",\"update\",\"create\"],\"apiGroups\":[\"\"],\"resources\":[\"configmaps\"]," \
	"\"resourceNames\":[\"mine\"]}]"
        {NAMED, "update - configmaps mine", true},
        {NAMED, "update - configmaps min", false},
        {NAMED, "create - configmaps", false},
#define ALL "[{\"verbs\":[\"*\"],\"apiGroups\":[\"*\"],\"resources\":[\"*\"]}]"
        {ALL, "impersonate - users x", true},
        {ALL, "get apps deployments/scale x", true},
        {ALL, "get /metrics", false},
#define PATHS "[{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/healthz\",\"/apis/*\",\"/logs*\"]}]"
        {PATHS, "get /healthz", true},
        {PATHS, "get /healthz/", false},
        {PATHS, "get /healthz/etcd", false},
        {PATHS, "get /apis", false},
        {PATHS, "get /apis/", true},
        {PATHS, "get /apis/apps/v1", true},
        {PATHS, "get /logs", true},
        {PATHS, "get /logs/x", true},
        {PATHS, "post /apis/", false},
        {"[{\"verbs\":[\"*\"],\"nonResourceURLs\":[\"*\"]}]", "post /any", true},
        {"[]", "get - pods", false},
        {"[{\"verbs\":[\"get\"],\"resources\":[\"pods\"]}]", "get - pods", false},
        {"[7,{\"verbs\":\"get\",\"apiGroups\":[\"\"],\"resources\":[\"pods\"]}]", "get - pods", false},
};

static void rules_match_what_upstream_says_they_match(void **state)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		struct rbac_rules r = rules(table[i].rule);
		struct attributes q = ask(table[i].question);
		if (rbac_rules_allow(&r, &q) != table[i].is_allowed)
			fail_msg("%s: %s is %s", table[i].rule, table[i].question,
			        table[i].is_allowed ? "refused" : "allowed");
	}
}

static const struct {
	const char *held, *wanted, *missing;
} covering[] = {
        {ALL, PODS, ""},
        {ALL, NAMED, ""},
        {ALL, SCALE, ""},
        {PODS, PODS, ""},
        {PODS, ALL, "{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}"},
        {"[]", PODS, "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\" \"list\"]}"},
        {PODS, LOGS, "{APIGroups:[\"\"], Resources:[\"pods/log\"], Verbs:[\"get\"]}"},
        {"[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"*/log\"]}]",
                "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"pods/log\"]}]", ""},
        {"[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"*/log\"]}]", LOGS,
                "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"get\"]}"},
        /* names are less than all names, and all names are none of them */
        {"[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"configmaps\"]}]",
                "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"configmaps\"],\"resourceNames\":[\"a\"]}]",
                ""},
        {"[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"configmaps\"],\"resourceNames\":[\"a\"]}]",
                "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"configmaps\"]}]",
                "{APIGroups:[\"\"], Resources:[\"configmaps\"], Verbs:[\"get\"]}"},
        {"[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"configmaps\"],\"resourceNames\":[\"a\"]}]",
                "[{\"verbs\":[\"get\"],\"apiGroups\":[\"\"],\"resources\":[\"configmaps\"],\"resourceNames\":[\"a\","
                "\"b\"]}]",
                "{APIGroups:[\"\"], Resources:[\"configmaps\"], ResourceNames:[\"b\"], Verbs:[\"get\"]}"},
        {PATHS, "[{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"/apis/x\",\"/healthz\",\"/logs/*\"]}]", ""},
        {PATHS, "[{\"verbs\":[\"get\"],\"nonResourceURLs\":[\"*\"]}]", "{NonResourceURLs:[\"*\"], Verbs:[\"get\"]}"},
        /* one rule must cover a piece: two halves do not */
        {"[{\"verbs\":[\"get\"],\"apiGroups\":[\"a\"],\"resources\":[\"x\"]},"
         "{\"verbs\":[\"get\"],\"apiGroups\":[\"b\"],\"resources\":[\"y\"]}]",
                "[{\"verbs\":[\"get\"],\"apiGroups\":[\"a\",\"b\"],\"resources\":[\"x\"]}]",
                "{APIGroups:[\"b\"], Resources:[\"x\"], Verbs:[\"get\"]}"},
};

static void what_is_not_covered_is_named_piece_by_piece(void **state)
{
	for (size_t i = 0; i < sizeof covering / sizeof *covering; i++) {
		struct rbac_rules held = rules(covering[i].held), wanted = rules(covering[i].wanted);
		struct rbac_rules missing = rbac_rules_missing(&a, &held, &wanted);
		CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
		missing = rbac_rules_compact(&a, &missing);
		for (size_t k = 0; k < missing.count; k++)
			rbac_rule_describe(&missing.items[k], &text);
		assert_string_equal(strbuf_cstr(&text), covering[i].missing);
	}
}

static void what_is_covered_matches_nothing_more(void **state)
{
	struct rbac_rules held = rules(PODS), wanted = rules(PODS);
	assert_int_equal(rbac_rules_missing(&a, &held, &wanted).count, 0);
	assert_true(rbac_rule_equal(&held.items[0], &wanted.items[0]));
	struct json *o = rbac_rule_to_json(&a, &held.items[0]);
	assert_true(json_equal(o, json_at(parse(PODS), 0)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(rules_match_what_upstream_says_they_match, release),
	        cmocka_unit_test_teardown(what_is_not_covered_is_named_piece_by_piece, release),
	        cmocka_unit_test_teardown(what_is_covered_matches_nothing_more, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
