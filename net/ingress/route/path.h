/* Paths of requests: made plain before they are matched, matched, and rewritten. Pure, any thread. */
#ifndef K3X_NET_INGRESS_ROUTE_PATH_H
#define K3X_NET_INGRESS_ROUTE_PATH_H

#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"

#include <regex.h>

/* What a path means wherever it goes: no escapes of letters, digits and -._~, which need none; no "." and ".."; no
 * empty segments but a last one. What is percent-encoded otherwise stays so. False: it leaves the root, is no path, or
 * holds a broken escape or an encoded zero byte. The result is in the arena, or the path itself when nothing changes.
 */
bool path_clean(struct arena *a, struct slice path, struct slice *ret);

enum path_match { PATH_EXACT, PATH_PREFIX, PATH_TEXT, PATH_REGEX };

struct path_rule {
	enum path_match match;
	struct slice path; /* of PATH_PREFIX without slashes at its end */
	regex_t *regex;    /* of PATH_REGEX */
	bool is_cased;     /* letters of the other case do not match the expression */
};

/* ERR_INVAL: no extended regular expression of POSIX, or one with back references or repetitions in braces. Letters of
 * either case match, as with ingress-nginx, unless is_cased. The rule frees it with the arena. */
int path_rule_compile(struct arena *a, struct path_rule *r, struct err *err);
bool path_rule_matches(const struct path_rule *r, struct slice path);

/* `target` with $1 to $9 filled in from the rule's match of the path, in the arena. */
struct slice path_rewrite(struct arena *a, const struct path_rule *r, struct slice path, const char *target);

#endif
