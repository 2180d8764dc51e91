/* The CRI's configuration from the spec. */
#ifndef K3X_NODE_WORKER_POD_CONFIG_INT_H
#define K3X_NODE_WORKER_POD_CONFIG_INT_H

#include "base/json/json.h"
#include "node/runtime/cri.h"

struct image_result;
struct pod;
struct pod_files;

/* is_beside: containers of the second runtime go into it (cri.h). */
CRI(PodSandboxConfig) * pod_sandbox_config(struct pod *p, struct arena *a, unsigned attempt, bool is_beside);
bool pod_asks_for_host_port(const struct pod *p);
/* Before a sandbox: ERR_INVAL when its name would be longer than a kernel takes. */
int pod_name_check(struct pod *p, struct arena *a, struct err *err);
/* Collects in *files what must be made before the runtime is told. Errors: ERR_INVAL, ERR_NOT_FOUND with what is
 * missing: a CreateContainerConfigError. */
int pod_container_config(struct pod *p, struct arena *a, const struct json *container, unsigned attempt,
        const struct image_result *image, CRI(ContainerConfig) * *ret, struct pod_files *files, struct err *err);
const char *pod_container_hash(struct arena *a, const struct json *container);

#endif
