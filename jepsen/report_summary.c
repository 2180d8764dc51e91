/* Many runs on one page and in one Markdown table: what ran, against what, with how many operations and faults, and
 * what became of it. Runs are found by their result.json, at most two folders deep. */
#include "jepsen/report_int.h"

#include "base/json_lib.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { RESULT_BYTES_MAX = 16 << 20, SUMMARY_DEPTH_MAX = 2, RUNS_MAX = 100000 };

struct run_row {
	const char *folder;
	const char *workload, *target, *nemesis, *started, *verdict, *anomalies;
	int64_t seed, operations, faults, violations;
	bool has_page;
};

struct summary {
	struct arena arena;
	struct run_row *rows;
	size_t count, cap;
};

/* ---- finding and reading runs ---- */

static char *slurp(struct arena *a, const char *path, size_t *ret_len)
{
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	char block[16384];
	FILE *f = fopen(path, "re");
	if (!f)
		return NULL;
	for (size_t n; text.len < RESULT_BYTES_MAX && (n = fread(block, 1, sizeof block, f)) > 0;)
		strbuf_add(&text, block, n);
	fclose(f);
	*ret_len = text.len;
	return arena_memdup(a, strbuf_cstr(&text), text.len);
}

static const char *text_of(struct arena *a, const json_t *v, const char *name)
{
	struct slice text = json_lib_get_str(v, name);
	return arena_memdup(a, text.ptr ? text.ptr : "", text.len);
}

/* The names of what was found, each once. */
static const char *anomalies_of(struct arena *a, const json_t *check)
{
	CLEANUP(cleanup_strbuf) struct strbuf out = STRBUF_INIT;
	json_t *checker, *finding;
	size_t i, k;
	json_array_foreach (json_object_get(check, "checkers"), i, checker)
		json_array_foreach (json_object_get(checker, "findings"), k, finding) {
			const char *name = text_of(a, finding, "anomaly");
			if (strstr(strbuf_cstr(&out), name))
				continue;
			strbuf_adds(&out, out.len ? ", " : "");
			strbuf_adds(&out, name);
		}
	return arena_memdup(a, strbuf_cstr(&out), out.len);
}

static void add_run(struct summary *s, const char *folder, const json_t *root)
{
	const json_t *check = json_object_get(root, "check"), *settings = json_object_get(check, "settings");
	int64_t noted = (int64_t)json_array_size(json_object_get(root, "violations"));
	const char *verdict = text_of(&s->arena, check, "verdict");
	if (s->count == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->rows = xrealloc(s->rows, s->cap * sizeof *s->rows);
	}
	s->rows[s->count++] = (struct run_row){.folder = arena_strdup(&s->arena, folder),
	        .workload = text_of(&s->arena, root, "workload"),
	        .target = text_of(&s->arena, root, "target"),
	        .nemesis = text_of(&s->arena, settings, "nemesis"),
	        .started = text_of(&s->arena, settings, "started"),
	        .verdict = noted        ? "invalid"
	                   : verdict[0] ? verdict
	                                : "unknown",
	        .anomalies = noted ? "seen by the harness" : anomalies_of(&s->arena, check),
	        .seed = json_lib_get_int(root, "seed", 0),
	        .operations = json_lib_get_int(root, "operations", 0),
	        .faults = json_lib_get_int(root, "faults", 0),
	        .violations = json_lib_get_int(check, "violations", 0) + noted};
}

static void look_into(struct summary *s, const char *folder, int depth)
{
	size_t len;
	struct err err = ERR_INIT;
	char *text = slurp(&s->arena, arena_printf(&s->arena, "%s/result.json", folder), &len);
	json_auto_t *root = text ? json_lib_parse((struct slice){text, len}, &err) : NULL;
	if (root) {
		add_run(s, folder, root);
		FILE *page = fopen(arena_printf(&s->arena, "%s/report.html", folder), "re");
		s->rows[s->count - 1].has_page = page != NULL;
		if (page)
			fclose(page);
		return;
	}
	if (text)
		fprintf(stderr, "jepsen-check: %s/result.json: %s\n", folder, err.msg);
	DIR *d = depth < SUMMARY_DEPTH_MAX ? opendir(folder) : NULL;
	for (struct dirent *e; d && s->count < RUNS_MAX && (e = readdir(d));)
		if (e->d_name[0] != '.' && (e->d_type == DT_DIR || e->d_type == DT_UNKNOWN))
			look_into(s, arena_printf(&s->arena, "%s/%s", folder, e->d_name), depth + 1);
	if (d)
		closedir(d);
}

/* What is not valid first, then by workload, target and time. */
static int by_interest(const void *a, const void *b)
{
	const struct run_row *x = a, *y = b;
	int order = (strcmp(x->verdict, "valid") == 0) - (strcmp(y->verdict, "valid") == 0);
	if (!order)
		order = strcmp(x->target, y->target);
	if (!order)
		order = strcmp(x->workload, y->workload);
	return order ? order : strcmp(x->folder, y->folder);
}

/* ---- writing ---- */

static void add_totals(const struct summary *s, struct run_row *total, size_t *invalid)
{
	for (size_t i = 0; i < s->count; i++) {
		total->operations += s->rows[i].operations;
		total->faults += s->rows[i].faults;
		total->violations += s->rows[i].violations;
		*invalid += strcmp(s->rows[i].verdict, "invalid") == 0;
	}
}

