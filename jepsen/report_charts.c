/* The plots of a report: faults, throughput, latency. */
#include "jepsen/report_int.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { BUCKETS = 120, POINTS_MAX = 5000 };

static struct chart make_chart(struct report_data *d, struct strbuf *out, double top, double height)
{
	return (struct chart){.out = out,
	        .history = d->history,
	        .left = REPORT_LEFT,
	        .right = REPORT_RIGHT,
	        .top = top,
	        .bottom = top + height,
	        .from_ns = d->from_ns,
	        .to_ns = d->to_ns};
}

static size_t bucket_of(const struct report_data *d, int64_t time_ns)
{
	double part = (double)(time_ns - d->from_ns) / (double)(d->to_ns - d->from_ns);
	size_t at = part > 0 ? (size_t)(part * BUCKETS) : 0;
	return at < BUCKETS ? at : BUCKETS - 1;
}

static int64_t bucket_middle(const struct report_data *d, size_t at)
{
	return d->from_ns + (int64_t)(((double)at + 0.5) / BUCKETS * (double)(d->to_ns - d->from_ns));
}

/* ---- faults ---- */

void report_faults_chart(struct report_data *d, struct strbuf *out)
{
	CLEANUP(cleanup_strbuf) struct strbuf rows = STRBUF_INIT;
	struct chart c = make_chart(d, &rows, 0, 0);
	double height = chart_fault_rows(&c, 4);
	c.top = 2;
	c.bottom = height + 4;
	svg_begin(out, height + 26, "Faults over time");
	c.out = out;
	chart_time_axis(&c, true);
	strbuf_add_slice(out, strbuf_slice(&rows));
	svg_end(out);
}

/* ---- throughput ---- */

static void draw_rate(
        const struct report_data *d, const struct chart *c, const double *rate, const char *class, bool area)
{
	strbuf_addf(c->out, "<path class=\"%s\" d=\"", class);
	for (size_t i = 0; i < BUCKETS; i++)
		strbuf_addf(c->out, "%c%.1f %.1f", i ? 'L' : 'M', chart_x(c, bucket_middle(d, i)), chart_y(c, rate[i]));
	if (area)
		strbuf_addf(c->out, "L%.1f %.1fL%.1f %.1fZ", chart_x(c, bucket_middle(d, BUCKETS - 1)), c->bottom,
		        chart_x(c, bucket_middle(d, 0)), c->bottom);
	strbuf_adds(c->out, "\"/>\n");
}

void report_throughput(struct report_data *d, struct strbuf *out)
{
	double rates[HISTORY_TYPES][BUCKETS] = {{0}}, seconds = (double)(d->to_ns - d->from_ns) / 1e9 / BUCKETS,
	       high = 1;
	for (size_t i = 0; i < d->op_count; i++)
		rates[d->ops[i].type][bucket_of(d, d->ops[i].end_ns)] += 1 / seconds;
	for (size_t t = 0; t < HISTORY_TYPES; t++)
		for (size_t i = 0; i < BUCKETS; i++)
			high = fmax(high, rates[t][i]);
	struct chart c = make_chart(d, out, 22, 150);
	c.high = high * 1.08;
	svg_begin(out, 196, "Operations per second over time");
	chart_faults(&c);
	chart_value_axis(&c, "ops/s");
	chart_time_axis(&c, true);
	draw_rate(d, &c, rates[HISTORY_OK], "area ok", true);
	draw_rate(d, &c, rates[HISTORY_OK], "curve ok", false);
	if (d->by_type[HISTORY_FAIL])
		draw_rate(d, &c, rates[HISTORY_FAIL], "curve fail", false);
	for (size_t i = 0; i < BUCKETS; i++)
		if (rates[HISTORY_INFO][i] > 0)
			svg_line(out, chart_x(&c, bucket_middle(d, i)), c.bottom, chart_x(&c, bucket_middle(d, i)),
			        chart_y(&c, rates[HISTORY_INFO][i]) - 2, "spike");
	svg_end(out);
}

/* ---- latency ---- */

