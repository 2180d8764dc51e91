/* The provisioner: directories for claims of classes that name it. All on the client's loop. */
#ifndef K3X_TOOLS_PROVISIONER_PROVISIONER_H
#define K3X_TOOLS_PROVISIONER_PROVISIONER_H

#include "api/client/client.h"

struct provisioner;

struct provisioner_options {
	struct client *client;    /* borrowed until it is closed */
	const char *ns;           /* where its config map is, and where helper pods run */
	const char *config_map;   /* "local-path-config" */
	const char *helper_image; /* of helper pods */
};

/* Acts once its informers are synced. Options are copied, their texts are not: they live as long as this. */
struct provisioner *provisioner_new(const struct provisioner_options *options);
void provisioner_close(struct provisioner *p, void (*closed)(void *arg), void *arg);

#endif
