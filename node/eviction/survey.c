/* See survey_int.h. Memory and layers come from the runtime, folders are walked on the pool when a disk is what is
 * short, processes are counted by the pods' groups there too. Which part of a pod counts for which disk is upstream's:
 * its layers for the disk of images, its logs and local volumes for that of pods, all together when it is one disk.
 *
 * What can go wrong: the runtime does not answer, or the pool is full: then nobody is measured. A pod that has no
 * container yet holds nothing. */
#include "node/eviction/survey_int.h"

#include "api/machinery/codec/resource_list.h"
#include "base/check.h"
#include "node/cgroup/cgroup.h"
#include "node/ground/files.h"
#include "node/ground/node_record.h"
#include "node/ground/pod_map.h"
#include "node/ground/pod_record.h"
#include "node/runtime/cri.h"

#include <stdlib.h>

enum { CALL_MS = 30000, COUNT_BYTES_MAX = 64 };

/* What is to be looked at on the pool, and what of it is of one container. */
struct survey_measure {
	const char *dir, *logs, *pids_file;
	struct file_use use;
	struct file_use *container_logs;
	int64_t pids;
};

static bool is_disk(enum eviction_signal s)
{
	return s != SIGNAL_MEMORY_AVAILABLE && s != SIGNAL_PID_AVAILABLE;
}

static bool is_inodes(enum eviction_signal s)
{
	return s == SIGNAL_NODEFS_INODES_FREE || s == SIGNAL_IMAGEFS_INODES_FREE;
}

static bool counts_layers(const struct survey *s)
{
	return is_disk(s->signal) &&
	       (s->is_one_fs || s->signal == SIGNAL_IMAGEFS_AVAILABLE || s->signal == SIGNAL_IMAGEFS_INODES_FREE);
}

static bool counts_folders(const struct survey *s)
{
	return is_disk(s->signal) &&
	       (s->is_one_fs || s->signal == SIGNAL_NODEFS_AVAILABLE || s->signal == SIGNAL_NODEFS_INODES_FREE);
}

/* ---- who ---- */

static bool may_go(const struct pod *p)
{
	return p->spec && pod_state(p) == POD_RUNNING && p->is_admitted && !p->is_deleting && !p->end_reason &&
	       !eviction_spares(p->spec, p->is_static);
}

static int64_t request_of(const struct resource_list *list, const char *resource)
{
	const struct quantity *q = resource_list_get(list, slice_of(resource));
	return q ? quantity_value(q) : 0;
}

static void add(struct survey *s, struct pod *p)
{
	struct arena *a = &s->arena;
	const char *resource = eviction_resource(s->signal);
	struct resource_list asked = resource_list_of_pod(a, p->spec, "requests"),
	                     overhead = resource_list_read(a, json_get(p->spec, "overhead"));
	resource_list_add(&asked, &overhead);
	struct eviction_candidate *c = &s->candidates[s->count];
	*c = (struct eviction_candidate){.uid = arena_strdup(a, p->uid),
	        .priority = json_get_int(p->spec, "priority", 0),
	        .request = request_of(&asked, resource),
	        .containers = ARENA_ARRAY(a, struct eviction_use, p->slots_count + 1),
	        .containers_count = p->slots_count};
	for (size_t i = 0; i < p->slots_count; i++) {
		struct resource_list one = resource_list_read(
		        a, json_path(pod_container_spec(p, p->slots[i].name), "resources", "requests", NULL));
		c->containers[i] =
		        (struct eviction_use){arena_strdup(a, p->slots[i].name), 0, request_of(&one, resource)};
	}
	s->measures[s->count++] = (struct survey_measure){.dir = pod_dir(p, a),
	        .logs = pod_log_dir(p, a),
	        .pids_file = cgroup_pids_file(p, a),
	        .container_logs = ARENA_ARRAY(a, struct file_use, p->slots_count + 1),
	        .pids = -1};
}

static void collect(struct survey *s)
{
	size_t count;
	struct pod **pods = node_pods(s->n, &count);
	s->candidates = ARENA_ARRAY(&s->arena, struct eviction_candidate, count + 1);
	s->measures = ARENA_ARRAY(&s->arena, struct survey_measure, count + 1);
	for (size_t i = 0; i < count; i++)
		if (may_go(pods[i]))
			add(s, pods[i]);
	free(pods);
}

/* ---- what the runtime says ---- */

static const char *label(const CRI(ContainerStats) * s, const char *key)
{
	for (size_t i = 0; s->attributes && i < s->attributes->n_labels; i++)
		if (strcmp(s->attributes->labels[i]->key, key) == 0)
			return s->attributes->labels[i]->value;
	return "";
}

