/* Helm charts: a HelmChart is installed, kept as it says, and uninstalled when it is deleted, by a job that runs helm.
 *
 *     an event of the chart, its config, a secret it names or its job --> the chart's key
 *     run: ours? finalizer --> chart_plan() --> the job there is was made for this: follow it
 *                                           --> else: which release is there? --> secret, archive, account, binding
 *                                               are applied --> the old job goes, with its pods --> the new one comes
 *     being deleted: the same with helm-delete-NAME; when that is complete and no release is left, binding and
 *     finalizer go, and the garbage collector takes the rest
 *
 * No helm is inside: the chart, or the server by --helm-job-image, names an image that has one (rancher/klipper-helm,
 * or what takes the same). Where neither does, the chart's status says so and nothing is installed. Releases are read
 * from the labels that helm gives its secrets, never from what is inside them.
 *
 * What can go wrong: helm fails (the job tries again, at last the chart is Failed), somebody deletes a release (seen at
 * the chart's next event: installed again), a job that ends well and leaves no release of its hash (made again, at most
 * every HASTE_MS), two changes while a job runs (its pods end first: helm is never run twice at once), the namespace is
 * going (nothing can be made in it: the finalizer goes). Upstream: k3s-io/helm-controller pkg/controllers/chart. */
#include "api/controllers/chart.h"
#include "api/controllers/chart_kinds.h"
#include "api/controllers/controllers_int.h"
#include "api/controllers/job_int.h"
#include "api/machinery/schema/resources.h"

#define CHARTS "/apis/" CHARTS_VERSION "/helmcharts"
#define CHART_CONFIGS "/apis/" CHARTS_VERSION "/helmchartconfigs"
#define SECRETS "/api/v1/secrets"
#define APPLY_QUERY "fieldManager=" CHART_MANAGER "&force=true"

enum { KINDS_MS = 50, SYNC_MS = 50, HASTE_MS = 30000, SECRETS_MAX = 64 };

struct helm_charts {
	struct controllers *c;
	struct work_queue *queue, *kinds;
	struct recorder *recorder;
	struct shared_informer *charts, *configs; /* NULL until both kinds are served */
	struct shared_informer *jobs, *secrets;
	struct informer_handler chart_handler, config_handler;
};

struct run {
	struct helm_charts *s;
	struct work *work;
	struct arena *arena;
	struct meta meta;
	struct json *chart;
	struct chart_input in;
	struct chart_plan plan;
	struct chart_release release;
	struct json *job; /* that is there; NULL: none */
	unsigned writes;  /* outstanding, before the job is made */
	bool has_failed;
};

#define TELL(r, type, reason, ...) \
	do { \
		struct recorder_subject about_ = recorder_about(CHARTS_VERSION, "HelmChart", &(r)->meta); \
		recorder_event((r)->s->recorder, &about_, type, reason, __VA_ARGS__); \
	} while (0)

static struct json *parse_named(struct run *r, struct shared_informer *i, struct slice name)
{
	struct informer_object *o = informer_get_named(shared_informer_base(i), r->meta.ns, name);
	return o ? informer_parse(r->arena, o) : NULL;
}

/* ---- status ---- */

static struct json *condition(struct run *r, const char *type, bool holds, const char *reason, const char *message)
{
	struct json *c = json_new(r->arena, JSON_OBJECT);
	json_set_cstr(r->arena, c, "type", type);
	json_set_cstr(r->arena, c, "status", holds ? "True" : "False");
	if (reason)
		json_set_cstr(r->arena, c, "reason", reason);
	if (message)
		json_set_cstr(r->arena, c, "message", message);
	return c;
}

