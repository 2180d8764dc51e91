/* The security contexts of a pod and its containers as the CRI has them. Pure; results live in the arena. */
#ifndef K3X_NODE_WORKER_POD_SECURITY_INT_H
#define K3X_NODE_WORKER_POD_SECURITY_INT_H

#include "base/json/json.h"
#include "node/runtime/cri.h"

struct image_result;

/* Where localhostProfile of a seccompProfile begins. */
#define SECCOMP_DIR "/var/lib/kubelet/seccomp"

char **cri_strings(struct arena *a, const struct json *list, size_t *count);
CRI(Int64Value) * cri_int64(struct arena *a, int64_t v);

/* `container` NULL: what holds for the sandbox. */
CRI(SecurityProfile) * pod_seccomp(struct arena *a, const struct json *spec, const struct json *container,
                               bool by_default); /* seccompDefault: who says nothing gets the runtime's */
CRI(SecurityProfile) * pod_apparmor(struct arena *a, const struct json *spec,
                               const struct json *container); /* NULL: the runtime's choice */
CRI(SELinuxOption) *
        pod_selinux(struct arena *a, const struct json *spec, const struct json *container); /* NULL: the same */
CRI(Capability) * pod_capabilities(struct arena *a, const struct json *container);
/* fsGroup and supplementalGroups. */
void pod_groups(struct arena *a, const struct json *spec, int64_t **ret, size_t *count);
/* Whom it runs as: the spec's word before the image's. ERR_INVAL: runAsNonRoot and that may be root. */
int pod_user(struct arena *a, const struct json *spec, const struct json *container, const struct image_result *image,
        CRI(LinuxContainerSecurityContext) * s, struct err *err);

#endif
