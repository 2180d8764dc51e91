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
int system_apply(struct machine *m, struct store_request *req, struct err *err);
/* What the database says of it, when the machine is opened. */
int system_load_hold(struct machine *m, struct err *err);
/* Is the command held back (err is set)? Not what ends the hold. */
bool system_holds_back(const struct machine *m, struct store_request *req);
/* A lease is gone: the hold that goes with it, too. */
void system_lease_gone(struct machine *m, int64_t lease);
void system_read(struct store_view *v, struct store_request *req);

#endif
