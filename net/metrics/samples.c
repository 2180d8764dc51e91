/* See samples.h. A scrape is read into a heap of its own first, so that a broken one changes nothing:
 *
 *     text --> the node's point, and a pod for each "namespace/name" with a point for each container
 *          --> what lacks its CPU or its memory is left out, a pod as a whole (a sum without a part would mislead)
 *          --> each point is put before the one known so far --> the node's former pods go, the new ones stand
 *
 * Two nodes may speak of one name while a pod of a StatefulSet moves: the one that started later is meant. Upstream:
 * metrics-server pkg/storage. */
#include "net/metrics/samples.h"

#include "base/limits.h"
#include "base/mem/arena.h"
#include "base/mem/map.h"
#include "net/metrics/exposition.h"

#include <math.h>
#include <stdlib.h>

/* A container that is younger than a period has one sample: its start, when nothing was used, is the other; but not
 * before this age, for a start is no measure. */
enum { FRESH_MIN_MS = 10000 };

struct pod {
	struct samples_pod pod; /* first */
	struct node *node;
	struct pod *next; /* of the node */
};

struct node {
	struct slice name;
	struct samples_series series;
	int64_t taken_ms;
	struct pod *pods;
};

struct samples {
	int64_t resolution_ms;
	struct map nodes, pods;
};

struct samples *samples_new(int64_t resolution_ms)
{
	struct samples *s = xcalloc(1, sizeof *s);
	s->resolution_ms = resolution_ms;
	return s;
}

static void pod_free(struct pod *p)
{
	for (size_t i = 0; i < p->pod.n_containers; i++)
		free((char *)p->pod.containers[i].name);
	free(p->pod.containers);
	free(p);
}

static void pods_free(struct pod *list)
{
	while (list) {
		struct pod *next = list->next;
		pod_free(list);
		list = next;
	}
}

void samples_free(struct samples *s)
{
	if (!s)
		return;
	MAP_FOREACH (it, &s->nodes) {
		pods_free(((struct node *)it->value)->pods);
		free(it->value);
	}
	map_release(&s->nodes);
	map_release(&s->pods);
	free(s);
}

/* ---- a scrape ---- */

enum what { WHAT_CPU, WHAT_MEMORY, WHAT_START };

struct scrape {
	struct node *node;
	struct map pods; /* by key; the same as the list node->pods */
	struct samples_point point;
	int64_t now_ms;
};

static uint64_t scaled(double value, double by)
{
	double v = value * by;
	return isnan(v) || v <= 0 ? 0 : v >= 9e18 ? (uint64_t)9e18 : (uint64_t)v;
}

static void set_point(struct samples_point *p, enum what what, const struct exposition *e, int64_t now_ms)
{
	if (what == WHAT_MEMORY) {
		p->memory_bytes = scaled(e->value, 1);
	} else if (what == WHAT_START) {
		p->start_ms = (int64_t)scaled(e->value, 1e3);
	} else {
		p->cpu_ns = scaled(e->value, 1e9);
		p->at_ms = e->has_timestamp && e->timestamp_ms > 0 ? e->timestamp_ms : now_ms;
	}
}

static struct pod *need_pod(struct scrape *s, struct slice ns, struct slice name, struct err *err)
{
	struct strbuf key = STRBUF_INIT;
	strbuf_addf(&key, "%.*s/%.*s", SLICE_FMT(ns), SLICE_FMT(name));
	struct pod *p = map_get(&s->pods, strbuf_slice(&key));
	if (!p && s->pods.count == METRICS_NODE_PODS_MAX) {
		err_set(err, ERR_TOO_BIG, "it speaks of more than %u pods", METRICS_NODE_PODS_MAX);
	} else if (!p) {
		p = MAP_ENTRY_NEW(struct pod, pod.key, strbuf_slice(&key));
		p->node = s->node;
		p->pod.taken_ms = s->now_ms;
		p->next = s->node->pods;
		s->node->pods = p;
		map_put(&s->pods, p->pod.key, p);
	}
	strbuf_release(&key);
	return p;
}

