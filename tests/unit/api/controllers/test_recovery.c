/* Whatever goes wrong on the way, the controllers end in the same state. All of them run against an API server in
 * memory (fake_api.h) beside a made-up scheduler and kubelet; each scenario is first played without faults, and then
 * again with each of its writes refused, lost, or the last thing that the process did, with caches that lag behind and
 * with watches that end: what is there at the end must look the same each time.
 *
 * A play lasts ten minutes of its own time, longer than any expectation is waited for. RECOVERY_STRIDE=1 tries every
 * write, RECOVERY_SEEDS=N as many mixtures of everything,
 * RECOVERY_ONLY=text the scenarios whose name has it; RECOVERY_SHOW=1 prints the pictures. */
#include "tests/unit/unit.h"

#include "api/client/meta.h"
#include "api/controllers/controllers.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "base/json/scan.h"
#include "tests/unit/api/controllers/fake_api.h"

enum { TICK_MS = 250, END_MS = 600 * 1000, RENEW_MS = 10000, NODES = 3 };

struct step {
	unsigned at_ms;
	const char *method, *path, *body;
};

struct scenario {
	const char *name;
	const struct step *steps;
	size_t pods;      /* in the end */
	bool has_leases;  /* nodes renew theirs, and are missed if they do not */
	bool has_metrics; /* somebody measures */
};

struct play {
	struct loop loop;
	struct fake_api *api;
	struct informer_set *informers;
	struct controllers *controllers;
	const struct scenario *scenario;
	const struct step *next;
	uint64_t began_ms, renewed_ms;
	bool is_silent[NODES], is_tainted[NODES];
	int64_t load_milli;
	struct strbuf usage;
	uv_timer_t tick;
	bool is_over;
	unsigned address;
	int64_t revision; /* when the pods were last looked at */
	struct closing closing;
	struct loop_task start;
	struct strbuf picture;
	unsigned writes;
};

/* ---- scheduler and kubelet ---- */

static const char *member(struct arena *a, const struct json *object, const char *part, const char *name)
{
	return json_cstr(a, json_path(object, part, name, NULL));
}

static struct play *playing; /* whose turn it is */

/* ---- nodes: their kubelets are silent while an annotation says so ---- */

static unsigned node_number(struct slice name)
{
	return name.len == 2 && name.ptr[1] < '0' + NODES ? (unsigned)(name.ptr[1] - '0') : 0;
}

/* A Lease, and the condition if somebody has taken it for gone. */
static void serve_node(struct fake_api *f, struct json *node)
{
	struct arena a = ARENA_INIT;
	const struct json *meta = json_get(node, "metadata");
	unsigned n = node_number(json_get_str(meta, "name"));
	const char *leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases",
	           *time = kube_time_text(&a, 0);
	playing->is_silent[n] = json_path(meta, "annotations", "silent", NULL);
	if (!playing->is_silent[n]) {
		const char *lease =
		        arena_printf(&a, "{\"metadata\":{\"name\":\"n%u\"},\"spec\":{\"renewTime\":\"%s\"}}", n, time);
		if (fake_api_do(f, "PATCH", arena_printf(&a, "%s/n%u", leases, n), lease) != 0)
			fake_api_do(f, "POST", leases, lease);
		if (!slice_is(
		            json_get_str(json_at(json_path(node, "status", "conditions", NULL), 0), "status"), "True"))
			fake_api_do(f, "PATCH", arena_printf(&a, "/api/v1/nodes/n%u/status", n),
			        arena_printf(&a,
			                "{\"status\":{\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\","
			                "\"lastHeartbeatTime\":\"%s\"}]}}",
			                time));
	}
	arena_release(&a);
}

static void note_taints(struct fake_api *f, struct json *node)
{
	const struct json *taints = json_path(node, "spec", "taints", NULL);
	playing->is_tainted[node_number(json_str(json_path(node, "metadata", "name", NULL)))] = taints && taints->first;
}

/* Daemons name their node, by affinity; others may say which they like best. */
static const char *node_for(struct arena *a, const struct json *pod)
{
	struct slice likes = json_str(json_path(pod, "spec", "nodeSelector", "likes", NULL));
	if (likes.len && !playing->is_tainted[node_number(likes)])
		return arena_printf(a, "%.*s", SLICE_FMT(likes));

	struct json *terms = json_path(pod, "spec", "affinity", "nodeAffinity",
	        "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms", NULL);
	struct json *field = json_at(json_get(json_at(terms, 0), "matchFields"), 0);
	return field ? json_cstr(a, json_at(json_get(field, "values"), 0)) : "n0";
}

