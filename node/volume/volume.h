/* Volumes of a pod: made before it starts, refreshed while it runs, taken down after. Loop's thread unless said. */
#ifndef K3X_NODE_VOLUME_VOLUME_H
#define K3X_NODE_VOLUME_VOLUME_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

struct node;
struct pod;
struct volumes;

/* Mounts what is missing, and writes what has changed; done on the loop, never inside. */
void volumes_setup(struct pod *p, void (*done)(struct pod *p, const struct err *err));
/* The pod goes: a set-up under way need not wait for a server any more, and ends soon. */
void volumes_give_up(struct pod *p);
bool volumes_are_ready(const struct pod *p);
uint64_t volumes_refresh_ms(const struct pod *p); /* loop time of the next refresh; 0: never */
bool volumes_are_there(const struct pod *p);      /* of this process or an earlier one: to be taken down */
void volumes_teardown(struct pod *p, void (*done)(struct pod *p, const struct err *err));
/* Where a volume lies on the host; NULL when there is none of that name. */
const char *volume_host_path(const struct pod *p, struct arena *a, struct slice name, bool *ret_read_only);
/* The same of a volume that is a block device, which has no other path. */
const char *volume_device_path(const struct pod *p, struct arena *a, struct slice name, bool *ret_read_only);
void volumes_free(struct volumes *v); /* NULL is fine */

#endif
