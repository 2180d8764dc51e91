/* Users, roles, permissions and tokens, without I/O: what the system keyspace says, and what follows from it. */
#ifndef K3X_STORE_ETCD_AUTH_AUTH_H
#define K3X_STORE_ETCD_AUTH_AUTH_H

#include "store/engine.h"
#include "store/proto/rpc.pb-c.h"

enum etcd_auth_error {
	ETCD_AUTH_OK,
	ETCD_AUTH_ROOT_USER_MISSING,
	ETCD_AUTH_ROOT_ROLE_MISSING,
	ETCD_AUTH_USER_EXISTS,
	ETCD_AUTH_USER_EMPTY,
	ETCD_AUTH_USER_NOT_FOUND,
	ETCD_AUTH_ROLE_EXISTS,
	ETCD_AUTH_ROLE_NOT_FOUND,
	ETCD_AUTH_ROLE_EMPTY,
	ETCD_AUTH_FAILED,
	ETCD_AUTH_NO_PASSWORD_USER,
	ETCD_AUTH_PERMISSION_NOT_GIVEN,
	ETCD_AUTH_DENIED,
	ETCD_AUTH_ROLE_NOT_GRANTED,
	ETCD_AUTH_PERMISSION_NOT_GRANTED,
	ETCD_AUTH_NOT_ENABLED,
	ETCD_AUTH_BAD_TOKEN,
	ETCD_AUTH_BAD_MANAGEMENT,
	ETCD_AUTH_OLD_REVISION,
	ETCD_AUTH_VERIFY_ONLY,
	ETCD_AUTH_LONG_PASSWORD,
};

/* etcd's words for it (api/v3rpc/rpctypes/error.go). */
const char *etcd_auth_error_text(enum etcd_auth_error error, int *grpc_status);

struct etcd_user {
	struct slice name;
	Etcdpb__User *message;
	bool is_root; /* has the role root */
	struct store_intervals read, write;
};

/* Everything about authentication at one version of the system keyspace. Users and roles are sorted by name. */
struct etcd_auth_state {
	struct arena arena;
	bool is_enabled;
	uint64_t revision; /* counts changes, as etcd's auth store does; 1 when nothing was ever changed */
	struct slice secret;
	struct etcd_user *users;
	size_t n_users;
	Etcdpb__Role **roles;
	size_t n_roles;
};

/* From the entries of the system keyspace, in order of keys; those that are not about authentication are skipped. */
struct etcd_auth_state *etcd_auth_state_new(const struct store_system_entry *entries, size_t n);
void etcd_auth_state_free(struct etcd_auth_state *s); /* NULL is allowed */

const struct etcd_user *etcd_auth_user(const struct etcd_auth_state *s, struct slice name);
const Etcdpb__Role *etcd_auth_role(const struct etcd_auth_state *s, struct slice name);
bool etcd_user_has_role(const struct etcd_user *u, struct slice role);

/* May these intervals' holder touch the keys? As in engine.h: an empty end is the one key, "\0" all from the key on. */
bool etcd_intervals_cover(const struct store_intervals *set, const struct store_key_range *keys);

/* Who sent a request. */
struct etcd_identity {
	bool is_known; /* false: neither token nor certificate */
	struct slice name;
	uint64_t revision; /* of the auth store that the token is about */
};

enum etcd_auth_error etcd_auth_check_admin(const struct etcd_auth_state *s, const struct etcd_identity *who);
enum etcd_auth_error etcd_auth_check_range(const struct etcd_auth_state *s, const struct etcd_identity *who,
        const struct store_key_range *keys, bool is_write);
/* Everything an operation reads and writes, transactions inside it too. */
enum etcd_auth_error etcd_auth_check_op(
        const struct etcd_auth_state *s, const struct etcd_identity *who, const struct store_op *op);

/* ---- tokens (token.c) ---- */

struct etcd_tokens;

/* `spec` as etcd's --auth-token: "simple", or "jwt,pub-key=FILE,priv-key=FILE,sign-method=ES256|RS256,ttl=5m". ttl_s:
 * how long a simple token lives without being used; 0: 300. */
int etcd_tokens_new(const char *spec, unsigned ttl_s, struct etcd_tokens **ret, struct err *err);
void etcd_tokens_free(struct etcd_tokens *t);
/* now_s: wall clock. Appends the token. ETCD_AUTH_VERIFY_ONLY when there is no key to sign with. */
enum etcd_auth_error etcd_tokens_make(struct etcd_tokens *t, const struct etcd_auth_state *s, const struct etcd_user *u,
        int64_t now_s, struct strbuf *out);
/* The name lives in the arena. ETCD_AUTH_BAD_TOKEN. */
enum etcd_auth_error etcd_tokens_check(struct etcd_tokens *t, const struct etcd_auth_state *s, struct slice token,
        int64_t now_s, struct arena *a, struct etcd_identity *ret);

#endif
