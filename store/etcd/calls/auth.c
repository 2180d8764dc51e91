/* Auth: turning it on and off, its status, and logging in.
 *
 * The secret that signs tokens is made when authentication is turned on. A restored cluster has none, so that no token
 * of before is good there: the first to log in makes one. */
#include "store/etcd/calls/auth.h"

#include "base/check.h"
#include "base/log.h"
#include "base/pki/pki.h"
#include "store/etcd/calls/auth_edit_int.h"
#include "store/etcd/calls/password_int.h"
#include "store/etcd/serve/answer.h"
#include "store/etcd/serve/system.h"
#include "store/proto/unpack.h"

#include <inttypes.h>
#include <time.h>

enum { SECRET_BYTES = 32 };

/* ---- edits ---- */

struct etcd_edit etcd_edit_begin(struct etcd_call *c, size_t max)
{
	struct etcd_edit e = {.call = c, .cap = max + 1, .revision = c->service->system.auth->revision + 1};
	e.list = ARENA_ARRAY(&c->arena, struct store_system_entry, e.cap);
	etcd_edit_set(&e, "auth/revision", SLICE_NULL, slice_of(arena_printf(&c->arena, "%" PRIu64, e.revision)));
	return e;
}

static struct store_system_entry *add(struct etcd_edit *e, const char *kind, struct slice name)
{
	CHECK(e->n < e->cap);
	struct store_system_entry *x = &e->list[e->n++];
	x->key = slice_join(&e->call->arena, slice_of(kind), name);
	return x;
}

void etcd_edit_set(struct etcd_edit *e, const char *kind, struct slice name, struct slice value)
{
	add(e, kind, name)->value = value;
}

void etcd_edit_drop(struct etcd_edit *e, const char *kind, struct slice name)
{
	add(e, kind, name)->is_delete = true;
}

static struct slice packed(struct arena *a, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);
	uint8_t *bytes = arena_alloc(a, n + 1);
	protobuf_c_message_pack(m, bytes);
	return (struct slice){(const char *)bytes, n};
}

void etcd_edit_user(struct etcd_edit *e, const Etcdpb__User *u)
{
	etcd_edit_set(e, "auth/user/", etcd_slice(u->name), packed(&e->call->arena, &u->base));
}

void etcd_edit_role(struct etcd_edit *e, const Etcdpb__Role *r)
{
	etcd_edit_set(e, "auth/role/", etcd_slice(r->name), packed(&e->call->arena, &r->base));
}

void etcd_edit_none(struct etcd_call *c)
{
	etcd_reply_header(c, store_revision(c->service->store));
}

static void edited(struct etcd_call *c)
{
	if (c->request.err.code)
		etcd_reply_store_err(c, &c->request);
	else
		etcd_edit_none(c);
}

void etcd_edit_submit(struct etcd_edit *e)
{
	etcd_submit_system(e->call, e->list, e->n, edited);
}

/* ---- on and off ---- */

static void set_secret(struct etcd_edit *e)
{
	char *secret = arena_alloc(&e->call->arena, SECRET_BYTES);
	pki_random(secret, SECRET_BYTES);
	etcd_edit_set(e, "auth/secret", SLICE_NULL, (struct slice){secret, SECRET_BYTES});
}

void etcd_auth_enable(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	const struct etcd_auth_state *auth = c->service->system.auth;
	const struct etcd_user *root = etcd_auth_user(auth, SLICE("root"));
	if (auth->is_enabled) {
		etcd_edit_none(c);
		return;
	}
	if (!root || !root->is_root) {
		etcd_reply_auth_err(c, root ? ETCD_AUTH_ROOT_ROLE_MISSING : ETCD_AUTH_ROOT_USER_MISSING);
		return;
	}
	if (c->service->options.are_peers_open) {
		etcd_reply_err(c, GRPC_FAILED_PRECONDITION,
		        "etcdserver: anybody who reaches the peer port would pass for a member and read everything: "
		        "give all "
		        "members one --peer-secret-file, or certificates with --peer-client-cert-auth");
		return;
	}
	struct etcd_edit e = etcd_edit_begin(c, 2);
	e.n = 0; /* turning it on does not count as a change, in etcd */
	etcd_edit_set(&e, "auth/enabled", SLICE_NULL, SLICE("1"));
	set_secret(&e);
	log_info("store", "authentication is turned on", "revision=%" PRIu64, auth->revision);
	etcd_edit_submit(&e);
}

