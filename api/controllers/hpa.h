/* The arithmetic of horizontal pod autoscalers: from what pods use to how many there should be, and how far a change
 * may go at once. Pure: times are passed in, nothing is asked. Upstream:
 * pkg/controller/podautoscaler/replica_calculator.go and the second half of horizontal.go. Values are in thousandths,
 * as upstream's. */
#ifndef K3X_API_CONTROLLERS_HPA_H
#define K3X_API_CONTROLLERS_HPA_H

#include "base/err.h"
#include "base/json/json.h"
#include "base/mem/map.h"

struct hpa_settings {
	double tolerance;                  /* 0.1: a ratio so near to 1 changes nothing */
	int64_t cpu_initialization_s;      /* from a pod's start on: its CPU counts only while it is ready */
	int64_t initial_readiness_delay_s; /* a pod unready since its first so many seconds was never ready */
	int64_t downscale_stabilization_s; /* for autoscalers that say nothing of it */
};

/* ---- pods and what they use ---- */

struct hpa_pod {
	struct slice name;
	bool is_ignored, is_pending; /* being deleted or failed; phase Pending */
	bool is_running_ready;
	/* the condition Ready */
	bool has_ready, is_false;
	int64_t ready_since_s, start_s; /* 0: not said */
	int64_t request;                /* thousandths; of the resource that is looked at */
};

struct hpa_value {
	struct slice pod;
	int64_t milli;
	int64_t at_s, window_s;
};

struct hpa_sample {
	const struct hpa_pod *pods;
	size_t n_pods;
	const struct hpa_value *values; /* of some of these pods, and maybe of others */
	size_t n_values;
	bool is_cpu;
	int64_t now_s;
};

struct hpa_proposal {
	int64_t replicas;
	int64_t utilization; /* percent; of hpa_by_utilization() */
	int64_t average;     /* thousandths a pod */
};

/* What of a pod (its tree) counts. `resource` NULL: none is requested of it. `container` empty: all containers.
 * ERR_INVAL: a container requests nothing of the resource. */
int hpa_pod_read(
        const struct json *pod, const char *resource, struct slice container, struct hpa_pod *ret, struct err *err);

/* By a percentage of what is requested, or by an average value in thousandths. ERR_NOT_FOUND and upstream's message:
 * nothing can be said. Memory of the arena. */
int hpa_by_utilization(struct arena *a, const struct hpa_settings *s, const struct hpa_sample *x, int64_t current,
        int64_t target_percent, struct hpa_proposal *ret, struct err *err);
int hpa_by_average(struct arena *a, const struct hpa_settings *s, const struct hpa_sample *x, int64_t current,
        int64_t target_milli, struct hpa_proposal *ret, struct err *err);
/* By one value of something else, per ready pod as many times the target as now. */
int hpa_by_value(const struct hpa_settings *s, const struct hpa_sample *x, int64_t current, int64_t usage_milli,
        int64_t target_milli, struct hpa_proposal *ret, struct err *err);
/* By one value of something else that is shared by all pods. */
void hpa_by_share(const struct hpa_settings *s, int64_t status_replicas, int64_t usage_milli, int64_t target_milli,
        struct hpa_proposal *ret);

/* ---- how far, and how fast ---- */

enum hpa_select { HPA_SELECT_MAX, HPA_SELECT_MIN, HPA_SELECT_DISABLED };

struct hpa_policy {
	bool is_percent;
	int64_t value, period_s;
};

struct hpa_rules {
	int64_t window_s;
	enum hpa_select select;
	struct hpa_policy *policies;
	size_t n_policies;
};

/* spec.behavior's scaleUp or scaleDown, with upstream's defaults; v may be NULL. Policies lie in the arena. */
void hpa_rules_read(
        struct arena *a, const struct json *v, bool is_up, const struct hpa_settings *s, struct hpa_rules *ret);

struct hpa_event {
	int64_t at_s, count;
};

struct hpa_events {
	struct hpa_event *items;
	size_t n;
};

/* What is remembered of an autoscaler. */
struct hpa_memory {
	struct hpa_events recommendations, ups, downs;
};

void hpa_memory_release(struct hpa_memory *m);

struct hpa_limits {
	int64_t min, max, current;
	bool has_behavior;
	struct hpa_rules up, down; /* with has_behavior */
};

struct hpa_verdict {
	int64_t replicas;
	/* of the conditions AbleToScale (True) and ScalingLimited; static */
	const char *able_reason, *able_message, *limited_reason, *limited_message;
	bool is_limited;
};

/* Brings what was proposed within stabilization, policies and limits, and remembers it. */
void hpa_normalize(struct hpa_memory *m, const struct hpa_settings *s, const struct hpa_limits *l, int64_t proposed,
        int64_t now_s, struct hpa_verdict *ret);
/* The first proposal after a start is what there is. */
void hpa_remember_first(struct hpa_memory *m, int64_t current, int64_t now_s);
/* A change that was made: policies count it. */
void hpa_remember_change(struct hpa_memory *m, const struct hpa_limits *l, int64_t from, int64_t to, int64_t now_s);

#endif
