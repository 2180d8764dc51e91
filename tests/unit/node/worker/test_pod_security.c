/* What the runtime is told of security contexts. */
#include "tests/unit/unit_json.h"

#include "base/check.h"
#include "node/runtime/image.h"
#include "node/worker/pod_security_int.h"

#define SPEC(context) "{\"securityContext\":{" context "}}"

static void the_containers_word_goes_before_the_pods(void **state)
{
	struct json *spec = parse(SPEC("\"seccompProfile\":{\"type\":\"RuntimeDefault\"},\"appArmorProfile\":{\"type\":"
	                               "\"Unconfined\"},\"seLinuxOptions\":{\"level\":\"s0:c1\"}"));
	struct json *own = parse(SPEC("\"seccompProfile\":{\"type\":\"Localhost\",\"localhostProfile\":\"a/b.json\"},"
	                              "\"appArmorProfile\":{\"type\":\"Localhost\",\"localhostProfile\":\"mine\"},"
	                              "\"seLinuxOptions\":{\"user\":\"u\",\"role\":\"r\",\"type\":\"t\"}")),
	            *none = parse("{}");
	assert_int_equal(pod_seccomp(&a, spec, none, false)->profile_type,
	        RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault);
	assert_string_equal(pod_seccomp(&a, spec, own, true)->localhost_ref, "/var/lib/kubelet/seccomp/a/b.json");
	assert_int_equal(pod_seccomp(&a, none, none, false)->profile_type,
	        RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Unconfined);
	assert_int_equal(pod_seccomp(&a, none, none, true)->profile_type,
	        RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__RuntimeDefault);
	assert_int_equal(
	        pod_apparmor(&a, spec, none)->profile_type, RUNTIME__V1__SECURITY_PROFILE__PROFILE_TYPE__Unconfined);
	assert_string_equal(pod_apparmor(&a, spec, own)->localhost_ref, "mine");
	assert_null(pod_apparmor(&a, none, none)); /* the runtime's default, where there is AppArmor */
	assert_string_equal(pod_selinux(&a, spec, none)->level, "s0:c1");
	assert_string_equal(pod_selinux(&a, spec, own)->type, "t");
	assert_string_equal(pod_selinux(&a, spec, own)->level, "");
	assert_null(pod_selinux(&a, none, none));
}

static void a_container_runs_as_whom_the_spec_or_the_image_says(void **state)
{
	static const struct {
		const char *spec;
		struct image_result image;
		int64_t user, group; /* -1: not told */
		const char *error;
	} cases[] = {
	        {SPEC(""), {.uid = 7}, 7, -1, NULL},
	        {SPEC("\"runAsUser\":5,\"runAsGroup\":6"), {.uid = 7}, 5, 6, NULL},
	        {SPEC("\"runAsGroup\":6"), {.uid = -1}, 0, 6, NULL},
	        {SPEC("\"runAsNonRoot\":true"), {.uid = 7}, 7, -1, NULL},
	        {SPEC("\"runAsNonRoot\":true"), {.uid = 0}, 0, -1, "image will run as root"},
	        {SPEC("\"runAsNonRoot\":true"), {.uid = -1}, 0, -1, "image will run as root"},
	        {SPEC("\"runAsNonRoot\":true,\"runAsUser\":0"), {.uid = 7}, 0, -1, "breaks non-root policy"},
	        {SPEC("\"runAsNonRoot\":true"), {.uid = -1, .username = "web"}, 0, -1, "non-numeric user (web)"},
	};
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CRI(LinuxContainerSecurityContext) s;
		struct err err = ERR_INIT;
		runtime__v1__linux_container_security_context__init(&s);
		int rc = pod_user(&a, parse(cases[i].spec), parse("{}"), &cases[i].image, &s, &err);
		assert_int_equal(rc != 0, cases[i].error != NULL);
		if (cases[i].error) {
			assert_non_null(strstr(err.msg, cases[i].error));
			continue;
		}
		assert_int_equal(s.run_as_user->value, cases[i].user);
		assert_int_equal(s.run_as_group ? s.run_as_group->value : -1, cases[i].group);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(the_containers_word_goes_before_the_pods, release),
	        cmocka_unit_test_teardown(a_container_runs_as_whom_the_spec_or_the_image_says, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