void etcd_auth_disable(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	if (!c->service->system.auth->is_enabled) {
		etcd_edit_none(c);
		return;
	}
	struct etcd_edit e = etcd_edit_begin(c, 2);
	etcd_edit_drop(&e, "auth/enabled", SLICE_NULL);
	etcd_edit_drop(&e, "auth/secret", SLICE_NULL);
	log_info("store", "authentication is turned off", "revision=%" PRIu64, e.revision);
	etcd_edit_submit(&e);
}

void etcd_auth_status(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	const struct etcd_auth_state *auth = c->service->system.auth;
	Etcdpb__AuthStatusResponse m = ETCDPB__AUTH_STATUS_RESPONSE__INIT;
	m.header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
	m.enabled = auth->is_enabled;
	m.authrevision = auth->revision;
	etcd_reply(c, &m.base);
}

/* ---- logging in ---- */

struct login {
	Etcdpb__AuthenticateRequest *request;
	uint64_t revision; /* of the auth store whose hash was checked */
};

static void check_login(struct etcd_call *c);

static void login_checked(struct etcd_call *c, bool fits)
{
	struct login *l = c->state;
	const struct etcd_auth_state *auth = c->service->system.auth;
	Etcdpb__AuthenticateResponse m = ETCDPB__AUTHENTICATE_RESPONSE__INIT;
	struct strbuf token = STRBUF_INIT;
	if (auth->revision != l->revision || !etcd_system_is_fresh(c->service)) {
		etcd_call_reread(c, check_login); /* something changed meanwhile: once more */
		return;
	}
	if (!fits) {
		log_info("store", "wrong password", "user=\"%s\"", l->request->name);
		etcd_reply_auth_err(c, ETCD_AUTH_FAILED);
		return;
	}
	const struct etcd_user *u = etcd_auth_user(auth, slice_of(l->request->name));
	enum etcd_auth_error error =
	        u ? etcd_tokens_make(c->service->tokens, auth, u, time(NULL), &token) : ETCD_AUTH_FAILED;
	if (error) {
		etcd_reply_auth_err(c, error);
	} else {
		m.header = etcd_header(c->service, &c->arena, store_revision(c->service->store));
		m.token = (char *)strbuf_cstr(&token);
		etcd_reply(c, &m.base);
	}
	strbuf_release(&token);
}

static void secret_made(struct etcd_call *c)
{
	if (c->request.err.code)
		etcd_reply_store_err(c, &c->request);
	else
		etcd_call_reread(c, check_login);
}

/* When another login was faster the handler runs again, and finds that one's. */
static void make_secret(struct etcd_call *c)
{
	struct etcd_edit e = etcd_edit_begin(c, 1);
	e.n = 0; /* no change of users or roles */
	set_secret(&e);
	etcd_submit_system(c, e.list, e.n, secret_made);
}

static void check_login(struct etcd_call *c)
{
	struct login *l = c->state;
	const struct etcd_auth_state *auth = c->service->system.auth;
	const struct etcd_user *u = etcd_auth_user(auth, slice_of(l->request->name));
	if (!auth->is_enabled) {
		etcd_reply_auth_err(c, ETCD_AUTH_NOT_ENABLED);
	} else if (!auth->secret.len) {
		make_secret(c);
	} else if (u && u->message->options && u->message->options->no_password) {
		etcd_reply_auth_err(c, ETCD_AUTH_NO_PASSWORD_USER);
	} else {
		l->revision = auth->revision;
		/* Somebody who is not there fails as slowly as somebody who is. */
		etcd_password_check(c, slice_of(l->request->name), slice_of(l->request->password),
		        u ? etcd_slice(u->message->password) : SLICE(""), login_checked);
	}
}

void etcd_authenticate(struct etcd_call *c, struct slice message)
{
	LOOP_CHECK_OWNER(c->service->loop);
	struct login *l = ARENA_NEW(&c->arena, struct login);
	l->request = etcd_unpack(c, &etcdpb__authenticate_request__descriptor, message);
	if (!l->request)
		return;
	c->state = l;
	etcd_call_reread(c, check_login); /* a user that another member has just added may log in */
}
