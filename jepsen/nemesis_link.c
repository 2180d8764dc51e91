/* Packets between servers that are late, out of order or twice there. */
#include "jepsen/nemesis.h"

#include "jepsen/link.h"

#include <stdlib.h>

struct links {
	struct link *of_node[NODES_MAX];
};

static int heal(struct nemesis_fault *f, struct err *err)
{
	struct links *l = f->state;
	for (unsigned i = 0; i < NODES_MAX; i++)
		if (l->of_node[i])
			link_close(l->of_node[i], err);
	free(l);
	f->state = NULL;
	return err->code;
}

static int begin(struct nemesis_fault *f, struct link_settings s, struct err *err)
{
	unsigned order[NODES_MAX], hit = nemesis_some(f);
	struct links *l = xcalloc(1, sizeof *l);
	nemesis_shuffle(f, order);
	f->state = l;
	for (unsigned i = 0; i < hit; i++) {
		s.seed = rng_next(f->rng);
		f->nodes |= UINT64_C(1) << order[i];
		if (link_open(order[i], &s, &l->of_node[order[i]], err) != 0) {
			struct err ignored = ERR_INIT;
			heal(f, &ignored);
			return err->code;
		}
	}
	nemesis_tell(f, "%u to %u ms, %u %% overtake, %u %% twice", s.delay_ms, s.delay_ms + s.jitter_ms,
	        s.reorder_percent, s.duplicate_percent);
	return 0;
}

static int begin_delay(struct nemesis_fault *f, struct err *err)
{
	struct link_settings s = {
	        .delay_ms = 1 + rng_below(f->rng, 1 << rng_below(f->rng, 11)), .jitter_ms = rng_below(f->rng, 100)};
	return begin(f, s, err);
}

static int begin_reorder(struct nemesis_fault *f, struct err *err)
{
	struct link_settings s = {.delay_ms = 5 + rng_below(f->rng, 100),
	        .jitter_ms = rng_below(f->rng, 50),
	        .reorder_percent = 5 + rng_below(f->rng, 45)};
	return begin(f, s, err);
}

static int begin_duplicate(struct nemesis_fault *f, struct err *err)
{
	struct link_settings s = {.delay_ms = rng_below(f->rng, 10), .duplicate_percent = 5 + rng_below(f->rng, 60)};
	return begin(f, s, err);
}

const struct nemesis nemesis_delay = {.name = "delay",
        .what = "packets are late",
        .kind = NEMESIS_LINK,
        .nodes_min = 2,
        .begin = begin_delay,
        .end = heal};
const struct nemesis nemesis_reorder = {.name = "reorder",
        .what = "packets overtake others",
        .kind = NEMESIS_LINK,
        .nodes_min = 2,
        .begin = begin_reorder,
        .end = heal};
const struct nemesis nemesis_duplicate = {.name = "duplicate",
        .what = "packets come twice",
        .kind = NEMESIS_LINK,
        .nodes_min = 2,
        .begin = begin_duplicate,
        .end = heal};
