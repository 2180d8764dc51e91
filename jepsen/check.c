/* The registry of checkers, and what runs them: pairs the operations, gives each checker of the workload its context
 * and budget, collects findings, takes the worst verdict. See check.h. */
#include "jepsen/check_int.h"

#include "base/check.h"
#include "base/json_lib.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

/* Sorted by what a reader wants to see first. */
const struct checker checkers[] = {
        {"register", " register api-objects api-informers api-deployments ", check_register},
        {"set", " set ", check_set},
        {"unique", " unique ", check_unique},
        {"counter", " counter ", check_counter},
        {"append", " append ", check_append},
        {"bank", " bank ", check_bank},
        {"watch", " watch kube api-informers ", check_watch},
        {"lease", " lease lock ", check_lease},
        {"lock", " lock ", check_lock},
        {"kube", " kube api-objects api-informers ", check_kube},
        {"origin", " register watch kube api-objects api-informers ", check_origin},
        {"revision", " register set unique counter append bank watch lease lock kube api-objects api-informers ",
                check_revision},
};
const size_t checker_count = COUNT_OF(checkers);

static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

const char *check_verdict_name(enum check_verdict v)
{
	static const char *const names[] = {"valid", "unknown", "invalid"};
	CHECK(v <= CHECK_INVALID);
	return names[v];
}

/* ---- what checkers call ---- */

static char *format(struct arena *a, const char *fmt, va_list args)
{
	char *text = NULL;
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	CHECK(n >= 0);
	text = arena_alloc(a, (size_t)n + 1);
	vsnprintf(text, (size_t)n + 1, fmt, args);
	return text;
}

static void find(struct check_context *c, const char *anomaly, const uint32_t *records, uint32_t record_count,
        const char *fmt, va_list args)
{
	c->result->verdict = CHECK_INVALID;
	if (++c->result->finding_count > c->options->findings_max)
		return;
	struct check_finding *f = ARENA_NEW(c->arena, struct check_finding);
	*f = (struct check_finding){.anomaly = anomaly,
	        .text = format(c->arena, fmt, args),
	        .records = (const uint32_t *)arena_memdup(c->arena, records, record_count * sizeof *records),
	        .record_count = record_count,
	        .culprit = HISTORY_NONE};
	*c->tail = f;
	c->tail = &f->next;
}

void check_find(struct check_context *c, const char *anomaly, const uint32_t *records, uint32_t record_count,
        const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	find(c, anomaly, records, record_count, fmt, args);
	va_end(args);
}

void check_find_ops(struct check_context *c, const char *anomaly, const struct history_op *const *ops, uint32_t count,
        const char *fmt, ...)
{
	struct arena a = ARENA_INIT;
	uint32_t *records = ARENA_ARRAY(&a, uint32_t, 2 * count + 1), n = 0;
	for (uint32_t i = 0; i < count; i++)
		n += op_records(ops[i], records + n);
	va_list args;
	va_start(args, fmt);
	find(c, anomaly, records, n, fmt, args);
	va_end(args);
	arena_release(&a);
}

void check_blame(struct check_context *c, uint32_t record)
{
	struct check_finding *last = c->result->findings;
	while (last && last->next)
		last = last->next;
	if (last && c->result->finding_count <= c->options->findings_max)
		last->culprit = record;
}

void check_unknown(struct check_context *c, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	c->result->reason = format(c->arena, fmt, args);
	va_end(args);
	if (c->result->verdict == CHECK_VALID)
		c->result->verdict = CHECK_UNKNOWN;
}

void check_looked_at(struct check_context *c, const char *fmt, ...)
{
	if (c->result->verdict == CHECK_UNKNOWN)
		return; /* the reason stays */
	va_list args;
	va_start(args, fmt);
	c->result->reason = format(c->arena, fmt, args);
	va_end(args);
}

bool check_out_of_time(const struct check_context *c)
{
	return now_ns() > c->deadline_ns;
}

/* ---- running ---- */

static bool wants(const struct checker *checker, const char *workload)
{
	char word[64];
	snprintf(word, sizeof word, " %s ", workload);
	return strstr(checker->workloads, word) != NULL;
}

