/* What is used of volumes: drivers that can tell are asked once a minute, as upstream's kubelet does, and the last
 * answer is kept. A driver that does not answer is not asked for that volume again before its call has ended. */
#include "node/csi/csi_int.h"

#include "base/check.h"
#include "base/mem/arena.h"
#include "node/ground/node_record.h"
#include "node/ground/times.h"

#include <inttypes.h>
#include <stdlib.h>

enum { STATS_MS = 60000, UNIT_BYTES = 1, UNIT_INODES = 2 };

/* The use may be gone by the time of the answer. */
struct asking {
	struct csi *csi;
	char *driver, *handle, *uid, *name;
};

static void take(struct csi_usage *u, const CSI(NodeGetVolumeStatsResponse) * m)
{
	*u = (struct csi_usage){time_now_ns(), -1, -1, -1, -1, -1, -1, m->volume_condition != NULL, false};
	u->is_abnormal = m->volume_condition && m->volume_condition->abnormal;
	for (size_t i = 0; i < m->n_usage; i++) {
		const CSI(VolumeUsage) *x = m->usage[i];
		if (x->unit == UNIT_BYTES) {
			u->available_bytes = x->available;
			u->capacity_bytes = x->total;
			u->used_bytes = x->used;
		} else if (x->unit == UNIT_INODES) {
			u->inodes_free = x->available;
			u->inodes = x->total;
			u->inodes_used = x->used;
		}
	}
}

static void told(void *arg, const void *answer, const struct err *err)
{
	struct asking *q = arg;
	struct csi_volume *v = csi_volume_find(q->csi, q->driver, q->handle);
	struct csi_use *u = v ? csi_use_of(v, q->uid, q->name) : NULL;
	if (u) {
		u->is_measuring = false;
		u->is_measured = !err;
		if (!err)
			take(&u->usage, answer);
	}
	free(q->driver);
	free(q->handle);
	free(q->uid);
	free(q->name);
	free(q);
}

static void ask(struct csi_use *u)
{
	struct csi_volume *v = u->volume;
	struct err err = ERR_INIT;
	struct csi_driver *d = driver_find(v->csi->drivers, v->driver, &err);
	struct arena a = ARENA_INIT;
	struct csi_record r = csi_use_record(u);
	CSI(NodeGetVolumeStatsRequest) q = CSI__V1__NODE_GET_VOLUME_STATS_REQUEST__INIT;
	if (!d || !(d->capabilities & CSI_TELLS_STATS) || !u->is_published || u->is_measuring)
		return;
	struct asking *asking = xcalloc(1, sizeof *asking);
	*asking = (struct asking){v->csi, xstrdup(v->driver), xstrdup(v->handle), xstrdup(u->uid), xstrdup(u->name)};
	u->is_measuring = true;
	q.volume_id = v->handle;
	q.volume_path = (char *)record_publish_path(&a, v->csi->root, &r);
	if ((d->capabilities & CSI_STAGES) && !v->is_inline)
		q.staging_target_path = (char *)record_staging_path(&a, v->csi->root, &r);
	rpc_call(d->rpc, "/csi.v1.Node/NodeGetVolumeStats", &q.base,
	        &csi__v1__node_get_volume_stats_response__descriptor, CSI_CALL_MS, told, asking);
	arena_release(&a);
}

static void each_use(const struct csi *c, void (*fn)(void *arg, struct csi_use *u), void *arg)
{
	LIST_FOREACH (it, &c->volumes) {
		struct csi_volume *v = CONTAINER_OF(it, struct csi_volume, link);
		LIST_FOREACH (at, &v->uses)
			fn(arg, CONTAINER_OF(at, struct csi_use, link));
	}
}

static void ask_one(void *arg, struct csi_use *u)
{
	ask(u);
}

static void due(uv_timer_t *t)
{
	each_use(t->data, ask_one, NULL);
}

void csi_stats_ask(struct csi_use *u)
{
	LOOP_CHECK_OWNER(u->volume->csi->n->loop);
	ask(u);
}

void csi_stats_start(struct csi *c)
{
	uv_timer_init(loop_uv(c->n->loop), &c->stats_timer);
	c->stats_timer.data = c;
	uv_timer_start(&c->stats_timer, due, STATS_MS, STATS_MS);
}

/* ---- what is told ---- */