static double latency_ms(const struct report_op *op)
{
	double ms = (double)(op->end_ns - op->begin_ns) / 1e6;
	return ms > 0.001 ? ms : 0.001;
}

static int by_number(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return x < y ? -1 : x > y;
}

/* The slowest are always there; of the others, every nth. */
static void draw_points(struct report_data *d, const struct chart *c, double slow_ms)
{
	static const char *const classes[HISTORY_TYPES] = {"pt info", "pt ok", "pt fail", "pt info"};
	size_t stride = 1 + d->op_count / POINTS_MAX;
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < d->op_count; i++) {
			const struct report_op *op = &d->ops[i];
			bool is_special = op->type != HISTORY_OK;
			if (is_special != (pass == 1) || (i % stride && !is_special && latency_ms(op) < slow_ms) ||
			        (is_special && d->op_count > 4 * POINTS_MAX && i % 4))
				continue;
			strbuf_addf(c->out, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"1.7\"/>\n",
			        classes[op->type], chart_x(c, op->end_ns), chart_y(c, latency_ms(op)));
		}
}

/* One line per quantile of what was acknowledged; buckets without operations are gaps. */
static void draw_quantiles(struct report_data *d, const struct chart *c)
{
	static const struct {
		double q;
		const char *class;
	} lines[] = {{0.5, "curve q50"}, {0.95, "curve q95"}, {0.99, "curve q99"}};
	struct arena a = ARENA_INIT;
	double *sorted = ARENA_ARRAY(&a, double, d->op_count + 1);
	size_t first[BUCKETS + 1] = {0}, next[BUCKETS];
	for (size_t i = 0; i < d->op_count; i++)
		if (d->ops[i].type == HISTORY_OK)
			first[bucket_of(d, d->ops[i].end_ns) + 1]++;
	for (size_t b = 0; b < BUCKETS; b++) {
		first[b + 1] += first[b];
		next[b] = first[b];
	}
	for (size_t i = 0; i < d->op_count; i++)
		if (d->ops[i].type == HISTORY_OK)
			sorted[next[bucket_of(d, d->ops[i].end_ns)]++] = latency_ms(&d->ops[i]);
	for (size_t b = 0; b < BUCKETS; b++)
		qsort(sorted + first[b], first[b + 1] - first[b], sizeof *sorted, by_number);
	for (size_t l = 0; l < sizeof lines / sizeof lines[0]; l++) {
		bool is_down = false;
		strbuf_addf(c->out, "<path class=\"%s\" d=\"", lines[l].class);
		for (size_t b = 0; b < BUCKETS; b++) {
			size_t n = first[b + 1] - first[b];
			if (n)
				strbuf_addf(c->out, "%c%.1f %.1f", is_down ? 'L' : 'M', chart_x(c, bucket_middle(d, b)),
				        chart_y(c, sorted[first[b] + (size_t)(lines[l].q * (double)(n - 1))]));
			is_down = n > 0;
		}
		strbuf_adds(c->out, "\"/>\n");
	}
	arena_release(&a);
}

void report_latency(struct report_data *d, struct strbuf *out)
{
	struct arena a = ARENA_INIT;
	double *all = ARENA_ARRAY(&a, double, d->op_count + 1), low = 0.1, high = 100;
	for (size_t i = 0; i < d->op_count; i++)
		all[i] = latency_ms(&d->ops[i]);
	qsort(all, d->op_count, sizeof *all, by_number);
	while (d->op_count && low > all[d->op_count / 100])
		low /= 10;
	while (d->op_count && high < all[d->op_count - 1])
		high *= 10;
	struct chart c = make_chart(d, out, 12, 240);
	c.low = low;
	c.high = high;
	c.is_log = true;
	svg_begin(out, 276, "Latency of operations over time");
	chart_faults(&c);
	chart_value_axis(&c, NULL);
	chart_time_axis(&c, true);
	draw_points(d, &c, d->op_count ? all[d->op_count * 995 / 1000] : 0);
	draw_quantiles(d, &c);
	svg_end(out);
	arena_release(&a);
}
