/* A node's disk: a file system of its own in a sparse file, mounted inside the jail, so that it can be filled without
 * harm to the machine. It has no journal: what a power cut takes is decided by the shim (shim.c), not by ext4. */
#ifndef K3X_JEPSEN_DISK_H
#define K3X_JEPSEN_DISK_H

#include "base/err.h"

#include <stdint.h>

enum { DISK_PATH_MAX = 256 };

struct disk {
	char image[DISK_PATH_MAX];
	char mount[DISK_PATH_MAX];
	char balloon[DISK_PATH_MAX];
};

int disk_open(struct disk *d, const char *scratch, const char *name, int64_t size_bytes, struct err *err);
void disk_close(struct disk *d);

/* Takes all but `left_bytes` of what is free. */
int disk_fill(struct disk *d, int64_t left_bytes, struct err *err);
int disk_drain(struct disk *d, struct err *err);

#endif
