/* Cgroups of pods: where they lie, what they allow, making and removing them. */
#ifndef K3X_NODE_CGROUP_CGROUP_H
#define K3X_NODE_CGROUP_CGROUP_H

#include "base/err.h"
#include "base/mem/arena.h"

struct pod;

const char *pod_cgroup(const struct pod *p, struct arena *a); /* "/kubepods/burstable/podUID" */
/* ERR_IO: a group cannot be made. Blocks for some system calls. */
int cgroup_make(struct pod *p, struct err *err);
void cgroup_remove(const struct pod *p);
void cgroup_make_roots(void);

#endif
