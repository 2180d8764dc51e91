/* See udp_sweep.h. A view is two arrays: where clients send to, sorted, and behind each the endpoints that may answer.
 * The sweep itself is a blocking walk over the kernel's table, on libuv's pool. */
#include "net/proxy/udp_sweep.h"

#include "base/check.h"
#include "base/log.h"

#include <ifaddrs.h>
#include <stdlib.h>

struct place {
	struct ip address; /* all zero: any of that family, of a node port */
	uint16_t port;
};

struct target {
	struct place at;
	size_t first, count; /* of places */
};

struct udp_view {
	struct target *targets;
	size_t n_targets, cap_targets;
	struct place *places;
	size_t n_places, cap_places;
	struct ip *locals;
	size_t n_locals;
};

struct udp_sweeper {
	struct loop *loop;
	uv_work_t work;
	struct udp_view *view, *next; /* under way; NULL: none */
	size_t count;
	struct err err;
	bool is_closing;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* ---- views ---- */

struct udp_view *udp_view_new(void)
{
	return xcalloc(1, sizeof(struct udp_view));
}

void udp_view_free(struct udp_view *v)
{
	if (!v)
		return;
	free(v->targets);
	free(v->places);
	free(v->locals);
	free(v);
}

static void add_target(struct udp_view *v, struct target t)
{
	if (v->n_targets == v->cap_targets) {
		v->cap_targets = v->cap_targets ? v->cap_targets * 2 : 16;
		v->targets = xrealloc(v->targets, v->cap_targets * sizeof *v->targets);
	}
	v->targets[v->n_targets++] = t;
}

static void add_place(struct udp_view *v, struct place p)
{
	if (v->n_places == v->cap_places) {
		v->cap_places = v->cap_places ? v->cap_places * 2 : 16;
		v->places = xrealloc(v->places, v->cap_places * sizeof *v->places);
	}
	v->places[v->n_places++] = p;
}

static void add_places(struct udp_view *v, const struct proxy_endpoint *list, size_t n)
{
	struct ip address;
	for (size_t i = 0; i < n; i++) {
		CHECK(ip_parse(slice_of(list[i].ip), &address));
		add_place(v, (struct place){address, (uint16_t)list[i].port});
	}
}

static struct ip any_of(enum ip_family f)
{
	return (struct ip){.family = f};
}

void udp_view_add(struct udp_view *v, const struct proxy_port *p)
{
	struct ip address;
	struct target t = {.first = v->n_places};
	add_places(v, p->internal, p->n_internal);
	add_places(v, p->external, p->n_external);
	add_places(v, p->cluster, p->n_cluster);
	t.count = v->n_places - t.first;
	for (size_t i = 0; i < p->n_addresses; i++) {
		CHECK(ip_parse(slice_of(p->addresses[i]), &address));
		t.at = (struct place){address, (uint16_t)p->port};
		add_target(v, t);
	}
	t.at = (struct place){any_of(p->family->family), (uint16_t)p->node_port};
	if (p->node_port)
		add_target(v, t);
}

void udp_view_add_all(struct udp_view *v, const struct udp_view *other)
{
	size_t first = v->n_places;
	for (size_t i = 0; i < other->n_places; i++)
		add_place(v, other->places[i]);
	for (size_t i = 0; i < other->n_targets; i++) {
		struct target t = other->targets[i];
		t.first += first;
		add_target(v, t);
	}
}

void udp_view_add_local(struct udp_view *v, const struct ip *address)
{
	v->locals = xrealloc(v->locals, (v->n_locals + 1) * sizeof *v->locals);
	v->locals[v->n_locals++] = *address;
}

static bool is_local(const struct udp_view *v, const struct ip *address)
{
	for (size_t i = 0; i < v->n_locals; i++)
		if (ip_equal(&v->locals[i], address))
			return true;
	return false;
}

static int by_place(const void *l, const void *r)
{
	const struct place *a = &((const struct target *)l)->at, *b = &((const struct target *)r)->at;
	if (a->address.family != b->address.family)
		return (int)a->address.family - (int)b->address.family;
	int d = memcmp(a->address.bytes, b->address.bytes, ip_bytes(a->address.family));
	return d ? d : (int)a->port - (int)b->port;
}

void udp_view_seal(struct udp_view *v)
{
	if (v->n_targets)
		qsort(v->targets, v->n_targets, sizeof *v->targets, by_place);
}

static const struct target *find(const struct udp_view *v, struct ip address, uint16_t port)
{
	struct target key = {.at = {address, port}};
	return v->n_targets ? bsearch(&key, v->targets, v->n_targets, sizeof key, by_place) : NULL;
}

bool udp_view_is_stale(const struct udp_view *v, const struct conntrack_flow *f)
{
	const struct target *t = find(v, f->to, f->port);
	if (!t && is_local(v, &f->to))
		t = find(v, any_of(f->to.family), f->port);
	if (!t)
		return false;
	for (size_t i = t->first; i < t->first + t->count; i++)
		if (ip_equal(&v->places[i].address, &f->by) && v->places[i].port == f->by_port)
			return false;
	return true;
}

/* ---- sweeping ---- */

static bool is_stale(void *arg, const struct conntrack_flow *f)
{
	return udp_view_is_stale(arg, f);
}

static void add_local_address(struct udp_view *v, const void *sa)
{
	const struct sockaddr_in6 *v6 = sa;
	struct ip ip = {.family = v6->sin6_family == AF_INET6 ? IP_V6 : IP_V4};
	if (ip.family == IP_V6)
		memcpy(ip.bytes, &v6->sin6_addr, ip_bytes(IP_V6));
	else
		memcpy(ip.bytes, &((const struct sockaddr_in *)sa)->sin_addr, ip_bytes(IP_V4));
	udp_view_add_local(v, &ip);
}

static void add_locals(struct udp_view *v)
{
	struct ifaddrs *all = NULL;
	if (getifaddrs(&all) != 0)
		return;
	for (struct ifaddrs *i = all; i; i = i->ifa_next)
		if (i->ifa_addr && (i->ifa_addr->sa_family == AF_INET || i->ifa_addr->sa_family == AF_INET6))
			add_local_address(v, i->ifa_addr);
	freeifaddrs(all);
}

static void work(uv_work_t *w)
{
	struct udp_sweeper *s = CONTAINER_OF(w, struct udp_sweeper, work);
	s->err = (struct err)ERR_INIT;
	udp_view_seal(s->view);
	add_locals(s->view);
	conntrack_forget_udp(is_stale, s->view, &s->count, &s->err);
}

static void finish(struct udp_sweeper *s)
{
	void (*closed)(void *) = s->closed;
	void *arg = s->closed_arg;
	udp_view_free(s->next);
	free(s);
	if (closed)
		closed(arg);
}

static void start(struct udp_sweeper *s);

static void worked(uv_work_t *w, int status)
{
	struct udp_sweeper *s = CONTAINER_OF(w, struct udp_sweeper, work);
	udp_view_free(TAKE(s->view));
	if (s->err.code)
		log_warn("proxy", "UDP flows to endpoints that are gone may go on", "error=\"%s\"", s->err.msg);
	else if (s->count)
		log_info("proxy", "forgot UDP flows to endpoints that are gone", "flows=%zu", s->count);
	if (s->is_closing)
		finish(s);
	else if (s->next)
		start(s);
}

static void start(struct udp_sweeper *s)
{
	s->view = TAKE(s->next);
	CHECK(uv_queue_work(loop_uv(s->loop), &s->work, work, worked) == 0);
}

struct udp_sweeper *udp_sweeper_new(struct loop *loop)
{
	struct udp_sweeper *s = xcalloc(1, sizeof *s);
	s->loop = loop;
	return s;
}

void udp_sweep(struct udp_sweeper *s, struct udp_view *v)
{
	LOOP_CHECK_OWNER(s->loop);
	udp_view_free(s->next);
	s->next = v;
	if (!s->view)
		start(s);
}

void udp_sweeper_close(struct udp_sweeper *s, void (*closed)(void *arg), void *arg)
{
	LOOP_CHECK_OWNER(s->loop);
	s->is_closing = true;
	s->closed = closed;
	s->closed_arg = arg;
	if (!s->view)
		finish(s);
}