/* A cell of a Markdown table: bars would end it. */
static void md_text(struct strbuf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			strbuf_addc(out, '\\');
		strbuf_addc(out, *text == '\n' ? ' ' : *text);
	}
}

static void write_markdown(const struct summary *s, struct strbuf *out)
{
	struct run_row total = {.operations = 0};
	size_t invalid = 0;
	add_totals(s, &total, &invalid);
	strbuf_addf(out,
	        "%zu runs, %" PRId64 " operations, %" PRId64 " faults, %" PRId64 " violations.\n\n"
	        "| workload | target | faults by | seed | operations | faults | violations | verdict | found |\n"
	        "| --- | --- | --- | ---: | ---: | ---: | ---: | --- | --- |\n",
	        s->count, total.operations, total.faults, total.violations);
	for (size_t i = 0; i < s->count; i++) {
		const struct run_row *r = &s->rows[i];
		strbuf_adds(out, "| ");
		md_text(out, r->workload);
		strbuf_adds(out, " | ");
		md_text(out, r->target);
		strbuf_adds(out, " | ");
		md_text(out, r->nemesis);
		strbuf_addf(out, " | %" PRId64 " | %" PRId64 " | %" PRId64 " | %" PRId64 " | ", r->seed, r->operations,
		        r->faults, r->violations);
		md_text(out, r->verdict);
		strbuf_adds(out, " | ");
		md_text(out, r->anomalies);
		strbuf_adds(out, " |\n");
	}
}

static void write_cell(struct strbuf *out, const char *text)
{
	strbuf_adds(out, "<td>");
	html_text(out, slice_of(text));
	strbuf_adds(out, "</td>");
}

static void write_row(const struct run_row *r, struct strbuf *out)
{
	strbuf_adds(out, "<tr><td>");
	if (r->has_page) {
		strbuf_adds(out, "<a href=\"");
		html_text(out, slice_of(r->folder));
		strbuf_adds(out, "/report.html\">");
	}
	html_text(out, slice_of(r->workload[0] ? r->workload : r->folder));
	strbuf_adds(out, r->has_page ? "</a></td>" : "</td>");
	write_cell(out, r->target);
	write_cell(out, r->nemesis);
	strbuf_addf(out, "<td class=\"t\">%.10s %.8s</td>", r->started, strlen(r->started) > 11 ? r->started + 11 : "");
	strbuf_addf(out,
	        "<td class=\"n\">%" PRId64 "</td><td class=\"n\">%" PRId64 "</td><td class=\"n\">%" PRId64
	        "</td><td class=\"n\">%" PRId64 "</td><td class=\"v %s\"><span class=\"dot %s\"></span>%s</td>",
	        r->seed, r->operations, r->faults, r->violations, r->verdict, r->verdict, r->verdict);
	write_cell(out, r->anomalies);
	strbuf_adds(out, "</tr>\n");
}

static void write_tile(struct strbuf *out, int64_t n, const char *what)
{
	strbuf_addf(out, "<div class=\"tile\"><b>%" PRId64 "</b><span>%s</span></div>\n", n, what);
}

static void write_page(const struct summary *s, struct strbuf *out)
{
	struct run_row total = {.operations = 0};
	size_t invalid = 0;
	add_totals(s, &total, &invalid);
	strbuf_adds(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
	                 "content=\"width=device-width,initial-scale=1\"><title>Fault runs</title>\n");
	report_style(out);
	strbuf_addf(out,
	        "</head><body><main>\n<header><h1>Fault runs</h1><span class=\"badge %s\">%s</span></header>\n",
	        total.violations ? "invalid" : "valid", total.violations ? "violations" : "no violations");
	strbuf_adds(out, "<div class=\"tiles\">\n");
	write_tile(out, (int64_t)s->count, "runs");
	write_tile(out, (int64_t)invalid, "invalid runs");
	write_tile(out, total.operations, "operations");
	write_tile(out, total.faults, "faults");
	write_tile(out, total.violations, "violations");
	strbuf_adds(out,
	        "</div>\n<section><div class=\"wide\"><table><tr><th>workload</th><th>target</th><th>faults by</th>"
	        "<th>started</th><th class=\"n\">seed</th><th class=\"n\">operations</th><th class=\"n\">faults</th>"
	        "<th class=\"n\">violations</th><th>verdict</th><th>found</th></tr>\n");
	for (size_t i = 0; i < s->count; i++)
		write_row(&s->rows[i], out);
	strbuf_adds(out, "</table></div></section></main></body></html>\n");
}

int report_summary(char **folders, int count, const char *to, struct err *err)
{
	struct summary s = {.count = 0};
	CLEANUP(cleanup_strbuf) struct strbuf page = STRBUF_INIT, markdown = STRBUF_INIT;
	for (int i = 0; i < count; i++)
		look_into(&s, folders[i], 0);
	int rc = s.count ? 0 : err_set(err, ERR_NOT_FOUND, "no result.json below %s", folders[0]);
	if (rc == 0) {
		qsort(s.rows, s.count, sizeof *s.rows, by_interest);
		write_page(&s, &page);
		write_markdown(&s, &markdown);
		rc = report_write_file(to, "summary.html", &page, err);
		if (rc == 0)
			rc = report_write_file(to, "summary.md", &markdown, err);
	}
	free(s.rows);
	arena_release(&s.arena);
	return rc;
}
