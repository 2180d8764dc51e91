/* The arithmetic of stateful sets: whose pod is it by its name, what happens to each next, and what the status counts.
 * Pure: no API, no clock. Upstream: pkg/controller/statefulset. */
#ifndef K3X_API_CONTROLLERS_STATEFUL_H
#define K3X_API_CONTROLLERS_STATEFUL_H

#include "api/client/meta.h"

#define POD_NAME_LABEL "statefulset.kubernetes.io/pod-name"
#define POD_INDEX_LABEL "apps.kubernetes.io/pod-index"

/* N of "SET-N", without leading zeros; -1: it is not such a name. */
int64_t stateful_ordinal(struct slice set, struct slice pod);

/* ---- what happens next ---- */

enum stateful_action {
	STATEFUL_NOTHING,
	STATEFUL_CREATE,  /* with stateful_revision() */
	STATEFUL_REPLACE, /* it has ended: deleted, and made anew when it is gone */
	STATEFUL_MEND,    /* its labels no longer name it */
	STATEFUL_DELETE,  /* there are too many */
	STATEFUL_UPDATE,  /* made from an old template: deleted, and made anew */
};

struct stateful_pod {
	int64_t ordinal;
	bool exists;
	struct pod_view view;
	struct slice revision;       /* name of the controller revision it was made from */
	bool is_available;           /* running and ready for minReadySeconds */
	bool is_itself;              /* its labels name it */
	bool waits;                  /* a claim it needs is going away: not to be created yet */
	enum stateful_action action; /* result */
};

struct stateful_rules {
	int64_t replicas, start, partition;
	bool is_ordered;               /* OrderedReady: one after the other */
	bool rolls;                    /* RollingUpdate, else OnDelete */
	struct slice current, updated; /* names of revisions */
};

/* `pods`: from the lowest ordinal up, holes included; `condemned`: beyond the range, from the highest down. */
void stateful_plan(const struct stateful_rules *r, struct stateful_pod *pods, size_t n, struct stateful_pod *condemned,
        size_t n_condemned);
/* The revision that a pod is made from. */
struct slice stateful_revision(const struct stateful_rules *r, int64_t ordinal);

/* ---- status ---- */

struct stateful_counts {
	int64_t replicas, ready, available, current, updated;
	bool is_complete; /* every pod is of the new revision and ready: it is the current one from now on */
};
struct stateful_counts stateful_count(const struct stateful_rules *r, const struct stateful_pod *pods, size_t n,
        const struct stateful_pod *condemned, size_t n_condemned);

/* ---- parts of a pod ---- */

/* "TEMPLATE-POD": the name of a pod's claim. In the arena. */
const char *stateful_claim_name(struct arena *a, struct slice template, struct slice pod);
/* The pod template with the identity of a pod: labels, host name, volumes of its claims. In the arena; it has no
 * metadata.name yet. */
struct json *stateful_pod_template(struct arena *a, const struct json *template, const struct json *claim_templates,
        struct slice pod, int64_t ordinal, struct slice service, struct slice revision);

/* Who owns a claim, by persistentVolumeClaimRetentionPolicy: with "Delete" it goes with its owner. */
enum stateful_claim_owner { STATEFUL_CLAIM_FREE, STATEFUL_CLAIM_OF_SET, STATEFUL_CLAIM_OF_POD };
enum stateful_claim_owner stateful_claim_owner(const struct json *policy, bool is_condemned);

#endif
