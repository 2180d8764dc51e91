/* See cluster.h. */
#include "net/dns/serve/cluster.h"

#include "api/client/informer.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "net/dns/zone/zone.h"

#include <malloc.h>
#include <stdlib.h>

struct followed {
	struct dns_cluster *cluster;
	enum zone_kind kind;
	struct informer *informer; /* NULL: not followed */
};

struct dns_cluster {
	struct client *client;
	struct zone *zone;
	struct followed followed[ZONE_KINDS];
	bool was_synced;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

static const struct {
	const char *path, *field_selector;
	struct rcbuf *(*pack)(struct slice object);
} kinds[ZONE_KINDS] = {
        [ZONE_SERVICE] = {"/api/v1/services", NULL, record_pack_service},
        [ZONE_SLICE] = {"/apis/discovery.k8s.io/v1/endpointslices", NULL, record_pack_slice},
        [ZONE_NAMESPACE] = {"/api/v1/namespaces", NULL, record_pack_namespace},
        [ZONE_POD] = {"/api/v1/pods", NULL, record_pack_pod},
};

static void set(void *arg, struct informer_object *o)
{
	struct followed *f = arg;
	zone_set(f->cluster->zone, f->kind, o->key, o->json, clock_wall_s());
}

static void updated(void *arg, struct informer_object *o, struct rcbuf *before)
{
	if (before->len != o->json->len || memcmp(before->data, o->json->data, before->len) != 0)
		set(arg, o); /* what does not touch DNS does not touch the serial */
}

static void deleted(void *arg, struct informer_object *o)
{
	struct followed *f = arg;
	zone_drop(f->cluster->zone, f->kind, o->key, clock_wall_s());
}

static void synced(void *arg)
{
	struct followed *f = arg;
	struct dns_cluster *c = f->cluster;
	bool all = true;
	log_info("dns", "objects are known", "path=%s count=%zu", kinds[f->kind].path, zone_count(c->zone, f->kind));
	malloc_trim(0); /* what the first stream took for a moment */
	for (unsigned i = 0; i < ZONE_KINDS; i++)
		all &= !c->followed[i].informer || informer_is_synced(c->followed[i].informer);
	c->was_synced |= all;
}

static void follow(struct dns_cluster *c, enum zone_kind kind)
{
	struct followed *f = &c->followed[kind];
	struct informer_options o = {.client = c->client,
	        .path = kinds[kind].path,
	        .field_selector = kinds[kind].field_selector,
	        .digest = kinds[kind].pack,
	        .added = set,
	        .updated = updated,
	        .deleted = deleted,
	        .synced = synced,
	        .arg = f};
	*f = (struct followed){c, kind, NULL};
	f->informer = informer_new(&o);
}

struct dns_cluster *dns_cluster_new(struct client *client, struct zone *zone)
{
	struct dns_cluster *c = xcalloc(1, sizeof *c);
	c->client = client;
	c->zone = zone;
	follow(c, ZONE_NAMESPACE);
	follow(c, ZONE_SERVICE);
	follow(c, ZONE_SLICE);
	return c;
}

void dns_cluster_want_pods(struct dns_cluster *c)
{
	if (!c->followed[ZONE_POD].informer)
		follow(c, ZONE_POD);
}

bool dns_cluster_is_synced(const struct dns_cluster *c)
{
	return c->was_synced;
}

static void all_closed(struct closing *x)
{
	struct dns_cluster *c = CONTAINER_OF(x, struct dns_cluster, closing);
	void (*closed)(void *) = c->closed;
	void *arg = c->closed_arg;
	free(c);
	if (closed)
		closed(arg);
}

void dns_cluster_close(struct dns_cluster *c, void (*closed)(void *arg), void *arg)
{
	c->closed = closed;
	c->closed_arg = arg;
	c->closing.all_closed = all_closed;
	closing_hold(&c->closing);
	for (unsigned i = 0; i < ZONE_KINDS; i++)
		if (c->followed[i].informer)
			closing_hold(&c->closing),
			        informer_close(c->followed[i].informer, closing_part_done, &c->closing);
	closing_part_done(&c->closing);
}
