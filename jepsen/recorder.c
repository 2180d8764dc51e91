/* The recording half of run.h: time stamps and order of the history come from one mutex, so an OK that is appended
 * before another request's invocation did happen before it. */
#include "jepsen/run.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

static int64_t monotonic_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int64_t run_now_ns(struct run *r)
{
	return monotonic_ns() - r->start_ns;
}

static void append(struct worker *w, struct history_record *r, enum history_type type)
{
	struct run *run = w->run;
	r->type = (uint8_t)type;
	r->process = w->process;
	r->node = (int16_t)w->node;
	pthread_mutex_lock(&run->lock);
	r->time_ns = run_now_ns(run);
	history_append(&run->history, r);
	run->operations += type == HISTORY_INVOKE;
	if (type == HISTORY_INFO)
		w->process = run->next_process++;
	pthread_mutex_unlock(&run->lock);
}

void run_invoke(struct worker *w, struct history_record *r)
{
	append(w, r, HISTORY_INVOKE);
}

void run_complete(struct worker *w, struct history_record *r, const struct client_answer *answer)
{
	static const enum history_type types[] = {
	        [CLIENT_OK] = HISTORY_OK, [CLIENT_FAIL] = HISTORY_FAIL, [CLIENT_INFO] = HISTORY_INFO};
	r->error = answer->outcome == CLIENT_OK ? NULL : answer->err.msg;
	append(w, r, types[answer->outcome]);
}

void run_observe(struct worker *w, struct history_record *r)
{
	append(w, r, HISTORY_OK);
}

void run_violation(struct run *r, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&r->lock);
	if (r->violation_count < VIOLATIONS_MAX)
		r->violations[r->violation_count] = xstrdup(text);
	r->violation_count++;
	pthread_mutex_unlock(&r->lock);
	fprintf(stderr, "VIOLATION: %s\n", text);
}

size_t run_fault_begin(struct run *r, const char *name, uint64_t nodes, const char *detail)
{
	pthread_mutex_lock(&r->lock);
	size_t fault = history_fault_begin(&r->history, run_now_ns(r), name, nodes, detail);
	pthread_mutex_unlock(&r->lock);
	return fault;
}

void run_fault_end(struct run *r, size_t fault)
{
	pthread_mutex_lock(&r->lock);
	history_fault_end(&r->history, fault, run_now_ns(r));
	pthread_mutex_unlock(&r->lock);
}
