/* Reading the runtime's answers: what a message may lack is told apart from what is there. Pure; nothing is copied. */
#ifndef K3X_NODE_RUNTIME_CRI_READ_INT_H
#define K3X_NODE_RUNTIME_CRI_READ_INT_H

#include "node/ground/container_record.h"
#include "node/runtime/cri.h"

/* Whose a sandbox or a container is. */
struct cri_owner {
	const char *uid, *ns, *pod;
};

/* False: it is no pod's. */
bool cri_sandbox_owner(const CRI(PodSandbox) * item, struct cri_owner *ret);
bool cri_container_owner(const CRI(Container) * item, struct cri_owner *ret);
bool cri_sandbox_is_beside(const CRI(PodSandbox) * item);    /* CRI_BESIDE_ANNOTATION */
const char *cri_container_name(const CRI(Container) * item); /* "" when it is not said */
unsigned cri_container_attempt(const CRI(Container) * item);
const char *cri_container_hash(const CRI(Container) * item);
const char *cri_sandbox_other_ip(const CRI(PodSandboxStatusResponse) * answer); /* the second one; "": there is none */
const char *cri_sandbox_ip(const CRI(PodSandboxStatusResponse) * answer); /* NULL: there is no status; "": no address */
/* The runtime's number, which may be any. */
enum container_state cri_container_state(int state);

/* status.images of a Node, as JSON text: the largest first, `max` at most. Sorts the list. */
void cri_images_json(const CRI(ListImagesResponse) * list, unsigned max, struct strbuf *out);

#endif
