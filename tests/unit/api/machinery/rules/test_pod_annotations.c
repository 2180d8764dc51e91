/* Annotations of pods: in step with their fields, what each may say, and which of them stay. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

#include "api/machinery/rules/prepare.h"

#define APPARMOR "container.apparmor.security.beta.kubernetes.io/"
#define SECCOMP "seccomp.security.alpha.kubernetes.io/pod"

static const struct resource *pods(void)
{
	return resource_find(SLICE(""), SLICE("v1"), SLICE("pods"));
}

static struct json *pod(const char *annotations, const char *spec, const char *container)
{
	struct json *v = parse(arena_printf(&a,
	        "{\"metadata\":{\"name\":\"n\",\"namespace\":\"d\",\"annotations\":{%s}},\"spec\":{%s\"containers\":[{"
	        "\"name\":"
	        "\"c\",\"image\":\"i\"%s}]}}",
	        annotations, spec, container));
	defaults_apply(&a, pods(), v);
	return v;
}

static const char *errors_of(const struct json *v, const struct json *old)
{
	return group_errors(pods(), v, old, "");
}

/* ---- in step ---- */

#define PROFILE(type) "\"securityContext\":{\"appArmorProfile\":{\"type\":\"" type "\"}}"
#define LOCAL_PROFILE "\"securityContext\":{\"appArmorProfile\":{\"type\":\"Localhost\",\"localhostProfile\":\"x\"}}"

static void is_in_step(const char *annotations, const char *spec, const char *container, const char *want_annotation,
        const char *want_profile)
{
	struct json *v = pod(annotations, spec, container);
	prepare_create(&a, pods(), v);
	const struct json *profile =
	        json_path(json_path(v, "spec", "containers", NULL)->first, "securityContext", "appArmorProfile", NULL);
	struct slice said = json_get_str(json_path(v, "metadata", "annotations", NULL), APPARMOR "c");
	assert_true(slice_is(said, want_annotation));
	assert_true(want_profile ? json_equal(profile, parse(want_profile)) : !profile);
}

static void profiles_are_said_twice(void **state)
{
	is_in_step("", "", "", "", NULL);
	is_in_step("\"" APPARMOR "c\":\"localhost/x\"", "", "", "localhost/x",
	        "{\"type\":\"Localhost\",\"localhostProfile\":\"x\"}");
	is_in_step("\"" APPARMOR "c\":\"runtime/default\"", "", "", "runtime/default", "{\"type\":\"RuntimeDefault\"}");
	is_in_step("", "", "," LOCAL_PROFILE, "localhost/x", "{\"type\":\"Localhost\",\"localhostProfile\":\"x\"}");
	/* the pod's holds for its containers, and is not said once more in their fields */
	is_in_step("", PROFILE("Unconfined") ",", "", "unconfined", NULL);
	is_in_step("\"" APPARMOR "c\":\"unconfined\"", PROFILE("Unconfined") ",", "", "unconfined", NULL);
	is_in_step("\"" APPARMOR "c\":\"runtime/default\"", PROFILE("Unconfined") ",", "", "runtime/default",
	        "{\"type\":\"RuntimeDefault\"}");
	/* what says nothing, and pods of the other system, are left alone */
	is_in_step("\"" APPARMOR "c\":\"localhost/\"", "", "", "localhost/", NULL);
	is_in_step("", "\"os\":{\"name\":\"windows\"},", "," PROFILE("Unconfined"), "", "{\"type\":\"Unconfined\"}");
}

/* ---- what is wrong ---- */

#define AT_TYPE "spec.containers[0].securityContext.appArmorProfile.type: Forbidden: "

