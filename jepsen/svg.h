/* Drawing: the few SVG elements that reports need, and charts over time with the faults behind them. Everything is
 * appended to a strbuf. Colours and fonts come from the page's style sheet by class, so that a page is readable light
 * and dark. What should show when pointed at goes into the attribute data-t; the page's script shows it. */
#ifndef K3X_JEPSEN_SVG_H
#define K3X_JEPSEN_SVG_H

#include "jepsen/history.h"

enum { SVG_WIDTH = 1080 };

/* Text as HTML: the five characters that mean something are escaped. */
void html_text(struct strbuf *out, struct slice text);
__attribute__((format(printf, 2, 3))) void html_textf(struct strbuf *out, const char *fmt, ...);

void svg_begin(struct strbuf *out, double height, const char *label);
void svg_end(struct strbuf *out);
/* `tip` NULL: none. */
void svg_rect(struct strbuf *out, double x, double y, double w, double h, const char *class, const char *tip);
void svg_line(struct strbuf *out, double x1, double y1, double x2, double y2, const char *class);
__attribute__((format(printf, 6, 7))) void svg_textf(
        struct strbuf *out, double x, double y, const char *class, const char *anchor, const char *fmt, ...);

/* A plot: pixels of its box, what lies at its edges. */
struct chart {
	struct strbuf *out;
	const struct history *history;
	double left, right, top, bottom;
	int64_t from_ns, to_ns;
	double low, high;
	bool is_log; /* the y axis, in milliseconds */
};

double chart_x(const struct chart *c, int64_t time_ns);
double chart_y(const struct chart *c, double value);

/* Bands of the faults behind the plot, each named when pointed at. */
void chart_faults(const struct chart *c);
/* The faults by name in rows above a plot; returns the height taken. */
double chart_fault_rows(const struct chart *c, double top);
void chart_time_axis(const struct chart *c, bool with_labels);
void chart_value_axis(const struct chart *c, const char *unit); /* NULL: the ticks say it */

/* The class of a fault's colour: one per family of faults (what comes before the first dash), in the order in which the
 * families came. */
const char *fault_class(const struct history *h, const char *name);

#endif