static struct samples_container *need_container(struct pod *p, struct slice name, struct err *err)
{
	size_t n = p->pod.n_containers;
	for (size_t i = 0; i < n; i++)
		if (slice_is(name, p->pod.containers[i].name))
			return &p->pod.containers[i];
	if (n == METRICS_POD_CONTAINERS_MAX) {
		err_set(err, ERR_TOO_BIG, "pod %.*s has more than %u containers", SLICE_FMT(p->pod.key),
		        METRICS_POD_CONTAINERS_MAX);
		return NULL;
	}
	p->pod.containers = xrealloc(p->pod.containers, (n + 1) * sizeof *p->pod.containers);
	p->pod.containers[n] = (struct samples_container){.name = xmemdup(name.ptr, name.len)};
	p->pod.n_containers++;
	return &p->pod.containers[n];
}

static int take_container(struct scrape *s, enum what what, const struct exposition *e, struct err *err)
{
	struct slice ns = exposition_label(e, "namespace"), pod = exposition_label(e, "pod"),
	             name = exposition_label(e, "container");
	if (!ns.len || !pod.len || !name.len || memchr(name.ptr, 0, name.len))
		return 0; /* nobody's that can be asked for */
	struct pod *p = need_pod(s, ns, pod, err);
	struct samples_container *c = p ? need_container(p, name, err) : NULL;
	if (!c)
		return err->code;
	set_point(&c->series.last, what, e, s->now_ms);
	return 0;
}

static int take_sample(struct scrape *s, const struct exposition *e, struct err *err)
{
	static const struct {
		const char *name;
		bool of_node;
		enum what what;
	} rows[] = {
	        {"node_cpu_usage_seconds_total", true, WHAT_CPU},
	        {"node_memory_working_set_bytes", true, WHAT_MEMORY},
	        {"container_cpu_usage_seconds_total", false, WHAT_CPU},
	        {"container_memory_working_set_bytes", false, WHAT_MEMORY},
	        {"container_start_time_seconds", false, WHAT_START},
	};
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (!slice_is(e->name, rows[i].name))
			continue;
		if (!rows[i].of_node)
			return take_container(s, rows[i].what, e, err);
		set_point(&s->point, rows[i].what, e, s->now_ms);
	}
	return 0;
}

static int read_scrape(struct scrape *s, struct slice text, struct err *err)
{
	struct exposition e;
	struct err why = ERR_INIT;
	exposition_init(&e, text);
	while (!why.code && exposition_next(&e, &why))
		take_sample(s, &e, &why);
	if (why.code)
		*err = why;
	return why.code;
}

static bool is_whole(const struct samples_point *p)
{
	return p->at_ms && p->cpu_ns && p->memory_bytes;
}

/* What can't be told as a whole is not told. */
static void drop_incomplete(struct scrape *s)
{
	for (struct pod **at = &s->node->pods; *at;) {
		struct pod *p = *at;
		bool whole = true;
		for (size_t i = 0; i < p->pod.n_containers; i++)
			whole &= is_whole(&p->pod.containers[i].series.last);
		if (whole) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		map_del(&s->pods, p->pod.key);
		pod_free(p);
	}
}

/* ---- one point behind the other ---- */

/* x->last is new; `known` is what was there, NULL: nothing. */
static void put_behind(struct samples_series *x, const struct samples_series *known)
{
	if (!known)
		return;
	if (x->last.at_ms > known->last.at_ms)
		x->before = known->last;
	else if (known->before.at_ms && known->before.at_ms < x->last.at_ms)
		x->before = known->before; /* the kubelet has measured nothing new */
}

static void follow_container(const struct samples *s, struct samples_container *c, const struct samples_series *known)
{
	struct samples_series *x = &c->series;
	int64_t age_ms = x->last.at_ms - x->last.start_ms;
	if (x->last.start_ms && age_ms >= FRESH_MIN_MS && age_ms < s->resolution_ms)
		x->before = (struct samples_point){.start_ms = x->last.start_ms, .at_ms = x->last.start_ms};
	else if (known && x->last.start_ms < known->last.at_ms) /* else it is another, started since */
		put_behind(x, known);
}

static void follow_pod(const struct samples *s, struct pod *p, const struct pod *known)
{
	for (size_t i = 0; i < p->pod.n_containers; i++) {
		const struct samples_series *before = NULL;
		for (size_t k = 0; known && k < known->pod.n_containers; k++)
			if (strcmp(p->pod.containers[i].name, known->pod.containers[k].name) == 0)
				before = &known->pod.containers[k].series;
		follow_container(s, &p->pod.containers[i], before);
	}
}

