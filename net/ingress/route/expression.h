/* Regular expressions that users write into Ingresses and HTTPRoutes: POSIX's extended kind, without what would cost
 * more than they are worth. Pure. */
#ifndef K3X_NET_INGRESS_ROUTE_EXPRESSION_H
#define K3X_NET_INGRESS_ROUTE_EXPRESSION_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <regex.h>

enum expression_end { EXPRESSION_BEGINS, EXPRESSION_WHOLE }; /* what of a text it must match: its beginning, all */

/* The whole is its first group; what stands in brackets of the user's comes behind. ERR_INVAL: it is none, or has back
 * references, repetitions in braces, or repetitions of groups that have some; ERR_TOO_BIG. The arena frees it. flags:
 * REG_ICASE, REG_NOSUB. `what` begins the error: "path". */
int expression_compile(struct arena *a, struct slice text, enum expression_end end, int flags, const char *what,
        regex_t **ret, struct err *err);

#endif
