/* The context of the controllers: starts every row of the table, starts their queues when all informers have their
 * first objects, and closes in the reverse order: handlers, queues and recorders, states. */
#include "api/controllers/controllers_int.h"

#include "base/log.h"

#include <errno.h>

static const struct {
	const char *name, *identity;
	void *(*start)(struct controllers *c);
	void (*release)(void *state);
	void (*stop)(void *state); /* NULL: nothing of its own to take off */
} table[] = {
#define CONTROLLER(name, identity, prefix, stop) {name, identity, prefix##_start, prefix##_release, stop},
        CONTROLLERS
#undef CONTROLLER
};

struct queue_row {
	struct list_link link;
	struct work_queue *queue;
};

struct recorder_row {
	struct list_link link;
	struct recorder *recorder;
};

struct listener_row {
	struct list_link link;
	struct informer_handler handler;
};

/* ---- what controllers are made of ---- */

struct work_queue *controllers_queue(
        struct controllers *c, const char *name, unsigned workers, void (*run)(struct work *w), void *arg)
{
	struct queue_row *row = ARENA_NEW(&c->arena, struct queue_row);
	row->queue = work_queue_new(&(struct work_queue_options){
	        .name = name, .client = c->client, .workers = workers, .run = run, .arg = arg});
	list_push_back(&c->queues, &row->link);
	return row->queue;
}

struct recorder *controllers_recorder(struct controllers *c, const char *component)
{
	struct recorder_row *row = ARENA_NEW(&c->arena, struct recorder_row);
	row->recorder = recorder_new(c->client, component, NULL);
	list_push_back(&c->recorders, &row->link);
	return row->recorder;
}

struct shared_informer *controllers_listen(
        struct controllers *c, const char *path, const struct informer_handler *handler)
{
	struct shared_informer *i = informer_set_get(c->informers, path);
	struct listener_row *row = ARENA_NEW(&c->arena, struct listener_row);
	row->handler = *handler;
	list_push_back(&c->listeners, &row->link);
	informer_set_listen(i, &row->handler);
	return i;
}

struct json *patch_new(struct arena *a, struct slice resource_version)
{
	struct json *patch = json_new(a, JSON_OBJECT);
	struct json *meta = json_need(a, patch, "metadata", JSON_OBJECT);
	if (resource_version.len)
		json_set_str(a, meta, "resourceVersion", resource_version);
	return patch;
}

int64_t int_or_percent(const struct json *v, int64_t total, bool round_up, int64_t fallback)
{
	struct slice text = json_str(v);
	int64_t percent;
	if (!text.len)
		return json_int(v, fallback);
	if (text.ptr[text.len - 1] != '%')
		return fallback;
	text.len--;
	if (!slice_to_i64(text, &percent))
		return fallback;
	return (percent * total + (round_up ? 99 : 0)) / 100;
}

/* ---- life ---- */

static void start_queues(void *arg)
{
	struct controllers *c = arg;
	log_info("controllers", "started", "queues=%d", (int)COUNT_OF(table));
	LIST_FOREACH (it, &c->queues)
		work_queue_start(CONTAINER_OF(it, struct queue_row, link)->queue);
}

static int read_root_ca(struct controllers *c, const char *file, struct err *err)
{
	char text[65536];
	FILE *f = file ? fopen(file, "re") : NULL;
	if (!file)
		return 0;
	if (!f)
		return err_errno(err, errno, "read the cluster's CA from %s", file);
	size_t n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	c->root_ca = arena_memdup(&c->arena, text, n);
	return 0;
}

static const char *keep(struct controllers *c, const char *text)
{
	return text ? arena_strdup(&c->arena, text) : NULL;
}