/* Nothing is written when it stands there already; true when it was news. */
static bool tell_status(struct run *r, bool has_job, const char *why_failed, const char *message)
{
	struct arena *a = r->arena;
	struct json *list = json_new(a, JSON_ARRAY), *patch = json_new(a, JSON_OBJECT), *status;
	const struct json *before = json_get(r->chart, "status");
	const char *applying = arena_printf(a, "Applying HelmChart using Job %.*s/%s", SLICE_FMT(r->meta.ns),
	        chart_job_name(a, r->meta.name, r->in.is_removal));
	json_append(
	        list, condition(r, "JobCreated", has_job, has_job ? "Job created" : NULL, has_job ? applying : NULL));
	json_append(list, condition(r, "Failed", why_failed, why_failed, message));
	status = json_need(a, patch, "status", JSON_OBJECT);
	json_set(a, status, "conditions", list);
	if (has_job)
		json_set_cstr(a, status, "jobName", chart_job_name(a, r->meta.name, r->in.is_removal));
	if (json_equal(json_get(before, "conditions"), list) &&
	        (!has_job || slice_eq(json_get_str(before, "jobName"), json_get_str(status, "jobName"))))
		return false;
	work_patch(r->work, kube_path(a, CHARTS_VERSION, "helmcharts", r->meta.ns, r->meta.name, "status"), merge_patch,
	        patch, work_done_ignore_missing);
	return true;
}

/* ---- the chart is gone ---- */

static void binding_deleted(struct work_call *call)
{
	struct run *r = call->arg;
	struct arena *a = r->arena;
	if (call->request.err.code && call->request.err.code != ERR_NOT_FOUND) {
		work_fail(r->work, &call->request.err);
		return;
	}
	struct json *patch = patch_new(a, r->meta.resource_version), *kept;
	kept = json_need(a, json_get(patch, "metadata"), "finalizers", JSON_ARRAY);
	JSON_FOREACH (it, json_get(json_get(r->chart, "metadata"), "finalizers"))
		if (!slice_is(json_str(it), CHART_FINALIZER))
			json_append(kept, json_copy(a, it));
	work_patch(r->work, kube_path(a, CHARTS_VERSION, "helmcharts", r->meta.ns, r->meta.name, NULL), merge_patch,
	        patch, work_done_ignore_missing);
}

/* Only what carries the chart's labels: a binding of that name may be somebody else's. */
static const char *its_bindings(struct work *w)
{
	return arena_printf(&w->arena,
	        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings?labelSelector=" CHART_LABEL
	        "%%3D%.*s%%2C" CHART_NAMESPACE_LABEL "%%3D%.*s",
	        SLICE_FMT(w->name), SLICE_FMT(w->ns));
}

static void let_go(struct run *r)
{
	work_send(r->work, "DELETE", its_bindings(r->work), NULL, binding_deleted)->arg = r;
}

/* ---- the job ---- */

static void job_made(struct work_call *call)
{
	struct run *r = call->arg;
	const struct err *err = &call->request.err;
	bool is_wrong = err->code == ERR_INVALID_OBJECT || err->code == ERR_INVAL;
	bool never_was = is_wrong && !r->release.revision; /* what could not be installed either */
	if (r->in.is_removal && (err->code == ERR_TERMINATING || never_was)) {
		let_go(r);
		return;
	}
	if (err->code == ERR_EXISTS) /* its event is under way */
		return;
	if (err->code) {
		tell_status(r, false, "Job create failed", arena_strdup(r->arena, err->msg));
		if (err->code != ERR_TERMINATING)
			work_fail(r->work, err);
		return;
	}
	if (r->in.is_removal)
		TELL(r, "Normal", "RemoveJob", "Uninstalling HelmChart using Job %.*s/%s", SLICE_FMT(r->meta.ns),
		        r->plan.job_name);
	else
		TELL(r, "Normal", "ApplyJob", "Applying HelmChart from %s using Job %.*s/%s",
		        chart_source(r->arena, r->chart), SLICE_FMT(r->meta.ns), r->plan.job_name);
	tell_status(r, true, NULL, NULL);
}

static void make_job(struct run *r)
{
	chart_expect(r->arena, &r->plan, &r->release);
	work_send(r->work, "POST", kube_path(r->arena, "batch/v1", "jobs", r->meta.ns, SLICE_NULL, NULL), r->plan.job,
	        job_made)
	        ->arg = r;
}

