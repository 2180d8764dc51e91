/* What updates and applies do to who manages what. */
#include "tests/unit/api/machinery/fields/unit_fields.h"

#include "api/machinery/fields/managers.h"

static struct managers m;

static struct managers_write by(const char *manager, const char *now)
{
	return (struct managers_write){
	        .arena = &a, .resource = row("v1", "ConfigMap"), .sub = "", .manager = slice_of(manager), .now = now};
}

static int start(void **state)
{
	m.first = NULL;
	return 0;
}

static void update(const char *manager, const char *old, const char *now)
{
	struct managers_write w = by(manager, "T1");
	managers_update(&w, &m, old ? object_of(old) : managers_zero(&a, w.resource), object_of(now));
}

static const struct manager *find(const char *manager, bool is_apply)
{
	for (const struct manager *it = m.first; it; it = it->next)
		if (slice_is(it->name, manager) && it->is_apply == is_apply)
			return it;
	return NULL;
}

static void owns(const char *manager, bool is_apply, const char *want)
{
	const struct manager *found = find(manager, is_apply);
	if (!found && want)
		fail_msg("%s owns nothing, not %s", manager, want);
	if (found && !want)
		fail_msg("%s owns %s", manager, text_of(found->fields));
	if (want)
		assert_set(found->fields, want);
}

/* Applies to a live object ({} for none); the result's data. */
static const char *apply(const char *manager, const char *live, const char *config, bool force, struct err *err)
{
	struct managers_write w = by(manager, "T2");
	struct manager_conflicts conflicts;
	struct json *ret = NULL;
	bool exists = strcmp(live, "{}") != 0;
	*err = ERR_INIT;
	if (managers_apply(&w, &m, object_of(live), exists, object_of(config), force, &ret, &conflicts, err) != 0)
		return NULL;
	struct strbuf out = STRBUF_INIT;
	json_write(&out, ret);
	const char *text = arena_strdup(&a, strbuf_cstr(&out));
	strbuf_release(&out);
	return text;
}

#define DATA(x) "{'data':{" x "}}"

static void an_update_owns_what_it_changes(void **state)
{
	update("x", NULL, DATA("'a':'1','b':'2'"));
	owns("x", false, "{'f:data':{'.':{},'f:a':{},'f:b':{}}}");
	update("y", DATA("'a':'1','b':'2'"), DATA("'a':'9','b':'2'"));
	owns("x", false, "{'f:data':{'.':{},'f:b':{}}}");
	owns("y", false, "{'f:data':{'f:a':{}}}");
	update("y", DATA("'a':'9','b':'2'"), DATA("'a':'9'")); /* gone: nobody's */
	owns("x", false, "{'f:data':{}}");
	owns("y", false, "{'f:data':{'f:a':{}}}");
	update("z", DATA("'a':'9'"), "{}");
	assert_null(m.first);
}

static void an_update_that_changes_nothing_leaves_the_time(void **state)
{
	update("x", NULL, DATA("'a':'1'"));
	struct managers_write later = by("x", "T9");
	managers_update(&later, &m, object_of(DATA("'a':'1'")), object_of(DATA("'a':'1'")));
	assert_true(slice_is(find("x", false)->time, "T1"));
	managers_update(&later, &m, object_of(DATA("'a':'1'")), object_of(DATA("'a':'2'")));
	assert_true(slice_is(find("x", false)->time, "T9"));
}

static void what_is_the_servers_is_nobodys(void **state)
{
	update("x", NULL,
	        "{'apiVersion':'v1','kind':'ConfigMap','metadata':{'name':'n','namespace':'d','uid':'u',"
	        "'creationTimestamp':'t','generation':1,'labels':{'l':'1'}}}");
	owns("x", false, "{'f:metadata':{'f:labels':{'.':{},'f:l':{}}}}");
}

