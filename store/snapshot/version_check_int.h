/* Do all versions of a database fit together? See version_check.c. */
#ifndef K3X_STORE_SNAPSHOT_VERSION_CHECK_INT_H
#define K3X_STORE_SNAPSHOT_VERSION_CHECK_INT_H

#include "store/machine/read/view.h"

/* In a transaction of the caller's. ERR_CORRUPT says what does not hold, and of which version. *ret_versions: how many
 * are kept. */
int version_check(struct db *db, const struct meta *meta, int64_t *ret_versions, struct err *err);

#endif
