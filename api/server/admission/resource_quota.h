/* The end of somebody's turn with the quotas of a namespace: see resource_quota.c. */
#ifndef K3X_API_SERVER_ADMISSION_RESOURCE_QUOTA_H
#define K3X_API_SERVER_ADMISSION_RESOURCE_QUOTA_H

#include "api/server/admission/admission.h"

/* `revision`: at which it wrote, 0 when it did not. Nothing when it has no turn. */
void quota_end_turn(struct admission *a, int64_t revision);

#endif
