/* What authorizers are asked, and what they say. */
#ifndef K3X_API_SERVER_AUTH_ATTRIBUTES_H
#define K3X_API_SERVER_AUTH_ATTRIBUTES_H

#include "api/server/auth/user.h"

/* What somebody wants to do: a verb on a resource, or a method on a path. Texts are borrowed from whoever asks. */
struct attributes {
	const struct user *user;
	bool is_resource;
	struct slice verb; /* "get", "list", "create", ...; of a path the method in lower case */
	struct slice group, version, resource, subresource, ns, name;
	struct slice path;
	struct slice node_selector; /* of a list or watch: the node that its field selector ties spec.nodeName to */
};

enum verdict { VERDICT_NO_OPINION, VERDICT_ALLOW, VERDICT_DENY };

#endif