static void each_says_what_it_may(void **state)
{
	static const struct {
		const char *annotations, *spec, *container, *want;
	} cases[] = {
	        {"\"" APPARMOR "c\":\"localhost/x\",\"" SECCOMP "\":\"docker/default\"", "", "", ""},
	        {"\"" APPARMOR "d\":\"unconfined\"", "", "",
	                "metadata.annotations[" APPARMOR "d]: Invalid value: \"d\": container not found"},
	        {"\"" APPARMOR "c\":\"odd\"", "", "",
	                "metadata.annotations[" APPARMOR
	                "c]: Invalid value: \"odd\": invalid AppArmor profile name: \"odd\""},
	        {"\"" SECCOMP "\":\"odd\"", "", "",
	                "metadata.annotations." SECCOMP ": Invalid value: \"odd\": must be a valid seccomp profile"},
	        {"\"" SECCOMP "\":\"localhost/a/../b\"", "", "",
	                "metadata.annotations." SECCOMP ": Invalid value: \"a/../b\": must not contain '..'"},
	        {"\"kubernetes.io/config.mirror\":\"m\"", "", "",
	                "metadata.annotations[kubernetes.io/config.mirror]: Invalid value: \"m\": must set "
	                "spec.nodeName "
	                "if mirror pod annotation is set"},
	        {"\"kubernetes.io/config.mirror\":\"m\"", "\"nodeName\":\"n\",", "", ""},
	        {"\"controller.kubernetes.io/pod-deletion-cost\":\"-7\"", "", "", ""},
	        {"\"controller.kubernetes.io/pod-deletion-cost\":\"+7\"", "", "",
	                "metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: \"+7\": must "
	                "be "
	                "a 32bit integer"},
	        {"\"controller.kubernetes.io/pod-deletion-cost\":\"2147483648\"", "", "",
	                "metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "
	                "\"2147483648\": "
	                "must be a 32bit integer"},
	        /* beside a field */
	        {"\"" APPARMOR "c\":\"unconfined\"", "", "," PROFILE("Unconfined"), ""},
	        {"\"" APPARMOR "c\":\"runtime/default\"", "", "," PROFILE("Unconfined"),
	                AT_TYPE "apparmor type in annotation and field must match"},
	        {"\"" APPARMOR "c\":\"unconfined\"", PROFILE("RuntimeDefault") ",", "",
	                AT_TYPE "apparmor type in annotation and field must match"},
	        {"\"" APPARMOR "c\":\"localhost/y\"", "", "," LOCAL_PROFILE,
	                "spec.containers[0].securityContext.appArmorProfile.localhostProfile: Forbidden: apparmor "
	                "profile "
	                "in annotation and field must match"},
	        {"\"" SECCOMP "\":\"unconfined\"",
	                "\"securityContext\":{\"seccompProfile\":{\"type\":\"RuntimeDefault\"}},", "",
	                "spec.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation and field "
	                "must "
	                "match"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(
		        errors_of(pod(cases[i].annotations, cases[i].spec, cases[i].container), NULL), cases[i].want);
}

static void templates_are_held_to_the_same(void **state)
{
	const struct resource *r = resource_find(SLICE("apps"), SLICE("v1"), SLICE("deployments"));
	struct json *v =
	        group_object(r, "\"spec\":{\"selector\":{\"matchLabels\":{\"a\":\"b\"}},\"template\":{\"metadata\":{"
	                        "\"labels\":{\"a\":\"b\"},"
	                        "\"annotations\":{\"" APPARMOR
	                        "d\":\"unconfined\"}},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}}");
	assert_string_equal(group_errors(r, v, NULL, ""),
	        "spec.template.annotations[" APPARMOR "d]: Invalid value: \"d\": container not found");
}

static void some_stay(void **state)
{
	static const struct {
		const char *now, *before, *want;
	} cases[] = {
	        {"\"x\":\"1\"", "\"x\":\"2\"", ""},
	        {"", "\"" APPARMOR "c\":\"unconfined\"",
	                "metadata.annotations[" APPARMOR
	                "c]: Forbidden: may not remove or update AppArmor annotations"},
	        {"\"" APPARMOR "c\":\"unconfined\"", "",
	                "metadata.annotations[" APPARMOR "c]: Forbidden: may not add AppArmor annotations"},
	        {"\"kubernetes.io/config.mirror\":\"2\"", "\"kubernetes.io/config.mirror\":\"1\"",
	                "metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not remove or update mirror "
	                "pod "
	                "annotation"},
	        {"\"kubernetes.io/config.mirror\":\"1\"", "",
	                "metadata.annotations[kubernetes.io/config.mirror]: Forbidden: may not add mirror pod "
	                "annotation"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		assert_string_equal(errors_of(pod(cases[i].now, "\"nodeName\":\"n\",", ""),
		                            pod(cases[i].before, "\"nodeName\":\"n\",", "")),
		        cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(profiles_are_said_twice, release),
	        cmocka_unit_test_teardown(each_says_what_it_may, release),
	        cmocka_unit_test_teardown(templates_are_held_to_the_same, release),
	        cmocka_unit_test_teardown(some_stay, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
