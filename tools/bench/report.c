/* Samples, and the report of a benchmark: a table for people, a flat JSON file for programs. */
#include "tools/bench/bench.h"

#include "base/json_lib.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

double bench_now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

void bench_samples_add(struct bench_samples *s, double value)
{
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 1024;
		s->values = xrealloc(s->values, s->cap * sizeof *s->values);
	}
	s->values[s->count++] = value;
}

void bench_samples_reset(struct bench_samples *s)
{
	s->count = 0;
}

void bench_samples_release(struct bench_samples *s)
{
	free(s->values);
	*s = (struct bench_samples){0};
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double bench_samples_percentile(struct bench_samples *s, double p)
{
	if (!s->count)
		return 0;
	qsort(s->values, s->count, sizeof *s->values, compare);
	size_t i = (size_t)((double)(s->count - 1) * p / 100 + 0.5);
	return s->values[i];
}

double bench_samples_sum(const struct bench_samples *s)
{
	double sum = 0;
	for (size_t i = 0; i < s->count; i++)
		sum += s->values[i];
	return sum;
}

void bench_report_add(struct bench_report *r, struct bench_row row)
{
	if (r->count == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 32;
		r->rows = xrealloc(r->rows, r->cap * sizeof *r->rows);
	}
	r->rows[r->count++] = row;
}

static void print_number(char *out, size_t size, double v)
{
	if (v == 0)
		snprintf(out, size, "-");
	else
		snprintf(out, size, v >= 1000 ? "%.0f" : v >= 100 ? "%.1f" : "%.2f", v);
}

static void print_row(const struct bench_row *b)
{
	char ours[32], peer[32], aim[32], ratio[32] = "-";
	print_number(ours, sizeof ours, b->ours);
	print_number(peer, sizeof peer, b->peer);
	print_number(aim, sizeof aim, b->aim);
	if (b->peer > 0 && b->ours > 0 && b->better != BENCH_INFO)
		snprintf(ratio, sizeof ratio, "%.1fx",
		        b->better == BENCH_HIGHER ? b->ours / b->peer : b->peer / b->ours);
	const char *met = "";
	if (b->aim > 0)
		met = (b->better == BENCH_HIGHER ? b->ours >= b->aim : b->ours <= b->aim) ? "met" : "MISSED";
	printf("%-58s %10s %-7s %10s %7s %10s %s\n", b->what, ours, b->unit, peer, ratio, aim, met);
}

double bench_rounded(double v)
{
	return round(v * 1e4) / 1e4;
}

int bench_write_json(const char *folder, const char *name, const struct json_t *v, struct err *err)
{
	CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
	char path[300];
	mkdir("build", 0755);
	if (mkdir(folder, 0755) != 0 && errno != EEXIST)
		return err_errno(err, errno, "make %s", folder);
	snprintf(path, sizeof path, "%s/%s.json", folder, name);
	FILE *f = fopen(path, "we");
	if (!f)
		return err_errno(err, errno, "write %s", path);
	json_lib_write_pretty(&text, v);
	strbuf_addc(&text, '\n');
	bool is_whole = fwrite(text.data, 1, text.len, f) == text.len;
	if (fclose(f) != 0 || !is_whole)
		return err_errno(err, errno, "write %s", path);
	printf("\nwritten to %s\n", path);
	return 0;
}

static void write_rows(const struct bench_report *r, const char *folder, const char *name)
{
	struct err err = ERR_INIT;
	json_auto_t *v = json_object();
	for (size_t i = 0; i < r->count; i++)
		json_lib_set_real(v, r->rows[i].key, bench_rounded(r->rows[i].ours));
	if (bench_write_json(folder, name, v, &err) != 0)
		fprintf(stderr, "k3x-bench: %s\n", err.msg);
}

void bench_report_end(struct bench_report *r, const struct bench_settings *s, const char *name, const char *method)
{
	printf("\n%s\nPeer: published figures of Kubernetes 1.34 (kube-apiserver and etcd) on the same kind of "
	       "machine, quiet; it does not run here.\n\n",
	        method);
	printf("%-58s %10s %-7s %10s %7s %10s\n", "what", "ours", "unit", "peer", "ratio", "aim");
	for (size_t i = 0; i < r->count; i++)
		print_row(&r->rows[i]);
	write_rows(r, s->out, name);
	fflush(stdout);
	free(r->rows);
	*r = (struct bench_report){0};
}
