/* Clocks of single processes that jump or run at another speed, by the shim: only targets that ask the C library for
 * the time see it. */
#include "jepsen/nemesis.h"

#include "jepsen/shim_control.h"

static int set_clock(struct nemesis_fault *f, unsigned node, int64_t offset_ns, int64_t rate_ppm, struct err *err)
{
	struct shim_control *s = shim_control_map(f->run->cluster.nodes[node].shim_dir, err);
	if (!s)
		return err->code;
	shim_control_set_clock(s, offset_ns, rate_ppm);
	shim_control_unmap(s);
	return 0;
}

static int begin_jump(struct nemesis_fault *f, struct err *err)
{
	unsigned order[NODES_MAX], hit = nemesis_some(f);
	nemesis_shuffle(f, order);
	for (unsigned i = 0; i < hit; i++) {
		int64_t ms = rng_between(f->rng, 1, 18) * rng_between(f->rng, 1, 1 << rng_below(f->rng, 18));
		if (rng_chance(f->rng, 50))
			ms = -ms;
		if (set_clock(f, order[i], ms * 1000000, 0, err) != 0)
			return err->code;
		f->nodes |= UINT64_C(1) << order[i];
		nemesis_tell(f, "%s: %lld ms ", f->run->cluster.nodes[order[i]].name, (long long)ms);
	}
	return 0;
}

static int begin_drift(struct nemesis_fault *f, struct err *err)
{
	unsigned order[NODES_MAX], hit = nemesis_some(f);
	nemesis_shuffle(f, order);
	for (unsigned i = 0; i < hit; i++) {
		int64_t ppm = rng_between(f->rng, -300000, 500000);
		if (set_clock(f, order[i], 0, ppm, err) != 0)
			return err->code;
		f->nodes |= UINT64_C(1) << order[i];
		nemesis_tell(f, "%s: %lld ppm ", f->run->cluster.nodes[order[i]].name, (long long)ppm);
	}
	return 0;
}

static int heal(struct nemesis_fault *f, struct err *err)
{
	for (unsigned i = 0; i < f->run->cluster.count; i++)
		if ((f->nodes >> i & 1) && set_clock(f, i, 0, 0, err) != 0)
			return err->code;
	return 0;
}

const struct nemesis nemesis_clock_jump = {.name = "clock-jump",
        .what = "wall clocks jump, and jump back",
        .kind = NEMESIS_CLOCK,
        .needs_shim = true,
        .begin = begin_jump,
        .end = heal};
const struct nemesis nemesis_clock_drift = {.name = "clock-drift",
        .what = "clocks run faster or slower",
        .kind = NEMESIS_CLOCK,
        .needs_shim = true,
        .begin = begin_drift,
        .end = heal};
