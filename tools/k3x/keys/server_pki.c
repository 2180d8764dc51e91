/* Keys, certificates and tokens of a server: made when missing, renewed when due, in k3s's places:
 *
 *     server/tls/{server-ca,client-ca}.{crt,key}        the two CAs: who serves, who asks
 *     server/tls/serving-kube-apiserver.{crt,key}       the API server
 *     server/tls/client-admin.{crt,key}                 the admin kubeconfig, group system:masters
 *     server/tls/client-kube-apiserver.{crt,key}        the API server towards kubelets; no rights elsewhere
 *     server/tls/request-header-ca.{crt,key}            vouches for who may say for whom it asks
 *     server/tls/client-auth-proxy.{crt,key}            this server towards aggregated API servers
 *     server/tls/service.key                            signs service account tokens
 *     agent/serving-kubelet.{crt,key}, client-kubelet.{crt,key}
 *     server/tls/etcd/peer-ca.{crt,key}                 vouches for servers towards each other
 *     server/tls/etcd/peer-server-client.{crt,key}      this server towards the others; it says which member it is
 *
 * CAs are never replaced here: what they issued would be worthless (server_rotate.c does that). Leaves are issued anew
 * when a quarter of their life is left, when somebody says so, or when the names they must hold have changed, which is
 * noted in a .names file beside them. Behind a leaf stands what vouches for its CA to those that know an older one. */
#include "tools/k3x/keys/server_pki.h"
#include "base/file/file_dirs.h"
#include "tools/k3x/keys/server_token.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/json/json.h"
#include "base/ip.h"
#include "base/pki/pki.h"
#include "base/yaml.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int server_make_folders(struct server_settings *s, struct err *err)
{
	/* Each comes behind the one that it lies in, which has a mode of its own. */
	static const struct {
		const char *name;
		mode_t mode;
	} folders[] = {{"server", 0700}, {"server/tls", 0700}, {"server/tls/etcd", 0700}, {"server/db", 0700},
	        {"server/cred", 0700}, {"server/manifests", 0700}, {"agent", 0755}, {"agent/images", 0755},
	        {"agent/pod-manifests", 0755}, {"agent/etc", 0755}};
	const size_t first_of_agent = 6;
	if (file_make_dirs(s->data_dir, 0755, err) != 0)
		return err->code;
	for (size_t i = s->is_agent ? first_of_agent : 0; i < sizeof folders / sizeof *folders; i++)
		if (file_make_dirs(server_file(s, "%s", folders[i].name), folders[i].mode, err) != 0)
			return err->code;
	return 0;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static int need_ca(struct server_settings *s, const char *name, struct pki_pair *ret, struct err *err)
{
	const char *crt = server_file(s, "server/tls/%s.crt", name), *key = server_file(s, "server/tls/%s.key", name);
	if (exists(crt) && exists(key))
		return pki_pair_load(crt, key, ret, err);
	if (exists(crt) != exists(key))
		return err_set(err, ERR_CORRUPT,
		        "%s and its key: one of the two is missing; put it back, or remove both for a new cluster "
		        "identity",
		        crt);
	const char *slash = strrchr(name, '/');
	const char *common_name =
	        arena_printf(&s->arena, "k3x-%s@%lld", slash ? slash + 1 : name, (long long)time(NULL));
	if (pki_ca_new(common_name, ret, err) != 0)
		return err->code;
	return pki_pair_save(ret, crt, key, err);
}

/* ---- leaves ---- */

const struct server_leaf_row server_leaves[SERVER_LEAVES] = {
        [SERVER_LEAF_ADMIN] = {"admin", "server/tls/client-admin", "server/tls/client-ca"},
        [SERVER_LEAF_API_SERVING] = {"api-server", "server/tls/serving-kube-apiserver", "server/tls/server-ca"},
        [SERVER_LEAF_API_CLIENT] = {"api-server", "server/tls/client-kube-apiserver", "server/tls/client-ca"},
        [SERVER_LEAF_KUBELET_SERVING] = {"kubelet", "agent/serving-kubelet", "server/tls/server-ca"},
        [SERVER_LEAF_KUBELET_CLIENT] = {"kubelet", "agent/client-kubelet", "server/tls/client-ca"},
        [SERVER_LEAF_FRONT_PROXY] = {"auth-proxy", "server/tls/client-auth-proxy", "server/tls/request-header-ca"},
        [SERVER_LEAF_PEER] = {"etcd", SERVER_PEER_LEAF, "server/tls/etcd/peer-ca"},
};

/* What is made of one CA, and of those beside it. */
struct half {
	struct server_settings settings; /* a copy, for an arena is one thread's */
	int64_t now_s;
	unsigned anew, made;
	struct err err;
};

static char *names_text(const struct pki_request *r)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "%s\n", r->common_name);
	for (size_t i = 0; i < r->organizations_count; i++)
		strbuf_addf(&b, "O=%s\n", r->organizations[i]);
	for (size_t i = 0; i < r->names_count; i++)
		strbuf_addf(&b, "%s\n", r->names[i]);
	return strbuf_detach(&b);
}

