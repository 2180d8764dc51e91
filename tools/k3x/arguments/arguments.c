/* See arguments.h. */
#include "tools/k3x/arguments/arguments.h"

#include "base/time/duration.h"

#include <string.h>

/* ---- names ---- */

enum { NAME_BYTES_MAX = 63, DISTANCE_MAX = 5 };

/* Letters to add, drop or exchange (Levenshtein). */
static unsigned distance(struct slice a, struct slice b)
{
	unsigned row[NAME_BYTES_MAX + 1];
	for (unsigned j = 0; j <= b.len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a.len; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= b.len; j++) {
			unsigned best = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
			diagonal = row[j];
			best = best < row[j] + 1 ? best : row[j] + 1;
			row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
		}
	}
	return row[b.len];
}

static void look_at(struct slice name, const char *known, const char **nearest, unsigned *best)
{
	unsigned d = distance(name, slice_of(known));
	if (d < *best) {
		*best = d;
		*nearest = known;
	}
}

static int unknown(const struct arguments *t, struct slice name, struct err *err)
{
	const char *nearest = NULL;
	unsigned best = DISTANCE_MAX + 1;
	if (name.len <= NAME_BYTES_MAX) {
		for (size_t i = 0; i < t->n_rows; i++)
			look_at(name, t->rows[i].name, &nearest, &best);
		for (size_t i = 0; i < t->n_fixed; i++)
			look_at(name, t->fixed[i].name, &nearest, &best);
	}
	return err_set(err, ERR_INVAL, "%s: \"%.*s\" is not an argument that k3x has%s%s%s (%s lists them)", t->flag,
	        SLICE_FMT(name), nearest ? "; did you mean \"" : "", nearest ? nearest : "", nearest ? "\"?" : "",
	        t->documents);
}

/* What is so anyway may be said. */
static int take_fixed(const struct arguments *t, const struct argument_fixed *f, struct slice value, struct err *err)
{
	if (slice_is(value, f->value) || (!value.ptr && strcmp(f->value, "true") == 0))
		return 0;
	return err_set(err, ERR_UNIMPLEMENTED, "%s: %s can only be \"%s\": %s", t->flag, f->name, f->value, f->why);
}

static int set(const struct arguments *t, const struct argument *row, struct slice value, struct arena *a, void *to,
        struct err *err)
{
	if (!value.ptr && row->read != argument_bool)
		return err_set(err, ERR_INVAL, "%s: %s needs a value: %s=VALUE", t->flag, row->name, row->name);
	if (row->read(a, value, (char *)to + row->at))
		return 0;
	return err_set(err, ERR_INVAL, "%s: %s: \"%.*s\" is not %s", t->flag, row->name, SLICE_FMT(value), row->want);
}

static int take(const struct arguments *t, const char *given, struct arena *a, void *to, struct err *err)
{
	struct slice value, name = flag_argument_cut(given, &value);
	for (size_t i = 0; i < t->n_rows; i++)
		if (slice_is(name, t->rows[i].name))
			return set(t, &t->rows[i], value, a, to, err);
	for (size_t i = 0; i < t->n_fixed; i++)
		if (slice_is(name, t->fixed[i].name))
			return take_fixed(t, &t->fixed[i], value, err);
	for (size_t i = 0; i < t->n_elsewhere; i++)
		if (slice_is(name, t->elsewhere[i].name))
			return err_set(err, ERR_UNIMPLEMENTED, "%s: %s cannot be set here: %s", t->flag,
			        t->elsewhere[i].name, t->elsewhere[i].instead);
	return unknown(t, name, err);
}

int arguments_load(
        const struct arguments *table, const struct flag_list *given, struct arena *a, void *to, struct err *err)
{
	for (size_t i = 0; i < given->count; i++)
		if (take(table, given->items[i], a, to, err) != 0)
			return err->code;
	return 0;
}

/* ---- values ---- */

bool argument_text(struct arena *a, struct slice value, void *to)
{
	*(const char **)to = arena_memdup(a, value.ptr, value.len);
	return true;
}

bool argument_list(struct arena *a, struct slice value, void *to)
{
	struct flag_list *list = to;
	while (value.ptr) {
		struct slice item = slice_trim(slice_cut(&value, ','));
		if (!item.len)
			continue;
		const char **more = ARENA_ARRAY(a, const char *, list->count + 1);
		if (list->count)
			memcpy(more, list->items, list->count * sizeof *more);
		more[list->count++] = arena_memdup(a, item.ptr, item.len);
		list->items = more;
	}
	return true;
}

bool argument_bool(struct arena *a, struct slice value, void *to)
{
	bool *flag = to;
	*flag = !value.ptr || slice_is(value, "true");
	return *flag || slice_is(value, "false");
}

bool argument_int(struct arena *a, struct slice value, void *to)
{
	return slice_to_i64(value, to);
}

bool argument_ms(struct arena *a, struct slice value, void *to)
{
	*(uint64_t *)to = 0;
	return slice_is(value, "0") || duration_parse_ms(arena_memdup(a, value.ptr, value.len), to);
}

bool argument_int_within(struct slice value, int64_t min, int64_t max, void *to)
{
	int64_t n;
	if (!slice_to_i64(value, &n) || n < min || n > max)
		return false;
	*(int64_t *)to = n;
	return true;
}

bool argument_seconds_within(struct arena *a, struct slice value, int64_t min, int64_t max, void *to)
{
	uint64_t ms;
	if (!duration_parse_ms(arena_memdup(a, value.ptr, value.len), &ms) || ms % 1000 || ms / 1000 < (uint64_t)min ||
	        ms / 1000 > (uint64_t)max)
		return false;
	*(int64_t *)to = (int64_t)(ms / 1000);
	return true;
}
