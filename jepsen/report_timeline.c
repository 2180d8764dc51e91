/* Who did what when: a lane per client. Few operations are drawn one by one; many are drawn as cells, coloured by what
 * was worst in them and as strong as the lane was busy. And the large picture of the operations that prove a violation.
 */
#include "jepsen/report_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SINGLE_OPS_MAX = 2000, COLUMNS = 230, LANES_MAX = 60, LANE_PX = 11, PROOF_RECORDS_MAX = 64, PROOF_ROW_PX = 30 };

static const char *const type_class[HISTORY_TYPES] = {"info", "ok", "fail", "info"};

/* ---- one by one ---- */

static void describe_op(const struct history *h, uint32_t record, int64_t begin_ns, int64_t end_ns, struct strbuf *out)
{
	const struct history_record *r = &h->records[record];
	strbuf_addf(out, "process %" PRId32, r->process);
	if (r->node >= 0)
		strbuf_addf(out, ", node %d", r->node);
	strbuf_addf(out, ": ");
	history_describe(h, record, out);
	strbuf_addf(out, "\n%.4f s to %.4f s", (double)begin_ns / 1e9, (double)end_ns / 1e9);
}

static void draw_ops(struct report_data *d, const struct chart *c)
{
	for (size_t i = 0; i < d->op_count; i++) {
		const struct report_op *op = &d->ops[i];
		CLEANUP(cleanup_strbuf) struct strbuf tip = STRBUF_INIT;
		char class[16];
		double x = chart_x(c, op->begin_ns), w = chart_x(c, op->end_ns) - x;
		if (op->lane >= LANES_MAX)
			continue;
		describe_op(d->history, op->first_record, op->begin_ns, op->end_ns, &tip);
		snprintf(class, sizeof class, "op %s", type_class[op->type]);
		svg_rect(c->out, x, c->top + op->lane * LANE_PX + 1.5, w < 1.2 ? 1.2 : w, LANE_PX - 3, class,
		        strbuf_cstr(&tip));
	}
}

/* ---- as cells ---- */

struct cell {
	uint32_t counts[HISTORY_TYPES];
	double busy; /* part of the cell's time with a request under way */
};

static void fill_cells(struct report_data *d, struct cell *cells)
{
	double column_ns = (double)(d->to_ns - d->from_ns) / COLUMNS;
	for (size_t i = 0; i < d->op_count; i++) {
		const struct report_op *op = &d->ops[i];
		if (op->lane >= LANES_MAX)
			continue;
		double from = (double)(op->begin_ns - d->from_ns) / column_ns,
		       to = (double)(op->end_ns - d->from_ns) / column_ns;
		size_t last = to < COLUMNS ? (size_t)to : COLUMNS - 1;
		for (size_t k = from > 0 ? (size_t)from : 0; k <= last; k++) {
			double a = from > (double)k ? from : (double)k, b = to < (double)k + 1 ? to : (double)k + 1;
			cells[op->lane * COLUMNS + k].busy += b > a ? b - a : 0;
		}
		cells[op->lane * COLUMNS + last].counts[op->type]++;
	}
}

static void draw_cell(
        struct report_data *d, const struct chart *c, const struct cell *cell, uint32_t lane, size_t column)
{
	char tip[160], class[24];
	double w = (c->right - c->left) / COLUMNS, column_s = (double)(d->to_ns - d->from_ns) / 1e9 / COLUMNS;
	uint32_t ok = cell->counts[HISTORY_OK], fail = cell->counts[HISTORY_FAIL], info = cell->counts[HISTORY_INFO];
	int strength = cell->busy > 0.75 ? 4 : cell->busy > 0.4 ? 3 : cell->busy > 0.15 ? 2 : 1;
	if (cell->busy <= 0 && !ok && !fail && !info)
		return;
	snprintf(tip, sizeof tip, "lane %u, %.2f s to %.2f s\n%u ok, %u fail, %u unknown", lane,
	        (double)column * column_s, (double)(column + 1) * column_s, ok, fail, info);
	snprintf(class, sizeof class, "op %s s%d", info ? "info" : fail > ok ? "fail" : "ok", strength);
	svg_rect(c->out, c->left + (double)column * w, c->top + lane * LANE_PX + 1.5, w + 0.1, LANE_PX - 3, class, tip);
}

static void draw_cells(struct report_data *d, const struct chart *c)
{
	uint32_t lanes = d->lane_count < LANES_MAX ? d->lane_count : LANES_MAX;
	struct cell *cells = ARENA_ARRAY(&d->arena, struct cell, (size_t)LANES_MAX * COLUMNS);
	fill_cells(d, cells);
	for (uint32_t lane = 0; lane < lanes; lane++)
		for (size_t k = 0; k < COLUMNS; k++)
			draw_cell(d, c, &cells[lane * COLUMNS + k], lane, k);
}