/* In the foreground: it is there until its pods are gone, and its last event brings the next run. */
static void remove_job(struct run *r, const struct json *job)
{
	struct arena *a = r->arena;
	struct json *options = json_new(a, JSON_OBJECT);
	const struct json *meta = json_get(job, "metadata");
	if (json_get(meta, "deletionTimestamp"))
		return;
	json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "uid", json_get_str(meta, "uid"));
	json_set_cstr(a, options, "propagationPolicy", "Foreground");
	work_send(r->work, "DELETE", kube_path(a, "batch/v1", "jobs", r->meta.ns, json_get_str(meta, "name"), NULL),
	        options, work_done_ignore_missing);
}

/* ---- what the job reads ---- */

static void part_written(struct work_call *call)
{
	struct run *r = call->arg;
	const struct err *err = &call->request.err;
	if (err->code && !r->has_failed) {
		r->has_failed = true;
		if (err->code == ERR_TERMINATING && r->in.is_removal) {
			let_go(r);
		} else {
			tell_status(r, false, "Job create failed", arena_strdup(r->arena, err->msg));
			work_fail(r->work, err);
		}
	}
	if (--r->writes == 0 && !r->has_failed)
		make_job(r);
}

static void write_part(struct run *r, const struct json *object, const char *plural, struct slice ns)
{
	struct arena *a = r->arena;
	struct slice version = json_get_str(object, "apiVersion"), name;
	name = json_get_str(json_get(object, "metadata"), "name");
	const char *path = kube_path(a, arena_printf(a, "%.*s", SLICE_FMT(version)), plural, ns, name, NULL);
	r->writes++;
	work_patch(r->work, arena_printf(a, "%s?" APPLY_QUERY, path), apply_patch, object, part_written)->arg = r;
}

static void write_parts(struct run *r)
{
	write_part(r, r->plan.account, "serviceaccounts", r->meta.ns);
	write_part(r, r->plan.binding, "clusterrolebindings", SLICE_NULL);
	if (r->plan.values)
		write_part(r, r->plan.values, "secrets", r->meta.ns);
	if (r->plan.content)
		write_part(r, r->plan.content, "configmaps", r->meta.ns);
}

/* ---- releases ---- */

static bool is_installed(const struct run *r)
{
	return slice_is(r->release.status, "deployed") &&
	       (!r->release.hash.len || slice_is(r->release.hash, r->plan.hash));
}

/* The job for this very chart has ended well. */
static void job_has_ended(struct run *r)
{
	int64_t ended = kube_time_parse(json_get_str(json_get(r->job, "status"), "completionTime"));
	int64_t ago_ms = (kube_time_now_s() - ended) * 1000;
	if (r->in.is_removal && !r->release.revision) {
		TELL(r, "Normal", "RemoveJob", "Uninstalled HelmChart using Job %.*s/%s, removing resources",
		        SLICE_FMT(r->meta.ns), r->plan.job_name);
		let_go(r);
	} else if (!r->in.is_removal && is_installed(r))
		tell_status(r, true, NULL, NULL);
	else if (ago_ms >= HASTE_MS)
		remove_job(r, r->job);
	else
		work_again(r->work, HASTE_MS - (ago_ms > 0 ? ago_ms : 0));
}

/* No image: what was never installed may go, what is installed stays with its chart. */
static void without_image(struct run *r)
{
	static const char message[] =
	        "no image with helm is named: set spec.jobImage, or start the servers with --helm-job-image";
	if (r->in.is_removal && !r->release.revision)
		let_go(r);
	else if (tell_status(r, false, "No job image", message))
		TELL(r, "Warning", "NoJobImage", "%s", message);
}

static void releases_read(struct work_call *call)
{
	struct run *r = call->arg;
	const struct json *list;
	if (call->request.err.code) {
		work_fail(r->work, &call->request.err);
		return;
	}
	list = json_parse(r->arena, work_call_text(call), NULL, NULL);
	chart_release_read(list, &r->release);
	if (!chart_image(r->arena, &r->in))
		without_image(r);
	else if (r->job && slice_is(chart_job_hash(r->job), r->plan.hash))
		job_has_ended(r);
	else if (r->job)
		remove_job(r, r->job);
	else
		write_parts(r);
}

