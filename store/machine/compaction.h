/* Removing from SQLite what compaction has passed, and giving the room back. The flushing thread's. See compaction.c.
 */
#ifndef K3X_STORE_MACHINE_COMPACTION_H
#define K3X_STORE_MACHINE_COMPACTION_H

#include "store/machine/machine.h"

/* Removes some of what the compaction that the database knows of has freed: looks at up to `rows` versions, in
 * a transaction of its own. */
int machine_trim(struct machine *m, int rows, struct err *err);
bool machine_trim_pending(const struct machine *m);

/* Gives free pages at the end of the file back, some at a time, once they are a good part of it.
 * 1: there is more to do; 0: not; negative: error. */
int machine_shrink(struct machine *m, struct err *err);

#endif
