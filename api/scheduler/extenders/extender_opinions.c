/* See extender_opinions.h. */
#include "api/scheduler/extenders/extender_opinions.h"

#include "base/check.h"

enum { NODE_SCORE_MAX = 100 };

/* No sum of points of all extenders gets near the end of the numbers. */
static const int64_t points_max = INT64_MAX / 1024;

void opinions_init(struct opinions *o, struct arena *a, size_t cap)
{
	*o = (struct opinions){.a = a, .all = ARENA_ARRAY(a, struct opinion, cap + 1), .cap = cap};
}

void opinions_release(struct opinions *o)
{
	map_release(&o->by_name);
}

void opinions_add(struct opinions *o, struct slice name, bool fits, bool may_help)
{
	CHECK(o->count < o->cap);
	struct opinion *x = &o->all[o->count++];
	*x = (struct opinion){.name = {arena_memdup(o->a, name.ptr, name.len), name.len},
	        .fits = fits,
	        .is_left = fits,
	        .may_help = may_help};
	o->left += fits;
	map_put(&o->by_name, x->name, x);
}

struct opinion *opinions_find(const struct opinions *o, struct slice name)
{
	return map_get(&o->by_name, name);
}

static struct opinion *asked_about(const struct opinions *o, struct slice name)
{
	struct opinion *x = opinions_find(o, name);
	return x && x->is_left ? x : NULL;
}

static void give_reasons(struct opinions *o, const struct extender_filtered *f)
{
	for (size_t i = 0; i < f->n_failed; i++) {
		struct opinion *x = asked_about(o, f->failed[i].node);
		if (!x)
			continue;
		x->why = arena_strdup(o->a, f->failed[i].why);
		x->may_help = !f->failed[i].is_unresolvable;
	}
}

int opinions_filter(
        struct opinions *o, const struct scheduler_extender *by, const struct extender_filtered *f, struct err *err)
{
	o->round++;
	for (size_t i = 0; i < f->n_nodes; i++) {
		struct opinion *x = asked_about(o, f->nodes[i]);
		if (!x)
			return err_set(err, ERR_NOT_FOUND,
			        "extender \"%s\" claims a filtered node \"%.*s\" which is not found in the input node "
			        "list",
			        by->url_prefix, SLICE_FMT(f->nodes[i]));
		x->round = o->round;
	}
	give_reasons(o, f);
	for (size_t i = 0; i < o->count; i++) {
		struct opinion *x = &o->all[i];
		if (x->is_left && x->round != o->round) {
			x->is_left = false;
			o->left--;
		}
	}
	return 0;
}

static int64_t limited(int64_t v)
{
	return v > points_max ? points_max : v < -points_max ? -points_max : v;
}

void opinions_score(
        struct opinions *o, const struct scheduler_extender *by, const struct extender_score *scores, size_t n)
{
	int64_t weight = by->weight * (NODE_SCORE_MAX / EXTENDER_POINTS_MAX), points;
	for (size_t i = 0; i < n; i++) {
		struct opinion *x = asked_about(o, scores[i].node);
		if (!x)
			continue;
		if (__builtin_mul_overflow(scores[i].points, weight, &points))
			points = scores[i].points > 0 ? points_max : -points_max;
		x->points = limited(x->points + limited(points));
	}
}
