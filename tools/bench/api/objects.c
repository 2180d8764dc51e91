/* The objects of the benchmarks: ConfigMaps of 338 bytes, and pods as a Deployment's controller makes them, two sizes.
 */
#include "tools/bench/bench.h"

#include <stdio.h>
#include <string.h>

enum { NAMESPACES = 8, CONFIGMAP_BYTES = 338, POD_BYTES_MEAN = 3700, BIG_POD_BYTES = 3480, PREPARE_TRIES_MAX = 200 };

static int need(struct bench_target *t, const char *path, const char *body, struct err *err)
{
	int status = bench_request(t, "POST", path, slice_of(body), NULL);
	if (status != 201 && status != 409)
		return err_set(err, ERR_UNAVAILABLE, "POST %s answers %d", path, status);
	return 0;
}

int bench_objects_prepare(struct bench_target *t, struct err *err)
{
	char path[128], body[256];
	for (int i = 0; i < NAMESPACES; i++) {
		snprintf(body, sizeof body,
		        "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"bench-%d\"}}", i);
		if (need(t, "/api/v1/namespaces", body, err) != 0)
			return err->code;
		snprintf(path, sizeof path, "/api/v1/namespaces/bench-%d/serviceaccounts", i);
		snprintf(body, sizeof body,
		        "{\"apiVersion\":\"v1\",\"kind\":\"ServiceAccount\",\"metadata\":{\"name\":\"default\"}}");
		if (need(t, path, body, err) != 0) /* 409: a controller was faster */
			return err->code;
	}
	return 0;
}

static void pad(struct strbuf *out, size_t upto)
{
	while (out->len < upto)
		strbuf_addc(out, (char)('a' + out->len * 7 % 26));
}

void bench_make_configmap(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body)
{
	strbuf_addf(target, "/api/v1/namespaces/bench-%u/configmaps", n % NAMESPACES);
	strbuf_addf(body,
	        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s-%u\",\"labels\":{\"app\":"
	        "\"bench\"}},\"data\":{\"key\":\"",
	        l->arg ? (const char *)l->arg : "cm", n);
	pad(body, CONFIGMAP_BYTES - 3);
	strbuf_adds(body, "\"}}");
}

static const char pod_head[] =
        "\"generateName\":\"web-7d4f9c6b5d-\",\"labels\":{\"app\":\"web\",\"pod-template-hash\":\"7d4f9c6b5d\","
        "\"tier\":\"frontend\","
        "\"app.kubernetes.io/name\":\"web\",\"app.kubernetes.io/instance\":\"web-production\",\"app.kubernetes.io/"
        "version\":\"1.27.3\"},"
        "\"annotations\":{\"prometheus.io/scrape\":\"true\",\"prometheus.io/port\":\"9113\",\"kubectl.kubernetes.io/"
        "restartedAt\":\"2024-05-01T10:00:00Z\"},"
        "\"ownerReferences\":[{\"apiVersion\":\"apps/"
        "v1\",\"kind\":\"ReplicaSet\",\"name\":\"web-7d4f9c6b5d\",\"uid\":\"6f1d9c1e-9c0b-4a52-8d3e-6a2f6f2f8f11\","
        "\"controller\":true,\"blockOwnerDeletion\":true}]},\"spec\":{\"terminationGracePeriodSeconds\":30,"
        "\"securityContext\":{\"runAsNonRoot\":true,"
        "\"runAsUser\":1000,\"fsGroup\":2000},\"volumes\":[{\"name\":\"config\",\"configMap\":{\"name\":\"web-config\"}"
        "},{\"name\":\"cache\",\"emptyDir\":{}},"
        "{\"name\":\"tls\",\"secret\":{\"secretName\":\"web-tls\"}}],\"containers\":[{\"name\":\"nginx\",\"image\":"
        "\"registry.example.com/team/nginx:1.27.3\","
        "\"ports\":[{\"name\":\"http\",\"containerPort\":8080,\"protocol\":\"TCP\"},{\"name\":\"metrics\","
        "\"containerPort\":9113}],"
        "\"resources\":{\"requests\":{\"cpu\":\"100m\",\"memory\":\"128Mi\"},\"limits\":{\"cpu\":\"500m\",\"memory\":"
        "\"256Mi\"}},"
        "\"livenessProbe\":{\"httpGet\":{\"path\":\"/"
        "healthz\",\"port\":8080},\"initialDelaySeconds\":10,\"periodSeconds\":10},"
        "\"readinessProbe\":{\"httpGet\":{\"path\":\"/ready\",\"port\":\"http\"},\"periodSeconds\":5},"
        "\"volumeMounts\":[{\"name\":\"config\",\"mountPath\":\"/etc/nginx/"
        "conf.d\",\"readOnly\":true},{\"name\":\"cache\",\"mountPath\":\"/var/cache/nginx\"},"
        "{\"name\":\"tls\",\"mountPath\":\"/etc/"
        "tls\",\"readOnly\":true}],\"env\":[{\"name\":\"POD_NAME\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":"
        "\"metadata.name\"}}},"
        "{\"name\":\"POD_IP\",\"valueFrom\":{\"fieldRef\":{\"fieldPath\":\"status.podIP\"}}}";
