/* A run of the autoscaler's controller, for the two files that make it: hpa_controller.c (what is scaled, status) and
 * hpa_metrics.c (what each metric proposes). */
#ifndef K3X_API_CONTROLLERS_HPA_RUN_INT_H
#define K3X_API_CONTROLLERS_HPA_RUN_INT_H

#include "api/controllers/controllers_int.h"
#include "api/controllers/hpa.h"
#include "api/machinery/schema/selector.h"

struct hpa_controller {
	struct controllers *c;
	struct work_queue *queue;
	struct recorder *recorder;
	struct shared_informer *autoscalers, *pods;
	struct informer_index *pods_by_namespace;
	struct map known; /* struct autoscaler by key */
};

/* What is remembered of one. */
struct autoscaler {
	struct slice key;
	struct hpa_memory memory;
	char *selector; /* of what it scales; NULL: not known yet */
};

/* A metric of the spec while it is looked at. */
struct hpa_metric {
	const char *type;        /* "Resource" */
	const struct json *spec; /* of the type: spec.metrics[i].resource */
	struct json *status;     /* of status.currentMetrics[i]; NULL: none */
	struct hpa_proposal proposal;
	const char *name;          /* in reasons: "cpu resource" */
	const char *reason;        /* of a failure: "FailedGetResourceMetric" */
	struct err err, first_err; /* first: of the newer version of an API */
	const char *api_version;   /* of custom metrics, that is being asked */
};

struct hpa_run {
	struct hpa_controller *s;
	struct work *work;
	struct arena *arena;
	struct autoscaler *known;
	struct meta meta;
	struct json *object, *spec, *old_status, *status, *conditions;
	/* what is scaled */
	const char *scale_path, *reference; /* "Deployment/ns/web" */
	struct json *scale;
	int64_t current, status_replicas, min, max, now_s;
	struct slice selector; /* as the scale says it */
	struct label_selector labels;
	struct json **pods;
	size_t n_pods;
	/* its metrics */
	size_t index, n_metrics, invalid;
	struct hpa_metric metric;
	struct json *metric_statuses;
	int64_t proposed;
	const char *proposed_by;
	struct err first_err;
	const char *first_reason;
};

#define HPA_TELL(r, type, reason, ...) \
	do { \
		struct recorder_subject about_ = \
		        recorder_about("autoscaling/v2", "HorizontalPodAutoscaler", &(r)->meta); \
		recorder_event((r)->s->recorder, &about_, type, reason, __VA_ARGS__); \
	} while (0)

/* Looks at spec.metrics[r->index], and calls then(r) with r->metric filled: now or later. */
void hpa_metric_look(struct hpa_run *r, void (*then)(struct hpa_run *r));

#endif
