/* Figures of two systems side by side, and of a bare table where there is one: medians of the runs, their ratio, what
 * we aim at; a table for people, a JSON file for programs. A ratio is always "ours over theirs so that more is
 * better": 2.0 is twice the throughput, or half the latency, memory or bytes. */
#include "tools/bench/store/store.h"

#include "base/json_lib.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct figure *figure_for(struct figures *f, const char *key)
{
	for (size_t i = 0; i < f->count; i++)
		if (strcmp(f->rows[i].key, key) == 0)
			return &f->rows[i];
	if (f->count == f->cap) {
		f->cap = f->cap ? f->cap * 2 : 64;
		f->rows = xrealloc(f->rows, f->cap * sizeof *f->rows);
	}
	struct figure *row = &f->rows[f->count++];
	*row = (struct figure){.key = arena_strdup(&f->arena, key)};
	return row;
}

void figures_add(struct figures *f, enum trio_system system, const char *key, const char *what, const char *unit,
        enum bench_better better, double aim, double value)
{
	struct figure *row = figure_for(f, key);
	if (!row->what) {
		row->what = arena_strdup(&f->arena, what);
		row->unit = arena_strdup(&f->arena, unit);
		row->better = better;
		row->aim = aim;
	}
	bench_samples_add(&row->runs[system], value);
}

void figures_add_latency(struct figures *f, enum trio_system system, const char *key, const char *what,
        const struct histogram *ns, double p99_aim)
{
	static const struct {
		const char *name;
		double p;
	} points[] = {{"p50", 50}, {"p99", 99}, {"max", 100}};
	char name[120], text[120];
	for (size_t i = 0; i < COUNT_OF(points); i++) {
		snprintf(name, sizeof name, "%s_%s_ms", key, points[i].name);
		snprintf(text, sizeof text, "  %s %s", what, points[i].name);
		figures_add(f, system, name, text, "ms", BENCH_LOWER, i == 1 ? p99_aim : 0,
		        (double)histogram_percentile(ns, points[i].p) / 1e6);
	}
}

static double median(struct figure *row, enum trio_system system)
{
	return bench_samples_percentile(&row->runs[system], 50);
}

double figure_ratio(struct figure *row)
{
	double ours = median(row, TRIO_K3X), theirs = median(row, TRIO_ETCD);
	if (ours <= 0 || theirs <= 0 || row->better == BENCH_INFO)
		return 0;
	return row->better == BENCH_HIGHER ? ours / theirs : theirs / ours;
}

static const char *number(char *out, size_t size, double v, bool is_there)
{
	if (!is_there)
		snprintf(out, size, "-");
	else
		snprintf(out, size, v >= 1000 ? "%.0f" : v >= 100 ? "%.1f" : "%.2f", v);
	return out;
}

static bool has_table(const struct figures *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->rows[i].runs[TRIO_TABLE].count)
			return true;
	return false;
}

void figures_print(struct figures *f, const char *method)
{
	char ours[32], theirs[32], table[40] = "", ratio[32], aim[32];
	bool with_table = has_table(f);
	printf("\n%s\nRatios say how much better k3x is than etcd: more is better, below 1 it is worse.\n\n", method);
	printf("%-58s %10s %10s %s%-7s %8s %6s\n", "what", "k3x", "etcd", with_table ? "     table " : "", "unit",
	        "ratio", "aim");
	for (size_t i = 0; i < f->count; i++) {
		struct figure *row = &f->rows[i];
		double r = figure_ratio(row);
		number(ours, sizeof ours, median(row, TRIO_K3X), row->runs[TRIO_K3X].count > 0);
		number(theirs, sizeof theirs, median(row, TRIO_ETCD), row->runs[TRIO_ETCD].count > 0);
		if (with_table) {
			char text[32];
			number(text, sizeof text, median(row, TRIO_TABLE), row->runs[TRIO_TABLE].count > 0);
			snprintf(table, sizeof table, "%10s ", text);
		}
		snprintf(ratio, sizeof ratio, r > 0 ? "%.2fx" : "-", r);
		snprintf(aim, sizeof aim, row->aim > 0 ? "%.1fx" : "-", row->aim);
		printf("%-58.58s %10s %10s %s%-7s %8s %6s %s\n", row->what, ours, theirs, table, row->unit, ratio, aim,
		        row->aim <= 0 || r <= 0 ? ""
		        : r >= row->aim         ? "met"
		                                : "MISSED");
	}
	fflush(stdout);
}

static json_t *runs_of(const struct bench_samples *s)
{
	json_t *list = json_array();
	for (size_t i = 0; i < s->count; i++)
		json_array_append_new(list, json_real(bench_rounded(s->values[i])));
	return list;
}

static json_t *row_of(struct figure *f)
{
	json_t *v = json_object();
	json_lib_set_real(v, "k3x", bench_rounded(median(f, TRIO_K3X)));
	json_lib_set_real(v, "etcd", bench_rounded(median(f, TRIO_ETCD)));
	json_lib_set_real(v, "ratio", bench_rounded(figure_ratio(f)));
	json_lib_set_cstr(v, "unit", f->unit);
	json_lib_set(v, "k3x_runs", runs_of(&f->runs[TRIO_K3X]));
	json_lib_set(v, "etcd_runs", runs_of(&f->runs[TRIO_ETCD]));
	if (f->runs[TRIO_TABLE].count) {
		json_lib_set_real(v, "table", bench_rounded(median(f, TRIO_TABLE)));
		json_lib_set(v, "table_runs", runs_of(&f->runs[TRIO_TABLE]));
	}
	return v;
}

int figures_write(struct figures *f, const char *folder, const char *name, const char *method, struct err *err)
{
	json_auto_t *v = json_object();
	json_lib_set_cstr(v, "method", method);
	for (size_t i = 0; i < f->count; i++)
		json_lib_set(v, f->rows[i].key, row_of(&f->rows[i]));
	return bench_write_json(folder, name, v, err);
}

void figures_release(struct figures *f)
{
	for (size_t i = 0; i < f->count; i++)
		for (int s = 0; s < TRIO_COLUMNS; s++)
			bench_samples_release(&f->rows[i].runs[s]);
	free(f->rows);
	arena_release(&f->arena);
	*f = (struct figures){0};
}
