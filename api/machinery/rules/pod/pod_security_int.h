/* A check adds what is wrong with a pod, if anything is: pod_security_checks.c; pod_security.c has the table of them.
 */
#ifndef K3X_API_MACHINERY_RULES_POD_POD_SECURITY_INT_H
#define K3X_API_MACHINERY_RULES_POD_POD_SECURITY_INT_H

#include "api/machinery/rules/pod/pod_security.h"

struct pod_checked {
	const struct json *metadata, *spec;
	int minor;
	struct arena *arena;
	struct pod_violations *found;
};

typedef void pod_check_fn(const struct pod_checked *p);

pod_check_fn check_privilege_escalation, check_apparmor, check_capabilities_baseline, check_capabilities_restricted,
        check_host_namespaces, check_host_paths, check_host_ports, check_privileged, check_proc_mount, check_volumes,
        check_non_root, check_user, check_selinux, check_seccomp_annotations, check_seccomp_baseline,
        check_seccomp_restricted, check_sysctls, check_host_process;

#endif
