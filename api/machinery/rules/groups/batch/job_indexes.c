/* See job_indexes.h. Upstream: pkg/controller/job/indexed_job_utils.go. */
#include "api/machinery/rules/groups/batch/job_indexes.h"

#include <inttypes.h>

/* ---- reading ---- */

static bool digits(struct slice text, int64_t *ret)
{
	return text.len && text.ptr[0] >= '0' && text.ptr[0] <= '9' && slice_to_i64(text, ret);
}

static bool parse_range(struct slice part, struct job_range *ret)
{
	struct slice last = part, first = slice_cut(&last, '-');
	if (!digits(first, &ret->first))
		return false;
	ret->last = ret->first;
	return !last.ptr || digits(last, &ret->last);
}

static size_t parts_of(struct slice text)
{
	size_t n = 1;
	for (size_t i = 0; i < text.len; i++)
		n += text.ptr[i] == ',';
	return n;
}

/* Adds a range that begins no earlier than the last one: they join when they touch. */
static void push(struct job_indexes *x, struct job_range r)
{
	struct job_range *end = x->n ? &x->ranges[x->n - 1] : NULL;
	if (!end || r.first > end->last + 1)
		x->ranges[x->n++] = r;
	else if (r.last > end->last)
		end->last = r.last;
}

struct job_indexes job_indexes_parse(struct arena *a, struct slice text, int64_t completions)
{
	struct job_indexes x = {ARENA_ARRAY(a, struct job_range, parts_of(text)), 0};
	struct slice rest = text;
	while (rest.len) {
		struct job_range r;
		if (!parse_range(slice_cut(&rest, ','), &r) || r.first >= completions || r.last < r.first ||
		        (x.n && r.first <= x.ranges[x.n - 1].last))
			continue;
		r.last = r.last < completions ? r.last : completions - 1;
		push(&x, r);
	}
	return x;
}

/* One number below `completions`. */
static const char *check_index(struct arena *a, struct slice text, int64_t completions, int64_t *ret)
{
	if (!digits(text, ret))
		return arena_printf(a, "cannot convert string to integer for index: \"%.*s\"", SLICE_FMT(text));
	return *ret >= completions ? arena_printf(a, "too large index: \"%.*s\"", SLICE_FMT(text)) : NULL;
}

static const char *check_order(struct arena *a, int64_t before, int64_t after)
{
	if (before < after)
		return NULL;
	return arena_printf(a, "non-increasing order, previous: %" PRId64 ", current: %" PRId64, before, after);
}

static const char *check_range(struct arena *a, struct slice part, int64_t completions, struct job_range *ret)
{
	struct slice last = part, first = slice_cut(&last, '-');
	if (last.len && memchr(last.ptr, '-', last.len))
		return arena_printf(a,
		        "the fragment \"%.*s\" violates the requirement that an index interval can have at most two "
		        "parts separated by '-'",
		        SLICE_FMT(part));
	const char *bad = check_index(a, first, completions, &ret->first);
	ret->last = ret->first;
	if (bad || !last.ptr)
		return bad;
	bad = check_index(a, last, completions, &ret->last);
	return bad ? bad : check_order(a, ret->first, ret->last);
}

const char *job_indexes_check(struct arena *a, struct slice text, int64_t completions, int64_t *ret_total)
{
	struct slice rest = text.len ? text : SLICE_NULL;
	int64_t before = -1;
	*ret_total = 0;
	while (rest.ptr) {
		struct job_range r;
		const char *bad = check_range(a, slice_cut(&rest, ','), completions, &r);
		if (!bad)
			bad = check_order(a, before, r.first);
		if (bad)
			return bad;
		*ret_total += r.last - r.first + 1;
		before = r.last;
	}
	return NULL;
}

struct job_indexes job_indexes_of(struct arena *a, const int64_t *sorted, size_t n)
{
	struct job_indexes x = {ARENA_ARRAY(a, struct job_range, n + 1), 0};
	for (size_t i = 0; i < n; i++)
		push(&x, (struct job_range){sorted[i], sorted[i]});
	return x;
}

struct job_indexes job_indexes_join(struct arena *a, const struct job_indexes *x, const struct job_indexes *y)
{
	struct job_indexes out = {ARENA_ARRAY(a, struct job_range, x->n + y->n + 1), 0};
	size_t i = 0, k = 0;
	while (i < x->n || k < y->n) {
		bool from_x = k == y->n || (i < x->n && x->ranges[i].first <= y->ranges[k].first);
		push(&out, from_x ? x->ranges[i++] : y->ranges[k++]);
	}
	return out;
}

/* ---- asking ---- */

bool job_indexes_has(const struct job_indexes *x, int64_t index)
{
	size_t low = 0, high = x->n;
	while (low < high) {
		size_t mid = (low + high) / 2;
		if (x->ranges[mid].last < index)
			low = mid + 1;
		else
			high = mid;
	}
	return low < x->n && x->ranges[low].first <= index;
}

int64_t job_indexes_total(const struct job_indexes *x)
{
	int64_t n = 0;
	for (size_t i = 0; i < x->n; i++)
		n += x->ranges[i].last - x->ranges[i].first + 1;
	return n;
}

int64_t job_indexes_first_common(const struct job_indexes *x, const struct job_indexes *y)
{
	for (size_t i = 0, k = 0; i < x->n && k < y->n;) {
		struct job_range p = x->ranges[i], q = y->ranges[k];
		if (p.first <= q.last && q.first <= p.last)
			return p.first > q.first ? p.first : q.first;
		if (p.last < q.last)
			i++;
		else
			k++;
	}
	return -1;
}

int64_t job_indexes_common(const struct job_indexes *x, const struct job_indexes *y)
{
	int64_t n = 0;
	for (size_t i = 0, k = 0; i < x->n && k < y->n;) {
		struct job_range p = x->ranges[i], q = y->ranges[k];
		int64_t first = p.first > q.first ? p.first : q.first, last = p.last < q.last ? p.last : q.last;
		n += last >= first ? last - first + 1 : 0;
		if (p.last <= q.last)
			i++;
		else
			k++;
	}
	return n;
}

/* Two numbers side by side are written "1,2", as upstream does; three make a range. */
const char *job_indexes_text(struct arena *a, const struct job_indexes *x)
{
	struct strbuf b = STRBUF_INIT;
	for (size_t i = 0; i < x->n; i++) {
		struct job_range r = x->ranges[i];
		if (i)
			strbuf_addc(&b, ',');
		strbuf_add_i64(&b, r.first);
		if (r.last > r.first) {
			strbuf_addc(&b, r.last == r.first + 1 ? ',' : '-');
			strbuf_add_i64(&b, r.last);
		}
	}
	const char *text = arena_strdup(a, strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}

size_t job_indexes_free(const struct job_indexes *x, int64_t completions, size_t max, int64_t *out)
{
	size_t n = 0;
	int64_t candidate = 0;
	for (size_t i = 0; i <= x->n; i++) {
		int64_t end = i < x->n && x->ranges[i].first < completions ? x->ranges[i].first : completions;
		for (; candidate < end && n < max; candidate++)
			out[n++] = candidate;
		if (i < x->n && candidate <= x->ranges[i].last)
			candidate = x->ranges[i].last + 1;
	}
	return n;
}
