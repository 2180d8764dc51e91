/* What the files of the batch group share. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_BATCH_INT_H
#define K3X_API_MACHINERY_RULES_GROUPS_BATCH_INT_H

#include "api/machinery/rules/checks.h"

/* A JobSpec at `path`: "spec" of a job, "spec.jobTemplate.spec" of a cron job. Its selector is the caller's. */
void validate_job_spec(struct field_errors *e, const char *path, const struct json *spec);
/* After a write of a job's status; `old` is what it was. */
void validate_job_status(struct field_errors *e, const struct json *object, const struct json *old);

#endif