static int64_t started_ms(const struct pod *p)
{
	int64_t first = INT64_MAX;
	for (size_t i = 0; i < p->pod.n_containers; i++)
		if (p->pod.containers[i].series.last.start_ms < first)
			first = p->pod.containers[i].series.last.start_ms;
	return first;
}

static void unlink_pod(struct samples *s, struct pod *p)
{
	if (map_get(&s->pods, p->pod.key) == p)
		map_del(&s->pods, p->pod.key);
}

static struct node *need_node(struct samples *s, struct slice name)
{
	struct node *n = map_get(&s->nodes, name);
	if (!n) {
		n = MAP_ENTRY_NEW(struct node, name, name);
		map_put(&s->nodes, n->name, n);
	}
	return n;
}

/* The node's pods are those of the scrape from now on. */
static void replace_pods(struct samples *s, struct node *n, struct pod *list)
{
	for (struct pod *p = list; p; p = p->next) {
		struct pod *known = map_get(&s->pods, p->pod.key);
		follow_pod(s, p, known && known->node == n ? known : NULL);
	}
	for (struct pod *old = n->pods; old; old = old->next)
		unlink_pod(s, old);
	pods_free(n->pods);
	n->pods = list;
	for (struct pod *p = list; p; p = p->next) {
		struct pod *other = map_get(&s->pods, p->pod.key);
		p->node = n;
		p->pod.node = n->name;
		if (!other || started_ms(other) <= started_ms(p))
			map_put(&s->pods, p->pod.key, p);
	}
}

int samples_take(struct samples *s, struct slice node, struct slice text, int64_t now_ms, struct err *err)
{
	struct node fresh = {.name = node};
	struct scrape scrape = {.node = &fresh, .now_ms = now_ms};
	int rc = read_scrape(&scrape, text, err);
	if (rc == 0 && s->pods.count + scrape.pods.count > METRICS_PODS_MAX)
		rc = err_set(err, ERR_TOO_BIG, "with it there are more than %u pods", METRICS_PODS_MAX);
	if (rc == 0)
		drop_incomplete(&scrape);
	map_release(&scrape.pods);
	if (rc != 0) {
		pods_free(fresh.pods);
		return rc;
	}
	struct node *n = need_node(s, node);
	struct samples_series known = n->series;
	n->series = (struct samples_series){0};
	if (is_whole(&scrape.point)) {
		n->series.last = scrape.point;
		put_behind(&n->series, &known);
	}
	n->taken_ms = now_ms;
	replace_pods(s, n, fresh.pods);
	return 0;
}

void samples_drop_node(struct samples *s, struct slice node)
{
	struct node *n = map_del(&s->nodes, node);
	if (!n)
		return;
	for (struct pod *p = n->pods; p; p = p->next)
		unlink_pod(s, p);
	pods_free(n->pods);
	free(n);
}

/* ---- asking ---- */

bool samples_usage(const struct samples_series *x, struct samples_usage *ret)
{
	const struct samples_point *last = &x->last, *before = &x->before;
	int64_t window_ms = last->at_ms - before->at_ms;
	if (!last->at_ms || !before->at_ms || window_ms <= 0 || last->start_ms < before->start_ms ||
	        last->cpu_ns < before->cpu_ns)
		return false;
	*ret = (struct samples_usage){.at_ms = last->at_ms,
	        .window_ms = window_ms,
	        .cpu_nanocores = scaled((double)(last->cpu_ns - before->cpu_ns), 1e3 / (double)window_ms),
	        .memory_bytes = last->memory_bytes};
	return true;
}

const struct samples_series *samples_node(const struct samples *s, struct slice node, int64_t *ret_taken_ms)
{
	const struct node *n = map_get(&s->nodes, node);
	*ret_taken_ms = n ? n->taken_ms : 0;
	return n ? &n->series : NULL;
}

const struct samples_pod *samples_pod(const struct samples *s, struct slice key)
{
	const struct pod *p = map_get(&s->pods, key);
	return p ? &p->pod : NULL;
}

void samples_each_pod(const struct samples *s, void (*see)(void *arg, const struct samples_pod *p), void *arg)
{
	MAP_FOREACH (it, &s->pods)
		see(arg, &((const struct pod *)it->value)->pod);
}

size_t samples_nodes(const struct samples *s)
{
	return s->nodes.count;
}

size_t samples_pods(const struct samples *s)
{
	return s->pods.count;
}
