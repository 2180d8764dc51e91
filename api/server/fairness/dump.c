/* See dump.h. Upstream: apiserver pkg/util/flowcontrol/apf_controller_debug.go. What there is not here is 0: queues of
 * this server have no seats of their own, and requests no final ones. */
#include "api/server/fairness/dump.h"

#include "api/server/fairness/fairness_int.h"
#include "api/server/state.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/time/rfc3339.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { COLUMN_MIN = 8, CELL_BYTES_MAX = 512 };

/* ---- tables ---- */

void dump_cell(struct dump_table *t, const char *fmt, ...)
{
	char cell[CELL_BYTES_MAX];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(cell, sizeof cell, fmt, ap);
	va_end(ap);
	unsigned len = n < (int)sizeof cell ? (unsigned)n : (unsigned)sizeof cell - 1;
	CHECK(t->column < COUNT_OF(t->widths));
	for (unsigned i = 0; i < len; i++) /* names of users are theirs to choose */
		if ((unsigned char)cell[i] < ' ')
			cell[i] = '?';
	if (len + 1 > t->widths[t->column]) /* the comma */
		t->widths[t->column] = len + 1;
	t->column++;
	strbuf_add(&t->text, cell, len);
	strbuf_addc(&t->text, 0);
}

void dump_row(struct dump_table *t)
{
	strbuf_addc(&t->text, '\n');
	t->column = 0;
}

void dump_write(struct dump_table *t, struct strbuf *out)
{
	const char *p = t->text.data, *end = p + t->text.len;
	unsigned column = 0;
	while (p < end) {
		if (*p == '\n') {
			strbuf_addc(out, '\n');
			column = 0;
			p++;
			continue;
		}
		size_t len = strlen(p);
		unsigned width = t->widths[column] + 1 > COLUMN_MIN ? t->widths[column] + 1 : COLUMN_MIN;
		bool is_last = p[len + 1] == '\n';
		strbuf_addf(out, "%s%s%*s", p, is_last ? "" : ",", (int)(width - len - !is_last), "");
		p += len + 1;
		column++;
	}
	strbuf_release(&t->text);
}

static void head(struct dump_table *t, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dump_cell(t, "%s", names[i]);
	dump_row(t);
}

/* ---- levels ---- */

static void each_level(
        const struct fairness *f, void (*fn)(const struct fairness *f, const struct level *l, void *arg), void *arg)
{
	const struct level *last = NULL;
	for (;;) { /* by name: a dozen */
		const struct level *next = NULL;
		LIST_FOREACH (it, &f->levels.list) {
			const struct level *l = CONTAINER_OF(it, struct level, link);
			if ((!last || slice_cmp(l->name, last->name) > 0) &&
			        (!next || slice_cmp(l->name, next->name) < 0))
				next = l;
		}
		if (!next)
			return;
		fn(f, next, arg);
		last = next;
	}
}

static void dump_level(const struct fairness *f, const struct level *l, void *arg)
{
	struct dump_table *t = arg;
	unsigned active = 0, n = l->queues ? l->spec.queues : 0;
	uint64_t refused = 0, late = 0;
	for (unsigned i = 0; i < n; i++)
		active += l->queues[i].length > 0;
	for (size_t i = 0; i < f->n_schemas; i++)
		if (slice_eq(f->schemas[i]->level, l->name)) {
			refused += f->schemas[i]->refused[REFUSED_FULL] + f->schemas[i]->refused[REFUSED_BUSY];
			late += f->schemas[i]->refused[REFUSED_LATE];
		}
	dump_cell(t, "%.*s", SLICE_FMT(l->name));
	dump_cell(t, "%u", active);
	dump_cell(t, "%s", l->executing || l->waiting ? "false" : "true");
	dump_cell(t, "%s", l->is_gone ? "true" : "false");
	dump_cell(t, "%u", l->waiting);
	dump_cell(t, "%u", l->executing);
	dump_cell(t, "%" PRIu64, l->dispatched);
	dump_cell(t, "%" PRIu64, refused);
	dump_cell(t, "%" PRIu64, late);
	dump_cell(t, "%" PRIu64, l->cancelled);
	dump_row(t);
}

/* ---- queues ---- */

static void dump_queue(struct dump_table *t, const struct level *l, unsigned i)
{
	const struct level_queue *q = &l->queues[i];
	unsigned sum = 0, most = 0;
	LIST_FOREACH (it, &q->waiting) {
		unsigned width = CONTAINER_OF(it, struct seat, link)->width;
		sum += width;
		most = width > most ? width : most;
	}
	dump_cell(t, "%.*s", SLICE_FMT(l->name));
	dump_cell(t, "%u", i);
	dump_cell(t, "%u", q->length);
	dump_cell(t, "0");
	dump_cell(t, "0");
	dump_cell(t, "%" PRIu64 ".00000000ss", q->turn);
	dump_cell(t, "%u", sum);
	dump_cell(t, "%u", most);
	dump_cell(t, "0.00000000ss");
	dump_row(t);
}

