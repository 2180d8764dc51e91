/* Cgroups of pods: where they lie, what they allow, making and removing them. */
#ifndef K3X_NODE_CGROUP_CGROUP_H
#define K3X_NODE_CGROUP_CGROUP_H

#include "base/err.h"
#include "base/mem/arena.h"

#include <stdbool.h>
#include <stdint.h>

struct pod;

const char *pod_cgroup(const struct pod *p, struct arena *a); /* "/kubepods/burstable/podUID" */
/* The file that counts its processes. */
const char *cgroup_pids_file(const struct pod *p, struct arena *a);
/* ERR_IO: a group cannot be made. Blocks for some system calls. */
int cgroup_make(struct pod *p, struct err *err);
/* Raises the limits of the pod's group to what its spec says now, and lowers none: before its containers are told. */
void cgroup_raise(const struct pod *p);
void cgroup_remove(const struct pod *p);
/* memory_bytes: of all pods together; 0: no limit. */
void cgroup_make_roots(int64_t memory_bytes);
/* Groups are made by systemd: limits of pods that the runtime does not ask it for are not set. */
bool cgroup_is_systemd(void);
bool cgroup_is_v2(void);
bool cgroup_limits_swap(void); /* the kernel counts it, and lets it be limited */

#endif