static const char *const *keep_list(struct controllers *c, const char *const *list, size_t n)
{
	const char **copy = ARENA_ARRAY(&c->arena, const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		copy[i] = keep(c, list[i]);
	return copy;
}

static void all_closed(struct closing *closing)
{
	struct controllers *c = CONTAINER_OF(closing, struct controllers, closing);
	void (*closed)(void *) = c->closed;
	void *arg = c->closed_arg;
	for (size_t i = 0; i < COUNT_OF(table); i++)
		table[i].release(c->states[i]);
	arena_release(&c->arena);
	free(c);
	if (closed)
		closed(arg);
}

static void take_arguments(struct controllers *c, const struct controllers_arguments *g)
{
	c->node_grace_s = (unsigned)g->node_grace_s;
	c->terminated_pods_max = (size_t)g->terminated_pods_max;
	c->token_period_s = g->token_period_s;
	c->eviction_rate = g->eviction_rate;
	c->secondary_eviction_rate = g->secondary_eviction_rate;
	c->unhealthy_zone_threshold = g->unhealthy_zone_threshold;
	c->node_mask_bits = (unsigned)g->node_mask_bits;
	c->node_mask_bits_v6 = (unsigned)g->node_mask_bits_v6;
	c->large_zone_nodes = (size_t)g->large_zone_nodes;
	c->hpa_period_s = g->hpa_period_s;
	c->hpa = (struct hpa_settings){.tolerance = g->hpa_tolerance,
	        .cpu_initialization_s = g->hpa_cpu_initialization_s,
	        .initial_readiness_delay_s = g->hpa_initial_readiness_delay_s,
	        .downscale_stabilization_s = g->hpa_downscale_stabilization_s};
}

int controllers_new(const struct controllers_options *options, struct controllers **ret, struct err *err)
{
	struct controllers *c = xcalloc(1, sizeof *c);
	c->client = options->client;
	c->informers = options->informers;
	c->serves_load_balancers = options->serves_load_balancers;
	for (size_t i = 0; options->reserved_ports && options->reserved_ports[i]; i++) {
		CHECK(i < CONTROLLERS_PORTS_MAX);
		c->reserved_ports[i] = options->reserved_ports[i];
	}
	take_arguments(c, &options->arguments);
	c->cluster_cidr = options->cluster_cidr ? arena_strdup(&c->arena, options->cluster_cidr) : NULL;
	c->client_ca_file = keep(c, options->client_ca_file);
	c->client_ca_key_file = keep(c, options->client_ca_key_file);
	c->server_ca_file = keep(c, options->server_ca_file);
	c->server_ca_key_file = keep(c, options->server_ca_key_file);
	c->manifests_dir = keep(c, options->manifests_dir);
	c->installs_charts = options->installs_charts;
	c->helm_job_image = keep(c, options->helm_job_image);
	c->disabled_addons = keep_list(c, options->disabled_addons, options->n_disabled_addons);
	c->n_disabled_addons = options->n_disabled_addons;
	c->closing.all_closed = all_closed;
	list_init(&c->queues);
	list_init(&c->listeners);
	list_init(&c->recorders);
	if (read_root_ca(c, options->root_ca_file, err) != 0) {
		arena_release(&c->arena);
		free(c);
		return err->code;
	}
	c->states = ARENA_ARRAY(&c->arena, void *, COUNT_OF(table));
	for (size_t i = 0; i < COUNT_OF(table); i++) {
		c->client = *table[i].identity && options->client_as
		                    ? options->client_as(options->client_as_arg, table[i].identity)
		                    : options->client;
		c->states[i] = table[i].start(c);
	}
	c->client = options->client;
	informer_set_when_synced(c->informers, start_queues, c);
	*ret = c;
	return 0;
}

void controllers_close(struct controllers *c, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(c->client->loop);
	c->closed = closed;
	c->closed_arg = arg;
	closing_hold(&c->closing);
	informer_set_stop_waiting(c->informers, start_queues, c);
	for (size_t i = 0; i < COUNT_OF(table); i++)
		if (table[i].stop)
			table[i].stop(c->states[i]);
	LIST_FOREACH (it, &c->listeners)
		informer_set_ignore(&CONTAINER_OF(it, struct listener_row, link)->handler);
	LIST_FOREACH (it, &c->queues) {
		closing_hold(&c->closing);
		work_queue_close(CONTAINER_OF(it, struct queue_row, link)->queue, closing_part_done, &c->closing);
	}
	LIST_FOREACH (it, &c->recorders) {
		closing_hold(&c->closing);
		recorder_close(CONTAINER_OF(it, struct recorder_row, link)->recorder, closing_part_done, &c->closing);
	}
	closing_part_done(&c->closing);
}
