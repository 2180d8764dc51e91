/* Disks that fill up, slow down, fail, forget what was not synced, or flip bits. A server that finds its disk broken
 * may stop: it is excused until it is started again. */
#include "jepsen/nemesis.h"

#include "jepsen/shim_control.h"

static uint64_t bit(unsigned node)
{
	return UINT64_C(1) << node;
}

static int restart_ended(struct nemesis_fault *f, struct err *err)
{
	struct cluster *c = &f->run->cluster;
	int rc = 0;
	for (unsigned i = 0; i < c->count; i++) {
		node_poll(&c->nodes[i]);
		if ((f->nodes & bit(i)) && c->nodes[i].state == NODE_DOWN && c->nodes[i].is_member &&
		        cluster_start_node(c, &c->nodes[i], err) != 0)
			rc = err->code;
	}
	return rc;
}

static int begin_full(struct nemesis_fault *f, struct err *err)
{
	unsigned order[NODES_MAX], hit = nemesis_some(f);
	nemesis_shuffle(f, order);
	for (unsigned i = 0; i < hit; i++) {
		struct node *n = &f->run->cluster.nodes[order[i]];
		n->excused = true;
		f->nodes |= bit(order[i]);
		if (disk_fill(&n->disk, rng_chance(f->rng, 50) ? 0 : (int64_t)rng_below(f->rng, 1 << 20), err) != 0)
			return err->code;
	}
	return 0;
}

/* Servers make room for their next file ahead: what is left is taken again and again. */
static void tick_full(struct nemesis_fault *f)
{
	struct err err = ERR_INIT;
	for (unsigned i = 0; i < f->run->cluster.count; i++)
		if (f->nodes & bit(i))
			disk_fill(&f->run->cluster.nodes[i].disk, 0, &err);
}

static int end_full(struct nemesis_fault *f, struct err *err)
{
	for (unsigned i = 0; i < f->run->cluster.count; i++)
		if ((f->nodes & bit(i)) && disk_drain(&f->run->cluster.nodes[i].disk, err) != 0)
			return err->code;
	return restart_ended(f, err);
}

struct trouble {
	int64_t sync_delay_us, write_delay_us, write_error_ppm, sync_error_ppm;
};

static int set_trouble(struct nemesis_fault *f, unsigned node, struct trouble t, struct err *err)
{
	struct shim_control *s = shim_control_map(f->run->cluster.nodes[node].shim_dir, err);
	if (!s)
		return err->code;
	s->sync_delay_us = t.sync_delay_us;
	s->write_delay_us = t.write_delay_us;
	s->write_error_ppm = t.write_error_ppm;
	s->sync_error_ppm = t.sync_error_ppm;
	shim_control_unmap(s);
	return 0;
}

static int begin_trouble(struct nemesis_fault *f, struct trouble t, struct err *err)
{
	unsigned order[NODES_MAX], hit = nemesis_some(f);
	nemesis_shuffle(f, order);
	for (unsigned i = 0; i < hit; i++) {
		f->nodes |= bit(order[i]);
		f->run->cluster.nodes[order[i]].excused |= t.write_error_ppm || t.sync_error_ppm;
		if (set_trouble(f, order[i], t, err) != 0)
			return err->code;
	}
	return 0;
}

static int begin_slow(struct nemesis_fault *f, struct err *err)
{
	struct trouble t = {.sync_delay_us = rng_between(f->rng, 5000, 1200000),
	        .write_delay_us = rng_chance(f->rng, 50) ? rng_between(f->rng, 100, 5000) : 0};
	nemesis_tell(f, "sync %lld us, write %lld us", (long long)t.sync_delay_us, (long long)t.write_delay_us);
	return begin_trouble(f, t, err);
}

static int begin_error(struct nemesis_fault *f, struct err *err)
{
	struct trouble t = {.write_error_ppm = rng_chance(f->rng, 50) ? rng_between(f->rng, 100, 50000) : 0};
	t.sync_error_ppm = t.write_error_ppm ? 0 : rng_between(f->rng, 100, 200000);
	nemesis_tell(f, "write %lld ppm, sync %lld ppm", (long long)t.write_error_ppm, (long long)t.sync_error_ppm);
	return begin_trouble(f, t, err);
}

static int end_trouble(struct nemesis_fault *f, struct err *err)
{
	for (unsigned i = 0; i < f->run->cluster.count; i++)
		if ((f->nodes & bit(i)) && set_trouble(f, i, (struct trouble){0}, err) != 0)
			return err->code;
	return restart_ended(f, err);
}

static int cut_power(struct nemesis_fault *f, unsigned hit, struct err *err)
{
	unsigned order[NODES_MAX];
	struct shim_loss sum = {0}, one;
	nemesis_shuffle(f, order);
	for (unsigned i = 0; i < hit; i++)
		node_kill(&f->run->cluster.nodes[order[i]]);
	for (unsigned i = 0; i < hit; i++) {
		f->nodes |= bit(order[i]);
		if (shim_power_cut(f->run->cluster.nodes[order[i]].shim_dir, f->rng, &one, err) != 0)
			return err->code;
		sum.kept += one.kept;
		sum.lost += one.lost;
		sum.torn += one.torn;
	}
	nemesis_tell(f, "unsynced: %u kept, %u lost, %u torn", sum.kept, sum.lost, sum.torn);
	return 0;
}

static int begin_power(struct nemesis_fault *f, struct err *err)
{
	return cut_power(f, nemesis_some(f), err);
}

static int begin_power_all(struct nemesis_fault *f, struct err *err)
{
	return cut_power(f, f->run->cluster.count, err);
}

const struct nemesis nemesis_disk_full = {.name = "disk-full",
        .what = "file systems fill up",
        .kind = NEMESIS_DISK,
        .begin = begin_full,
        .tick = tick_full,
        .end = end_full};
const struct nemesis nemesis_disk_slow = {.name = "disk-slow",
        .what = "syncs and writes take long",
        .kind = NEMESIS_DISK,
        .needs_shim = true,
        .begin = begin_slow,
        .end = end_trouble};
const struct nemesis nemesis_disk_error = {.name = "disk-error",
        .what = "writes or syncs fail",
        .kind = NEMESIS_DISK,
        .needs_shim = true,
        .begin = begin_error,
        .end = end_trouble};
const struct nemesis nemesis_power_cut = {.name = "power-cut",
        .what = "some lose what was not synced",
        .kind = NEMESIS_DISK,
        .needs_shim = true,
        .begin = begin_power,
        .end = restart_ended};
const struct nemesis nemesis_power_cut_all = {.name = "power-cut-all",
        .what = "all lose what was not synced",
        .kind = NEMESIS_DISK,
        .needs_shim = true,
        .begin = begin_power_all,
        .end = restart_ended};