void report_timeline(struct report_data *d, struct strbuf *out)
{
	uint32_t lanes = d->lane_count < LANES_MAX ? d->lane_count : LANES_MAX;
	double height = (double)lanes * LANE_PX;
	struct chart c = {.out = out,
	        .history = d->history,
	        .left = REPORT_LEFT,
	        .right = REPORT_RIGHT,
	        .top = 6,
	        .bottom = 6 + height,
	        .from_ns = d->from_ns,
	        .to_ns = d->to_ns};
	svg_begin(out, height + 30, "Operations of each client over time");
	chart_faults(&c);
	chart_time_axis(&c, true);
	for (uint32_t lane = 0; lane < lanes; lane++)
		svg_textf(out, c.left - 7, c.top + lane * LANE_PX + 9, "tick", "end", "client %u", lane);
	if (d->op_count > SINGLE_OPS_MAX)
		draw_cells(d, &c);
	else
		draw_ops(d, &c);
	svg_end(out);
	if (d->lane_count > LANES_MAX)
		strbuf_addf(
		        out, "<p class=\"note\">The first %d of %u lanes are shown.</p>\n", LANES_MAX, d->lane_count);
}

/* ---- the proof of a violation ---- */

struct proof_op {
	uint32_t begin, end; /* records; the same when only one is there */
	int32_t process;
	uint32_t row;
};

struct proof {
	const struct history *h;
	uint32_t culprit;
	uint32_t records[PROOF_RECORDS_MAX]; /* ascending */
	uint32_t record_count;
	struct proof_op ops[PROOF_RECORDS_MAX];
	uint32_t op_count;
	int32_t rows[PROOF_RECORDS_MAX]; /* processes */
	uint32_t row_count;
};

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static void sort_records(struct proof *p, const struct check_finding *f)
{
	for (uint32_t i = 0; i < f->record_count && p->record_count < PROOF_RECORDS_MAX; i++)
		p->records[p->record_count++] = f->records[i];
	qsort(p->records, p->record_count, sizeof *p->records, by_value);
	uint32_t kept = 0;
	for (uint32_t i = 0; i < p->record_count; i++)
		if (!kept || p->records[kept - 1] != p->records[i])
			p->records[kept++] = p->records[i];
	p->record_count = kept;
}

static uint32_t row_of(struct proof *p, int32_t process)
{
	uint32_t row = 0;
	while (row < p->row_count && p->rows[row] != process)
		row++;
	if (row == p->row_count)
		p->rows[p->row_count++] = process;
	return row;
}

/* A completion belongs to the operation of its process that was asked before. */
static void pair_records(struct proof *p)
{
	for (uint32_t i = 0; i < p->record_count; i++) {
		const struct history_record *r = &p->h->records[p->records[i]];
		struct proof_op *open = NULL;
		for (uint32_t k = 0; k < p->op_count && r->type != HISTORY_INVOKE; k++)
			if (p->ops[k].process == r->process && p->ops[k].begin == p->ops[k].end &&
			        p->h->records[p->ops[k].begin].type == HISTORY_INVOKE &&
			        p->h->records[p->ops[k].begin].f == r->f)
				open = &p->ops[k];
		if (open)
			open->end = p->records[i];
		else
			p->ops[p->op_count++] =
			        (struct proof_op){p->records[i], p->records[i], r->process, row_of(p, r->process)};
	}
}

/* Where the finding names it first: its number, so that texts that count the operations agree with the picture. */
static uint32_t place_of(const struct check_finding *f, const struct proof_op *op)
{
	uint32_t at = 0;
	while (at < f->record_count && f->records[at] != op->begin && f->records[at] != op->end)
		at++;
	return at;
}

static void order_as_named(struct proof *p, const struct check_finding *f)
{
	for (uint32_t i = 1; i < p->op_count; i++) {
		struct proof_op op = p->ops[i];
		uint32_t k = i;
		for (; k > 0 && place_of(f, &p->ops[k - 1]) > place_of(f, &op); k--)
			p->ops[k] = p->ops[k - 1];
		p->ops[k] = op;
	}
}

static double proof_x(const struct proof *p, uint32_t record)
{
	uint32_t at = 0;
	while (p->records[at] != record)
		at++;
	double step = (double)(REPORT_RIGHT - REPORT_LEFT - 20) / (p->record_count > 1 ? p->record_count - 1 : 1);
	return REPORT_LEFT + 10 + at * step;
}

/* What it was, in few words: "write x 3". */
static void label_op(const struct proof *p, const struct proof_op *op, struct strbuf *out)
{
	const struct history_record *r = &p->h->records[op->end], *i = &p->h->records[op->begin];
	strbuf_addf(out, "%s", history_f_name((enum history_f)r->f));
	if (r->f == HISTORY_CAS && i->expect != HISTORY_NIL)
		strbuf_addf(out, " %" PRId64 " \xe2\x86\x92", i->expect);
	int64_t value = r->value != HISTORY_NIL ? r->value : i->value;
	if (value != HISTORY_NIL)
		strbuf_addf(out, " %" PRId64, value);
	else if (r->f == HISTORY_READ && r->type == HISTORY_OK && !r->values && !r->item_count)
		strbuf_adds(out, " nothing");
}