static bool is_good(const struct half *h, const char *crt, const char *key, const char *names_file, const char *names,
        const char *ca_pem)
{
	char *text = NULL, *pem = NULL;
	size_t len;
	struct pki_info info;
	bool good = exists(key) && pki_file_read(names_file, &text, &len, NULL) == 0 && strcmp(text, names) == 0 &&
	            pki_file_read(crt, &pem, &len, NULL) == 0 && pki_info(pem, &info, NULL) == 0 &&
	            !pki_needs_renewal(&info, h->now_s) && pki_is_signed_by(pem, ca_pem);
	free(text);
	free(pem);
	return good;
}

static int save_leaf(
        const struct pki_pair *ca, const struct pki_pair *leaf, const char *crt, const char *key, struct err *err)
{
	struct strbuf chain = STRBUF_INIT;
	strbuf_adds(&chain, leaf->certificate_pem);
	pki_bundle_chain(&chain, ca->certificate_pem);
	struct pki_pair whole = {(char *)(uintptr_t)strbuf_cstr(&chain), leaf->key_pem};
	int rc = pki_pair_save(&whole, crt, key, err);
	strbuf_release(&chain);
	return rc;
}

static int need_leaf(
        struct half *h, const struct pki_pair *ca, enum server_leaf which, const struct pki_request *request)
{
	const char *place = server_leaves[which].place;
	const char *crt = server_file(&h->settings, "%s.crt", place), *key = server_file(&h->settings, "%s.key", place),
	           *names_file = server_file(&h->settings, "%s.names", place);
	CLEANUP(cleanup_free) char *names = names_text(request);
	if (!(h->anew & 1u << which) && is_good(h, crt, key, names_file, names, ca->certificate_pem))
		return 0;
	struct pki_pair pair = PKI_PAIR_INIT;
	int rc = pki_issue(ca, request, &pair, &h->err);
	if (rc == 0)
		rc = save_leaf(ca, &pair, crt, key, &h->err);
	if (rc == 0)
		rc = pki_file_write(names_file, slice_of(names), 0644, &h->err);
	pki_pair_release(&pair);
	if (rc == 0)
		h->made |= 1u << which;
	return rc == 0 ? 0 : err_wrap(&h->err, "certificate %s", crt);
}

/* The first address of each range of services; at most room for IP_FAMILIES. How many. */
static size_t first_service_ips(struct server_settings *s, const char **names)
{
	struct ip_nets nets;
	struct err unused = ERR_INIT;
	char text[IP_TEXT_MAX];
	if (ip_nets_parse(s->service_cidr, &nets, &unused) != 0)
		return 0;
	for (size_t i = 0; i < nets.count; i++) {
		struct ip first = ip_net_at(&nets.items[i], 1, 0);
		names[i] = arena_strdup(&s->arena, ip_write(&first, text));
	}
	return nets.count;
}

/* The node's addresses, after the `n` names that are there; how many there are then. */
static size_t add_node_ips(const struct server_settings *s, const char **names, size_t n)
{
	names[n++] = s->node_ip;
	if (s->node_ip_other)
		names[n++] = s->node_ip_other;
	return n;
}

static int need_serving(struct half *h, const struct pki_pair *ca)
{
	struct server_settings *s = &h->settings;
	const char *fixed[] = {"kubernetes", "kubernetes.default", "kubernetes.default.svc",
	        arena_printf(&s->arena, "kubernetes.default.svc.%s", s->cluster_domain), "localhost", "127.0.0.1",
	        "::1", s->node_name, s->advertise_address};
	size_t n = sizeof fixed / sizeof *fixed;
	const char **names = ARENA_ARRAY(&s->arena, const char *, n + s->tls_san.count + (size_t)IP_FAMILIES * 2);
	memcpy(names, fixed, sizeof fixed);
	n = add_node_ips(s, names, n);
	n += first_service_ips(s, names + n);
	for (size_t i = 0; i < s->tls_san.count; i++)
		names[n++] = s->tls_san.items[i];
	struct pki_request r = {.common_name = "kube-apiserver", .names = names, .names_count = n, .is_server = true};
	return need_leaf(h, ca, SERVER_LEAF_API_SERVING, &r);
}