static void read_releases(struct run *r)
{
	const struct json *spec = json_get(r->chart, "spec");
	struct slice target = json_get_str(spec, "targetNamespace");
	bool in_maps = slice_is(json_get_str(spec, "driver"), "configmap");
	const char *base = kube_path(
	        r->arena, "v1", in_maps ? "configmaps" : "secrets", target.len ? target : r->meta.ns, SLICE_NULL, NULL);
	work_send(r->work, "GET",
	        arena_printf(r->arena, "%s?labelSelector=owner%%3Dhelm%%2Cname%%3D%.*s%s", base,
	                SLICE_FMT(r->meta.name), in_maps ? "" : "&fieldSelector=type%3Dhelm.sh%2Frelease.v1"),
	        NULL, releases_read)
	        ->arg = r;
}

/* ---- a run ---- */

static bool has_finalizer(const struct run *r)
{
	JSON_FOREACH (it, json_get(json_get(r->chart, "metadata"), "finalizers"))
		if (slice_is(json_str(it), CHART_FINALIZER))
			return true;
	return false;
}

/* The mark of its controller and the finalizer, at once: the event of it brings the next run. */
static void claim(struct run *r)
{
	struct arena *a = r->arena;
	struct json *patch = patch_new(a, r->meta.resource_version), *meta = json_get(patch, "metadata"), *kept;
	json_set_cstr(a, json_need(a, meta, "annotations", JSON_OBJECT), CHART_MANAGED_BY, CHART_MANAGER);
	kept = json_need(a, meta, "finalizers", JSON_ARRAY);
	JSON_FOREACH (it, json_get(json_get(r->chart, "metadata"), "finalizers"))
		json_append(kept, json_copy(a, it));
	json_append(kept, json_new_cstr(a, CHART_FINALIZER));
	work_patch(r->work, kube_path(a, CHARTS_VERSION, "helmcharts", r->meta.ns, r->meta.name, NULL), merge_patch,
	        patch, work_done_ignore_missing);
}

/* The finalizer is then that one's. */
static bool is_of_another(const struct run *r)
{
	struct slice whose = json_get_str(json_path(r->chart, "metadata", "annotations", NULL), CHART_MANAGED_BY);
	return whose.len && !slice_is(whose, CHART_MANAGER);
}

static bool is_too_long(struct run *r)
{
	if (r->meta.name.len <= CHART_NAME_MAX)
		return false;
	if (tell_status(r, false, "Name too long",
	            "the name of a chart has at most 50 characters, for its job's name is a label"))
		TELL(r, "Warning", "NameTooLong", "the name of a chart has at most %d characters", CHART_NAME_MAX);
	return true;
}

static bool is_other_version(struct run *r)
{
	struct slice version = json_get_str(json_get(r->chart, "spec"), "helmVersion");
	if (!version.len || slice_is(version, "v3"))
		return false;
	if (r->in.is_removal)
		let_go(r);
	else if (tell_status(r, false, "Unsupported version", "Only Helm v3 charts are supported"))
		TELL(r, "Warning", "UnsupportedVersion", "Unsupported Helm version %.*s: only v3 charts are supported",
		        SLICE_FMT(version));
	return true;
}

static void add_secrets(struct run *r, const struct json *object)
{
	const struct json *at = NULL;
	struct slice name;
	while ((name = chart_next_secret(object, &at)).len && r->in.n_secrets < SECRETS_MAX) {
		struct json *secret = parse_named(r, r->s->secrets, name);
		if (secret)
			r->in.secrets[r->in.n_secrets++] = secret;
	}
}

static void read_input(struct run *r)
{
	r->in.chart = r->chart;
	r->in.job_image = r->s->c->helm_job_image;
	r->in.api_port = r->s->c->reserved_ports[0];
	r->in.secrets = ARENA_ARRAY(r->arena, const struct json *, SECRETS_MAX);
	if (r->in.is_removal)
		return;
	r->in.config = parse_named(r, r->s->configs, r->meta.name);
	add_secrets(r, r->chart);
	add_secrets(r, r->in.config);
}

