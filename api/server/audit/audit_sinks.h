/* Where events go, and what is counted of them. Between the two files of the room alone: record.c makes events, audit.c
 * owns the backends. API loop. */
#ifndef K3X_API_SERVER_AUDIT_AUDIT_SINKS_H
#define K3X_API_SERVER_AUDIT_AUDIT_SINKS_H

#include "api/server/audit/policy.h"

struct audit;
struct audit_record;

const struct audit_policy *audit_policy(const struct audit *a);
void audit_count_level(struct audit *a, enum audit_level level);
/* To every backend. */
void audit_emit(struct audit *a, const struct audit_record *r, enum audit_stage stage, int64_t now_ns);

#endif
