/* Which Secrets with tokens of service accounts nobody uses any more. Pure.
 * Upstream: pkg/controller/serviceaccount/legacy_serviceaccount_token_cleaner.go. */
#ifndef K3X_API_CONTROLLERS_LEGACY_TOKENS_H
#define K3X_API_CONTROLLERS_LEGACY_TOKENS_H

#include "base/mem/str.h"

/* Uses are written down since that day (`since`, of the ConfigMap), and for so long that what has no date was not used
 * for `period_s`. A `since` that is no date: not. */
bool legacy_is_tracked(struct slice since, int64_t now_s, int64_t period_s);

struct legacy_secret {
	int64_t created_s;
	struct slice last_used, invalid_since; /* labels; empty: it has none */
};

/* It is old enough and was not used for `period_s`. One whose date of use is none stays: nobody knows. */
bool legacy_is_unused(const struct legacy_secret *x, int64_t now_s, int64_t period_s);

enum legacy_fate { LEGACY_STAYS, LEGACY_IS_MARKED, LEGACY_GOES };

/* Of an unused one that an account lists and no pod uses: it is marked as invalid first, and goes when it has been so
 * for `period_s`. */
enum legacy_fate legacy_fate(const struct legacy_secret *x, int64_t now_s, int64_t period_s);

#endif
