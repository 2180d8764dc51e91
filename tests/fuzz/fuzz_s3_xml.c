/* What a stranger who says he is an S3 server answers: keys are texts, sizes not negative. */
#include "base/check.h"
#include "tools/snapshots/s3_xml.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void object(void *arg, const struct s3_object *o)
{
	CHECK(*o->key && strlen(o->key) <= 1024 && o->size >= 0);
	++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct err err = ERR_INIT;
	size_t n = 0;
	const char *next = NULL;
	struct slice xml = {(const char *)data, size};
	if (s3_xml_list(&a, xml, object, &n, &next, &err) != 0)
		CHECK(err.code == ERR_PROTOCOL && err.msg[0]);
	CHECK(s3_xml_error(&a, xml) != NULL);
	arena_release(&a);
	return 0;
}