static void run_one(const struct checker *checker, struct check_context *c, struct check_result *result)
{
	int64_t begin = now_ns();
	*result = (struct check_result){.checker = checker->name, .reason = ""};
	c->result = result;
	c->tail = &result->findings;
	c->deadline_ns = begin + c->options->time_ms_max * 1000000;
	checker->run(c);
	result->took_ms = (now_ns() - begin) / 1000000;
}

int check_history(
        const struct history *h, const struct check_options *options, struct check_report *ret_report, struct err *err)
{
	const char *workload = history_get(h, "workload");
	struct arena pairs = ARENA_INIT;
	struct history_ops ops;
	struct check_report report = {.results = NULL};
	if (!workload)
		return err_set(err, ERR_INVAL, "the history has no setting \"workload\"");
	if (history_pair(h, &pairs, &ops, err) != 0) {
		arena_release(&pairs);
		return err->code;
	}
	report.results = ARENA_ARRAY(&report.arena, struct check_result, checker_count);
	struct check_context c = {.history = h, .ops = &ops, .options = options, .arena = &report.arena};
	for (size_t i = 0; i < checker_count; i++)
		if (wants(&checkers[i], workload)) {
			struct check_result *result = &report.results[report.count++];
			run_one(&checkers[i], &c, result);
			if (result->verdict > report.verdict)
				report.verdict = result->verdict;
		}
	arena_release(&pairs);
	if (!report.count) {
		arena_release(&report.arena);
		return err_set(err, ERR_INVAL, "no checker knows the workload \"%s\"", workload);
	}
	*ret_report = report;
	return 0;
}

void check_report_release(struct check_report *r)
{
	arena_release(&r->arena);
	*r = (struct check_report){.results = NULL};
}

/* ---- as JSON ---- */

static json_t *finding_json(const struct history *h, const struct check_finding *f)
{
	json_t *v = json_object(), *list = json_array();
	json_lib_set_cstr(v, "anomaly", f->anomaly);
	json_lib_set_cstr(v, "text", f->text);
	json_lib_set(v, "records", list);
	for (uint32_t i = 0; i < f->record_count; i++) {
		CLEANUP(cleanup_strbuf) struct strbuf text = STRBUF_INIT;
		const struct history_record *r = &h->records[f->records[i]];
		strbuf_addf(&text, "%u: %.6f s, process %d: ", f->records[i], (double)r->time_ns / 1e9, r->process);
		history_describe(h, f->records[i], &text);
		json_array_append_new(list, json_lib_new_str(strbuf_slice(&text)));
	}
	return v;
}

static json_t *result_json(const struct history *h, const struct check_result *r)
{
	json_t *v = json_object(), *list = json_array();
	json_lib_set_cstr(v, "checker", r->checker);
	json_lib_set_cstr(v, "verdict", check_verdict_name(r->verdict));
	json_lib_set_cstr(v, r->verdict == CHECK_UNKNOWN ? "reason" : "looked_at", r->reason);
	json_lib_set_int(v, "operations", r->checked);
	json_lib_set_int(v, "took_ms", r->took_ms);
	json_lib_set_int(v, "violations", r->finding_count);
	json_lib_set(v, "findings", list);
	for (const struct check_finding *f = r->findings; f; f = f->next)
		json_array_append_new(list, finding_json(h, f));
	return v;
}

json_t *check_report_json(const struct history *h, const struct check_report *r)
{
	json_t *v = json_object(), *settings = json_object(), *list = json_array();
	int64_t violations = 0, operations = 0;
	json_lib_set_cstr(v, "verdict", check_verdict_name(r->verdict));
	json_lib_set(v, "settings", settings);
	for (size_t i = 0; i < h->setting_count; i++)
		json_lib_set_cstr(settings, h->settings[i].name, h->settings[i].value);
	for (size_t i = 0; i < h->count; i++)
		operations += h->records[i].type == HISTORY_INVOKE;
	for (size_t i = 0; i < r->count; i++)
		violations += r->results[i].finding_count;
	json_lib_set_int(v, "operations", operations);
	json_lib_set_int(v, "faults", (int64_t)h->fault_count);
	json_lib_set_int(v, "violations", violations);
	json_lib_set(v, "checkers", list);
	for (size_t i = 0; i < r->count; i++)
		json_array_append_new(list, result_json(h, &r->results[i]));
	return v;
}
