/* Patches: a line that names the format (j, m or s for JSON, merge, strategic), an object in JSON, a zero byte or line
 * feed, the patch. Applying answers with a sound tree or an error; a merge patch applied twice changes nothing more. */
#include "api/machinery/patch/patch.h"
#include "api/machinery/schema/resources.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void is_sound(struct arena *a, const struct json *v)
{
	struct strbuf out = STRBUF_INIT;
	json_write(&out, v);
	/* copies in a JSON patch may nest deeper than a body may */
	struct json *again = json_parse(a, strbuf_slice(&out), NULL, NULL);
	CHECK(!again || json_equal(v, again));
	strbuf_release(&out);
}

static void merge_is_idempotent(struct arena *a, struct json *object, struct slice patch_text)
{
	struct json *once = patch_merge_apply(a, object, json_parse(a, patch_text, NULL, NULL));
	struct json *twice = patch_merge_apply(a, json_copy(a, once), json_parse(a, patch_text, NULL, NULL));
	CHECK(json_equal(once, twice));
	is_sound(a, once);
}

static void apply(struct arena *a, char format, struct json *object, struct slice patch_text)
{
	struct err err = ERR_INIT;
	struct json *patch = json_parse(a, patch_text, NULL, NULL);
	int rc;
	if (!patch)
		return;
	if (format == 'm') {
		merge_is_idempotent(a, object, patch_text);
		return;
	}
	if (format == 'j')
		rc = patch_json_apply(a, &object, patch, &err);
	else if (object->type == JSON_OBJECT && patch->type == JSON_OBJECT)
		rc = patch_strategic_apply(
		        a, object, patch, resource_kind_type(SLICE("apps/v1"), SLICE("Deployment")), &err);
	else
		return;
	CHECK(rc == err.code && (rc == 0 || err.msg[0]));
	if (rc == 0)
		is_sound(a, object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = ARENA_INIT;
	struct slice rest = {(const char *)data, size};
	struct slice format = slice_cut(&rest, '\n'), text = slice_cut(&rest, '\n');
	struct json *object = format.len == 1 && rest.ptr ? json_parse(&a, text, NULL, NULL) : NULL;
	if (object)
		apply(&a, format.ptr[0], object, rest);
	arena_release(&a);
	return 0;
}
