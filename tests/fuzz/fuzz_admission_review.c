/* Answers of admission webhooks: what is taken is an answer to the question that was asked, a patch stands only where
 * one may, and a refusal made of it is a Status with an error's code. */
#include "api/server/admission/webhooks/webhook_review.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(struct slice text, const char *version, bool may_patch)
{
	struct arena a = ARENA_INIT;
	struct webhook_answer answer;
	struct err err = ERR_INIT;
	int rc = webhook_answer_read(&a, text, version, "u", may_patch, &answer, &err);
	CHECK(rc == err.code && (rc == 0 || err.msg[0]));
	CHECK(rc != 0 || may_patch || !answer.patch.len);
	if (rc == 0) {
		struct json *status = webhook_rejection(&a, "w", answer.status);
		int64_t code = json_get_int(status, "code", 0);
		CHECK(code >= 400 && code <= 599 && slice_is(json_get_str(status, "status"), "Failure"));
		CHECK(slice_starts(json_get_str(status, "message"), "admission webhook \"w\" denied the request"));
		JSON_FOREACH (it, answer.warnings)
			CHECK(it->type == JSON_STRING);
		JSON_FOREACH (it, answer.annotations)
			CHECK(it->type == JSON_STRING);
	}
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	ask(text, "v1", true);
	ask(text, "v1", false);
	ask(text, "v1beta1", true);
	return 0;
}
