/* See dns.h.
 *
 *     dns_new --> serving --(Corefile changed)--> serving with a new chain        dns_close --> lame --> closing
 *
 * A reload first reads, then opens what the new Corefile wants and the old one had not, and only then lets go of the
 * old: what fails on the way leaves everything as it was. */
#include "net/dns/dns.h"

#include "base/check.h"
#include "base/log.h"
#include "base/rt/closing.h"
#include "net/dns/conf/conf.h"
#include "net/dns/resolve/ask.h"
#include "net/dns/resolve/chain.h"
#include "net/dns/resolve/metrics.h"
#include "net/dns/serve/cluster.h"
#include "net/dns/serve/listener.h"
#include "net/dns/serve/web.h"
#include "net/dns/zone/zone.h"

#include <stdio.h>
#include <stdlib.h>

enum { LISTENERS_MAX = 256 };

struct port {
	struct listener *listener;
	char address[64];
	int port;
};

struct dns {
	struct dns_options o;
	struct zone *zone;
	struct metrics *metrics;
	struct dns_cluster *cluster; /* NULL: not wanted */
	struct chain *chain;
	struct web *web;
	struct port ports[LISTENERS_MAX];
	size_t n_ports;
	uv_timer_t reload, lame;
	bool is_stopping;
	uint64_t conf_hash;
	struct closing closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- what others ask of it ---- */

static bool is_synced(void *arg)
{
	struct dns *d = arg;
	return !d->cluster || dns_cluster_is_synced(d->cluster);
}

static bool is_healthy(void *arg)
{
	return !((struct dns *)arg)->is_stopping;
}

static bool is_ready(void *arg)
{
	struct dns *d = arg;
	return !d->is_stopping && is_synced(d);
}

static void write_metrics(void *arg, struct strbuf *out)
{
	struct dns *d = arg;
	chain_count(d->chain);
	metrics_write(d->metrics, out);
}

static void loop_found(void *arg, const char *where)
{
	struct dns *d = arg;
	d->o.failed(d->o.arg);
}

/* ---- ports ---- */

static struct port *find_port(struct port *list, size_t n, const char *address, int port)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].port == port && strcmp(list[i].address, address) == 0)
			return &list[i];
	return NULL;
}

static int want_port(struct dns *d, struct port *list, size_t *n, const char *address, int port, struct err *err)
{
	struct port *had = find_port(d->ports, d->n_ports, address, port);
	if (find_port(list, *n, address, port))
		return 0;
	if (*n == LISTENERS_MAX)
		return err_set(err, ERR_INVAL, "the Corefile wants more than %d addresses and ports", LISTENERS_MAX);
	struct port *p = &list[*n];
	*p = (struct port){.port = port};
	snprintf(p->address, sizeof p->address, "%s", address);
	struct listener_options o = {.loop = d->o.loop, .address = address, .port = port, .chain = &d->chain};
	if (had)
		p->listener = had->listener;
	else if (listener_new(&o, &p->listener, err) != 0)
		return err->code;
	(*n)++;
	return 0;
}

static void close_unless_in(struct port *list, size_t n, struct port *kept, size_t n_kept)
{
	for (size_t i = 0; i < n; i++)
		if (!find_port(kept, n_kept, list[i].address, list[i].port))
			listener_close(list[i].listener, NULL, NULL);
}

/* Opens what the conf wants; on failure nothing has changed. */
static int follow_ports(struct dns *d, const struct conf *conf, struct err *err)
{
	struct port *list = xcalloc(LISTENERS_MAX, sizeof *list);
	size_t n = 0;
	int rc = 0;
	for (size_t b = 0; b < conf->n_blocks; b++) {
		const struct conf_block *block = &conf->blocks[b];
		for (size_t k = 0; k < block->n_keys; k++)
			for (size_t i = 0; rc == 0 && i < (block->n_binds ? block->n_binds : 1); i++)
				rc = want_port(
				        d, list, &n, block->n_binds ? block->binds[i] : "", block->keys[k].port, err);
	}
	if (rc != 0) {
		close_unless_in(list, n, d->ports, d->n_ports);
	} else {
		close_unless_in(d->ports, d->n_ports, list, n);
		memcpy(d->ports, list, n * sizeof *list);
		d->n_ports = n;
	}
	free(list);
	return rc;
}

/* ---- the Corefile ---- */