static void run_pod(struct fake_api *f, struct arena *a, const char *path, const struct json *pod)
{
	bool ends = !slice_is(json_get_str(json_get(pod, "spec"), "restartPolicy"), "Always");
	struct slice phase = json_get_str(json_get(pod, "status"), "phase");
	const char *status = arena_printf(a, "%s/status", path), *ready = "True", *name = "Running",
	           *image = member(a, json_at(json_path(pod, "spec", "containers", NULL), 0), "image", NULL);
	const struct json *condition = condition_find(json_path(pod, "status", "conditions", NULL), "Ready");
	bool runs = slice_is(phase, "Running"), is_ready = slice_is(json_get_str(condition, "status"), "True");
	if (slice_is(phase, "Succeeded") || slice_is(phase, "Failed") || (runs && !ends && is_ready))
		return;
	if (runs && ends) {
		ready = "False";
		name = strcmp(image, "fails") == 0 ? "Failed" : "Succeeded";
	}
	fake_api_do(f, "PATCH", status,
	        arena_printf(a,
	                "{\"status\":{\"phase\":\"%s\",\"startTime\":\"2026-01-05T00:00:00Z\",\"podIP\":\"10.99.0.%u\","
	                "\"podIPs\":[{\"ip\":\"10.99.0.%u\"}],"
	                "\"conditions\":[{\"type\":\"Ready\",\"status\":\"%s\",\"lastTransitionTime\":"
	                "\"2026-01-05T00:00:00Z\"}],\"containerStatuses\":[{\"name\":\"c\",\"ready\":%s,\"state\":{"
	                "\"terminated\":{\"exitCode\":%d,\"finishedAt\":\"2026-01-05T00:00:00Z\"}}}]}}",
	                name, playing->address, playing->address, ready, *ready == 'T' ? "true" : "false",
	                strcmp(name, "Failed") == 0));
	playing->address++;
}

static void serve_pod(struct fake_api *f, struct json *pod)
{
	struct arena a = ARENA_INIT;
	const char *path = arena_printf(&a, "/api/v1/namespaces/%s/pods/%s", member(&a, pod, "metadata", "namespace"),
	        member(&a, pod, "metadata", "name"));
	bool has_node = json_path(pod, "spec", "nodeName", NULL),
	     is_dying = json_path(pod, "metadata", "deletionTimestamp", NULL);
	if (has_node && playing->is_silent[node_number(json_str(json_path(pod, "spec", "nodeName", NULL)))])
		; /* nobody there */
	else if (has_node && is_dying)
		fake_api_do(f, "DELETE", path, "{\"gracePeriodSeconds\":0}");
	else if (!has_node && !is_dying)
		fake_api_do(f, "PATCH", path, arena_printf(&a, "{\"spec\":{\"nodeName\":\"%s\"}}", node_for(&a, pod)));
	else if (has_node)
		run_pod(f, &a, path, pod);
	arena_release(&a);
}

/* ---- what is used: the load, in equal parts ---- */

static void count_running(struct fake_api *f, struct json *pod)
{
	struct strbuf *out = &playing->usage;
	if (slice_is(json_get_str(json_get(pod, "status"), "phase"), "Running") &&
	        !json_path(pod, "metadata", "deletionTimestamp", NULL))
		strbuf_addf(out, "%.*s\n", SLICE_FMT(json_str(json_path(pod, "metadata", "name", NULL))));
}

static void read_load(struct fake_api *f, struct json *deployment)
{
	struct slice load = json_str(json_path(deployment, "metadata", "annotations", "load", NULL));
	slice_to_i64(load, &playing->load_milli);
}

