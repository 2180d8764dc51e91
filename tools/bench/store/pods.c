/* Values like those of a cluster's Pods: the request of a Deployment's controller (objects.c) and the status that the
 * kubelet adds. Names and settings repeat between Pods and between updates, as they do in a cluster; identities,
 * addresses and times do not. */
#include "tools/bench/store/store.h"

#include <inttypes.h>

static uint64_t mixed(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* 64 digits of hex. */
static void add_digest(struct strbuf *out, uint64_t seed)
{
	for (uint64_t i = 0; i < 4; i++)
		strbuf_addf(out, "%016" PRIx64, mixed(seed * 4 + i));
}

static void add_time(struct strbuf *out, const char *name, uint64_t turn)
{
	unsigned s = (unsigned)(turn % 86400);
	strbuf_addf(out, "\"%s\":\"2025-06-%02uT%02u:%02u:%02uZ\"", name, (unsigned)(turn / 86400 % 28 + 1), s / 3600,
	        s / 60 % 60, s % 60);
}

static void add_condition(struct strbuf *out, const char *type, uint64_t turn)
{
	strbuf_addf(out, "{\"type\":\"%s\",\"status\":\"True\",\"lastProbeTime\":null,", type);
	add_time(out, "lastTransitionTime", turn);
	strbuf_adds(out, "},");
}

static void add_container(struct strbuf *out, const char *name, const char *image, uint64_t turn)
{
	strbuf_addf(out, "{\"name\":\"%s\",\"image\":\"%s\",\"imageID\":\"%s@sha256:", name, image, image);
	add_digest(out, (uint64_t)name[0]); /* one per image */
	strbuf_adds(out, "\",\"containerID\":\"containerd://");
	add_digest(out, turn);
	strbuf_addf(out,
	        "\",\"ready\":true,\"started\":true,\"restartCount\":%u,\"lastState\":{},\"state\":{\"running\":{",
	        (unsigned)(turn % 7));
	add_time(out, "startedAt", turn);
	strbuf_adds(out, "}}}");
}

static void add_status(struct strbuf *out, unsigned object, uint64_t turn)
{
	static const char *const conditions[] = {
	        "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady"};
	strbuf_addf(out, ",\"status\":{\"phase\":\"Running\",\"uid\":\"%016" PRIx64 "\",\"conditions\":[",
	        mixed(UINT64_C(1) << 40 | object));
	for (size_t i = 0; i < COUNT_OF(conditions); i++)
		add_condition(out, conditions[i], turn + i);
	strbuf_adds(out, "{\"type\":\"PodScheduled\",\"status\":\"True\"}],");
	strbuf_addf(out, "\"hostIP\":\"10.0.0.%u\",\"podIP\":\"10.42.%u.%u\",\"qosClass\":\"Burstable\",", object % 50,
	        (unsigned)(turn / 250 % 250), (unsigned)(turn % 250));
	add_time(out, "startTime", turn);
	strbuf_adds(out, ",\"containerStatuses\":[");
	add_container(out, "nginx", "registry.example.com/team/nginx:1.27.3", turn);
	strbuf_addc(out, ',');
	add_container(out, "exporter", "registry.example.com/team/nginx-exporter:1.1.0", turn + UINT64_C(0x100000000));
	strbuf_adds(out, "]}}");
}

void load_pod(struct strbuf *out, unsigned object, uint64_t turn)
{
	CLEANUP(cleanup_strbuf) struct strbuf target = STRBUF_INIT, body = STRBUF_INIT;
	struct bench_load no_load = {0};
	bench_make_pod(&no_load, object, &target, &body);
	strbuf_add(out, body.data, body.len - 1); /* all but the brace that closes the object */
	add_status(out, object, turn);
}
