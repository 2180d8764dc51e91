/* See rollout.h. */
#include "api/controllers/rollout.h"

#include "api/controllers/controllers_int.h"

#include "base/hash.h"

#include <inttypes.h>

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

void rollout_fenceposts(const struct json *strategy, int64_t replicas, int64_t *surge, int64_t *unavailable)
{
	struct json *rolling = json_get(strategy, "rollingUpdate");
	*surge = *unavailable = 0;
	if (slice_is(json_get_str(strategy, "type"), "Recreate"))
		return;
	*surge = int_or_percent(json_get(rolling, "maxSurge"), replicas, true, 0);
	*unavailable = int_or_percent(json_get(rolling, "maxUnavailable"), replicas, false, 0);
	if (*surge == 0 && *unavailable == 0)
		*unavailable = 1; /* both may round to nothing; then nothing would ever move */
}

int64_t rollout_new_replicas(int64_t replicas, int64_t surge, int64_t total, int64_t new_replicas, bool recreate)
{
	if (recreate || new_replicas >= replicas)
		return replicas;
	int64_t room = replicas + surge - total;
	return room <= 0 ? new_replicas : new_replicas + min(room, replicas - new_replicas);
}

/* ---- old sets ---- */

static int by_age(const void *x, const void *y)
{
	const struct rollout_set *a = x, *b = y;
	if (a->created_s != b->created_s)
		return a->created_s < b->created_s ? -1 : 1;
	return slice_cmp(a->name, b->name);
}

static int64_t drop_unavailable(struct rollout_set *old, size_t n, int64_t most)
{
	int64_t dropped = 0;
	for (size_t i = 0; i < n && dropped < most; i++) {
		if (old[i].want == 0 || old[i].want == old[i].available)
			continue;
		int64_t k = min(most - dropped, old[i].want - old[i].available);
		if (k <= 0)
			continue;
		old[i].want -= k;
		dropped += k;
	}
	return dropped;
}

static int64_t drop_available(struct rollout_set *old, size_t n, int64_t spare)
{
	int64_t dropped = 0;
	for (size_t i = 0; i < n && dropped < spare; i++) {
		int64_t k = min(old[i].want, spare - dropped);
		old[i].want -= k;
		dropped += k;
	}
	return dropped;
}

bool rollout_shrink_old(
        struct rollout_set *old, size_t n, const struct rollout_set *fresh, int64_t replicas, int64_t unavailable)
{
	int64_t total = fresh->replicas, available = fresh->available, in_old = 0;
	for (size_t i = 0; i < n; i++) {
		old[i].want = old[i].replicas;
		in_old += old[i].replicas;
		available += old[i].available;
	}
	total += in_old;
	int64_t least = replicas - unavailable;
	int64_t may_go = total - least - (fresh->replicas - fresh->available);
	if (in_old == 0 || may_go <= 0)
		return false;
	qsort(old, n, sizeof *old, by_age);
	int64_t dropped = drop_unavailable(old, n, may_go);
	if (available > least)
		dropped += drop_available(old, n, available - least);
	return dropped > 0;
}

/* ---- proportional scaling ---- */

static int larger_newer(const void *x, const void *y)
{
	const struct rollout_set *a = x, *b = y;
	return a->replicas != b->replicas ? (a->replicas > b->replicas ? -1 : 1) : by_age(y, x);
}

static int larger_older(const void *x, const void *y)
{
	const struct rollout_set *a = x, *b = y;
	return a->replicas != b->replicas ? (a->replicas > b->replicas ? -1 : 1) : by_age(x, y);
}

/* n * k / d to the nearest, halves away from zero. */
static int64_t scaled(int64_t n, int64_t k, int64_t d)
{
	return (2 * n * k + d) / (2 * d);
}

static int64_t share(const struct rollout_set *s, int64_t replicas, int64_t surge, int64_t status_replicas)
{
	if (replicas == 0)
		return -s->replicas;
	int64_t before = s->max_before ? s->max_before : status_replicas;
	return before > 0 ? scaled(s->replicas, replicas + surge, before) - s->replicas : 0;
}

void rollout_scale(struct rollout_set *active, size_t n, int64_t replicas, int64_t surge, int64_t status_replicas)
{
	int64_t total = 0, added = 0;
	for (size_t i = 0; i < n; i++)
		total += active[i].replicas;
	int64_t to_add = (replicas > 0 ? replicas + surge : 0) - total;
	qsort(active, n, sizeof *active, to_add > 0 ? larger_newer : larger_older);
	for (size_t i = 0; i < n; i++) {
		struct rollout_set *s = &active[i];
		int64_t part = 0, left = to_add - added;
		if (s->replicas && left)
			part = to_add > 0 ? min(share(s, replicas, surge, status_replicas), left)
			                  : max(share(s, replicas, surge, status_replicas), left);
		s->want = s->replicas + part;
		added += part;
	}
	if (n)
		active[0].want = max(active[0].want + to_add - added, 0); /* what rounding has left */
}

/* ---- templates ---- */

static void fnv(uint32_t *h, const char *p, size_t n)
{
	*h = fnv1a32_add(*h, p, n);
}

static int by_key(const void *x, const void *y)
{
	return slice_cmp((*(struct json *const *)x)->key, (*(struct json *const *)y)->key);
}

/* Members in the order of their names, so that the order a client wrote them in doesn't count. */
static void hash_value(uint32_t *h, const struct json *v)
{
	fnv(h, (char[]){(char)('0' + (int)v->type)}, 1);
	if (v->type == JSON_BOOL)
		fnv(h, v->boolean ? "t" : "f", 1);
	else if (v->type == JSON_STRING || v->type == JSON_NUMBER)
		fnv(h, v->text.ptr, v->text.len);
	struct json **children = xcalloc(v->count + 1, sizeof *children);
	size_t n = 0;
	JSON_FOREACH (it, v)
		children[n++] = it;
	if (v->type == JSON_OBJECT)
		qsort(children, n, sizeof *children, by_key);
	for (size_t i = 0; i < n; i++) {
		if (v->type == JSON_OBJECT)
			fnv(h, children[i]->key.ptr, children[i]->key.len);
		hash_value(h, children[i]);
	}
	free(children);
	fnv(h, ";", 1);
}

void rollout_template_hash(const struct json *template, int64_t collisions, char out[ROLLOUT_HASH_MAX])
{
	static const char alphabet[] = "bcdfghjklmnpqrstvwxz2456789";
	uint32_t h = 2166136261u;
	char digits[32];
	hash_value(&h, template);
	if (collisions) {
		snprintf(digits, sizeof digits, "%" PRId64, collisions);
		fnv(&h, digits, strlen(digits));
	}
	snprintf(digits, sizeof digits, "%" PRIu32, h);
	size_t n = strlen(digits);
	for (size_t i = 0; i < n; i++)
		out[i] = alphabet[(unsigned char)digits[i] % (sizeof alphabet - 1)];
	out[n] = 0;
}

static struct json *without_hash(struct arena *a, const struct json *template)
{
	struct json *copy = json_copy(a, template), *meta = json_get(copy, "metadata"),
	            *labels = json_get(meta, "labels");
	json_del(labels, "pod-template-hash");
	if (labels && !labels->first)
		json_del(meta, "labels");
	return copy;
}

bool rollout_same_template(struct arena *a, const struct json *x, const struct json *y)
{
	return x && y && json_equal(without_hash(a, x), without_hash(a, y));
}