static const char *measure(void *arg, struct arena *a)
{
	struct play *p = arg;
	struct strbuf out = STRBUF_INIT;
	int64_t n = 0;
	strbuf_reset(&p->usage);
	fake_api_each(p->api, "/apis/apps/v1/deployments", read_load);
	fake_api_each(p->api, "/api/v1/pods", count_running);
	for (size_t i = 0; i < p->usage.len; i++)
		n += p->usage.data[i] == '\n';
	strbuf_adds(&out, "{\"items\":[");
	for (struct slice rest = strbuf_slice(&p->usage); rest.len;) {
		struct slice name = slice_cut(&rest, '\n');
		strbuf_addf(&out,
		        "{\"metadata\":{\"name\":\"%.*s\"},\"timestamp\":\"%s\",\"window\":\"15s\",\"containers\":[{"
		        "\"name\":\"c\",\"usage\":{\"cpu\":\"%lldm\"}}]}%s",
		        SLICE_FMT(name), kube_time_text(a, 0), (long long)(p->load_milli / n), rest.len ? "," : "");
	}
	strbuf_adds(&out, "]}");
	const char *text = arena_strdup(a, strbuf_cstr(&out));
	strbuf_release(&out);
	return text;
}

/* ---- the controllers' process ---- */

static void start_controllers(struct play *p)
{
	struct controllers_options options = {.arguments = CONTROLLERS_ARGUMENTS_DEFAULT};
	struct err err = ERR_INIT;
	options.client = fake_api_client(p->api);
	options.informers = p->informers = informer_set_new(options.client);
	options.arguments.node_grace_s = p->scenario->has_leases ? 40 : 1000000;
	options.arguments.hpa_downscale_stabilization_s = 60;
	assert_int_equal(controllers_new(&options, &p->controllers, &err), 0);
}

static void set_closed(void *arg)
{
	struct play *p = arg;
	p->informers = NULL;
	if (p->is_over) {
		closing_part_done(&p->closing);
		return;
	}
	fake_api_revive(p->api);
	start_controllers(p);
}

static void controllers_closed(void *arg)
{
	struct play *p = arg;
	p->controllers = NULL;
	informer_set_close(p->informers, set_closed, p);
}

/* It died: nothing of it is left, and it is started anew. */
static void crashed(void *arg)
{
	struct play *p = arg;
	controllers_close(p->controllers, controllers_closed, p);
}

/* ---- a play ---- */

static void timer_closed(uv_handle_t *h)
{
	struct play *p = h->data;
	closing_part_done(&p->closing);
}

static void end(struct play *p)
{
	p->is_over = true;
	fake_api_picture(p->api, &p->picture);
	p->writes = fake_api_writes(p->api);
	closing_hold(&p->closing);
	closing_hold(&p->closing);
	uv_close((uv_handle_t *)&p->tick, timer_closed);
	controllers_close(p->controllers, controllers_closed, p);
}

static void on_tick(uv_timer_t *t)
{
	struct play *p = t->data;
	uint64_t at_ms = virtual_time_ms() - p->began_ms;
	playing = p;
	for (; p->next->path && p->next->at_ms <= at_ms; p->next++)
		assert_int_equal(fake_api_do(p->api, p->next->method, p->next->path, p->next->body), 0);
	if (p->scenario->has_leases && at_ms >= p->renewed_ms + RENEW_MS) {
		p->renewed_ms = at_ms;
		fake_api_each(p->api, "/api/v1/nodes", serve_node);
	}
	int64_t revision = fake_api_revision(p->api);
	if (revision != p->revision) { /* else nothing is to be done */
		fake_api_each(p->api, "/api/v1/nodes", note_taints);
		fake_api_each(p->api, "/api/v1/pods", serve_pod);
	}
	p->revision = revision;
	if (at_ms >= END_MS)
		end(p);
}

static void api_closed(void *arg)
{
	struct play *p = arg;
	fake_api_free(p->api);
	loop_stop(&p->loop);
}

static void all_closed(struct closing *c)
{
	struct play *p = CONTAINER_OF(c, struct play, closing);
	fake_api_close(p->api, api_closed, p);
}

