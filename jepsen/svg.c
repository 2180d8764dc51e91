/* SVG elements and charts over time. See svg.h. */
#include "jepsen/svg.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { FAULT_COLOURS = 8, FAULT_ROW_PX = 15, FAULT_NAMES_MAX = 24 };

/* ---- text ---- */

void html_text(struct strbuf *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		if (c == '&')
			strbuf_adds(out, "&amp;");
		else if (c == '<')
			strbuf_adds(out, "&lt;");
		else if (c == '>')
			strbuf_adds(out, "&gt;");
		else if (c == '"')
			strbuf_adds(out, "&quot;");
		else if (c == '\'')
			strbuf_adds(out, "&#39;");
		else if ((unsigned char)c < 0x20 && c != '\n' && c != '\t')
			strbuf_adds(out, "\xef\xbf\xbd");
		else
			strbuf_addc(out, c);
	}
}

static void add_escaped(struct strbuf *out, const char *fmt, va_list args)
{
	char text[1024];
	vsnprintf(text, sizeof text, fmt, args);
	html_text(out, slice_of(text));
}

void html_textf(struct strbuf *out, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	add_escaped(out, fmt, args);
	va_end(args);
}

/* ---- elements ---- */

void svg_begin(struct strbuf *out, double height, const char *label)
{
	strbuf_addf(out, "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"", SVG_WIDTH, height);
	html_text(out, slice_of(label));
	strbuf_adds(out, "\">\n");
}

void svg_end(struct strbuf *out)
{
	strbuf_adds(out, "</svg>\n");
}

void svg_rect(struct strbuf *out, double x, double y, double w, double h, const char *class, const char *tip)
{
	strbuf_addf(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"", class, x, y, w, h);
	if (tip) {
		strbuf_adds(out, " data-t=\"");
		html_text(out, slice_of(tip));
		strbuf_addc(out, '"');
	}
	strbuf_adds(out, "/>\n");
}

void svg_line(struct strbuf *out, double x1, double y1, double x2, double y2, const char *class)
{
	strbuf_addf(
	        out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, x1, y1, x2, y2);
}

void svg_textf(struct strbuf *out, double x, double y, const char *class, const char *anchor, const char *fmt, ...)
{
	va_list args;
	strbuf_addf(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, x, y, anchor);
	va_start(args, fmt);
	add_escaped(out, fmt, args);
	va_end(args);
	strbuf_adds(out, "</text>\n");
}

/* ---- scales ---- */

double chart_x(const struct chart *c, int64_t time_ns)
{
	double part = c->to_ns > c->from_ns ? (double)(time_ns - c->from_ns) / (double)(c->to_ns - c->from_ns) : 0;
	part = part < 0 ? 0 : part > 1 ? 1 : part;
	return c->left + part * (c->right - c->left);
}

double chart_y(const struct chart *c, double value)
{
	double part = c->is_log ? (log10(fmax(value, c->low)) - log10(c->low)) / (log10(c->high) - log10(c->low))
	                        : (value - c->low) / (c->high - c->low);
	part = part < 0 ? 0 : part > 1 ? 1 : part;
	return c->bottom - part * (c->bottom - c->top);
}

/* 1, 2 or 5 times a power of ten, so that about `wanted` of them fill the range. */
static double nice_step(double range, int wanted)
{
	double raw = range / wanted, power = pow(10, floor(log10(raw))), part = raw / power;
	return power * (part <= 1 ? 1 : part <= 2 ? 2 : part <= 5 ? 5 : 10);
}

void chart_time_axis(const struct chart *c, bool with_labels)
{
	double seconds = (double)(c->to_ns - c->from_ns) / 1e9, step = nice_step(seconds > 0 ? seconds : 1, 10);
	double first = ceil((double)c->from_ns / 1e9 / step) * step;
	for (int i = 0; first + i * step <= (double)c->to_ns / 1e9 + step / 1000; i++) {
		double t = first + i * step, x = chart_x(c, (int64_t)(t * 1e9));
		svg_line(c->out, x, c->top, x, c->bottom, "grid");
		if (with_labels)
			svg_textf(c->out, x, c->bottom + 15, "tick", "middle", step < 1 ? "%.2f s" : "%.0f s", t);
	}
	svg_line(c->out, c->left, c->bottom, c->right, c->bottom, "axis");
}

static void value_tick(const struct chart *c, double v)
{
	double y = chart_y(c, v);
	svg_line(c->out, c->left, y, c->right, y, "grid");
	if (!c->is_log)
		svg_textf(c->out, c->left - 7, y + 3.5, "tick", "end", "%.6g", v);
	else if (v > 999)
		svg_textf(c->out, c->left - 7, y + 3.5, "tick", "end", "%.4g s", v / 1000);
	else
		svg_textf(c->out, c->left - 7, y + 3.5, "tick", "end", "%.4g ms", v);
}

void chart_value_axis(const struct chart *c, const char *unit)
{
	if (c->is_log) {
		for (int power = (int)ceil(log10(c->low) - 1e-9); pow(10, power) <= c->high * 1.001; power++)
			value_tick(c, pow(10, power));
	} else {
		double step = nice_step(c->high - c->low, 4);
		for (int i = 0; c->low + i * step <= c->high * 1.001; i++)
			value_tick(c, c->low + i * step);
	}
	if (unit)
		svg_textf(c->out, c->left - 7, c->top - 8, "unit", "end", "%s", unit);
}

/* ---- faults ---- */

static size_t family_len(const char *name)
{
	return strcspn(name, "-");
}

static bool same_family(const char *a, const char *b)
{
	return family_len(a) == family_len(b) && strncmp(a, b, family_len(a)) == 0;
}

const char *fault_class(const struct history *h, const char *name)
{
	static const char *const classes[FAULT_COLOURS] = {"f0", "f1", "f2", "f3", "f4", "f5", "f6", "f7"};
	size_t families = 0;
	for (size_t i = 0; i < h->fault_count && !same_family(h->faults[i].name, name); i++) {
		bool is_first = true;
		for (size_t k = 0; k < i && is_first; k++)
			is_first = !same_family(h->faults[k].name, h->faults[i].name);
		families += is_first;
	}
	return classes[families % FAULT_COLOURS];
}

static int64_t fault_end(const struct chart *c, const struct history_fault *f)
{
	return f->end_ns < 0 ? c->to_ns : f->end_ns;
}

static void fault_tip(const struct history_fault *f, struct strbuf *tip)
{
	strbuf_addf(tip, "%s, from %.2f s", f->name, (double)f->begin_ns / 1e9);
	if (f->end_ns >= 0)
		strbuf_addf(tip, " to %.2f s", (double)f->end_ns / 1e9);
	if (f->detail[0])
		strbuf_addf(tip, "\n%s", f->detail);
}

void chart_faults(const struct chart *c)
{
	for (size_t i = 0; i < c->history->fault_count; i++) {
		const struct history_fault *f = &c->history->faults[i];
		if (f->begin_ns > c->to_ns || fault_end(c, f) < c->from_ns)
			continue;
		char class[16];
		double x = chart_x(c, f->begin_ns), w = chart_x(c, fault_end(c, f)) - x;
		snprintf(class, sizeof class, "band %s", fault_class(c->history, f->name));
		svg_rect(c->out, x, c->top, w < 1 ? 1 : w, c->bottom - c->top, class, NULL);
	}
}

double chart_fault_rows(const struct chart *c, double top)
{
	const char *names[FAULT_NAMES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < c->history->fault_count; i++) {
		const struct history_fault *f = &c->history->faults[i];
		size_t row = 0;
		while (row < count && strcmp(names[row], f->name) != 0)
			row++;
		if (row == count && count == FAULT_NAMES_MAX)
			continue;
		double y = top + (double)row * FAULT_ROW_PX, x = chart_x(c, f->begin_ns),
		       w = chart_x(c, fault_end(c, f)) - x;
		if (row == count) {
			names[count++] = f->name;
			svg_line(c->out, c->left, y + 5.5, c->right, y + 5.5, "grid");
			svg_textf(c->out, c->left - 7, y + 9, "tick", "end", "%.22s", f->name);
		}
		CLEANUP(cleanup_strbuf) struct strbuf tip = STRBUF_INIT;
		char class[16];
		fault_tip(f, &tip);
		snprintf(class, sizeof class, "bar %s", fault_class(c->history, f->name));
		svg_rect(c->out, x, y + 1, w < 2 ? 2 : w, FAULT_ROW_PX - 6, class, strbuf_cstr(&tip));
	}
	return (double)count * FAULT_ROW_PX;
}