static void a_write_of_one_half_owns_nothing_of_the_other(void **state)
{
	struct managers_write w = by("x", "T1");
	struct json *now = object_of("{'metadata':{'labels':{'l':'1'},'annotations':{'a':'1'}},'spec':{'nodeName':'n'},"
	                             "'status':{'phase':'x'}}");
	w.resource = row("v1", "Pod");
	w.resets = "status";
	managers_update(&w, &m, managers_zero(&a, w.resource), now);
	owns("x", false,
	        "{'f:metadata':{'f:annotations':{'.':{},'f:a':{}},'f:labels':{'.':{},'f:l':{}}},'f:spec':{'f:nodeName':"
	        "{}}}");
	m.first = NULL;
	w.sub = "status";
	w.is_status = true;
	w.resets = "metadata.labels";
	managers_update(&w, &m, managers_zero(&a, w.resource), now);
	owns("x", false, "{'f:metadata':{'f:annotations':{'.':{},'f:a':{}}},'f:status':{'f:phase':{}}}");
	assert_true(slice_is(m.first->subresource, "status"));
}

static void an_apply_owns_what_it_names(void **state)
{
	struct err err;
	assert_string_equal(apply("x", "{}", DATA("'a':'1'"), false, &err), quoted(DATA("'a':'1'")));
	owns("x", true, "{'f:data':{'f:a':{}}}");
	/* a second applier shares what is alike, and adds */
	assert_string_equal(
	        apply("y", DATA("'a':'1'"), DATA("'a':'1','b':'2'"), false, &err), quoted(DATA("'a':'1','b':'2'")));
	owns("x", true, "{'f:data':{'f:a':{}}}");
	owns("y", true, "{'f:data':{'f:a':{},'f:b':{}}}");
	/* what one names no more stays while the other wants it, and goes when nobody does */
	assert_string_equal(
	        apply("y", DATA("'a':'1','b':'2'"), DATA("'c':'3'"), false, &err), quoted(DATA("'a':'1','c':'3'")));
	owns("y", true, "{'f:data':{'f:c':{}}}");
	assert_string_equal(apply("x", DATA("'a':'1','c':'3'"), "{}", false, &err), quoted(DATA("'c':'3'")));
	owns("x", true, NULL);
}

