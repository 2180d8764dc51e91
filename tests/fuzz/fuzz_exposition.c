/* Any bytes as what a kubelet says of its node: what is read lies within the text, and what is no sample is told; then
 * the same as two scrapes of a node. */
#include "net/metrics/samples.h"

#include "base/check.h"
#include "net/metrics/exposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct slice s, struct slice text)
{
	CHECK(s.ptr >= text.ptr && s.ptr + s.len <= text.ptr + text.len);
}

static void read_samples(struct slice text)
{
	struct exposition e;
	struct err err = ERR_INIT;
	exposition_init(&e, text);
	while (exposition_next(&e, &err)) {
		CHECK(e.name.len > 0 && e.n_labels <= METRICS_LABELS_MAX);
		within(e.name, text);
		for (size_t i = 0; i < e.n_labels; i++)
			within(e.labels[i].name, text), within(e.labels[i].value, text);
	}
	CHECK(!err.code || err.msg[0]);
}

static void see(void *arg, const struct samples_pod *p)
{
	CHECK(p->key.len > 0 && p->n_containers > 0);
	for (size_t i = 0; i < p->n_containers; i++) {
		struct samples_usage u;
		if (samples_usage(&p->containers[i].series, &u))
			CHECK(u.window_ms > 0 && u.memory_bytes > 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice text = {(const char *)data, size};
	size_t half = size / 2;
	read_samples(text);
	struct samples *s = samples_new(15000);
	struct err err = ERR_INIT;
	samples_take(s, SLICE("n"), (struct slice){text.ptr, half}, 1700000000000, &err);
	samples_take(s, SLICE("n"), (struct slice){text.ptr + half, size - half}, 1700000015000, &err);
	samples_each_pod(s, see, NULL);
	samples_drop_node(s, SLICE("n"));
	CHECK(samples_pods(s) == 0);
	samples_free(s);
	return 0;
}
