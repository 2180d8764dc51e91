/* The Pod Security Standards: what a pod may not ask for at the levels baseline and restricted, by version of the
 * standard. Pure functions on a pod's metadata and spec. Words and order are upstream's
 * (https://kubernetes.io/docs/concepts/security/pod-security-standards/). Any thread. */
#ifndef K3X_API_MACHINERY_RULES_POD_POD_SECURITY_H
#define K3X_API_MACHINERY_RULES_POD_POD_SECURITY_H

#include "base/json/json.h"

enum pod_security_level { POD_SECURITY_PRIVILEGED, POD_SECURITY_BASELINE, POD_SECURITY_RESTRICTED };

enum { POD_SECURITY_LATEST = 1 << 20 };

struct pod_security {
	enum pod_security_level level;
	int minor; /* of version v1.N; or POD_SECURITY_LATEST */
};

/* What a namespace's labels ask for. */
struct pod_security_policy {
	struct pod_security enforce, audit, warn;
};

/* False when the text is none of privileged, baseline, restricted. */
bool pod_security_parse_level(struct slice text, enum pod_security_level *ret);
/* "latest" or "v1.N". */
bool pod_security_parse_version(struct slice text, int *ret_minor);
/* "baseline:latest", "restricted:v1.29"; in the arena. */
const char *pod_security_text(struct arena *a, struct pod_security s);

/* From a namespace's metadata.labels (NULL: none); what they do not say is as in `defaults` (NULL: privileged:latest).
 * What does not read fails closed for enforce (restricted) and open for the others. `bad` is called for each label that
 * does not read; may be NULL. */
struct pod_security_policy pod_security_policy(const struct json *labels, const struct pod_security_policy *defaults,
        void (*bad)(void *arg, const char *label, struct slice value), void *arg);

/* One thing that a pod may not do, in short ("host namespaces") and at length ("hostNetwork=true"; may be empty). */
struct pod_violation {
	const char *reason, *detail;
};

enum { POD_VIOLATIONS_MAX = 24 };

struct pod_violations {
	struct arena *arena;
	size_t n;
	struct pod_violation list[POD_VIOLATIONS_MAX];
};

/* All that is wrong with a pod (or a template of one), in order; texts in the arena. n 0: it may be. */
void pod_security_check(struct pod_security s, const struct json *metadata, const struct json *spec, struct arena *a,
        struct pod_violations *ret);
/* "reason (detail), reason" or the reasons alone. */
const char *pod_violations_text(const struct pod_violations *v, bool with_details);

#endif