static void dump_queues(const struct fairness *f, const struct level *l, void *arg)
{
	for (unsigned i = 0; l->queues && i < l->spec.queues; i++)
		dump_queue(arg, l, i);
}

/* ---- requests ---- */

struct dump_requests {
	struct dump_table table;
	bool with_details;
};

static void time_cell(struct dump_table *t, const struct flow *w, uint64_t at_ms)
{
	char text[RFC3339_MAX];
	int64_t ms = clock_wall_s() * 1000 - (int64_t)(loop_now_ms(w->call->loop) - at_ms);
	dump_cell(t, "%s", rfc3339_text(text, ms * 1000000, 3));
}

static void dump_details(struct dump_table *t, const struct call *c)
{
	const struct route *r = &c->route;
	dump_cell(t, "%.*s", SLICE_FMT(c->user->name));
	dump_cell(t, "%s", r->is_resource ? resource_verb_name(r->verb) : "get");
	dump_cell(t, "%.*s", SLICE_FMT(c->path));
	dump_cell(t, "%.*s", SLICE_FMT(r->ns));
	dump_cell(t, "%.*s", SLICE_FMT(r->name));
	dump_cell(t, "%s", r->is_resource ? r->resource->version : "");
	dump_cell(t, "%s", r->is_resource ? r->resource->plural : "");
	dump_cell(t, "%s", r->is_resource && r->sub ? r->sub->name : "");
}

static void dump_request(struct dump_requests *d, const struct level *l, const struct seat *s, int queue, int place)
{
	const struct flow *w = CONTAINER_OF(s, struct flow, seat);
	const struct call *c = w->call;
	struct dump_table *t = &d->table;
	struct slice flow = w->schema->by == FLOW_BY_USER        ? c->user->name
	                    : w->schema->by == FLOW_BY_NAMESPACE ? c->route.ns
	                                                         : SLICE("");
	dump_cell(t, "%.*s", SLICE_FMT(l->name));
	dump_cell(t, "%.*s", SLICE_FMT(w->schema->name));
	dump_cell(t, "%d", queue);
	dump_cell(t, "%d", place);
	dump_cell(t, "%.*s", SLICE_FMT(flow));
	time_cell(t, w, s->since_ms);
	dump_cell(t, "%u", s->width);
	dump_cell(t, "0");
	dump_cell(t, "0s");
	if (w->started_ms)
		time_cell(t, w, w->started_ms);
	else
		dump_cell(t, "0001-01-01T00:00:00Z");
	if (d->with_details)
		dump_details(t, c);
	dump_row(t);
}

static void dump_of_level(const struct fairness *f, const struct level *l, void *arg)
{
	LIST_FOREACH (it, &l->running)
		dump_request(arg, l, CONTAINER_OF(it, struct seat, link), -1, -1);
	for (unsigned i = 0; l->queues && i < l->spec.queues; i++) {
		int place = 0;
		LIST_FOREACH (it, &l->queues[i].waiting)
			dump_request(arg, l, CONTAINER_OF(it, struct seat, link), (int)i, place++);
	}
}

/* ---- all ---- */

bool fairness_dump(const struct fairness *f, struct slice name, bool with_details, struct strbuf *out)
{
	static const char *const levels[] = {"PriorityLevelName", "ActiveQueues", "IsIdle", "IsQuiescing",
	        "WaitingRequests", "ExecutingRequests", "DispatchedRequests", "RejectedRequests", "TimedoutRequests",
	        "CancelledRequests"};
	static const char *const queues[] = {"PriorityLevelName", "Index", "PendingRequests", "ExecutingRequests",
	        "SeatsInUse", "NextDispatchR", "InitialSeatsSum", "MaxSeatsSum", "TotalWorkSum"};
	/* upstream's spelling; eight more with details */
	static const char *const requests[] = {"PriorityLevelName", "FlowSchemaName", "QueueIndex",
	        "RequestIndexInQueue", "FlowDistingsher", "ArriveTime", "InitialSeats", "FinalSeats",
	        "AdditionalLatency", "StartTime", "UserName", "Verb", "APIPath", "Namespace", "Name", "APIVersion",
	        "Resource", "SubResource"};
	struct dump_requests d = {.with_details = with_details};
	void (*fn)(const struct fairness *f, const struct level *l, void *arg) = NULL;
	if (slice_is(name, "dump_priority_levels")) {
		head(&d.table, levels, COUNT_OF(levels));
		fn = dump_level;
	} else if (slice_is(name, "dump_queues")) {
		head(&d.table, queues, COUNT_OF(queues));
		fn = dump_queues;
	} else if (slice_is(name, "dump_requests")) {
		head(&d.table, requests, COUNT_OF(requests) - (with_details ? 0 : 8));
		fn = dump_of_level;
	}
	if (!fn)
		return false;
	if (f)
		each_level(f, fn, &d);
	dump_write(&d.table, out);
	return true;
}
