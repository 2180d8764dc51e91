/* Passwords: hashing and checking them takes tens of milliseconds each, so never on the loop. */
#include "store/etcd/calls/password_int.h"

#include "base/check.h"
#include "base/pki/pki.h"
#include "base/rt/pool.h"

struct password_work {
	struct pool_work work;
	struct list_link link;
	char host[64];
	struct slice user; /* who logs in; empty: an administrator sets a password */
	struct etcd_call *call;
	struct slice password, hash;
	bool is_check, fits;
	struct strbuf made;
	struct err err;
	void (*hashed)(struct etcd_call *c, struct slice hash);
	void (*checked)(struct etcd_call *c, bool fits);
};

enum {
	PASSWORD_THREADS = 1,
	PASSWORDS_WAITING_MAX = 256,
	PER_ADDRESS_MAX = 32,
	PER_USER_MAX = 8,
	COST = 10,
	COST_MIN = 4,
	COST_MAX = 14
};

static unsigned cost_of(const struct etcd_service *s)
{
	unsigned cost = s->options.bcrypt_cost ? s->options.bcrypt_cost : COST;
	return cost < COST_MIN ? COST_MIN : cost > COST_MAX ? COST_MAX : cost;
}

static void work(struct pool_work *w)
{
	struct password_work *p = CONTAINER_OF(w, struct password_work, work);
	if (p->is_check && p->hash.len)
		p->fits = pki_password_check(p->password, p->hash);
	else
		pki_password_hash(p->password, cost_of(p->call->service), &p->made, &p->err);
}

static void worked(struct pool_work *w)
{
	struct password_work *p = CONTAINER_OF(w, struct password_work, work);
	struct etcd_call *c = p->call;
	LOOP_CHECK_OWNER(c->service->loop);
	CHECK(list_linked(&p->link) && (p->is_check ? p->checked != NULL : p->hashed != NULL));
	list_del(&p->link);
	struct slice hash = {arena_memdup(&c->arena, p->made.data, p->made.len), p->made.len};
	struct err err = p->err;
	strbuf_release(&p->made);
	if (!etcd_call_is_back(c, err.code && !p->is_check ? &err : NULL))
		return;
	if (p->is_check)
		p->checked(c, p->fits);
	else
		p->hashed(c, hash);
}

/* Of "10.0.0.7:41234" what is before the port. */
static void copy_host(struct etcd_call *c, char *ret, size_t size)
{
	struct http_exchange *x = c->json ? c->json : grpc_exchange(c->stream);
	const char *address = http_request(x)->peer->address, *port = strrchr(address, ':');
	size_t n = port ? (size_t)(port - address) : strlen(address);
	n = n < size - 1 ? n : size - 1;
	memcpy(ret, address, n);
	ret[n] = 0;
}

/* One address, and one user at an address, have so many under way: whoever tries many passwords waits for himself and
 * keeps nobody else out. */
static bool is_over_budget(struct etcd_service *s, struct password_work *p)
{
	unsigned of_host = 0, of_user = 0;
	copy_host(p->call, p->host, sizeof p->host);
	LIST_FOREACH (l, &s->passwords) {
		const struct password_work *q = CONTAINER_OF(l, struct password_work, link);
		bool is_same_host = strcmp(q->host, p->host) == 0;
		of_host += is_same_host;
		of_user += is_same_host && slice_eq(q->user, p->user);
	}
	return of_host >= PER_ADDRESS_MAX || (p->user.len && of_user >= PER_USER_MAX);
}

static void start_work(struct etcd_call *c, struct password_work *p)
{
	struct etcd_service *s = c->service;
	LOOP_CHECK_OWNER(s->loop);
	CHECK(!c->is_out);
	if (!s->pool)
		s->pool = pool_new("store-password", PASSWORD_THREADS, PASSWORDS_WAITING_MAX);
	p->call = c;
	if (is_over_budget(s, p)) {
		etcd_reply_err(c, GRPC_RESOURCE_EXHAUSTED, "etcdserver: too many requests");
		return;
	}
	p->password.ptr = arena_memdup(&c->arena, p->password.ptr, p->password.len);
	c->is_out = true;
	list_push_back(&s->passwords, &p->link);
	if (pool_submit(s->pool, &p->work, s->loop, work, worked))
		return;
	list_del(&p->link);
	c->is_out = false;
	etcd_reply_err(c, GRPC_RESOURCE_EXHAUSTED, "etcdserver: too many requests");
}

void etcd_password_hash(
        struct etcd_call *c, struct slice password, void (*then)(struct etcd_call *c, struct slice hash))
{
	if (password.len > PKI_PASSWORD_BYTES_MAX) {
		etcd_reply_auth_err(c, ETCD_AUTH_LONG_PASSWORD);
		return;
	}
	struct password_work *p = ARENA_NEW(&c->arena, struct password_work);
	p->password = password;
	p->hashed = then;
	start_work(c, p);
}

void etcd_password_check(struct etcd_call *c, struct slice user, struct slice password, struct slice hash,
        void (*then)(struct etcd_call *c, bool fits))
{
	struct password_work *p = ARENA_NEW(&c->arena, struct password_work);
	p->password = password;
	p->user = (struct slice){arena_memdup(&c->arena, user.ptr, user.len), user.len};
	p->hash = (struct slice){arena_memdup(&c->arena, hash.ptr, hash.len), hash.len};
	p->is_check = true;
	p->checked = then;
	start_work(c, p);
}
