/* What a HelmChart asks for: the job that runs helm, what the job reads, and whose it is.
 *
 *     chart + its config + data of the secrets they name --> chart_plan() --> job, secret of values, ConfigMap with the
 *     archive, service account and its binding; the hash of all that helm sees
 *
 * The hash stands in the job's template, so that one look tells whether a job that exists was made for the chart as it
 * is now; the job gives it to helm, which labels the release with it. The image (NAME, CHART, REPO, ... in its
 * environment; /config, /chart, /auth) is rancher/klipper-helm's or one that takes the same.
 *
 * Pure; any thread; all lives in the arena. Upstream: k3s-io/helm-controller pkg/controllers/chart. */
#ifndef K3X_API_CONTROLLERS_CHART_H
#define K3X_API_CONTROLLERS_CHART_H

#include "base/json/json.h"

#define CHART_MANAGER "helm-controller"
#define CHART_FINALIZER "wrangler.cattle.io/on-helm-chart-remove"
#define CHART_LABEL "helmcharts.helm.cattle.io/chart"
#define CHART_NAMESPACE_LABEL "helmcharts.helm.cattle.io/namespace" /* of bindings */
#define CHART_HASH "helmcharts.helm.cattle.io/configHash"
#define CHART_MANAGED_BY "helmcharts.cattle.io/managed-by"
#define CHART_UNMANAGED "helmcharts.helm.cattle.io/unmanaged"

enum chart_claim {
	CHART_LEFT_ALONE, /* it names no chart, says so itself, or is another controller's */
	CHART_UNCLAIMED,  /* nobody's yet: it gets CHART_MANAGED_BY first */
	CHART_OURS,
};

enum chart_claim chart_claim(const struct json *chart);

struct chart_input {
	const struct json *chart;
	const struct json *config;   /* the HelmChartConfig of that name; NULL: none */
	const struct json **secrets; /* those that the values name and whose updates count; in a fixed order */
	size_t n_secrets;
	const char *job_image; /* when the chart names none; NULL: none */
	int api_port;          /* of this server, for charts that the cluster needs to become Ready */
	bool is_removal;       /* the chart is being deleted: uninstall it */
};

/* The label of a release has 63 characters of it. */
enum { CHART_HASH_LEN = 63 };

struct chart_plan {
	const char *job_name; /* helm-install-NAME, helm-delete-NAME */
	struct json *job;
	char hash[CHART_HASH_LEN + 1];
	/* NULL when it is a removal */
	struct json *values, *content;
	struct json *account, *binding;
};

/* The image that would run it; NULL: none. */
const char *chart_image(struct arena *a, const struct chart_input *in);
/* There must be an image. */
void chart_plan(struct arena *a, const struct chart_input *in, struct chart_plan *ret);
/* A sentence's part: "web version 1.2 from chart repository https://...". */
const char *chart_source(struct arena *a, const struct json *chart);
/* The binding of its account is of no namespace: its name holds a hash of both, for "a/b-c" is not "a-b/c". */
const char *chart_binding_name(struct arena *a, struct slice ns, struct slice name);
/* The longest name of a chart whose job can be made: a job's name is a label of its pods. */
enum { CHART_NAME_MAX = 63 - (sizeof "helm-install-" - 1) };
const char *chart_job_name(struct arena *a, struct slice name, bool is_removal);

/* The hash for which a job was made; empty: none. It lives in the job's tree. */
struct slice chart_job_hash(const struct json *job);

/* The newest of helm's releases, of a list of its secrets or ConfigMaps. */
struct chart_release {
	int64_t revision; /* 0: there is none */
	struct slice hash, status;
};

void chart_release_read(const struct json *list, struct chart_release *ret);
/* So that helm does nothing when another one was there since. Not part of the hash. */
void chart_expect(struct arena *a, struct chart_plan *plan, const struct chart_release *release);

/* Names of the secrets whose updates count, of a HelmChart or a HelmChartConfig: walks spec.valuesSecrets, *at is NULL
 * at first; SLICE_NULL at the end. */
struct slice chart_next_secret(const struct json *object, const struct json **at);

#endif