static int need_client(
        struct half *h, const struct pki_pair *ca, enum server_leaf which, const char *user, const char *group)
{
	const char *groups[] = {group};
	struct pki_request r = {
	        .common_name = user, .organizations = groups, .organizations_count = group ? 1 : 0, .is_client = true};
	return need_leaf(h, ca, which, &r);
}

static int need_kubelet_serving(struct half *h, const struct pki_pair *ca)
{
	const struct server_settings *s = &h->settings;
	const char *names[3 + IP_FAMILIES] = {s->node_name, "localhost", "127.0.0.1"};
	struct pki_request r = {.common_name = s->node_name,
	        .names = names,
	        .names_count = add_node_ips(s, names, 3),
	        .is_server = true};
	return need_leaf(h, ca, SERVER_LEAF_KUBELET_SERVING, &r);
}

static int need_kubelet_client(struct half *h, const struct pki_pair *ca)
{
	const char *user = arena_printf(&h->settings.arena, "system:node:%s", h->settings.node_name);
	return need_client(h, ca, SERVER_LEAF_KUBELET_CLIENT, user, "system:nodes");
}

static int need_service_key(struct server_settings *s, struct err *err)
{
	const char *path = server_file(s, "server/tls/service.key");
	char *pem;
	if (exists(path))
		return 0;
	if (pki_key_generate(&pem, err) != 0)
		return err->code;
	int rc = pki_file_write(path, slice_of(pem), 0600, err);
	free(pem);
	return rc;
}

/* The others believe that it is the member that its certificate names, and no other. */
static int need_peer(struct half *h)
{
	struct server_settings *s = &h->settings;
	const char *names[4 + IP_FAMILIES] = {s->advertise_address, s->node_name, "localhost", "127.0.0.1"};
	size_t n = add_node_ips(s, names, 4);
	char member[64];
	struct pki_pair ca = PKI_PAIR_INIT;
	struct pki_request r = {
	        .common_name = member, .names = names, .names_count = n, .is_server = true, .is_client = true};
	snprintf(member, sizeof member, "k3x-peer-%016" PRIx64, s->member_id);
	int rc = need_ca(s, "etcd/peer-ca", &ca, &h->err);
	if (rc == 0 && s->has_peers)
		rc = need_leaf(h, &ca, SERVER_LEAF_PEER, &r);
	pki_pair_release(&ca);
	return rc;
}

/* Not of the clients' CA: whoever has a certificate of this one can say that he is anybody. */
static int need_front_proxy(struct half *h)
{
	struct pki_pair ca = PKI_PAIR_INIT;
	int rc = need_ca(&h->settings, "request-header-ca", &ca, &h->err);
	if (rc == 0)
		rc = need_client(h, &ca, SERVER_LEAF_FRONT_PROXY, "system:auth-proxy", NULL);
	pki_pair_release(&ca);
	return rc;
}

/* ---- all of it: what is of one CA on a thread of its own, beside what is of the other ---- */

static void *serving_half(void *arg)
{
	struct half *h = arg;
	struct server_settings *s = &h->settings;
	struct pki_pair ca = PKI_PAIR_INIT;
	int rc = need_ca(s, "server-ca", &ca, &h->err);
	if (rc == 0)
		rc = need_serving(h, &ca);
	if (rc == 0)
		rc = need_kubelet_serving(h, &ca);
	if (rc == 0)
		server_token_prepare(s, ca.certificate_pem, &h->err);
	pki_pair_release(&ca);
	return NULL;
}

static void client_half(struct half *h)
{
	struct server_settings *s = &h->settings;
	struct pki_pair ca = PKI_PAIR_INIT;
	int rc = need_ca(s, "client-ca", &ca, &h->err);
	if (rc == 0)
		rc = need_client(h, &ca, SERVER_LEAF_ADMIN, "system:admin", "system:masters");
	if (rc == 0)
		rc = need_client(h, &ca, SERVER_LEAF_API_CLIENT, "kube-apiserver", NULL);
	if (rc == 0)
		rc = need_kubelet_client(h, &ca);
	if (rc == 0)
		rc = need_service_key(s, &h->err);
	if (rc == 0)
		rc = need_front_proxy(h);
	if (rc == 0)
		need_peer(h);
	pki_pair_release(&ca);
}

