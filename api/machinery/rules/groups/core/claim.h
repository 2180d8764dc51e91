/* Claims of volumes, for kinds that have templates of them. */
#ifndef K3X_API_MACHINERY_RULES_GROUPS_CORE_CLAIM_H
#define K3X_API_MACHINERY_RULES_GROUPS_CORE_CLAIM_H

#include "base/json/json.h"

/* Fills in what a claim, or a template of one, leaves out of its spec; its status is not touched. Results in the arena.
 * Any thread. */
void volume_claim_defaults(struct arena *a, struct json *claim);

#endif