static void begin(struct loop_task *t)
{
	struct play *p = CONTAINER_OF(t, struct play, start);
	for (int i = 0; i < NODES; i++) {
		char node[400];
		snprintf(node, sizeof node,
		        "{\"metadata\":{\"name\":\"n%d\",\"labels\":{\"kubernetes.io/hostname\":\"n%d\"}},\"status\":{"
		        "\"conditions\":[{\"type\":\"Ready\",\"status\":\"True\"}],\"allocatable\":{\"cpu\":\"4\","
		        "\"pods\":"
		        "\"100\"}}}",
		        i, i);
		fake_api_do(p->api, "POST", "/api/v1/nodes", node);
	}
	fake_api_do(p->api, "POST", "/api/v1/namespaces",
	        "{\"metadata\":{\"name\":\"d\"},\"spec\":{\"finalizers\":[\"kubernetes\"]},\"status\":{\"phase\":"
	        "\"Active\"}}");
	if (p->scenario->has_leases)
		fake_api_do(p->api, "POST", "/api/v1/namespaces", "{\"metadata\":{\"name\":\"kube-node-lease\"}}");
	if (p->scenario->has_metrics)
		fake_api_serve(p->api, "/apis/metrics.k8s.io/", measure, p);
	p->began_ms = virtual_time_ms();
	start_controllers(p);
	uv_timer_start(&p->tick, on_tick, TICK_MS, TICK_MS);
}

static void play(struct play *p, const struct scenario *s, const struct fake_plan *plan)
{
	*p = (struct play){.scenario = s, .next = s->steps, .start.run = begin, .closing.all_closed = all_closed};
	virtual_time_start(plan->seed);
	loop_init(&p->loop, "test");
	p->api = fake_api_new(&p->loop, plan, crashed, p);
	CHECK(uv_timer_init(loop_uv(&p->loop), &p->tick) == 0);
	p->tick.data = p;
	loop_post(&p->loop, &p->start);
	loop_run(&p->loop);
	loop_release(&p->loop);
	strbuf_release(&p->usage);
}

/* ---- comparing ---- */

static const char *const fault_names[FAKE_FAULTS] = {
        "nothing", "conflict", "busy", "lost answer", "crash before", "crash after"};

static unsigned plays, differences;

/* The lines of one that the other has not, marked. */
static void print_missing(char mark, const struct strbuf *of, const struct strbuf *in)
{
	struct slice rest = strbuf_slice(of);
	while (rest.len) {
		struct slice line = slice_cut(&rest, '\n'), others = strbuf_slice(in);
		bool found = false;
		while (others.len && !found)
			found = slice_eq(slice_cut(&others, '\n'), line);
		if (!found)
			fprintf(stderr, "%c %.*s\n", mark, SLICE_FMT(line));
	}
}

static void expect_same(const struct scenario *s, const struct play *good, const struct fake_plan *plan)
{
	struct play p;
	play(&p, s, plan);
	plays++;
	if (!slice_eq(strbuf_slice(&p.picture), strbuf_slice(&good->picture))) {
		differences++;
		fprintf(stderr,
		        "%s ends otherwise: %s at write %u (%u of them), lag %u ms, watches cut every %u ms, %u %% "
		        "faulty by seed %u\n",
		        s->name, fault_names[plan->fault], plan->at_write, plan->faulty ? plan->faulty : 1,
		        plan->lag_ms, plan->cut_every_ms, plan->percent, plan->seed);
		print_missing('-', &good->picture, &p.picture);
		print_missing('+', &p.picture, &good->picture);
	}
	strbuf_release(&p.picture);
}

static unsigned setting(const char *name, unsigned fallback)
{
	const char *text = getenv(name);
	return text ? (unsigned)strtoul(text, NULL, 10) : fallback;
}