static int64_t number(const CRI(UInt64Value) * v)
{
	return v && v->value < INT64_MAX / 4 ? (int64_t)v->value : 0;
}

static int64_t amount_of(const struct survey *s, const CRI(ContainerStats) * c)
{
	if (s->signal == SIGNAL_MEMORY_AVAILABLE)
		return number(c->memory ? c->memory->working_set_bytes : NULL);
	if (!counts_layers(s) || !c->writable_layer)
		return 0;
	return number(is_inodes(s->signal) ? c->writable_layer->inodes_used : c->writable_layer->used_bytes);
}

static void take_container(struct survey *s, const CRI(ContainerStats) * stats)
{
	const char *uid = label(stats, "io.kubernetes.pod.uid"), *name = label(stats, "io.kubernetes.container.name");
	for (size_t i = 0; i < s->count; i++) {
		struct eviction_candidate *c = &s->candidates[i];
		if (strcmp(c->uid, uid) != 0)
			continue;
		c->amount += amount_of(s, stats);
		for (size_t k = 0; k < c->containers_count; k++)
			if (strcmp(c->containers[k].container, name) == 0)
				c->containers[k].amount += amount_of(s, stats);
	}
}

/* ---- what the pool finds ---- */

static int64_t read_count(const char *path)
{
	int64_t n;
	size_t len = 0;
	char *text = path ? file_read(path, COUNT_BYTES_MAX, false, &len) : NULL;
	bool is = text && slice_to_i64(slice_trim((struct slice){text, len}), &n);
	free(text);
	return is ? n : -1;
}

static void add_use(struct file_use *to, struct file_use more)
{
	to->bytes += more.bytes;
	to->files += more.files;
}

static void walk(struct survey *s, size_t i)
{
	struct survey_measure *m = &s->measures[i];
	const struct eviction_candidate *c = &s->candidates[i];
	m->use = file_use(m->dir);
	for (size_t k = 0; k < c->containers_count; k++) {
		char path[4096];
		snprintf(path, sizeof path, "%s/%s", m->logs, c->containers[k].container);
		m->container_logs[k] = file_use(path);
		add_use(&m->use, m->container_logs[k]);
	}
}

static void measure_on_pool(struct errand *e)
{
	struct survey *s = CONTAINER_OF(e, struct survey, errand);
	for (size_t i = 0; i < s->count; i++)
		if (s->signal == SIGNAL_PID_AVAILABLE)
			s->measures[i].pids = read_count(s->measures[i].pids_file);
		else
			walk(s, i);
}

static int64_t of(const struct survey *s, struct file_use u)
{
	return is_inodes(s->signal) ? u.files : u.bytes;
}

static void measured(struct errand *e)
{
	struct survey *s = CONTAINER_OF(e, struct survey, errand);
	LOOP_CHECK_OWNER(s->n->loop);
	for (size_t i = 0; i < s->count; i++) {
		struct eviction_candidate *c = &s->candidates[i];
		const struct survey_measure *m = &s->measures[i];
		if (s->signal == SIGNAL_PID_AVAILABLE) {
			c->is_measured = m->pids >= 0;
			c->amount = m->pids;
			continue;
		}
		c->amount += of(s, m->use);
		for (size_t k = 0; k < c->containers_count; k++)
			c->containers[k].amount += of(s, m->container_logs[k]);
	}
	s->done(s);
}

static void told(void *arg, const void *answer, const struct err *err)
{
	struct survey *s = arg;
	const CRI(ListContainerStatsResponse) *list = answer;
	LOOP_CHECK_OWNER(s->n->loop);
	for (size_t i = 0; i < s->count; i++)
		s->candidates[i].is_measured = !err;
	for (size_t i = 0; list && i < list->n_stats; i++)
		take_container(s, list->stats[i]);
	bool on_pool = counts_folders(s) || s->signal == SIGNAL_PID_AVAILABLE;
	if (!on_pool || s->n->closing || !errand_start(s->n, &s->errand, measure_on_pool, measured))
		s->done(s);
}

void survey_start(struct survey *s)
{
	LOOP_CHECK_OWNER(s->n->loop);
	CHECK(s->done && s->n->cri);
	CRI(ListContainerStatsRequest) q = RUNTIME__V1__LIST_CONTAINER_STATS_REQUEST__INIT;
	collect(s);
	cri_call(s->n->cri, "RuntimeService/ListContainerStats", &q.base,
	        &runtime__v1__list_container_stats_response__descriptor, CALL_MS, told, s);
}

void survey_release(struct survey *s)
{
	arena_release(&s->arena);
	*s = (struct survey){.n = NULL};
}
