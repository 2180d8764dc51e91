/* Server-side apply of a Deployment of 4 KB: every request changes the image of one of the Deployments of its client's
 * number, so each is merged, compared, and written; then the same once more without a change, which is merged,
 * compared, and not written. */
#include "tools/bench/bench.h"

enum { NAMESPACES = 8, OBJECTS = 64, DEPLOYMENT_BYTES = 4096 };

struct apply_arg {
	bool is_changed;
};

static void write_settings(struct strbuf *body)
{
	for (unsigned i = 0; body->len + 380 < DEPLOYMENT_BYTES; i++)
		strbuf_addf(body,
		        "%s{\"name\":\"SETTING_%u\",\"value\":\"https://service-%u.example.internal:8443/v1\"}",
		        i ? "," : "", i, i * 13 % 97);
}

static void make_deployment(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body)
{
	const struct apply_arg *a = l->arg;
	unsigned i = n % OBJECTS;
	strbuf_addf(target,
	        "/apis/apps/v1/namespaces/bench-%u/deployments/applied-%u?fieldManager=bench&fieldValidation=Ignore",
	        i % NAMESPACES, i);
	strbuf_addf(body,
	        "{\"apiVersion\":\"apps/v1\",\"kind\":\"Deployment\",\"metadata\":{\"name\":\"applied-%u\",\"labels\":{"
	        "\"app\":\"web\",\"app.kubernetes.io/version\":\"1.27.3\"}},\"spec\":{\"replicas\":3,\"selector\":{"
	        "\"matchLabels\":{\"app\":\"web\"}},\"template\":{\"metadata\":{\"labels\":{\"app\":\"web\"}},\"spec\":"
	        "{"
	        "\"containers\":[{\"name\":\"nginx\",\"image\":\"registry.example.com/team/nginx:%u\",\"env\":[",
	        i, a->is_changed ? n : 0);
	write_settings(body);
	strbuf_adds(body,
	        "],\"ports\":[{\"name\":\"http\",\"containerPort\":8080},{\"name\":\"metrics\",\"containerPort\":9113}]"
	        ","
	        "\"resources\":{\"requests\":{\"cpu\":\"100m\",\"memory\":\"128Mi\"},\"limits\":{\"memory\":\"256Mi\"}}"
	        ","
	        "\"volumeMounts\":[{\"name\":\"config\",\"mountPath\":\"/etc/nginx/conf.d\"}]}],\"volumes\":[{\"name\":"
	        "\"config\",\"configMap\":{\"name\":\"web-config\"}}]}}}}");
}

struct apply_round {
	const char *key, *what, *cpu_key;
	unsigned clients, n;
	bool is_changed;
};

static void run(
        struct bench_report *r, struct bench_target *t, struct bench_server *server, const struct apply_round *x)
{
	struct apply_arg arg = {x->is_changed};
	struct bench_load l = {.target = t,
	        .clients = x->clients,
	        .total = x->n,
	        .make = make_deployment,
	        .arg = &arg,
	        .method = "PATCH",
	        .content_type = "application/apply-patch+yaml"};
	double cpu = bench_server_cpu_ms(server);
	bench_load_run(&l);
	cpu = (bench_server_cpu_ms(server) - cpu) / x->n;
	if (l.failed)
		fprintf(stderr, "k3x-bench: %u of %u applies failed, first: %s\n", l.failed, x->n, l.first_failure);
	bench_samples_release(&l.ms);
	if (!x->key)
		return;
	bench_report_add(
	        r, (struct bench_row){x->key, x->what, "/s", (x->n - l.failed) / l.seconds, 0, 0, BENCH_HIGHER});
	bench_report_add(r, (struct bench_row){x->cpu_key, "  server CPU per apply", "ms", cpu, 0, 0, BENCH_LOWER});
}

void bench_apply(struct bench_report *r, struct bench_target *t, struct bench_server *server, bool quick)
{
	unsigned part = quick ? 4 : 1;
	const struct apply_round rounds[] = {
	        {NULL, NULL, NULL, 1, OBJECTS, true}, /* they are created */
	        {"apply_1_client_per_s", "server-side apply of a 4 KB Deployment, 1 client", "apply_1_client_cpu_ms", 1,
	                2000 / part, true},
	        {"apply_32_clients_per_s", "  32 clients", "apply_32_clients_cpu_ms", 32, 8000 / part, true},
	        {NULL, NULL, NULL, 1, OBJECTS, false},
	        {"apply_unchanged_32_clients_per_s", "  32 clients, nothing changed", "apply_unchanged_cpu_ms", 32,
	                8000 / part, false},
	};
	for (size_t i = 0; i < sizeof rounds / sizeof *rounds; i++)
		run(r, t, server, &rounds[i]);
}
