/* `k3x bench nodes`: scheduler and controllers on nodes that are made up.
 *
 *     100         100 nodes: pods made by 32 clients until all are bound: plain, spread over zones, apart by host, and
 *                 urgent ones that take the place of as many others
 *     plain       of these the plain ones alone; not done unless asked for
 *     1000        1000 nodes: plain and spread
 *     deployment  the same: a Deployment scaled to 5,000 until all are bound and until all run; its update, of 1,000
 *                 replicas; then all at rest, with a Lease renewed every ten seconds by each node
 *     garbage     without nodes: 10,000 ConfigMaps of one owner that goes, and a namespace of 10,000
 *
 * A fresh server for each. Clients, the players of kubelets and the server share the machine's cores, so that figures
 * are lower bounds. The peer's figure for binding is upstream's own, of larger machines (500/s on 100 nodes, docs of
 * scheduler_perf). */
#include "tools/bench/nodes/players.h"

#include "base/json/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { CLIENTS = 32, NAMESPACES = 8, WAIT_MS = 120000, REST_S = 20, CPUS = 16 };

/* One cluster that is measured. */
struct ground {
	struct bench_settings *s;
	struct bench_report *r;
	struct bench_server server;
	struct bench_target t;
	struct players *players;
	int runs;                               /* for names */
	struct bench_samples server_us, our_us; /* of CPU, a pod of the last median_bind() */
};

static const char *const flags[] = {"--disable", "coredns,traefik,servicelb,local-storage,metrics-server", NULL};

static int open_ground(struct ground *g, unsigned nodes, bool only_watches, int n, struct err *err)
{
	bench_server_init(&g->server, g->s, n);
	if (bench_server_start(&g->server, flags, NULL, err) != 0 ||
	        bench_target_open(&g->t, g->server.kubeconfig, err) != 0)
		return err->code;
	struct players_options o = {
	        .server = &g->server, .nodes = nodes, .zones = 10, .cpus = CPUS, .only_watches = only_watches};
	if (bench_objects_prepare(&g->t, err) != 0)
		return err->code;
	return nodes ? players_new(&o, &g->players, err) : 0;
}

static void close_ground(struct ground *g)
{
	players_free(g->players);
	g->players = NULL;
	if (g->t.port)
		bench_target_close(&g->t);
	g->t = (struct bench_target){0};
	bench_server_stop(&g->server);
	bench_server_remove(&g->server);
	bench_samples_release(&g->server_us);
	bench_samples_release(&g->our_us);
}

static bool wait_for(struct ground *g, unsigned (*count)(const struct players *), unsigned want)
{
	double start = bench_now_ms();
	while (count(g->players) != want && bench_now_ms() - start < WAIT_MS)
		usleep(500);
	if (count(g->players) != want)
		fprintf(stderr, "k3x-bench: %u pods of %u after %d s\n", count(g->players), want, WAIT_MS / 1000);
	return count(g->players) == want;
}

static void ask(struct ground *g, const char *method, const char *path, const char *body)
{
	struct strbuf answer = STRBUF_INIT;
	int status = bench_request(&g->t, method, path, slice_of(body), &answer);
	if (status < 200 || status > 299)
		fprintf(stderr, "k3x-bench: %s %s answers %d: %.200s\n", method, path, status, strbuf_cstr(&answer));
	strbuf_release(&answer);
}

static void delete_pods(struct ground *g)
{
	char path[120];
	for (int i = 0; i < NAMESPACES; i++) {
		snprintf(path, sizeof path, "/api/v1/namespaces/bench-%d/pods?gracePeriodSeconds=0", i);
		ask(g, "DELETE", path, "");
	}
	wait_for(g, players_present, 0);
}

/* ---- binding ---- */

struct shape {
	const char *name, *spec;
	unsigned milli;
};

static struct shape shape; /* of the pods that are being made */

static void make_pod(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body)
{
	strbuf_addf(target, "/api/v1/namespaces/bench-%u/pods", n % NAMESPACES);
	strbuf_addf(body,
	        "{\"metadata\":{\"name\":\"%s-%s-%u\",\"labels\":{\"app\":\"%s\"}},\"spec\":{\"containers\":[{\"name\":"
	        "\"c\","
	        "\"image\":\"x\",\"resources\":{\"requests\":{\"cpu\":\"%um\",\"memory\":\"10Mi\"}}}]%s}}",
	        shape.name, (const char *)l->arg, n, shape.name, shape.milli, shape.spec);
}

