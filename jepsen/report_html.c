/* The page of one run, from the verdict down to the details: head, numbers, what each checker says, every violation
 * with the operations that prove it, faults, throughput, latency, timeline, settings. */
#include "jepsen/report_int.h"

#include <inttypes.h>
#include <stdio.h>

enum { FAULTS_LISTED_MAX = 400 };

static const char *setting(const struct report_data *d, const char *name, const char *fallback)
{
	const char *value = history_get(d->history, name);
	return value ? value : fallback;
}

static enum check_verdict verdict_of(const struct report_data *d, const struct report_notes *notes)
{
	return notes && notes->count ? CHECK_INVALID : d->report->verdict;
}

/* ---- head ---- */

static void write_head(const struct report_data *d, const struct report_notes *notes, struct strbuf *out)
{
	const char *verdict = check_verdict_name(verdict_of(d, notes));
	strbuf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
	                 "content=\"width=device-width,initial-scale=1\"><title>");
	html_textf(out, "%s on %s: %s", setting(d, "workload", "run"), setting(d, "target", "a store"), verdict);
	strbuf_adds(out, "</title>\n");
	report_style(out);
	strbuf_adds(out, "</head><body><main>\n<header><div><h1>");
	html_textf(out, "%s on %s", setting(d, "workload", "run"), setting(d, "target", "a store"));
	strbuf_adds(out, "</h1><div class=\"sub\">");
	html_textf(out, "%s faults, seed %s, %s", setting(d, "nemesis", "no"), setting(d, "seed", "none"),
	        setting(d, "started", "date not kept"));
	strbuf_addf(out, "</div></div><span class=\"badge %s\">%s</span></header>\n", verdict, verdict);
}

static void write_tile(struct strbuf *out, const char *value, const char *what)
{
	strbuf_adds(out, "<div class=\"tile\"><b>");
	html_text(out, slice_of(value));
	strbuf_addf(out, "</b><span>%s</span></div>\n", what);
}

/* 12345678 as "12 345 678", which a reader can take in. */
static void write_count(struct strbuf *out, int64_t n, const char *what)
{
	char digits[32], text[48];
	size_t len = (size_t)snprintf(digits, sizeof digits, "%" PRId64, n), k = 0;
	for (size_t i = 0; i < len && k + 4 < sizeof text; i++) {
		if (i && (len - i) % 3 == 0) {
			text[k++] = '\xe2'; /* U+202F, a narrow space */
			text[k++] = '\x80';
			text[k++] = '\xaf';
		}
		text[k++] = digits[i];
	}
	text[k] = 0;
	write_tile(out, text, what);
}

static void write_tiles(const struct report_data *d, const struct report_notes *notes, struct strbuf *out)
{
	char seconds[32];
	int64_t violations = notes ? (int64_t)notes->count : 0;
	for (size_t i = 0; i < d->report->count; i++)
		violations += d->report->results[i].finding_count;
	snprintf(seconds, sizeof seconds, "%.1f s", (double)(d->to_ns - d->from_ns) / 1e9);
	strbuf_adds(out, "<div class=\"tiles\">\n");
	write_count(out, (int64_t)d->op_count, "operations");
	write_count(out, (int64_t)d->by_type[HISTORY_OK], "acknowledged");
	write_count(out, (int64_t)d->by_type[HISTORY_FAIL], "surely failed");
	write_count(out, (int64_t)d->by_type[HISTORY_INFO], "unknown");
	write_count(out, (int64_t)d->history->fault_count, "faults");
	write_count(out, violations, "violations");
	write_tile(out, seconds, "observed");
	write_tile(out, setting(d, "nodes", "?"), "servers");
	strbuf_adds(out, "</div>\n");
}

/* ---- verdicts ---- */

static void write_checkers(const struct report_data *d, struct strbuf *out)
{
	strbuf_adds(out, "<section><h2>Verdicts</h2><div class=\"wide\"><table><tr><th>checker</th><th>verdict</th><th "
	                 "class=\"n\">violations</th><th>looked at</th><th class=\"n\">took</th></tr>\n");
	for (size_t i = 0; i < d->report->count; i++) {
		const struct check_result *r = &d->report->results[i];
		const char *verdict = check_verdict_name(r->verdict);
		strbuf_addf(out,
		        "<tr><td>%s</td><td class=\"v %s\"><span class=\"dot %s\"></span>%s</td><td "
		        "class=\"n\">%" PRIu32 "</td><td>",
		        r->checker, verdict, verdict, verdict, r->finding_count);
		html_text(out, slice_of(r->reason));
		strbuf_addf(out, "</td><td class=\"n\">%" PRId64 " ms</td></tr>\n", r->took_ms);
	}
	strbuf_adds(out, "</table></div></section>\n");
}

static void write_notes(const struct report_notes *notes, struct strbuf *out)
{
	for (size_t i = 0; notes && i < notes->count; i++) {
		strbuf_adds(
		        out, "<section class=\"bad\"><h3><span class=\"tag\">run</span>Seen by the harness</h3><p>");
		html_text(out, slice_of(notes->texts[i]));
		strbuf_adds(out, "</p></section>\n");
	}
}