static const char pod_tail[] =
        "]},{\"name\":\"exporter\",\"image\":\"registry.example.com/team/"
        "nginx-exporter:1.1.0\",\"args\":[\"-nginx.scrape-uri=http://127.0.0.1:8080/stub_status\"],"
        "\"ports\":[{\"name\":\"exporter\",\"containerPort\":9114}],\"resources\":{\"requests\":{\"cpu\":\"10m\","
        "\"memory\":\"16Mi\"}}}],"
        "\"tolerations\":[{\"key\":\"dedicated\",\"operator\":\"Equal\",\"value\":\"web\",\"effect\":\"NoSchedule\"}],"
        "\"nodeSelector\":{\"kubernetes.io/"
        "os\":\"linux\"},\"restartPolicy\":\"Always\",\"dnsPolicy\":\"ClusterFirst\"}}";

static void make_pod(struct bench_load *l, unsigned n, size_t bytes, struct strbuf *target, struct strbuf *body)
{
	strbuf_addf(target, "/api/v1/namespaces/bench-%u/pods", n % NAMESPACES);
	strbuf_addf(body, "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web-7d4f9c6b5d-%s-%u\",",
	        l->arg ? (const char *)l->arg : "p", n);
	strbuf_adds(body, pod_head);
	for (unsigned i = 0; body->len + sizeof pod_tail + 40 < bytes; i++)
		strbuf_addf(body,
		        ",{\"name\":\"SETTING_%u\",\"value\":\"https://service-%u.example.internal:8443/v1\"}", i,
		        i * 13 % 97);
	strbuf_adds(body, pod_tail);
}

void bench_make_pod(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body)
{
	make_pod(l, n, POD_BYTES_MEAN - 500 + n * 37 % 1001, target, body);
}

void bench_make_big_pod(struct bench_load *l, unsigned n, struct strbuf *target, struct strbuf *body)
{
	make_pod(l, n, BIG_POD_BYTES - 500 + n * 37 % 1001, target, body);
}

double bench_create(struct bench_target *t, unsigned clients, unsigned n, const char *names,
        void (*make)(struct bench_load *, unsigned, struct strbuf *, struct strbuf *), struct bench_samples *ret_ms)
{
	struct bench_load l = {.target = t,
	        .clients = clients,
	        .total = n,
	        .make = make,
	        .arg = (void *)(uintptr_t)names,
	        .method = "POST"};
	bench_load_run(&l);
	if (l.failed)
		fprintf(stderr, "k3x-bench: %u of %u creations failed, first: %s\n", l.failed, n, l.first_failure);
	for (size_t i = 0; ret_ms && i < l.ms.count; i++)
		bench_samples_add(ret_ms, l.ms.values[i]);
	bench_samples_release(&l.ms);
	return (double)(n - l.failed) / l.seconds;
}
