/* Basic authentication by a file of htpasswd(1): name:hash, one a line. Hashes as libcrypt knows them ($2y$, $5$, $6$,
 * $1$, ...); what has no salt ({SHA}, plain text) lets nobody in. Checking takes as long as the hash wants: on a pool,
 * and never on a loop; who was right once is known for a while. */
#ifndef K3X_NET_INGRESS_SERVE_HTPASSWD_H
#define K3X_NET_INGRESS_SERVE_HTPASSWD_H

#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <stdbool.h>

/* "Basic dXNlcjpwYXNz" of an Authorization header: user and password in the arena. False: it is no such header. */
bool basic_credentials(struct arena *a, struct slice header, struct slice *user, struct slice *password);
/* The hash of a user in the file's text; SLICE_NULL when it is not there. */
struct slice htpasswd_find(struct slice file, struct slice user);
/* Blocks. Any thread. */
bool htpasswd_check(struct slice password, struct slice hash);

#endif