static size_t count(const struct strbuf *in, const char *what)
{
	size_t n = 0;
	for (const char *at = strbuf_cstr(in); (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void play_all(const struct scenario *s)
{
	static const struct fake_plan slow[] = {{.lag_ms = 40}, {.lag_ms = 700}, {.lag_ms = 6000},
	        {.cut_every_ms = 300}, {.cut_every_ms = 1700}, {.cut_every_ms = 2500, .lag_ms = 600},
	        {.fault = FAKE_BUSY, .at_write = 1, .faulty = 12},
	        {.fault = FAKE_CONFLICT, .at_write = 1, .faulty = 12}};
	const char *only = getenv("RECOVERY_ONLY");
	struct play good;
	if (only && !strstr(s->name, only))
		return;
	play(&good, s, &(struct fake_plan){0});
	if (setting("RECOVERY_SHOW", 0))
		fprintf(stderr, "%s, %u writes:\n%s", s->name, good.writes, strbuf_cstr(&good.picture));
	assert_int_equal(count(&good.picture, "\"kind\":\"Pod\",\"metadata\""), s->pods);
	assert_int_equal(count(&good.picture, "\"isObserved\":false"), 0);
	differences = 0;
	for (size_t i = 0; i < COUNT_OF(slow); i++)
		expect_same(s, &good, &slow[i]);
	unsigned stride = setting("RECOVERY_STRIDE", 11), turn = 0;
	for (enum fake_fault fault = FAKE_CONFLICT; fault < FAKE_FAULTS; fault++)
		for (unsigned at = 1 + turn++ % stride; at <= good.writes; at += stride)
			expect_same(s, &good,
			        &(struct fake_plan){.fault = fault, .at_write = at, .lag_ms = at % 3 == 0 ? 90 : 0});
	for (unsigned seed = 1; seed <= setting("RECOVERY_SEEDS", 3); seed++)
		expect_same(s, &good,
		        &(struct fake_plan){.seed = seed,
		                .percent = 5 + seed % 4 * 10,
		                .lag_ms = seed % 3 * 300,
		                .cut_every_ms = seed % 2 * 1900});
	strbuf_release(&good.picture);
	assert_int_equal(differences, 0);
}

/* ---- scenarios ---- */

#define D "/api/v1/namespaces/d"
#define APPS "/apis/apps/v1/namespaces/d"
#define BATCH "/apis/batch/v1/namespaces/d"
#define TEMPLATE(image, policy) \
	"\"template\":{\"metadata\":{\"labels\":{\"app\":\"a\"}},\"spec\":{\"restartPolicy\":\"" policy \
	"\",\"containers\":[{\"name\":\"c\",\"image\":\"" image "\"}]}}"
#define SELECTOR "\"selector\":{\"matchLabels\":{\"app\":\"a\"}},"
#define POD_SPEC TEMPLATE("one", "Always")
#define NAMED(name) "\"metadata\":{\"name\":\"" name "\"}"
#define END \
	{ \
		0 \
	}

static const struct step replica_set[] = {
        {1000, "POST", APPS "/replicasets", "{" NAMED("rs") ",\"spec\":{\"replicas\":4," SELECTOR POD_SPEC "}}"},
        {20000, "PATCH", APPS "/replicasets/rs", "{\"spec\":{\"replicas\":2}}"},
        {40000, "PATCH", APPS "/replicasets/rs", "{\"spec\":{\"replicas\":5}}"}, END};

static const struct step deployment[] = {
        {1000, "POST", APPS "/deployments", "{" NAMED("web") ",\"spec\":{\"replicas\":3," SELECTOR POD_SPEC "}}"},
        {20000, "PATCH", APPS "/deployments/web", "{\"spec\":{" TEMPLATE("two", "Always") "}}"},
        {60000, "PATCH", APPS "/deployments/web", "{\"spec\":{\"replicas\":2}}"}, END};

static const struct step job[] = {
        {1000, "POST", BATCH "/jobs",
                "{" NAMED("j") ",\"spec\":{\"completions\":5,\"parallelism\":2," TEMPLATE("one", "Never") "}}"},
        {1000, "POST", BATCH "/jobs",
                "{" NAMED("idx") ",\"spec\":{\"completions\":3,\"parallelism\":3,\"completionMode\":"
                                 "\"Indexed\"," TEMPLATE("one", "Never") "}}"},
        {1000, "POST", BATCH "/jobs",
                "{" NAMED("bad") ",\"spec\":{\"backoffLimit\":1,\"completions\":1," TEMPLATE("fails", "Never") "}}"},
        END};

static const struct step stateful_set[] = {
        {1000, "POST", APPS "/statefulsets",
                "{" NAMED("db") ",\"spec\":{\"serviceName\":\"db\",\"replicas\":3," SELECTOR POD_SPEC "}}"},
        {40000, "PATCH", APPS "/statefulsets/db", "{\"spec\":{" TEMPLATE("two", "Always") "}}"},
        {90000, "PATCH", APPS "/statefulsets/db", "{\"spec\":{\"replicas\":2}}"}, END};

static const struct step daemon_set[] = {
        {1000, "POST", APPS "/daemonsets", "{" NAMED("ds") ",\"spec\":{" SELECTOR POD_SPEC "}}"},
        {20000, "PATCH", APPS "/daemonsets/ds", "{\"spec\":{" TEMPLATE("two", "Always") "}}"},
        {60000, "DELETE", "/api/v1/nodes/n2", NULL}, END};

static const struct step garbage[] = {
        {1000, "POST", APPS "/deployments", "{" NAMED("fore") ",\"spec\":{\"replicas\":2," SELECTOR POD_SPEC "}}"},
        {20000, "DELETE", APPS "/deployments/fore", "{\"propagationPolicy\":\"Foreground\"}"},
        {30000, "POST", APPS "/deployments", "{" NAMED("back") ",\"spec\":{\"replicas\":2," SELECTOR POD_SPEC "}}"},
        {50000, "DELETE", APPS "/deployments/back", NULL},
        {60000, "POST", APPS "/replicasets", "{" NAMED("left") ",\"spec\":{\"replicas\":2," SELECTOR POD_SPEC "}}"},
        {80000, "DELETE", APPS "/replicasets/left", "{\"propagationPolicy\":\"Orphan\"}"}, END};

static const struct step namespace[] = {
        {1000, "POST", "/api/v1/namespaces",
                "{" NAMED("e") ",\"spec\":{\"finalizers\":[\"kubernetes\"]},\"status\":{\"phase\":\"Active\"}}"},
        {2000, "POST", "/apis/apps/v1/namespaces/e/deployments",
                "{" NAMED("web") ",\"spec\":{\"replicas\":2," SELECTOR POD_SPEC "}}"},
        {2000, "POST", "/api/v1/namespaces/e/configmaps", "{" NAMED("c") ",\"data\":{}}"},
        {20000, "DELETE", "/api/v1/namespaces/e", NULL}, END};

static const struct step service[] = {
        {1000, "POST", D "/services",
                "{" NAMED(
                        "web") ",\"spec\":{\"clusterIP\":\"10.43.0.9\",\"clusterIPs\":[\"10.43.0.9\"],\"ipFamilies\":["
                               "\"IPv4\"],\"selector\":{\"app\":\"a\"},\"ports\":[{\"port\":80,\"targetPort\":8080}]}"
                               "}"},
        {2000, "POST", APPS "/replicasets", "{" NAMED("rs") ",\"spec\":{\"replicas\":3," SELECTOR POD_SPEC "}}"},
        {20000, "PATCH", APPS "/replicasets/rs", "{\"spec\":{\"replicas\":1}}"}, END};

static const struct step budget[] = {
        {1000, "POST", "/apis/policy/v1/namespaces/d/poddisruptionbudgets",
                "{" NAMED("b") ",\"spec\":{\"minAvailable\":2,\"selector\":{\"matchLabels\":{\"app\":\"a\"}}}}"},
        {2000, "POST", APPS "/replicasets", "{" NAMED("rs") ",\"spec\":{\"replicas\":3," SELECTOR POD_SPEC "}}"},
        {20000, "PATCH", APPS "/replicasets/rs", "{\"spec\":{\"replicas\":4}}"}, END};

static const struct step cron_job[] = {
        {1000, "POST", BATCH "/cronjobs",
                "{" NAMED("c") ",\"spec\":{\"schedule\":\"*/2 * * * *\",\"successfulJobsHistoryLimit\":2,"
                               "\"jobTemplate\":{\"spec\":{" TEMPLATE("one", "Never") "}}}}"},
        {550000, "PATCH", BATCH "/cronjobs/c", "{\"spec\":{\"suspend\":true}}"}, END};

static const struct step quota[] = {
        {1000, "POST", D "/resourcequotas", "{" NAMED("q") ",\"spec\":{\"hard\":{\"pods\":\"9\"}}}"},
        {2000, "POST", APPS "/replicasets", "{" NAMED("rs") ",\"spec\":{\"replicas\":3," SELECTOR POD_SPEC "}}"},
        {20000, "PATCH", APPS "/replicasets/rs", "{\"spec\":{\"replicas\":1}}"}, END};

static const struct step replication[] = {
        {1000, "POST", D "/replicationcontrollers",
                "{" NAMED("rc") ",\"spec\":{\"replicas\":3,\"selector\":{\"app\":\"a\"}," POD_SPEC "}}"},
        {20000, "PATCH", D "/replicationcontrollers/rc", "{\"spec\":{\"replicas\":1}}"}, END};

static const struct step ttl[] = {
        {1000, "POST", BATCH "/jobs",
                "{" NAMED("j") ",\"spec\":{\"ttlSecondsAfterFinished\":20," TEMPLATE("one", "Never") "}}"},
        END};

static const struct step claims[] = {
        {1000, "POST", "/api/v1/persistentvolumes",
                "{" NAMED("v") ",\"spec\":{\"capacity\":{\"storage\":\"1Gi\"},\"accessModes\":[\"ReadWriteOnce\"],"
                               "\"persistentVolumeReclaimPolicy\":\"Retain\",\"storageClassName\":\"s\",\"hostPath\":{"
                               "\"path\":\"/x\"}},\"status\":{\"phase\":\"Pending\"}}"},
        {2000, "POST", D "/persistentvolumeclaims",
                "{" NAMED(
                        "c") ",\"spec\":{\"accessModes\":[\"ReadWriteOnce\"],\"storageClassName\":\"s\",\"resources\":{"
                             "\"requests\":{\"storage\":\"1Gi\"}}},\"status\":{\"phase\":\"Pending\"}}"},
        {40000, "DELETE", D "/persistentvolumeclaims/c", NULL}, END};

static const struct step stateful_claims[] = {
        {1000, "POST", APPS "/statefulsets",
                "{" NAMED("db") ",\"spec\":{\"serviceName\":\"db\",\"replicas\":3,\"podManagementPolicy\":\"Parallel\","
                                "\"persistentVolumeClaimRetentionPolicy\":{\"whenScaled\":\"Delete\",\"whenDeleted\":"
                                "\"Retain\"},\"volumeClaimTemplates\":[{\"metadata\":{\"name\":\"v\"},\"spec\":{"
                                "\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}"
                                "}}]"
                                "," SELECTOR POD_SPEC "}}"},
        {30000, "PATCH", APPS "/statefulsets/db", "{\"spec\":{\"replicas\":1}}"}, END};

static const struct step rollback[] = {
        {1000, "POST", APPS "/deployments",
                "{" NAMED("web") ",\"spec\":{\"revisionHistoryLimit\":5,\"replicas\":3," SELECTOR POD_SPEC "}}"},
        {15000, "PATCH", APPS "/deployments/web", "{\"spec\":{" TEMPLATE("two", "Always") "}}"},
        {45000, "PATCH", APPS "/deployments/web", "{\"spec\":{" TEMPLATE("three", "Always") "}}"},
        {80000, "PATCH", APPS "/deployments/web", "{\"spec\":{" TEMPLATE("one", "Always") "}}"},
        {120000, "PATCH", APPS "/deployments/web",
                "{\"spec\":{\"strategy\":{\"type\":\"Recreate\",\"rollingUpdate\":null}," TEMPLATE(
                        "four", "Always") "}}"},
        END};

static const struct step job_suspended[] = {
        {1000, "POST", BATCH "/jobs",
                "{" NAMED("j") ",\"spec\":{\"suspend\":true,\"completions\":3,\"parallelism\":3," TEMPLATE(
                        "one", "Never") "}}"},
        {20000, "PATCH", BATCH "/jobs/j", "{\"spec\":{\"suspend\":false}}"},
        {60000, "DELETE", BATCH "/jobs/j", "{\"propagationPolicy\":\"Background\"}"}, END};

static const struct step adopted[] = {
        {1000, "POST", D "/pods",
                "{\"metadata\":{\"name\":\"stray\",\"labels\":{\"app\":\"a\"}},\"spec\":{\"restartPolicy\":\"Always\","
                "\"containers\":[{\"name\":\"c\",\"image\":\"one\"}]}}"},
        {5000, "POST", APPS "/replicasets", "{" NAMED("rs") ",\"spec\":{\"replicas\":2," SELECTOR POD_SPEC "}}"},
        {20000, "PATCH", D "/pods/stray", "{\"metadata\":{\"labels\":{\"app\":\"b\"}}}"}, END};

/* As many as the load asks for: 2, then 5, then 3. Only one size is within the tolerance of each. */
static const struct step autoscaler[] = {
        {1000, "POST", APPS "/deployments",
                "{\"metadata\":{\"name\":\"web\",\"annotations\":{\"load\":\"100\"}},\"spec\":{\"replicas\":1," SELECTOR
                "\"template\":{\"metadata\":{\"labels\":{\"app\":\"a\"}},\"spec\":{\"restartPolicy\":\"Always\","
                "\"containers\":["
                "{\"name\":\"c\",\"image\":\"one\",\"resources\":{\"requests\":{\"cpu\":\"100m\"}}}]}}}}"},
        {2000, "POST", "/apis/autoscaling/v2/namespaces/d/horizontalpodautoscalers",
                "{" NAMED(
                        "web") ",\"spec\":{\"scaleTargetRef\":{\"apiVersion\":\"apps/"
                               "v1\",\"kind\":\"Deployment\",\"name\":"
                               "\"web\"},\"minReplicas\":1,\"maxReplicas\":8,\"metrics\":[{\"type\":\"Resource\","
                               "\"resource\":{"
                               "\"name\":\"cpu\",\"target\":{\"type\":\"Utilization\",\"averageUtilization\":50}}}]}}"},
        {100000, "PATCH", APPS "/deployments/web", "{\"metadata\":{\"annotations\":{\"load\":\"250\"}}}"},
        {250000, "PATCH", APPS "/deployments/web", "{\"metadata\":{\"annotations\":{\"load\":\"150\"}}}"}, END};

/* One goes and comes back, and its pods have gone to another; another goes for good. */
static const struct step silent_nodes[] = {
        {1000, "POST", APPS "/replicasets",
                "{" NAMED("rs") ",\"spec\":{\"replicas\":2," SELECTOR "\"template\":{\"metadata\":{\"labels\":{\"app\":"
                                "\"a\"}},\"spec\":{\"restartPolicy\":\"Always\","
                                "\"nodeSelector\":{\"likes\":\"n2\"},\"containers\":[{\"name\":\"c\",\"image\":\"one\"}"
                                "]}}}}"},
        {2000, "POST", APPS "/daemonsets",
                "{" NAMED("ds") ",\"spec\":{\"selector\":{\"matchLabels\":{\"app\":\"d\"}},"
                                "\"template\":{\"metadata\":{\"labels\":{\"app\":\"d\"}},\"spec\":{\"containers\":[{"
                                "\"name\":\"c\",\"image\":\"one\"}]}}}}"},
        {30000, "PATCH", "/api/v1/nodes/n2", "{\"metadata\":{\"annotations\":{\"silent\":\"yes\"}}}"},
        {250000, "PATCH", "/api/v1/nodes/n2", "{\"metadata\":{\"annotations\":{\"silent\":null}}}"},
        {350000, "PATCH", "/api/v1/nodes/n1", "{\"metadata\":{\"annotations\":{\"silent\":\"yes\"}}}"}, END};

/* Each with how many pods there are in the end. */
#define SCENARIOS \
	SCENARIO(replica_set, 5) \
	SCENARIO(deployment, 2) \
	SCENARIO(job, 10) \
	SCENARIO(stateful_set, 2) \
	SCENARIO(daemon_set, 2) \
	SCENARIO(garbage, 2) \
	SCENARIO(namespace, 0) \
	SCENARIO(service, 1) \
	SCENARIO(budget, 4) \
	SCENARIO(cron_job, 2) \
	SCENARIO(quota, 1) \
	SCENARIO(replication, 1) \
	SCENARIO(ttl, 0) \
	SCENARIO(claims, 0) \
	SCENARIO(stateful_claims, 1) \
	SCENARIO(rollback, 3) \
	SCENARIO(job_suspended, 0) \
	SCENARIO(adopted, 3) \
	SCENARIO(autoscaler, 3, .has_metrics = true) \
	SCENARIO(silent_nodes, 5, .has_leases = true)

#define SCENARIO(s, n, ...) \
	static void s##_ends_the_same(void **state) \
	{ \
		play_all(&(struct scenario){.name = #s, .steps = s, .pods = n, ##__VA_ARGS__}); \
	}
SCENARIOS
#undef SCENARIO

static int count_plays(void **state)
{
	print_message("%u plays\n", plays);
	return 0;
}

int main(void)
{
	log_set_level(getenv("RECOVERY_LOG") ? LOG_DEBUG : LOG_ERROR);
#define SCENARIO(s, ...) cmocka_unit_test(s##_ends_the_same),
	const struct CMUnitTest tests[] = {SCENARIOS};
	return cmocka_run_group_tests(tests, NULL, count_plays);
}
