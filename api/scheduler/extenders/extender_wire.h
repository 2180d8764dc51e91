/* What a scheduler and its extenders say to each other: k8s.io/kube-scheduler/extender/v1, as JSON. Pure, any thread.
 *
 * Members have Go's names ("NodeNames"); of an answer any case of them will do, as with Go's decoder. Answers are
 * somebody else's: whatever is in them is read or refused, with an error that says what is wrong. Texts and lists of
 * what is read live in the arena. */
#ifndef K3X_API_SCHEDULER_EXTENDER_WIRE_H
#define K3X_API_SCHEDULER_EXTENDER_WIRE_H

#include "api/scheduler/configuration.h"
#include "base/err.h"
#include "base/mem/arena.h"
#include "base/mem/str.h"
#include "base/wire/outgoing.h"

/* The points of an extender are from 0 to this. */
enum { EXTENDER_POINTS_MAX = 10, EXTENDER_REASON_BYTES_MAX = 1024 };

/* Where it is and how each side proves who it is; borrows from *x. Its files are read already. */
struct outgoing_target extender_target(const struct scheduler_extender *x);
/* Its urlPrefix without slashes at the end; and the path of a call, in the arena. */
struct slice extender_prefix(const struct scheduler_extender *x);
const char *extender_path(struct arena *a, const struct scheduler_extender *x, const char *verb);
/* Is it asked about this pod (its spec)? */
struct json;
bool extender_wants(const struct scheduler_extender *x, const struct json *spec);

/* ---- filter and prioritize ---- */

struct extender_node {
	struct slice name, json;
};

/* ExtenderArgs: names alone for an extender that knows the nodes. */
void extender_args_write(struct strbuf *out, const struct scheduler_extender *x, struct slice pod,
        const struct extender_node *nodes, size_t n);

struct extender_failed {
	struct slice node;
	const char *why;
	bool is_unresolvable; /* no pod's going would help */
};

/* ExtenderFilterResult. */
struct extender_filtered {
	struct slice *nodes; /* that are left */
	size_t n_nodes;
	struct extender_failed *failed; /* of two about one node the later counts */
	size_t n_failed;
};

/* ERR_PROTOCOL: it is no such answer; ERR_UNAVAILABLE: it is one that speaks of an error, which is the message. */
int extender_filtered_read(
        struct arena *a, bool knows_nodes, struct slice text, struct extender_filtered *ret, struct err *err);

struct extender_score {
	struct slice node;
	int64_t points;
};

/* HostPriorityList. ERR_PROTOCOL. */
int extender_scores_read(
        struct arena *a, struct slice text, struct extender_score **ret, size_t *ret_count, struct err *err);

/* ---- preempt ---- */

/* Whose going would make room on a node. */
struct extender_victims {
	struct slice node;
	int64_t violations; /* of disruption budgets */
	struct slice *uids;
	struct slice *pods; /* their texts, for who doesn't know the nodes; NULL in answers */
	size_t n;
};

/* ExtenderPreemptionArgs. */
void extender_victims_write(struct strbuf *out, const struct scheduler_extender *x, struct slice pod,
        const struct extender_victims *all, size_t n);
/* ExtenderPreemptionResult. ERR_PROTOCOL. */
int extender_victims_read(
        struct arena *a, struct slice text, struct extender_victims **ret, size_t *ret_count, struct err *err);

/* ---- bind ---- */

/* ExtenderBindingArgs. */
void extender_binding_write(struct strbuf *out, struct slice ns, struct slice pod, struct slice uid, struct slice node);
/* ExtenderBindingResult: 0 when it is bound; errors as extender_filtered_read()'s. */
int extender_binding_read(struct slice text, struct err *err);

#endif
