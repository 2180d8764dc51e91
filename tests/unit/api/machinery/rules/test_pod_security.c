/* The Pod Security Standards by level and version. */
#include "api/machinery/rules/pod/pod_security.h"

#include "tests/unit/unit.h"

static struct arena arena;

static int setup(void **state)
{
	arena = ARENA_INIT;
	return 0;
}

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

static const char *found(const char *level, const char *version, const char *pod)
{
	struct err err = ERR_INIT;
	struct pod_security s = {POD_SECURITY_PRIVILEGED, 0};
	struct pod_violations *v = ARENA_NEW(&arena, struct pod_violations);
	const struct json *tree = json_parse(&arena, slice_of(pod), NULL, &err);
	assert_non_null(tree);
	assert_true(pod_security_parse_level(slice_of(level), &s.level));
	assert_true(pod_security_parse_version(slice_of(version), &s.minor));
	pod_security_check(s, json_get(tree, "metadata"), json_get(tree, "spec"), &arena, v);
	return pod_violations_text(v, false);
}

static void levels_add_up(void **state)
{
	static const char pod[] = "{\"spec\":{\"hostPID\":true,\"containers\":[{\"name\":\"c\"}]}}";
	assert_string_equal(found("privileged", "latest", pod), "");
	assert_string_equal(found("baseline", "latest", pod), "host namespaces");
	assert_string_equal(found("restricted", "latest", pod),
	        "host namespaces, allowPrivilegeEscalation != false, unrestricted capabilities, runAsNonRoot != true, "
	        "seccompProfile");
}

static void versions_know_what_they_knew(void **state)
{
	static const char plain[] = "{\"spec\":{\"containers\":[{\"name\":\"c\"}]}}";
	static const char adding[] =
	        "{\"spec\":{\"securityContext\":{\"runAsNonRoot\":true},\"containers\":[{\"name\":\"c\","
	        "\"securityContext\":{\"allowPrivilegeEscalation\":false,\"capabilities\":{\"add\":["
	        "\"SYS_TIME\"]}}}]}}";
	assert_string_equal(found("restricted", "v1.7", plain), "runAsNonRoot != true");
	assert_string_equal(found("restricted", "v1.19", plain),
	        "allowPrivilegeEscalation != false, runAsNonRoot != true, seccompProfile");
	/* Before restricted had a check of its own, baseline's held there, too. */
	assert_string_equal(found("restricted", "v1.18", adding), "non-default capabilities");
	assert_string_equal(found("restricted", "v1.22", adding), "unrestricted capabilities, seccompProfile");
}

static void profiles_were_annotations_once(void **state)
{
	static const char pod[] =
	        "{\"metadata\":{\"annotations\":{\"seccomp.security.alpha.kubernetes.io/pod\":"
	        "\"unconfined\",\"container.apparmor.security.beta.kubernetes.io/c\":\"unconfined\"}},"
	        "\"spec\":{\"containers\":[{\"name\":\"c\"}]}}";
	assert_string_equal(found("baseline", "v1.18", pod), "forbidden AppArmor profile, seccompProfile");
	assert_string_equal(found("baseline", "v1.19", pod), "forbidden AppArmor profile");
}

static void kernel_settings_became_safe_over_time(void **state)
{
	static const char pod[] =
	        "{\"spec\":{\"securityContext\":{\"sysctls\":[{\"name\":\"net.ipv4.tcp_rmem\"},{\"name\":"
	        "\"net.ipv4.tcp_fin_timeout\"}]},\"containers\":[]}}";
	assert_string_equal(found("baseline", "v1.28", pod), "forbidden sysctls");
	assert_string_equal(found("baseline", "v1.29", pod), "forbidden sysctl");
	assert_string_equal(found("baseline", "v1.32", pod), "");
}

static void pods_of_windows_need_no_settings_of_linux(void **state)
{
	static const char pod[] =
	        "{\"spec\":{\"os\":{\"name\":\"windows\"},\"securityContext\":{\"runAsNonRoot\":true},"
	        "\"containers\":[{\"name\":\"c\"}]}}";
	assert_string_equal(found("restricted", "v1.25", pod), "");
	assert_string_equal(found("restricted", "v1.24", pod),
	        "allowPrivilegeEscalation != false, unrestricted capabilities, seccompProfile");
}

static void labels_fail_closed_where_they_enforce(void **state)
{
	struct err err = ERR_INIT;
	const struct json *labels = json_parse(&arena,
	        SLICE("{\"pod-security.kubernetes.io/enforce\":\"odd\",\"pod-security.kubernetes.io/warn\":\"odd\","
	              "\"pod-security.kubernetes.io/enforce-version\":\"v1.29\"}"),
	        NULL, &err);
	struct pod_security_policy p = pod_security_policy(labels, NULL, NULL, NULL);
	assert_int_equal(p.enforce.level, POD_SECURITY_RESTRICTED);
	assert_int_equal(p.enforce.minor, 29);
	assert_int_equal(p.warn.level, POD_SECURITY_PRIVILEGED);
	assert_string_equal(pod_security_text(&arena, p.enforce), "restricted:v1.29");
	int minor;
	static const char *const bad[] = {"v1", "v2.3", "v1.", "v1.x", "1.29", "v1.01", "v1.2345"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(pod_security_parse_version(slice_of(bad[i]), &minor));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	        TEST(levels_add_up),
	        TEST(versions_know_what_they_knew),
	        TEST(profiles_were_annotations_once),
	        TEST(kernel_settings_became_safe_over_time),
	        TEST(pods_of_windows_need_no_settings_of_linux),
	        TEST(labels_fail_closed_where_they_enforce),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
