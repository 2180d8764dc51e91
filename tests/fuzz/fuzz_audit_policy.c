/* Audit policies: whatever the file says, it is a policy that answers every question, or an error with words. */
#include "api/server/audit/policy.h"
#include "base/check.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask(const struct audit_policy *p, struct attributes a)
{
	struct audit_decision d = audit_policy_judge(p, &a);
	CHECK(d.level < AUDIT_LEVELS && d.omitted < 1u << AUDIT_STAGES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct audit_policy *p = NULL;
	struct err err = ERR_INIT;
	if (audit_policy_parse((struct slice){(const char *)data, size}, &p, &err) != 0) {
		CHECK(!p && err.msg[0]);
		return 0;
	}
	struct user *u = user_anonymous();
	ask(p, (struct attributes){.user = u, .verb = SLICE("get"), .path = SLICE("/")});
	ask(p, (struct attributes){.user = u,
	               .is_resource = true,
	               .verb = SLICE("list"),
	               .resource = SLICE("pods"),
	               .subresource = SLICE("log")});
	user_unref(u);
	audit_policy_free(p);
	return 0;
}
