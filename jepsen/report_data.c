/* Prepares a history for drawing: operations with begin and end, each on a lane. A client goes on under a new process
 * number after an unknown outcome, so lanes are given to processes while they are in use, lowest free lane first. */
#include "jepsen/report_int.h"

#include <stdlib.h>

struct process_span {
	int32_t process;
	uint32_t first, last, lane;
};

static int by_process(const void *a, const void *b)
{
	const struct process_span *x = a, *y = b;
	if (x->process != y->process)
		return x->process < y->process ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

static int by_first(const void *a, const void *b)
{
	const struct process_span *x = a, *y = b;
	return x->first < y->first ? -1 : x->first > y->first;
}

static struct process_span *find_process(struct process_span *spans, size_t count, int32_t process)
{
	size_t lo = 0, hi = count;
	while (lo + 1 < hi) {
		size_t mid = (lo + hi) / 2;
		if (spans[mid].process <= process)
			lo = mid;
		else
			hi = mid;
	}
	return &spans[lo];
}

/* Every process with its first and last record, each on a lane; by process number. */
static struct process_span *give_lanes(struct report_data *d, size_t *ret_count)
{
	const struct history *h = d->history;
	struct process_span *spans = ARENA_ARRAY(&d->arena, struct process_span, h->count + 1);
	size_t count = 0;
	for (uint32_t i = 0; i < h->count; i++)
		spans[i] = (struct process_span){h->records[i].process, i, i, 0};
	qsort(spans, h->count, sizeof *spans, by_process);
	for (size_t i = 0; i < h->count; i++) {
		if (!count || spans[count - 1].process != spans[i].process)
			spans[count++] = spans[i];
		else
			spans[count - 1].last = spans[i].last;
	}
	qsort(spans, count, sizeof *spans, by_first);
	uint32_t *busy_until = ARENA_ARRAY(&d->arena, uint32_t, count + 1);
	for (size_t i = 0; i < count; i++) {
		uint32_t lane = 0;
		while (lane < d->lane_count && busy_until[lane] >= spans[i].first)
			lane++;
		if (lane == d->lane_count)
			d->lane_count++;
		busy_until[lane] = spans[i].last;
		spans[i].lane = lane;
	}
	qsort(spans, count, sizeof *spans, by_process);
	*ret_count = count;
	return spans;
}

void report_collect(struct report_data *d, const struct history *h, const struct check_report *r)
{
	struct history_ops ops = {.ops = NULL};
	struct err err = ERR_INIT;
	size_t count;
	*d = (struct report_data){.history = h, .report = r};
	d->to_ns = h->count ? h->records[h->count - 1].time_ns : 0;
	for (size_t i = 0; i < h->fault_count; i++)
		if (h->faults[i].end_ns > d->to_ns)
			d->to_ns = h->faults[i].end_ns;
	if (d->to_ns == 0)
		d->to_ns = 1;
	if (history_pair(h, &d->arena, &ops, &err) != 0)
		return; /* a report was made of it, so it pairs */
	struct process_span *spans = give_lanes(d, &count);
	d->ops = ARENA_ARRAY(&d->arena, struct report_op, ops.count + 1);
	for (size_t i = 0; i < ops.count; i++) {
		const struct history_op *op = &ops.ops[i];
		if (op->invoke == HISTORY_NONE)
			continue;
		const struct history_record *in = &h->records[op->invoke];
		d->ops[d->op_count++] = (struct report_op){.begin_ns = in->time_ns,
		        .end_ns = op->complete == HISTORY_NONE ? d->to_ns : h->records[op->complete].time_ns,
		        .first_record = op->complete == HISTORY_NONE ? op->invoke : op->complete,
		        .lane = find_process(spans, count, in->process)->lane,
		        .type = op->type};
		d->by_type[op->type]++;
	}
}
