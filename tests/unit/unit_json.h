/* What tests of JSON objects share: an arena for one test, and texts that are right as trees in it. */
#ifndef K3X_TESTS_UNIT_JSON_H
#define K3X_TESTS_UNIT_JSON_H

#include "tests/unit/unit.h"

#include "base/json/json.h"

static struct arena a;

/* The teardown of each test. */
static inline int release(void **state)
{
	arena_release(&a);
	return 0;
}

static inline struct json *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct json *v = json_parse(&a, slice_of(text), NULL, &err);
	if (!v)
		fail_msg("%s: %s", text, err.msg);
	return v;
}

#endif
