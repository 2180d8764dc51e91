/* Events: what stands in a line, in which order, and what is left out of one that is too large. */
#include "api/server/audit/audit_int.h"

#include "tests/unit/unit.h"

static struct user *jane;
static struct audit_record record;
static struct strbuf out;

static int setup(void **state)
{
	jane = user_new(SLICE("jane"), SLICE("7"));
	user_add_group(jane, SLICE("devs"));
	user_add_extra(jane, SLICE("b"), SLICE("2"));
	user_add_extra(jane, SLICE("a"), SLICE("1"));
	user_add_extra(jane, SLICE("b"), SLICE("3"));
	record = (struct audit_record){.decision = {.level = AUDIT_REQUEST_RESPONSE},
	        .id = SLICE("id"),
	        .uri = SLICE("/api/v1/pods?x=\"y\""),
	        .verb = SLICE("list"),
	        .user = jane,
	        .has_ref = true,
	        .ref = {.resource = SLICE("pods"), .version = SLICE("v1")},
	        .received_ns = 1767225600000001999,
	        .code = 200,
	        .response_object = SLICE("{\"kind\":\"PodList\"}")};
	return 0;
}

static int teardown(void **state)
{
	user_unref(jane);
	strbuf_release(&out);
	return 0;
}

static void a_line_is_upstreams(void **state)
{
	audit_event_write(&out, &record, AUDIT_COMPLETE, 1767225600123456789, 4096);
	assert_string_equal(strbuf_cstr(&out),
	        "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"RequestResponse\",\"auditID\":"
	        "\"id\",\"stage\":\"ResponseComplete\",\"requestURI\":\"/api/v1/pods?x=\\\"y\\\"\",\"verb\":\"list\","
	        "\"user\":{\"username\":\"jane\",\"uid\":\"7\",\"groups\":[\"devs\"],\"extra\":{\"a\":[\"1\"],\"b\":["
	        "\"2\",\"3\"]}},\"objectRef\":{\"resource\":\"pods\",\"apiVersion\":\"v1\"},\"responseStatus\":{"
	        "\"metadata\":{},\"code\":200},\"responseObject\":{\"kind\":\"PodList\"},"
	        "\"requestReceivedTimestamp\":\"2026-01-01T00:00:00.000001Z\",\"stageTimestamp\":"
	        "\"2026-01-01T00:00:00.123456Z\"}\n");
}

static void a_large_event_loses_its_objects_and_says_so(void **state)
{
	struct audit_annotation why = {NULL, "authorization.k8s.io/decision", SLICE("allow")};
	record.annotations = &why;
	audit_event_write(&out, &record, AUDIT_COMPLETE, 1767225600123456789, 460);
	assert_null(strstr(strbuf_cstr(&out), "PodList"));
	assert_non_null(
	        strstr(strbuf_cstr(&out), "\"annotations\":{\"audit.k8s.io/truncated\":\"true\",\"authorization.k8s.io/"
	                                  "decision\":\"allow\"}}\n"));
	assert_int_equal(strchr(strbuf_cstr(&out), '\n') - out.data, out.len - 1);
}

static void nobody_is_an_empty_user(void **state)
{
	record.user = user_new(SLICE(""), SLICE_NULL);
	audit_event_write(&out, &record, AUDIT_STARTED, 0, 4096);
	assert_non_null(strstr(strbuf_cstr(&out), "\"user\":{},\"objectRef\""));
	user_unref(record.user);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
	        T(a_line_is_upstreams), T(a_large_event_loses_its_objects_and_says_so), T(nobody_is_an_empty_user)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