/* Its job and what became of it; the other kind of job goes first. */
static void follow_job(struct run *r)
{
	struct json *other =
	        parse_named(r, r->s->jobs, slice_of(chart_job_name(r->arena, r->meta.name, !r->in.is_removal)));
	const struct json *status;
	if (other) {
		remove_job(r, other);
		return;
	}
	r->job = parse_named(r, r->s->jobs, slice_of(r->plan.job_name));
	if (r->job && json_get(json_get(r->job, "metadata"), "deletionTimestamp"))
		return;
	status = json_get(r->job, "status");
	if (!r->job || !slice_is(chart_job_hash(r->job), r->plan.hash) || job_condition_is(status, "Complete"))
		read_releases(r);
	else if (!job_condition_is(status, "Failed"))
		tell_status(r, true, NULL, NULL);
	else if (tell_status(r, true, "Job failed", "Job has reached configured number of retries without succeeding"))
		TELL(r, "Warning", "JobFailed", "Job has reached configured number of retries without succeeding");
}

/* Of another image, before there was none: what it does is not cut off. */
static bool has_running_job(struct run *r)
{
	const struct json *job = parse_named(r, r->s->jobs, slice_of(chart_job_name(r->arena, r->meta.name, false)));
	return job && !job_is_finished(job);
}

static void act(struct run *r)
{
	if (is_other_version(r))
		return;
	read_input(r);
	if (!chart_image(r->arena, &r->in)) {
		if (!has_running_job(r))
			read_releases(r);
		return;
	}
	chart_plan(r->arena, &r->in, &r->plan);
	follow_job(r);
}

static void run(struct work *w)
{
	struct helm_charts *s = w->arg;
	struct run *r;
	struct informer_object *o;
	if (!s->charts)
		return;
	if (!informer_is_synced(shared_informer_base(s->charts)) ||
	        !informer_is_synced(shared_informer_base(s->configs))) {
		work_again(w, SYNC_MS);
		return;
	}
	o = informer_get(shared_informer_base(s->charts), w->key);
	if (!o) { /* also when somebody took the finalizer off: nobody else may inherit its account's rights */
		work_send(w, "DELETE", its_bindings(w), NULL, work_done_ignore_missing);
		return;
	}
	r = ARENA_NEW(&w->arena, struct run);
	*r = (struct run){.s = s, .work = w, .arena = &w->arena, .chart = informer_parse(&w->arena, o)};
	meta_read(informer_text(o), &r->meta);
	r->in.is_removal = r->meta.deletion_timestamp.len > 0;
	switch (chart_claim(r->chart)) {
	case CHART_LEFT_ALONE:
		if (r->in.is_removal && has_finalizer(r) && !is_of_another(r))
			let_go(r);
		break;
	case CHART_UNCLAIMED:
		if (!r->in.is_removal && !is_too_long(r))
			claim(r);
		break;
	case CHART_OURS:
		if (has_finalizer(r))
			act(r);
		else if (!r->in.is_removal)
			claim(r);
	}
}

/* ---- events ---- */

static void key_changed(void *arg, struct informer_object *o)
{
	struct helm_charts *s = arg;
	work_queue_add(s->queue, o->key);
}

static void key_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	key_changed(arg, o);
}

static void job_changed(void *arg, struct informer_object *o)
{
	struct helm_charts *s = arg;
	struct meta m;
	struct owner_ref owner;
	meta_read(informer_text(o), &m);
	if (!owner_ref_controller(m.owners, &owner) || !slice_is(owner.kind, "HelmChart"))
		return;
	struct strbuf key = STRBUF_INIT;
	strbuf_addf(&key, "%.*s/%.*s", SLICE_FMT(m.ns), SLICE_FMT(owner.name));
	work_queue_add(s->queue, strbuf_slice(&key));
	strbuf_release(&key);
}

static void job_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	job_changed(arg, o);
}