/* Makes n pods; per second until all of `bound` have a node. */
static double bind_pods(struct ground *g, struct shape what, unsigned n, unsigned bound)
{
	char run[16];
	double start = bench_now_ms();
	snprintf(run, sizeof run, "r%d", g->runs++);
	shape = what;
	bench_create(&g->t, CLIENTS, n, run, make_pod, NULL);
	return wait_for(g, players_bound, bound) ? n / (bench_now_ms() - start) * 1000 : 0;
}

/* Clients and players: all that runs in this process. */
static double our_cpu_ms(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static double median_bind(struct ground *g, struct shape what, unsigned n)
{
	struct bench_samples s = {0};
	int rounds = g->s->rounds ? (int)g->s->rounds : g->s->quick ? 1 : 3;
	bench_samples_release(&g->server_us);
	bench_samples_release(&g->our_us);
	for (int i = 0; i < rounds; i++) {
		double server = bench_server_cpu_ms(&g->server), ours = our_cpu_ms();
		bench_samples_add(&s, bind_pods(g, what, n, n));
		bench_samples_add(&g->server_us, (bench_server_cpu_ms(&g->server) - server) * 1e3 / n);
		bench_samples_add(&g->our_us, (our_cpu_ms() - ours) * 1e3 / n);
		delete_pods(g);
	}
	double median = bench_samples_percentile(&s, 50);
	bench_samples_release(&s);
	return median;
}

#define SPREAD \
	",\"topologySpreadConstraints\":[{\"maxSkew\":1,\"topologyKey\":\"topology.kubernetes.io/zone\"," \
	"\"whenUnsatisfiable\":\"DoNotSchedule\",\"labelSelector\":{\"matchLabels\":{\"app\":\"spread\"}}}]"
#define APART \
	",\"affinity\":{\"podAntiAffinity\":{\"requiredDuringSchedulingIgnoredDuringExecution\":[{\"topologyKey\":" \
	"\"kubernetes.io/hostname\",\"labelSelector\":{\"matchLabels\":{\"app\":\"apart\"}}}]}}"
#define URGENT ",\"priorityClassName\":\"bench-urgent\""

static void row(struct ground *g, const char *key, const char *what, const char *unit, double ours, double peer,
        double aim, enum bench_better better)
{
	bench_report_add(g->r, (struct bench_row){key, what, unit, ours, peer, aim, better});
}

/* As many urgent pods as there is room for, on nodes that are full of others. */
static double measure_preemption(struct ground *g, unsigned nodes)
{
	unsigned n = nodes * CPUS;
	ask(g, "POST", "/apis/scheduling.k8s.io/v1/priorityclasses",
	        "{\"metadata\":{\"name\":\"bench-urgent\"},\"value\":1000}");
	bind_pods(g, (struct shape){"meek", "", 1000}, n, n);
	double start = bench_now_ms();
	shape = (struct shape){"urgent", URGENT, 1000};
	bench_create(&g->t, CLIENTS, n / 4, "u", make_pod, NULL);
	/* those that went are gone, and nobody waits */
	while ((players_present(g->players) > n || players_bound(g->players) != players_present(g->players)) &&
	        bench_now_ms() - start < WAIT_MS)
		usleep(500);
	double rate = n / 4 / (bench_now_ms() - start) * 1000;
	if (players_present(g->players) < n)
		printf("%u pods more went than had to\n", n - players_present(g->players));
	delete_pods(g);
	return rate;
}

static int measure_plain(struct ground *g, struct err *err)
{
	unsigned n = g->s->quick ? 1000 : 5000;
	if (open_ground(g, 100, true, 0, err) != 0)
		return err->code;
	row(g, "bound_100_nodes_per_s", "100 nodes: pods made and bound", "/s",
	        median_bind(g, (struct shape){"plain", "", 10}, n), 500, 5000, BENCH_HIGHER);
	row(g, "bound_100_nodes_server_cpu_us", "  CPU of the server, a pod", "us",
	        bench_samples_percentile(&g->server_us, 50), 0, 0, BENCH_INFO);
	row(g, "bound_100_nodes_clients_cpu_us", "  of the clients and players", "us",
	        bench_samples_percentile(&g->our_us, 50), 0, 0, BENCH_INFO);
	return 0;
}

static int measure_100(struct ground *g, struct err *err)
{
	if (measure_plain(g, err) != 0)
		return err->code;
	row(g, "bound_100_nodes_spread_per_s", "  spread over ten zones", "/s",
	        median_bind(g, (struct shape){"spread", SPREAD, 10}, g->s->quick ? 500 : 2000), 0, 1500, BENCH_HIGHER);
	row(g, "bound_100_nodes_apart_per_s", "  100 apart, one on each host", "/s",
	        median_bind(g, (struct shape){"apart", APART, 10}, 100), 0, 0, BENCH_INFO);
	row(g, "preempted_100_nodes_per_s", "  urgent, each in the place of another", "/s", measure_preemption(g, 100),
	        0, 0, BENCH_INFO);
	return 0;
}

/* ---- a thousand ---- */

#define BIG "/apis/apps/v1/namespaces/bench-0/deployments"

/* A Deployment of so many, of this version of its template. */
static void put_deployment(struct ground *g, const char *method, unsigned replicas, unsigned version)
{
	char body[600];
	snprintf(body, sizeof body,
	        "{\"metadata\":{\"name\":\"big\"},\"spec\":{\"replicas\":%u,\"selector\":{\"matchLabels\":{\"app\":"
	        "\"big\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"big\"},\"annotations\":{\"version\":\"%"
	        "u\"}},"
	        "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"x:1\"}]}}}}",
	        replicas, version);
	ask(g, method, strcmp(method, "PUT") == 0 ? BIG "/big" : BIG, body);
}

/* By a status that speaks of the template as it is now. */
static bool is_rolled(struct ground *g, unsigned n)
{
	struct strbuf answer = STRBUF_INIT;
	char want[16];
	bench_request(&g->t, "GET", BIG "/big", slice_of(""), &answer);
	struct slice text = strbuf_slice(&answer);
	snprintf(want, sizeof want, "%u", n);
	bool is = slice_is(json_find(text, "status", "updatedReplicas", NULL), want) &&
	          slice_eq(json_find(text, "status", "observedGeneration", NULL),
	                  json_find(text, "metadata", "generation", NULL)) &&
	          players_present(g->players) == n && players_running(g->players) == n;
	strbuf_release(&answer);
	return is;
}

static void measure_deployment(struct ground *g)
{
	unsigned n = g->s->quick ? 1000 : 5000, fewer = 1000;
	put_deployment(g, "POST", 0, 1);
	double start = bench_now_ms();
	put_deployment(g, "PUT", n, 1);
	wait_for(g, players_bound, n);
	row(g, "scale_5000_bound_s", g->s->quick ? "Deployment to 1,000, all bound" : "Deployment to 5,000, all bound",
	        "s", (bench_now_ms() - start) / 1000, 0, 0, BENCH_INFO);
	wait_for(g, players_running, n);
	row(g, "scale_5000_running_s", "  all Running, by kubelets that are played", "s",
	        (bench_now_ms() - start) / 1000, 0, 0, BENCH_INFO);
	put_deployment(g, "PUT", fewer, 1);
	wait_for(g, players_present, fewer);
	start = bench_now_ms();
	put_deployment(g, "PUT", fewer, 2);
	while (!is_rolled(g, fewer) && bench_now_ms() - start < WAIT_MS)
		usleep(20000);
	row(g, "rollout_1000_s", "rolling update of 1,000 replicas", "s", (bench_now_ms() - start) / 1000, 0, 0,
	        BENCH_INFO);
	put_deployment(g, "PUT", 0, 2);
	wait_for(g, players_present, 0);
}

static void measure_rest(struct ground *g, unsigned pods)
{
	bind_pods(g, (struct shape){"rest", "", 10}, pods, pods);
	wait_for(g, players_running, pods);
	sleep(g->s->quick ? 2 : 10);
	double cpu = bench_server_cpu_ms(&g->server), start = bench_now_ms();
	sleep(g->s->quick ? 5 : REST_S);
	row(g, "rest_cpu_percent", "at rest with their Leases: CPU", "%",
	        (bench_server_cpu_ms(&g->server) - cpu) / (bench_now_ms() - start) * 100, 0, 10, BENCH_LOWER);
	row(g, "rest_rss_mb", pods == 10000 ? "  resident, with 10,000 pods" : "  resident", "MiB",
	        bench_server_rss_mb(&g->server, "VmRSS"), 0, 150, BENCH_LOWER);
}

static int measure_1000(struct ground *g, struct err *err)
{
	unsigned n = g->s->quick ? 2000 : 10000;
	if (open_ground(g, 1000, true, 1, err) != 0)
		return err->code;
	row(g, "bound_1000_nodes_per_s", "1,000 nodes: pods made and bound", "/s",
	        median_bind(g, (struct shape){"plain", "", 10}, n), 0, 5000, BENCH_HIGHER);
	row(g, "bound_1000_nodes_spread_per_s", "  spread over ten zones", "/s",
	        median_bind(g, (struct shape){"spread", SPREAD, 10}, g->s->quick ? 500 : 2000), 0, 1500, BENCH_HIGHER);
	return 0;
}

static int measure_big_deployment(struct ground *g, struct err *err)
{
	if (open_ground(g, 1000, false, 2, err) != 0)
		return err->code;
	measure_deployment(g);
	measure_rest(g, g->s->quick ? 2000 : 10000);
	return 0;
}

/* ---- controllers ---- */

static char owner_uid[64];

static void make_owned(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body)
{
	strbuf_adds(target, "/api/v1/namespaces/bench-1/configmaps");
	strbuf_addf(body,
	        "{\"metadata\":{\"name\":\"%s-%u\",\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\","
	        "\"name\":\"owner\",\"uid\":\"%s\"}]}}",
	        (const char *)l->arg, n, owner_uid);
}

static void make_plain(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body)
{
	strbuf_adds(target, "/api/v1/namespaces/bench-2/configmaps");
	strbuf_addf(body, "{\"metadata\":{\"name\":\"%s-%u\"}}", (const char *)l->arg, n);
}

static bool is_gone(struct ground *g, const char *path, const char *mark)
{
	struct strbuf answer = STRBUF_INIT;
	int status = bench_request(&g->t, "GET", path, slice_of(""), &answer);
	bool is = status == 404 || (status == 200 && !strstr(strbuf_cstr(&answer), mark));
	strbuf_release(&answer);
	return is;
}

static double seconds_until_gone(struct ground *g, const char *path, const char *mark)
{
	double start = bench_now_ms();
	while (!is_gone(g, path, mark) && bench_now_ms() - start < WAIT_MS)
		usleep(10000);
	return (bench_now_ms() - start) / 1000;
}

static void read_owner(struct ground *g)
{
	struct strbuf answer = STRBUF_INIT;
	bench_request(&g->t, "POST", "/api/v1/namespaces/bench-1/configmaps",
	        slice_of("{\"metadata\":{\"name\":\"owner\"}}"), &answer);
	const char *uid = strstr(strbuf_cstr(&answer), "\"uid\":\"");
	snprintf(owner_uid, sizeof owner_uid, "%.36s", uid ? uid + 7 : "");
	strbuf_release(&answer);
}

static int measure_garbage(struct ground *g, struct err *err)
{
	unsigned n = g->s->quick ? 1000 : 10000;
	if (open_ground(g, 0, true, 3, err) != 0)
		return err->code;
	read_owner(g);
	bench_create(&g->t, CLIENTS, n, "owned", make_owned, NULL);
	bench_create(&g->t, CLIENTS, n, "plain", make_plain, NULL);
	ask(g, "DELETE", "/api/v1/namespaces/bench-1/configmaps/owner", "");
	row(g, "garbage_10000_s", n == 10000 ? "garbage: 10,000 dependents of one owner" : "garbage: 1,000 dependents",
	        "s", seconds_until_gone(g, "/api/v1/namespaces/bench-1/configmaps?limit=5", "\"owned-"), 0, 0,
	        BENCH_INFO);
	ask(g, "DELETE", "/api/v1/namespaces/bench-2", "");
	row(g, "namespace_10000_s", n == 10000 ? "a namespace of 10,000 objects goes" : "a namespace of 1,000 objects",
	        "s", seconds_until_gone(g, "/api/v1/namespaces/bench-2", "\"name\""), 0, 0, BENCH_INFO);
	return 0;
}

int bench_nodes(struct bench_settings *s)
{
	static const struct {
		const char *name;
		int (*measure)(struct ground *g, struct err *err);
		bool is_part; /* of another, so it is for who asks */
	} parts[] = {{"100", measure_100, false}, {"plain", measure_plain, true}, {"1000", measure_1000, false},
	        {"deployment", measure_big_deployment, false}, {"garbage", measure_garbage, false}};
	struct bench_report r = {0};
	struct err err = ERR_INIT;
	for (size_t i = 0; i < COUNT_OF(parts) && !err.code; i++) {
		struct ground g = {.s = s, .r = &r};
		if (s->only ? strcmp(s->only, parts[i].name) != 0 : parts[i].is_part)
			continue;
		parts[i].measure(&g, &err);
		close_ground(&g);
	}
	if (err.code)
		fprintf(stderr, "k3x-bench: %s\n", err.msg);
	bench_report_end(&r, s, "nodes",
	        "Method: nodes that are made up, over HTTPS; pods made by 32 clients; clients, players and server on "
	        "the same "
	        "cores; medians of\nthree rounds on one server; what is done once is told as it was.");
	return err.code ? 1 : 0;
}
