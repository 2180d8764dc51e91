/* Calls in numbers: labels, statuses, the gateway's other paths. */
#include "store/etcd/serve/counts.h"

#include "store/etcd/serve/method.h"
#include "base/histogram.h"
#include "base/wire/grpc.h"
#include "tests/unit/unit.h"

static struct etcd_counts *counts;
static struct strbuf text;

static int setup(void **state)
{
	counts = etcd_counts_new();
	return 0;
}

static int teardown(void **state)
{
	free(counts);
	strbuf_release(&text);
	return 0;
}

static void assert_says(const char *line)
{
	strbuf_reset(&text);
	etcd_counts_write(counts, &text);
	const char *at = strstr(strbuf_cstr(&text), line);
	if (!at)
		fail_msg("no '%s' in:\n%s", line, strbuf_cstr(&text));
	assert_true(at[strlen(line)] == '\n');
}

static const struct etcd_method *method(const char *path)
{
	const struct etcd_method *m = etcd_method_find(slice_of(path));
	assert_non_null(m);
	return m;
}

#define PUT "grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\""
#define WATCH "grpc_method=\"Watch\",grpc_service=\"etcdserverpb.Watch\",grpc_type=\"bidi_stream\""

static void a_call_is_counted_by_its_method_and_status(void **state)
{
	const struct etcd_method *put = method("/etcdserverpb.KV/Put");
	for (int i = 0; i < 2; i++) {
		etcd_count_started(counts, put);
		etcd_count_received(counts, put, 10);
	}
	etcd_count_sent(counts, put, 5);
	etcd_count_handled(counts, put, GRPC_OK, histogram_now_ns());
	etcd_count_handled(counts, put, GRPC_NOT_FOUND, histogram_now_ns());
	assert_says("grpc_server_started_total{" PUT "} 2");
	assert_says("grpc_server_msg_received_total{" PUT "} 2");
	assert_says("grpc_server_msg_sent_total{" PUT "} 1");
	assert_says("grpc_server_handled_total{grpc_code=\"OK\"," PUT "} 1");
	assert_says("grpc_server_handled_total{grpc_code=\"NotFound\"," PUT "} 1");
	assert_says("grpc_server_handling_seconds_bucket{" PUT ",le=\"0.005\"} 2");
	assert_says("grpc_server_handling_seconds_count{" PUT "} 2");
	assert_says("etcd_network_client_grpc_received_bytes_total 20");
	assert_says("etcd_network_client_grpc_sent_bytes_total 5");
}

static void streams_are_there_before_the_first_and_have_no_times(void **state)
{
	assert_says("grpc_server_started_total{" WATCH "} 0");
	assert_says("grpc_server_handled_total{grpc_code=\"OK\"," WATCH "} 0");
	const struct etcd_method *watch = method("/etcdserverpb.Watch/Watch");
	etcd_count_started(counts, watch);
	etcd_count_handled(counts, watch, GRPC_CANCELLED, 0);
	assert_says("grpc_server_handled_total{grpc_code=\"Canceled\"," WATCH "} 1");
	assert_null(strstr(strbuf_cstr(&text), "grpc_server_handling_seconds_count{" WATCH));
	assert_says("grpc_server_started_total{grpc_method=\"Snapshot\",grpc_service=\"etcdserverpb.Maintenance\","
	            "grpc_type=\"server_stream\"} 0");
}

static void another_path_of_the_gateway_is_the_same_method(void **state)
{
	etcd_count_started(counts, etcd_method_find_json(SLICE("/v3/lease/revoke")));
	etcd_count_started(counts, etcd_method_find_json(SLICE("/v3/kv/lease/revoke")));
	assert_says("grpc_server_started_total{grpc_method=\"LeaseRevoke\",grpc_service=\"etcdserverpb.Lease\","
	            "grpc_type=\"unary\"} 2");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	        TEST(a_call_is_counted_by_its_method_and_status),
	        TEST(streams_are_there_before_the_first_and_have_no_times),
	        TEST(another_path_of_the_gateway_is_the_same_method),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
