/* Kubeconfig files: how webhooks are configured (clusters, users, contexts), and an administrator's. Any thread. */
#ifndef K3X_API_SERVER_OUTGOING_KUBECONFIG_H
#define K3X_API_SERVER_OUTGOING_KUBECONFIG_H

#include "base/wire/outgoing.h"
#include "base/mem/arena.h"

/* What the current context means: server, who vouches for it, and the proof of who asks. With one cluster, and one user
 * at the most, a file may do without contexts. `folder`: what the files that it names are relative to; they are read
 * now, a tokenFile later too. Texts go into the arena. ERR_INVAL names what is missing, odd, or not built (exec,
 * auth-provider, proxy-url, impersonation); files that cannot be read have their own errors. */
int kubeconfig_read(
        struct arena *a, struct slice text, const char *folder, struct outgoing_target *ret, struct err *err);
/* The same of a file; errors name it. */
int kubeconfig_load(struct arena *a, const char *path, struct outgoing_target *ret, struct err *err);

#endif