int server_pki_prepare(struct server_settings *s, int64_t now_s, unsigned anew, unsigned *made, struct err *err)
{
	struct half serving = {.settings = *s, .now_s = now_s, .anew = anew}, client = serving;
	pthread_t thread;
	serving.settings.arena = client.settings.arena = ARENA_INIT;
	int rc = pthread_create(&thread, NULL, serving_half, &serving);
	if (rc != 0)
		return err_errno(err, rc, "start a thread");
	client_half(&client);
	CHECK(pthread_join(thread, NULL) == 0);
	arena_release(&serving.settings.arena);
	arena_release(&client.settings.arena);
	*err = serving.err.code ? serving.err : client.err;
	if (made)
		*made = serving.made | client.made;
	return err->code;
}

/* ---- kubeconfig ---- */

static struct json *file_base64(struct server_settings *s, const char *path, struct err *err)
{
	char *text;
	size_t len;
	if (pki_file_read(path, &text, &len, err) != 0)
		return NULL;
	struct json *v = json_new_str(&s->arena, base64_encode(&s->arena, (struct slice){text, len}));
	free(text);
	return v;
}

static const char kubeconfig_frame[] =
        "{\"apiVersion\":\"v1\",\"kind\":\"Config\",\"clusters\":[{\"name\":\"default\",\"cluster\":{}}],\"contexts\":["
        "{\"name\":\"default\","
        "\"context\":{\"cluster\":\"default\",\"user\":\"default\"}}],\"current-context\":\"default\",\"preferences\":{"
        "},\"users\":[{\"name\":\"default\",\"user\":{}}]}";

/* --write-kubeconfig-group. */
static int give_to_group(const struct server_settings *s, struct err *err)
{
	uint64_t number = 0;
	if (!s->write_kubeconfig_group)
		return 0;
	if (!slice_to_u64(slice_of(s->write_kubeconfig_group), &number) || number >= (gid_t)-1) {
		struct group entry, *found = NULL;
		char names[4096];
		getgrnam_r(s->write_kubeconfig_group, &entry, names, sizeof names, &found);
		if (!found)
			return err_set(err, ERR_INVAL,
			        "--write-kubeconfig-group: there is no group \"%s\" on this machine",
			        s->write_kubeconfig_group);
		number = found->gr_gid;
	}
	if (chown(s->write_kubeconfig, (uid_t)-1, (gid_t)number) != 0)
		return err_errno(err, errno, "--write-kubeconfig-group: %s", s->write_kubeconfig);
	return 0;
}

int server_write_kubeconfig(struct server_settings *s, int port, struct err *err)
{
	struct arena *a = &s->arena;
	struct json *config = json_parse(a, slice_of(kubeconfig_frame), NULL, NULL);
	struct json *cluster = json_get(json_at(json_get(config, "clusters"), 0), "cluster"),
	            *user = json_get(json_at(json_get(config, "users"), 0), "user");
	struct json *ca = file_base64(s, server_file(s, "server/tls/server-ca.crt"), err);
	struct json *crt = ca ? file_base64(s, server_file(s, "server/tls/client-admin.crt"), err) : NULL;
	struct json *key = crt ? file_base64(s, server_file(s, "server/tls/client-admin.key"), err) : NULL;
	if (!key)
		return err_wrap(err, "admin kubeconfig");
	json_set(a, cluster, "certificate-authority-data", ca);
	json_set_cstr(a, cluster, "server", arena_printf(a, "https://127.0.0.1:%d", port));
	json_set(a, user, "client-certificate-data", crt);
	json_set(a, user, "client-key-data", key);
	char *folder = xstrdup(s->write_kubeconfig), *slash = strrchr(folder, '/');
	int rc = 0;
	if (slash && slash != folder) {
		*slash = 0;
		rc = file_make_dirs(folder, 0755, err);
	}
	free(folder);
	if (rc != 0)
		return rc;
	struct strbuf text = STRBUF_INIT;
	yaml_write(&text, config);
	rc = pki_file_write(server_file(s, SERVER_ADMIN_KUBECONFIG), strbuf_slice(&text), 0600, err);
	if (rc == 0)
		rc = pki_file_write(s->write_kubeconfig, strbuf_slice(&text),
		        (unsigned)strtol(s->write_kubeconfig_mode, NULL, 8), err);
	strbuf_release(&text);
	return rc == 0 ? give_to_group(s, err) : rc;
}