static void wake_who_names(struct helm_charts *s, struct shared_informer *i, const struct meta *secret)
{
	INFORMER_FOREACH(o, shared_informer_base(i))
	{
		struct meta m;
		struct arena a = {0};
		const struct json *at = NULL;
		struct slice name;
		if (!json_find(informer_text(o), "spec", "valuesSecrets", NULL).len)
			continue;
		meta_read(informer_text(o), &m);
		struct json *tree = slice_eq(m.ns, secret->ns) ? informer_parse(&a, o) : NULL;
		while ((name = chart_next_secret(tree, &at)).len)
			if (slice_eq(name, secret->name))
				work_queue_add(s->queue, o->key);
		arena_release(&a);
	}
}

static void secret_changed(void *arg, struct informer_object *o)
{
	struct helm_charts *s = arg;
	struct meta m;
	if (!s->charts)
		return;
	meta_read(informer_text(o), &m);
	wake_who_names(s, s->charts, &m);
	wake_who_names(s, s->configs, &m);
}

static void secret_updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	secret_changed(arg, o);
}

/* ---- the kinds ---- */

static bool are_served(void)
{
	return resource_find_kind(SLICE(CHARTS_VERSION), SLICE("HelmChart")) &&
	       resource_find_kind(SLICE(CHARTS_VERSION), SLICE("HelmChartConfig"));
}

static void follow_charts(struct helm_charts *s)
{
	s->chart_handler = (struct informer_handler){
	        .added = key_changed, .updated = key_updated, .deleted = key_changed, .arg = s};
	s->config_handler = s->chart_handler;
	s->charts = informer_set_get(s->c->informers, CHARTS);
	s->configs = informer_set_get(s->c->informers, CHART_CONFIGS);
	informer_set_listen(s->charts, &s->chart_handler);
	informer_set_listen(s->configs, &s->config_handler);
}

/* Asked for until they are served; and again when somebody has deleted one. */
static void run_kinds(struct work *w)
{
	struct helm_charts *s = w->arg;
	if (!are_served()) {
		work_patch(w, CRDS "/" CHARTS_CRD "?" APPLY_QUERY, apply_patch, chart_kind(&w->arena), NULL);
		work_patch(
		        w, CRDS "/" CHART_CONFIGS_CRD "?" APPLY_QUERY, apply_patch, chart_config_kind(&w->arena), NULL);
		work_again(w, KINDS_MS);
	} else if (!s->charts)
		follow_charts(s);
}

static void kind_deleted(void *arg, struct informer_object *o)
{
	struct helm_charts *s = arg;
	if (slice_is(o->key, CHARTS_CRD) || slice_is(o->key, CHART_CONFIGS_CRD))
		work_queue_add_after(s->kinds, SLICE("kinds"), KINDS_MS);
}

/* ---- life ---- */

void *helm_charts_start(struct controllers *c)
{
	struct helm_charts *s = xcalloc(1, sizeof *s);
	s->c = c;
	if (!c->installs_charts)
		return s;
	s->queue = controllers_queue(c, "helm-charts", 4, run, s);
	s->kinds = controllers_queue(c, "helm-kinds", 1, run_kinds, s);
	s->recorder = controllers_recorder(c, "helm-controller");
	s->jobs = controllers_listen(c, JOBS,
	        &(struct informer_handler){
	                .added = job_changed, .updated = job_updated, .deleted = job_changed, .arg = s});
	s->secrets = controllers_listen(c, SECRETS,
	        &(struct informer_handler){
	                .added = secret_changed, .updated = secret_updated, .deleted = secret_changed, .arg = s});
	controllers_listen(c, CRDS, &(struct informer_handler){.deleted = kind_deleted, .arg = s});
	work_queue_add(s->kinds, SLICE("kinds"));
	return s;
}

/* The two handlers are its own, as the kinds are not there from the start. */
void helm_charts_stop(void *state)
{
	struct helm_charts *s = state;
	if (!s->charts)
		return;
	informer_set_ignore(&s->chart_handler);
	informer_set_ignore(&s->config_handler);
}

void helm_charts_release(void *state)
{
	free(state);
}
