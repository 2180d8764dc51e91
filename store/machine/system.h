/* The system keyspace. See system.c. */
#ifndef K3X_STORE_MACHINE_SYSTEM_H
#define K3X_STORE_MACHINE_SYSTEM_H

#include "store/engine.h"
#include "store/machine/read/view.h"

struct machine;

/* system_check() needs no state. system_expected(): may the request go on, as far as
 * the system's version is concerned? When not, err and cause are set. */
int system_check(struct store_request *req);
bool system_expected(const struct meta *m, struct store_request *req);
int system_apply(struct machine *m, struct store_request *req);
void system_read(struct store_view *v, struct store_request *req);

#endif
