/* What holds for the metadata of every object. */
#include "tests/unit/api/machinery/rules/groups/group_cases.h"

struct meta_case {
	const char *plural, *meta, *old, *want;
};

static const char *errors_of(const struct meta_case *c)
{
	const struct resource *r = resource_find(SLICE(""), SLICE("v1"), slice_of(c->plural));
	struct json *object = parse(arena_printf(&a, "{\"metadata\":{\"namespace\":\"d\",%s}}", c->meta));
	struct json *old = c->old ? parse(arena_printf(&a, "{\"metadata\":{\"namespace\":\"d\",%s}}", c->old)) : NULL;
	return group_errors(r, object, old, "");
}

#define NO_SUBDOMAIN \
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must " \
	"start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define NO_QUALIFIED_NAME \
	"name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an " \
	"alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " \
	"'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define OWNER(version, kind, more) \
	"{\"apiVersion\":\"" version "\",\"kind\":\"" kind "\",\"name\":\"x\",\"uid\":\"u\"" more "}"
#define OWNED(text) "\"name\":\"n\",\"ownerReferences\":[" text "]"
#define DYING "\"deletionTimestamp\":\"2026-01-01T00:00:00Z\",\"finalizers\":[\"a/b\"],\"name\":\"n\""

static const struct meta_case cases[] = {
        {"configmaps", "\"name\":\"n\"", NULL, ""},
        {"configmaps", "\"labels\":{}", NULL, "metadata.name: Required value: name or generateName is required"},
        {"configmaps", "\"name\":\"N\"", NULL, "metadata.name: Invalid value: \"N\": " NO_SUBDOMAIN},
        {"configmaps", "\"generateName\":\"a-\",\"name\":\"a-b\"", NULL, ""},
        {"configmaps", "\"generateName\":\"AB-\",\"name\":\"AB-b\"", NULL,
                "metadata.generateName: Invalid value: \"AB-\": " NO_SUBDOMAIN
                "; metadata.name: Invalid value: \"AB-b\": " NO_SUBDOMAIN},
        {"componentstatuses", "\"name\":\"a/b\"", NULL, "metadata.name: Invalid value: \"a/b\": may not contain '/'"},
        {"componentstatuses", "\"name\":\"..\"", NULL, "metadata.name: Invalid value: \"..\": may not be '..'"},
        {"configmaps", "\"name\":\"n\",\"annotations\":{\"Example.COM/a\":\"\"}", NULL, ""},
        {"configmaps", "\"name\":\"n\",\"labels\":{\"Example.COM/a\":\"\"}", NULL,
                "metadata.labels: Invalid value: \"Example.COM/a\": prefix part must be a lowercase RFC 1123 "
                "subdomain"},
        {"configmaps", "\"name\":\"n\",\"annotations\":{\"a b\":\"\"}", NULL,
                "metadata.annotations: Invalid value: \"a b\": " NO_QUALIFIED_NAME},
        {"configmaps", OWNED(OWNER("apps/v1", "Deployment", "")), NULL, ""},
        {"configmaps", OWNED(OWNER("a/b/c", "Deployment", "")), NULL,
                "metadata.ownerReferences[0].apiVersion: Invalid value: \"a/b/c\": version must not be empty"},
        {"configmaps", OWNED("{}"), NULL,
                "metadata.ownerReferences[0].apiVersion: Invalid value: \"\": version must not be empty; "
                "metadata.ownerReferences[0].kind: Invalid value: \"\": must not be empty; "
                "metadata.ownerReferences[0].name: Invalid value: \"\": must not be empty; "
                "metadata.ownerReferences[0].uid: Invalid value: \"\": must not be empty"},
        {"configmaps", OWNED(OWNER("v1", "Event", "")), NULL,
                "metadata.ownerReferences[0]: Invalid value: &OwnerReference{Kind:Event,Name:x,UID:u,APIVersion:v1,}: "
                "/v1, Kind=Event is disallowed from being an owner"},
        {"configmaps", OWNED(OWNER("v1", "A", ",\"controller\":true") "," OWNER("v1", "B", ",\"controller\":true")),
                NULL,
                "metadata.ownerReferences: Invalid value: []v1.OwnerReference{...}: Only one reference can have "
                "Controller set to true. Found \"true\" in references for A/x and B/x"},
        {"configmaps", "\"name\":\"n\",\"finalizers\":[\"orphan\",\"foregroundDeletion\"]", NULL,
                "metadata.finalizers: Invalid value: []string{\"orphan\", \"foregroundDeletion\"}: finalizer orphan "
                "and foregroundDeletion cannot be both set"},
        {"configmaps", "\"name\":\"n\",\"finalizers\":[\"a b\"]", NULL,
                "metadata.finalizers: Invalid value: \"a b\": " NO_QUALIFIED_NAME},
        {"configmaps", "\"name\":\"n\",\"finalizers\":[\"a/b\"]", DYING, ""},
        {"configmaps", "\"name\":\"n\",\"finalizers\":[\"a/b\",\"a/c\"]", DYING,
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found "
                "new finalizers []string{\"a/c\"}"},
};

static void metadata_follows_its_rules(void **state)
{
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (strcmp(errors_of(&cases[i]), cases[i].want) != 0)
			fail_msg("%s:\n got  %s\n want %s", cases[i].meta, errors_of(&cases[i]), cases[i].want);
}

static void annotations_have_a_size(void **state)
{
	struct strbuf meta = STRBUF_INIT;
	strbuf_addf(&meta, "\"name\":\"n\",\"annotations\":{\"a\":\"%*s\"}", 256 * 1024, "x");
	struct meta_case c = {"configmaps", strbuf_cstr(&meta), NULL, NULL};
	assert_string_equal(errors_of(&c), "metadata.annotations: Too long: may not be more than 262144 bytes");
	strbuf_release(&meta);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	        cmocka_unit_test_teardown(metadata_follows_its_rules, release),
	        cmocka_unit_test_teardown(annotations_have_a_size, release),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