/* Takes the conf over, or frees it. */
static int serve(struct dns *d, struct conf *conf, struct err *err)
{
	struct chain_env env = {.loop = d->o.loop,
	        .zone = d->zone,
	        .metrics = d->metrics,
	        .is_synced = is_synced,
	        .loop_found = loop_found,
	        .arg = d};
	if (conf->wants_cluster && !d->o.client)
		err_set(err, ERR_INVAL,
		        "the Corefile has kubernetes in it: this must run in a pod, or be given --kubeconfig");
	if (err->code != 0 || follow_ports(d, conf, err) != 0 || web_follow(d->web, conf, err) != 0) {
		conf_free(conf);
		return err->code;
	}
	if (conf->wants_cluster && !d->cluster)
		d->cluster = dns_cluster_new(d->o.client, d->zone);
	if (conf->wants_pods)
		dns_cluster_want_pods(d->cluster);
	struct chain *old = d->chain;
	d->chain = chain_new(&env, conf);
	d->conf_hash = d->metrics->conf_hash = conf->hash;
	if (old)
		chain_close(old, false, NULL, NULL);
	chain_detect_loops(d->chain);
	return 0;
}

static void plan_reload(struct dns *d);

void dns_reload(struct dns *d)
{
	struct err err = ERR_INIT;
	struct conf *conf = NULL;
	if (d->is_stopping)
		return;
	int rc = conf_read(&corefile_disk, d->o.conf_path, &conf, &err);
	if (rc == 0 && conf->hash == d->conf_hash) {
		conf_free(conf);
	} else if (rc == 0 && serve(d, conf, &err) == 0) {
		log_info("dns", "the Corefile was read again", "path=%s", d->o.conf_path);
	} else {
		d->metrics->reload_failures++;
		log_error("dns", "the new Corefile is not taken, the old one goes on", "error=\"%s\"", err.msg);
	}
	plan_reload(d);
}

static void reload_due(uv_timer_t *t)
{
	dns_reload(t->data);
}

static void plan_reload(struct dns *d)
{
	const struct conf *conf = chain_conf(d->chain);
	if (conf->reload_ms)
		uv_timer_start(&d->reload, reload_due,
		        conf->reload_ms + (conf->reload_jitter_ms ? ask_random() % conf->reload_jitter_ms : 0), 0);
}

/* ---- life ---- */

static void all_closed(struct closing *c)
{
	struct dns *d = CONTAINER_OF(c, struct dns, closing);
	void (*closed)(void *) = d->closed;
	void *arg = d->closed_arg;
	zone_free(d->zone);
	metrics_free(d->metrics);
	free(d);
	if (closed)
		closed(arg);
}

static void timer_closed(uv_handle_t *h)
{
	struct dns *d = h->data;
	closing_part_done(&d->closing);
}

static void close_parts(struct dns *d)
{
	struct closing *c = &d->closing;
	c->all_closed = all_closed;
	closing_hold(c);
	for (size_t i = 0; i < d->n_ports; i++)
		closing_hold(c), listener_close(d->ports[i].listener, closing_part_done, c);
	closing_hold(c), web_close(d->web, closing_part_done, c);
	if (d->chain)
		closing_hold(c), chain_close(d->chain, true, closing_part_done, c);
	if (d->cluster)
		closing_hold(c), dns_cluster_close(d->cluster, closing_part_done, c);
	closing_hold(c), uv_close((uv_handle_t *)&d->reload, timer_closed);
	closing_hold(c), uv_close((uv_handle_t *)&d->lame, timer_closed);
	closing_part_done(c);
}

int dns_new(const struct dns_options *o, struct dns **ret, struct err *err)
{
	struct conf *conf;
	if (conf_read(&corefile_disk, o->conf_path, &conf, err) != 0)
		return err->code;
	struct dns *d = xcalloc(1, sizeof *d);
	struct web_sources sources = {is_healthy, is_ready, write_metrics, d};
	d->o = *o;
	d->zone = zone_new();
	d->metrics = metrics_new();
	d->web = web_new(o->loop, &sources);
	uv_timer_init(loop_uv(o->loop), &d->reload);
	uv_timer_init(loop_uv(o->loop), &d->lame);
	d->reload.data = d->lame.data = d;
	if (serve(d, conf, err) != 0) {
		close_parts(d);
		return err->code;
	}
	plan_reload(d);
	*ret = d;
	return 0;
}

static void lame_over(uv_timer_t *t)
{
	close_parts(t->data);
}

void dns_close(struct dns *d, void (*closed)(void *arg), void *arg)
{
	d->is_stopping = true;
	d->closed = closed;
	d->closed_arg = arg;
	uv_timer_stop(&d->reload);
	uv_timer_start(&d->lame, lame_over, chain_conf(d->chain)->lameduck_ms, 0);
}
