/* managedFields packed beside an object. */
#include "tests/unit/unit.h"

#include "api/machinery/fields/pack.h"

static size_t packs(const char *text, size_t len)
{
	char *packed = malloc(fields_pack_bound(len)), *again = malloc(len + 1);
	size_t n = fields_pack((struct slice){text, len}, packed);
	struct slice p = {packed, n};
	assert_int_equal(fields_packed_text_len(p), len);
	fields_unpack(p, again);
	assert_memory_equal(again, text, len);
	free(packed);
	free(again);
	return n;
}

static void what_is_packed_comes_back(void **state)
{
	char noise[5001];
	packs("[", 1);
	unit_noise(noise, 5000);
	packs(noise, 5000);
	char *large = malloc(3000000);
	memset(large, 'x', 3000000);
	packs(large, 3000000);
	free(large);
}

/* The dictionary knows them: a tenth of their text. */
static void usual_entries_become_small(void **state)
{
	static const char text[] =
	        "[{\"manager\":\"kube-controller-manager\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"time\":"
	        "\"2031-05-06T07:08:09Z\",\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:metadata\":{\"f:generateName\":"
	        "{},"
	        "\"f:labels\":{\".\":{},\"f:app\":{},\"f:pod-template-hash\":{}},\"f:ownerReferences\":{\".\":{},"
	        "\"k:{\\\"uid\\\":\\\"11111111-2222-3333-4444-555555555555\\\"}\":{}}},\"f:spec\":{\"f:containers\":{"
	        "\"k:{\\\"name\\\":\\\"web\\\"}\":{\".\":{},\"f:image\":{},\"f:imagePullPolicy\":{},\"f:name\":{},"
	        "\"f:resources\":{},\"f:terminationMessagePath\":{},\"f:terminationMessagePolicy\":{}}},\"f:"
	        "dnsPolicy\":{},"
	        "\"f:enableServiceLinks\":{},\"f:restartPolicy\":{},\"f:schedulerName\":{},\"f:securityContext\":{},"
	        "\"f:terminationGracePeriodSeconds\":{}}}}]";
	assert_true(packs(text, sizeof text - 1) < sizeof text / 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(what_is_packed_comes_back),
	        cmocka_unit_test(usual_entries_become_small),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
