/* What S3 servers answer. */
#include "tools/snapshots/s3_xml.h"

#include "tests/unit/unit.h"

static struct err err;
static char seen[512];

static void see(void *arg, const struct s3_object *o)
{
	snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s %lld %lld;", o->key, (long long)o->size,
	        (long long)o->modified_s);
}

static void a_page_of_a_list_is_read(void **state)
{
	struct arena a = ARENA_INIT;
	const char *next;
	seen[0] = 0;
	assert_int_equal(
	        s3_xml_list(&a,
	                SLICE("<ListBucketResult "
	                      "xmlns=\"x\"><IsTruncated>true</IsTruncated><NextContinuationToken>a&amp;b"
	                      "</NextContinuationToken><Contents><Key>f/x&lt;1</"
	                      "Key><LastModified>2027-01-15T08:00:00.000Z"
	                      "</LastModified><Size>7</Size></Contents><Contents><Key>y</Key><Size>0</Size></Contents>"
	                      "</ListBucketResult>"),
	                see, NULL, &next, &err),
	        0);
	assert_string_equal(seen, "f/x<1 7 1800000000;y 0 0;");
	assert_string_equal(next, "a&b");
	arena_release(&a);
}

static void what_is_no_list_is_told(void **state)
{
	static const char *const bad[] = {"", "<html>", "<ListBucketResult><Contents><Key>a</Key></Contents>",
	        "<ListBucketResult><Contents><Key></Key><Size>1</Size></Contents>",
	        "<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents>"};
	struct arena a = ARENA_INIT;
	const char *next;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(s3_xml_list(&a, slice_of(bad[i]), see, NULL, &next, &err), ERR_PROTOCOL);
	arena_release(&a);
}

static void an_error_says_its_code_and_why(void **state)
{
	struct arena a = ARENA_INIT;
	assert_string_equal(
	        s3_xml_error(&a, SLICE("<Error><Code>A</Code><Message><![CDATA[because]]></Message></Error>")),
	        "A: because");
	assert_string_equal(s3_xml_error(&a, SLICE("<Error><Code>A</Code></Error>")), "A");
	assert_string_equal(s3_xml_error(&a, SLICE("no")), "");
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test(a_page_of_a_list_is_read),
	        cmocka_unit_test(what_is_no_list_is_told),
	        cmocka_unit_test(an_error_says_its_code_and_why),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