static void conflicts_name_managers_and_fields(void **state)
{
	struct err err;
	apply("x", "{}", DATA("'a':'1','b':'2'"), false, &err);
	assert_null(apply("y", DATA("'a':'1','b':'2'"), DATA("'a':'9'"), false, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_string_equal(err.msg, "Apply failed with 1 conflict: conflict with \"x\": .data.a");
	m.first = NULL;
	update("u", NULL, DATA("'a':'1'"));
	apply("x", DATA("'a':'1'"), DATA("'b':'2'"), false, &err);
	assert_null(apply("y", DATA("'a':'1','b':'2'"), DATA("'a':'8','b':'9'"), false, &err));
	assert_string_equal(err.msg, "Apply failed with 2 conflicts: conflicts with \"x\":\n- .data.b\nconflicts with "
	                             "\"u\" using v1:\n- .data.a");
}

static void force_takes_what_others_have(void **state)
{
	struct err err;
	apply("x", "{}", DATA("'a':'1','b':'2'"), false, &err);
	assert_string_equal(
	        apply("y", DATA("'a':'1','b':'2'"), DATA("'a':'9'"), true, &err), quoted(DATA("'a':'9','b':'2'")));
	owns("x", true, "{'f:data':{'f:b':{}}}");
	owns("y", true, "{'f:data':{'f:a':{}}}");
}

static void an_apply_that_changes_nothing_leaves_the_time(void **state)
{
	struct err err;
	apply("x", "{}", DATA("'a':'1'"), false, &err);
	assert_true(slice_is(find("x", true)->time, "T2"));
	struct managers_write w = by("x", "T3");
	struct manager_conflicts conflicts;
	struct json *ret;
	managers_apply(
	        &w, &m, object_of(DATA("'a':'1'")), true, object_of(DATA("'a':'1'")), false, &ret, &conflicts, &err);
	assert_true(slice_is(find("x", true)->time, "T2"));
	managers_apply(
	        &w, &m, object_of(DATA("'a':'1'")), true, object_of(DATA("'a':'2'")), false, &ret, &conflicts, &err);
	assert_true(slice_is(find("x", true)->time, "T3"));
}

/* An object from before anybody kept managers. */
static void the_first_apply_tells_the_past_apart(void **state)
{
	struct err err;
	apply("x", DATA("'a':'1','b':'2'"), DATA("'a':'1'"), false, &err);
	owns("before-first-apply", false, "{'f:data':{'.':{},'f:a':{},'f:b':{}}}");
	owns("x", true, "{'f:data':{'f:a':{}}}");
	assert_null(apply("x", DATA("'a':'1','b':'2'"), DATA("'b':'9'"), false, &err));
	assert_string_equal(
	        err.msg, "Apply failed with 1 conflict: conflict with \"before-first-apply\" using v1: .data.b");
}

/* autoscaling/v1 and v2 of one object: each entry is told in its own version. */
static void entries_of_another_version_are_compared_in_theirs(void **state)
{
	static const char v2[] =
	        "{'apiVersion':'autoscaling/v2','kind':'HorizontalPodAutoscaler','metadata':{'name':'h'},'spec':{"
	        "'scaleTargetRef':{'kind':'D','name':'d'},'maxReplicas':%d,'metrics':[{'type':'Resource',"
	        "'resource':{'name':'cpu','target':{'type':'Utilization','averageUtilization':%d}}}]}}";
	struct managers_write w = by("old", "T1"), now = by("new", "T2");
	struct json *before = object_of(arena_printf(&a, v2, 3, 50)), *after = object_of(arena_printf(&a, v2, 3, 80)),
	            *v1;
	const struct resource *row1 = row("autoscaling/v1", "HorizontalPodAutoscaler"),
	                      *row2 = row("autoscaling/v2", "HorizontalPodAutoscaler");
	v1 = json_copy(&a, before);
	assert_int_equal(resource_convert(&a, v1, row2, row1, NULL), 0);
	w.resource = row1;
	now.resource = row2;
	managers_update(&w, &m, managers_zero(&a, row1), v1);
	assert_non_null(strstr(text_of(find("old", false)->fields), "f:targetCPUUtilizationPercentage"));
	managers_update(&now, &m, before, after);
	assert_null(strstr(text_of(find("old", false)->fields), "f:targetCPUUtilizationPercentage"));
	assert_non_null(strstr(text_of(find("old", false)->fields), "f:maxReplicas"));
	assert_set(find("new", false)->fields, "{'f:spec':{'f:metrics':{}}}");
}

static void a_version_that_is_not_served_is_dropped(void **state)
{
	struct err err;
	apply("x", "{}", DATA("'a':'1'"), false, &err);
	m.first->api_version = SLICE("v9");
	update("y", DATA("'a':'1'"), DATA("'a':'1','b':'2'"));
	owns("x", true, NULL);
	owns("y", false, "{'f:data':{'f:b':{}}}");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, release)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(an_update_owns_what_it_changes),
	        TEST(an_update_that_changes_nothing_leaves_the_time),
	        TEST(what_is_the_servers_is_nobodys),
	        TEST(a_write_of_one_half_owns_nothing_of_the_other),
	        TEST(an_apply_owns_what_it_names),
	        TEST(conflicts_name_managers_and_fields),
	        TEST(force_takes_what_others_have),
	        TEST(an_apply_that_changes_nothing_leaves_the_time),
	        TEST(the_first_apply_tells_the_past_apart),
	        TEST(entries_of_another_version_are_compared_in_theirs),
	        TEST(a_version_that_is_not_served_is_dropped),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
