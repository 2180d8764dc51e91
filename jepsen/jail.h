/* A place that leaves nothing behind: the harness runs as the first process of namespaces of its own (network, mounts,
 * processes). Its links, rules, mounts and servers are invisible outside and go with it, whatever ends it: the kernel
 * kills every process of the namespace when its first one dies. */
#ifndef K3X_JEPSEN_JAIL_H
#define K3X_JEPSEN_JAIL_H

#include <stdbool.h>

/* Runs inside(arg) in the jail and returns its exit code. Needs root and a process with one thread. */
int jail_run(int (*inside)(void *arg), void *arg);

/* Inside: somebody asked the harness to end (SIGINT, SIGTERM). */
bool jail_should_stop(void);

#endif
