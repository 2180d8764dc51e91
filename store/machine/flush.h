/* From the memory table into SQLite. The flushing thread's. See flush.c. */
#ifndef K3X_STORE_MACHINE_FLUSH_H
#define K3X_STORE_MACHINE_FLUSH_H

#include "store/machine/machine.h"

/* Writes the frozen segment, if there is one, in one transaction, and takes it out of the table. On failure (the disk
 * is full) nothing has changed, and it may be tried again. 1: something was written; 0: nothing to do. */
int machine_flush(struct machine *m, struct err *err);

#endif
