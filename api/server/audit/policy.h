/* Audit policies (audit.k8s.io/v1 Policy): how much of which request is written down.
 *
 * Read once from a file and then immutable: any thread may ask it. The first rule that fits a request decides; what no
 * rule fits is not audited. */
#ifndef K3X_API_SERVER_AUDIT_POLICY_H
#define K3X_API_SERVER_AUDIT_POLICY_H

#include "api/server/auth/rights/authorize.h"
#include "base/err.h"

enum audit_level { AUDIT_NONE, AUDIT_METADATA, AUDIT_REQUEST, AUDIT_REQUEST_RESPONSE, AUDIT_LEVELS };
enum audit_stage { AUDIT_RECEIVED, AUDIT_STARTED, AUDIT_COMPLETE, AUDIT_PANIC, AUDIT_STAGES };

struct audit_policy;

struct audit_decision {
	enum audit_level level;
	unsigned omitted; /* a bit 1 << stage for each stage that is not written */
	bool omits_managed;
};

/* YAML or JSON. ERR_INVAL names the field and what would be right: fields that the kind does not have, too. */
int audit_policy_parse(struct slice text, struct audit_policy **ret, struct err *err);
/* The same from a file. */
int audit_policy_load(const char *path, struct audit_policy **ret, struct err *err);
void audit_policy_free(struct audit_policy *p); /* NULL is allowed */

struct audit_decision audit_policy_judge(const struct audit_policy *p, const struct attributes *a);

const char *audit_level_name(enum audit_level level); /* "RequestResponse" */
const char *audit_stage_name(enum audit_stage stage); /* "ResponseComplete" */

#endif