static void number(struct strbuf *out, const char *name, int64_t value)
{
	if (value >= 0)
		strbuf_addf(out, "\"%s\":%" PRId64 ",", name, value);
}

static void write_use(struct strbuf *out, const struct csi_use *u)
{
	const struct csi_usage *x = &u->usage;
	char at[TIME_TEXT_MAX];
	strbuf_addf(out, "{\"time\":\"%s\",", time_text(x->at_ns, at));
	number(out, "availableBytes", x->available_bytes);
	number(out, "capacityBytes", x->capacity_bytes);
	number(out, "usedBytes", x->used_bytes);
	number(out, "inodesFree", x->inodes_free);
	number(out, "inodes", x->inodes);
	number(out, "inodesUsed", x->inodes_used);
	if (x->has_condition)
		strbuf_addf(out, "\"volumeHealthStats\":{\"abnormal\":%s},", x->is_abnormal ? "true" : "false");
	if (u->claim)
		strbuf_addf(out, "\"pvcRef\":{\"name\":\"%s\",\"namespace\":\"%s\"},", u->claim, u->claim_ns);
	strbuf_addf(out, "\"name\":\"%s\"}", u->alias);
}

struct summary {
	const char *uid;
	struct strbuf *out;
	bool any;
};

static void write_if_of(void *arg, struct csi_use *u)
{
	struct summary *s = arg;
	if (strcmp(u->uid, s->uid) != 0 || !u->is_measured || !u->alias)
		return;
	strbuf_adds(s->out, s->any ? "," : "");
	write_use(s->out, u);
	s->any = true;
}

void csi_summary_write(const struct csi *c, const char *uid, struct strbuf *out)
{
	struct summary s = {uid, out, false};
	each_use(c, write_if_of, &s);
}

struct metric {
	const char *name, *help;
	size_t offset; /* in struct csi_usage */
	struct strbuf *out;
};

static void write_one(void *arg, struct csi_use *u)
{
	const struct metric *m = arg;
	int64_t value;
	memcpy(&value, (const char *)&u->usage + m->offset, sizeof value);
	if (u->is_measured && u->claim && value >= 0)
		strbuf_addf(m->out, "%s{namespace=\"%s\",persistentvolumeclaim=\"%s\"} %" PRId64 "\n", m->name,
		        u->claim_ns, u->claim, value);
}

static void write_health(void *arg, struct csi_use *u)
{
	struct strbuf *out = arg;
	if (u->is_measured && u->claim && u->usage.has_condition)
		strbuf_addf(out,
		        "kubelet_volume_stats_health_status_abnormal{namespace=\"%s\",persistentvolumeclaim=\"%s\"} "
		        "%d\n",
		        u->claim_ns, u->claim, u->usage.is_abnormal);
}

void csi_metrics_write(struct csi *c, struct strbuf *out)
{
#define METRIC(name, field, help) \
	{ \
		"kubelet_volume_stats_" name, help, offsetof(struct csi_usage, field), out \
	}
	struct metric metrics[] = {
	        METRIC("available_bytes", available_bytes, "Number of available bytes in the volume"),
	        METRIC("capacity_bytes", capacity_bytes, "Capacity in bytes of the volume"),
	        METRIC("inodes", inodes, "Maximum number of inodes in the volume"),
	        METRIC("inodes_free", inodes_free, "Number of free inodes in the volume"),
	        METRIC("inodes_used", inodes_used, "Number of used inodes in the volume"),
	        METRIC("used_bytes", used_bytes, "Number of used bytes in the volume"),
	};
#undef METRIC
	if (list_empty(&c->volumes))
		return;
	for (size_t i = 0; i < COUNT_OF(metrics); i++) {
		strbuf_addf(out, "# HELP %s [ALPHA] %s\n# TYPE %s gauge\n", metrics[i].name, metrics[i].help,
		        metrics[i].name);
		each_use(c, write_one, &metrics[i]);
	}
	strbuf_adds(out,
	        "# HELP kubelet_volume_stats_health_status_abnormal [ALPHA] Abnormal volume health status. The "
	        "count is either 1 or 0. 1 indicates the volume is unhealthy, 0 indicates volume is healthy\n"
	        "# TYPE kubelet_volume_stats_health_status_abnormal gauge\n");
	each_use(c, write_health, out);
}
