/* FlowSchemas: to which flow of which priority level a request belongs. Pure. */
#ifndef K3X_API_SERVER_FAIRNESS_SCHEMAS_H
#define K3X_API_SERVER_FAIRNESS_SCHEMAS_H

#include "api/server/auth/rights/authorize.h"
#include "base/json/json.h"

struct schema_rule;

/* Why requests are turned away, as metrics name it. */
enum schema_refusal { REFUSED_FULL, REFUSED_BUSY, REFUSED_LATE, SCHEMA_REFUSALS };

/* Counted by references: calls on their way hold it. */
struct schema {
	unsigned refs;
	struct arena arena; /* of all but the counters */
	struct slice name, uid, level;
	int64_t precedence;
	enum { FLOW_OF_ALL, FLOW_BY_USER, FLOW_BY_NAMESPACE } by;
	struct schema_rule *rules;
	size_t n_rules;
	uint64_t dispatched, refused[SCHEMA_REFUSALS];
	unsigned executing, waiting;
};

/* Of an object. NULL: it is no FlowSchema (a server before this one may have stored anything). One reference. */
struct schema *schema_new(const struct json *object);
struct schema *schema_ref(struct schema *s);
void schema_unref(struct schema *s); /* NULL is allowed */
/* Takes over what was counted under this name. */
void schema_take_counts(struct schema *s, const struct schema *before);

bool schema_matches(const struct schema *s, const struct attributes *a);
/* By precedence, then by name: the first that matches counts. */
int schema_compare(const struct schema *x, const struct schema *y);
/* Of the flow: of the schema's name and what tells its flows apart. */
uint64_t schema_flow_hash(const struct schema *s, const struct attributes *a);

#endif