static void write_findings(const struct report_data *d, const struct check_result *r, struct strbuf *out)
{
	uint32_t kept = 0;
	for (const struct check_finding *f = r->findings; f; f = f->next) {
		strbuf_adds(out, "<section class=\"bad\"><h3><span class=\"tag\">");
		html_text(out, slice_of(f->anomaly));
		strbuf_addf(out, "</span>%s</h3><p>", r->checker);
		html_text(out, slice_of(f->text));
		strbuf_adds(out, "</p>\n<div class=\"wide\">");
		report_proof(d->history, f, out);
		strbuf_adds(out, "</div></section>\n");
		kept++;
	}
	if (kept < r->finding_count)
		strbuf_addf(out, "<p class=\"note\">%s found %" PRIu32 " more of them.</p>\n", r->checker,
		        r->finding_count - kept);
}

/* ---- plots and tables ---- */

static const char legend_types[] = "<div class=\"legend\"><span><i class=\"ok\"></i>acknowledged</span><span><i "
                                   "class=\"fail\"></i>surely failed</span><span><i class=\"info\"></i>unknown "
                                   "outcome</span>";

static void write_plots(struct report_data *d, struct strbuf *out)
{
	strbuf_adds(out, "<section><h2>Throughput</h2>");
	strbuf_addf(out, "%s</div>\n", legend_types);
	report_throughput(d, out);
	strbuf_adds(out, "</section>\n<section><h2>Latency</h2>");
	strbuf_addf(out,
	        "%s<span><i class=\"q50\"></i>median</span><span><i class=\"q95\"></i>95%%</span><span><i "
	        "class=\"q99\"></i>99%% of the acknowledged</span></div>\n",
	        legend_types);
	report_latency(d, out);
	strbuf_adds(out, "</section>\n<section><h2>Clients</h2>");
	strbuf_addf(out, "%s</div>\n", legend_types);
	report_timeline(d, out);
	strbuf_adds(out, "</section>\n");
}

static void write_nodes(uint64_t nodes, struct strbuf *out)
{
	const char *comma = "";
	for (unsigned i = 0; i < 64; i++)
		if (nodes >> i & 1) {
			strbuf_addf(out, "%s%u", comma, i);
			comma = ", ";
		}
}

static void write_fault(const struct history *h, const struct history_fault *f, struct strbuf *out)
{
	strbuf_addf(out,
	        "<tr><td class=\"f\"><svg viewBox=\"0 0 10 10\"><rect class=\"bar %s\" width=\"10\" "
	        "height=\"10\"/></svg>",
	        fault_class(h, f->name));
	html_text(out, slice_of(f->name));
	strbuf_addf(out, "</td><td class=\"n\">%.2f s</td><td class=\"n\">", (double)f->begin_ns / 1e9);
	if (f->end_ns < 0)
		strbuf_adds(out, "to the end");
	else
		strbuf_addf(out, "%.2f s", (double)(f->end_ns - f->begin_ns) / 1e9);
	strbuf_adds(out, "</td><td>");
	write_nodes(f->nodes, out);
	strbuf_adds(out, "</td><td>");
	html_text(out, slice_of(f->detail));
	strbuf_adds(out, "</td></tr>\n");
}

static void write_faults(struct report_data *d, struct strbuf *out)
{
	size_t count = d->history->fault_count, shown = count < FAULTS_LISTED_MAX ? count : FAULTS_LISTED_MAX;
	if (!count)
		return;
	strbuf_adds(out, "<section><h2>Faults</h2>\n");
	report_faults_chart(d, out);
	strbuf_adds(out,
	        "<details><summary class=\"note\">All faults in a table</summary><div "
	        "class=\"wide\"><table><tr><th>fault"
	        "</th><th class=\"n\">begin</th><th class=\"n\">lasted</th><th>servers</th><th>detail</th></tr>\n");
	for (size_t i = 0; i < shown; i++)
		write_fault(d->history, &d->history->faults[i], out);
	strbuf_adds(out, "</table></div>");
	if (shown < count)
		strbuf_addf(out, "<p class=\"note\">The first %zu of %zu.</p>", shown, count);
	strbuf_adds(out, "</details></section>\n");
}

static void write_settings(const struct report_data *d, struct strbuf *out)
{
	strbuf_adds(out, "<section><h2>Settings</h2><table>\n");
	for (size_t i = 0; i < d->history->setting_count; i++) {
		strbuf_adds(out, "<tr><td>");
		html_text(out, slice_of(d->history->settings[i].name));
		strbuf_adds(out, "</td><td><code>");
		html_text(out, slice_of(d->history->settings[i].value));
		strbuf_adds(out, "</code></td></tr>\n");
	}
	strbuf_adds(out, "</table></section>\n");
}

void report_write_html(
        const struct history *h, const struct check_report *r, const struct report_notes *notes, struct strbuf *out)
{
	struct report_data d;
	report_collect(&d, h, r);
	write_head(&d, notes, out);
	write_tiles(&d, notes, out);
	write_checkers(&d, out);
	write_notes(notes, out);
	for (size_t i = 0; i < r->count; i++)
		write_findings(&d, &r->results[i], out);
	write_faults(&d, out);
	write_plots(&d, out);
	write_settings(&d, out);
	strbuf_adds(out, "</main>\n");
	report_script(out);
	strbuf_adds(out, "</body></html>\n");
	arena_release(&d.arena);
}
