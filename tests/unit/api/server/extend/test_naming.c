/* Names of custom resources: which are given, and the conditions that say so. */
#include "api/server/extend/naming.h"

#include "tests/unit/unit.h"

static struct arena arena;
static const char *taken_resource, *taken_kind;

static bool is_resource_taken(void *arg, struct slice group, struct slice name)
{
	return taken_resource && slice_is(name, taken_resource);
}

static bool is_kind_taken(void *arg, struct slice group, struct slice name)
{
	return taken_kind && slice_is(name, taken_kind);
}

static struct json *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(&arena, slice_of(text), NULL, &err);
	if (!v)
		fail_msg("%s: %s", text, err.msg);
	return v;
}

static struct json *status_of(struct json *crd)
{
	struct naming n = {is_resource_taken, is_kind_taken, NULL, "2024-01-01T00:00:00Z"};
	return naming_status(&arena, crd, &n);
}

/* "True/NoConflicts/no conflicts found"; "" when there is no such condition. */
static const char *condition(const struct json *status, const char *type)
{
	JSON_FOREACH (it, json_get(status, "conditions"))
		if (slice_is(json_get_str(it, "type"), type))
			return arena_printf(&arena, "%s/%s/%s", json_cstr(&arena, json_get(it, "status")),
			        json_cstr(&arena, json_get(it, "reason")), json_cstr(&arena, json_get(it, "message")));
	return "";
}

static const char crd_text[] =
        "{\"metadata\":{},\"spec\":{\"group\":\"a.b\",\"names\":{\"plural\":\"things\",\"singular\":\"thing\","
        "\"shortNames\":[\"th\"],\"kind\":\"Thing\",\"listKind\":\"ThingList\"}}}";

static void free_names_are_given_once(void **state)
{
	struct json *crd = parse(crd_text), *status;
	taken_resource = taken_kind = NULL;
	status = status_of(crd);
	assert_non_null(status);
	assert_true(json_equal(json_get(status, "acceptedNames"), json_path(crd, "spec", "names", NULL)));
	assert_string_equal(condition(status, "NamesAccepted"), "True/NoConflicts/no conflicts found");
	assert_string_equal(
	        condition(status, "Established"), "True/InitialNamesAccepted/the initial names have been accepted");
	assert_string_equal(condition(status, "KubernetesAPIApprovalPolicyConformant"), "");
	json_set(&arena, crd, "status", status);
	assert_null(status_of(crd));
	arena_release(&arena);
}

static void taken_names_are_not_given(void **state)
{
	struct json *crd = parse(crd_text), *status;
	struct definition_names names;
	taken_resource = "th";
	taken_kind = NULL;
	status = status_of(crd);
	assert_string_equal(condition(status, "NamesAccepted"), "False/ShortNamesConflict/\"th\" is already in use");
	assert_string_equal(condition(status, "Established"), "False/NotAccepted/not all names are accepted");
	json_set(&arena, crd, "status", status);
	naming_read(&arena, crd, &names);
	assert_true(names.is_refused && slice_is(names.plural, "things") && names.short_count == 0);
	taken_resource = NULL;
	status = status_of(crd); /* the other has gone */
	assert_string_equal(condition(status, "NamesAccepted"), "True/NoConflicts/no conflicts found");
	json_set(&arena, crd, "status", status);
	naming_read(&arena, crd, &names);
	assert_true(!names.is_refused && names.short_count == 1 && slice_is(names.short_names[0], "th"));
	arena_release(&arena);
}

static void what_is_established_stays_so(void **state)
{
	struct json *crd = parse(crd_text);
	taken_resource = taken_kind = NULL;
	json_set(&arena, crd, "status", status_of(crd));
	json_set_cstr(&arena, json_path(crd, "spec", "names", NULL), "singular", "other");
	taken_resource = "other";
	struct json *status = status_of(crd);
	assert_string_equal(condition(status, "NamesAccepted"), "False/SingularConflict/\"other\" is already in use");
	assert_string_equal(
	        condition(status, "Established"), "True/InitialNamesAccepted/the initial names have been accepted");
	arena_release(&arena);
}

static void protected_groups_tell_of_their_approval(void **state)
{
	struct json *crd = parse(
	        "{\"metadata\":{\"annotations\":{\"api-approved.kubernetes.io\":\"unapproved, a try\"}},\"spec\":{"
	        "\"group\":\"x.k8s.io\",\"names\":{\"plural\":\"things\",\"kind\":\"Thing\"}}}");
	taken_resource = taken_kind = NULL;
	assert_string_equal(condition(status_of(crd), "KubernetesAPIApprovalPolicyConformant"),
	        "False/UnapprovedAnnotation/not approved: \"unapproved, a try\"");
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(free_names_are_given_once),
	        cmocka_unit_test(taken_names_are_not_given),
	        cmocka_unit_test(what_is_established_stays_so),
	        cmocka_unit_test(protected_groups_tell_of_their_approval),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