static void draw_proof_op(struct proof *p, uint32_t number, struct strbuf *out)
{
	const struct proof_op *op = &p->ops[number];
	const struct history_record *end = &p->h->records[op->end];
	CLEANUP(cleanup_strbuf) struct strbuf label = STRBUF_INIT, tip = STRBUF_INIT;
	char class[32];
	double x = proof_x(p, op->begin), y = 8 + (double)op->row * PROOF_ROW_PX, w = proof_x(p, op->end) - x;
	bool is_open = end->type == HISTORY_INFO || (end->type == HISTORY_INVOKE && op->begin == op->end);
	if (is_open)
		w = REPORT_RIGHT - x;
	if (w < 22) {
		x -= w > 0 ? 0 : 11;
		w = 22;
	}
	describe_op(p->h, op->end, p->h->records[op->begin].time_ns, end->time_ns, &tip);
	snprintf(class, sizeof class, "proof %s%s", type_class[end->type], op->end == p->culprit ? " culprit" : "");
	svg_rect(out, x, y, w, PROOF_ROW_PX - 8, class, strbuf_cstr(&tip));
	label_op(p, op, &label);
	if ((double)label.len * 7 + 26 < w)
		svg_textf(out, x + 6, y + 15, "in", "start", "%u  %s", number + 1, strbuf_cstr(&label));
	else
		svg_textf(out, x + 6, y + 15, "in", "start", "%u", number + 1);
}

static void list_proof(const struct proof *p, struct strbuf *out)
{
	strbuf_adds(out,
	        "<table class=\"proof\"><tr><th>#</th><th>process</th><th>node</th><th>asked</th><th>answered</th>"
	        "<th>operation</th></tr>\n");
	for (uint32_t i = 0; i < p->op_count; i++) {
		const struct history_record *a = &p->h->records[p->ops[i].begin], *b = &p->h->records[p->ops[i].end];
		CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
		history_describe(p->h, p->ops[i].end, &text);
		strbuf_addf(out, "<tr><td>%u</td><td>%" PRId32 "</td><td>%d</td>", i + 1, a->process, a->node);
		if (a->type == HISTORY_INVOKE)
			strbuf_addf(out, "<td>%.4f s</td>", (double)a->time_ns / 1e9);
		else
			strbuf_adds(out, "<td></td>");
		if (b->type == HISTORY_INVOKE)
			strbuf_adds(out, "<td>never</td><td><code>");
		else
			strbuf_addf(out, "<td>%.4f s</td><td><code>", (double)b->time_ns / 1e9);
		if (a != b && (b->f == HISTORY_WRITE || b->f == HISTORY_PUT || b->f == HISTORY_ADD) &&
		        b->value == HISTORY_NIL) {
			CLEANUP(cleanup_strbuf) struct strbuf asked = STRBUF_INIT;
			history_describe(p->h, p->ops[i].begin, &asked);
			html_textf(out, "%s; ", strbuf_cstr(&asked));
		}
		html_text(out, strbuf_slice(&text));
		strbuf_adds(out, "</code></td></tr>\n");
	}
	strbuf_adds(out, "</table>\n");
}

/* Which faults were on while the last of the operations were under way. */
static void list_faults(const struct proof *p, struct strbuf *out)
{
	const char *before = "<p class=\"note\">Broken at the time: ";
	int64_t to_ns = p->h->records[p->records[p->record_count - 1]].time_ns;
	int64_t from_ns = p->h->records[p->records[p->record_count > 4 ? p->record_count - 4 : 0]].time_ns;
	for (size_t i = 0; i < p->h->fault_count; i++) {
		const struct history_fault *f = &p->h->faults[i];
		if (f->begin_ns > to_ns || (f->end_ns >= 0 && f->end_ns < from_ns))
			continue;
		strbuf_adds(out, before);
		html_text(out, slice_of(f->name));
		before = ", ";
	}
	if (before[0] == ',')
		strbuf_adds(out, ".</p>\n");
}

void report_proof(const struct history *h, const struct check_finding *f, struct strbuf *out)
{
	struct proof p = {.h = h, .culprit = f->culprit};
	sort_records(&p, f);
	if (!p.record_count)
		return;
	pair_records(&p);
	order_as_named(&p, f);
	double height = 8 + (double)p.row_count * PROOF_ROW_PX;
	svg_begin(out, height + 20, "The operations that prove it");
	for (uint32_t i = 0; i < p.record_count; i++)
		svg_line(out, proof_x(&p, p.records[i]), 2, proof_x(&p, p.records[i]), height, "grid");
	for (uint32_t i = 0; i < p.record_count; i += 1 + p.record_count / 12)
		svg_textf(out, proof_x(&p, p.records[i]), height + 14, "tick", "middle", "%.3f s",
		        (double)h->records[p.records[i]].time_ns / 1e9);
	for (uint32_t i = 0; i < p.row_count; i++)
		svg_textf(out, REPORT_LEFT - 7, 23 + i * PROOF_ROW_PX, "tick", "end", "process %" PRId32, p.rows[i]);
	for (uint32_t i = 0; i < p.op_count; i++)
		draw_proof_op(&p, i, out);
	svg_end(out);
	list_faults(&p, out);
	list_proof(&p, out);
}
