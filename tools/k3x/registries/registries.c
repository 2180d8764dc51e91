/* See registries.h. The file:
 *
 *     mirrors:
 *       docker.io: {endpoint: ["https://mirror.test:5000"]}     "*": all registries that are not named
 *     configs:
 *       "mirror.test:5000":
 *         auth: {username: u, password: p}
 *         tls: {ca_file: /f, cert_file: /f, key_file: /f, insecure_skip_verify: true}
 *
 * For each registry of either part a hosts.toml is made: its mirrors in their order, and it itself as the last one.
 * What is said of a host under configs goes to each place where that host is asked.
 *
 * A user and password are sent as they are (Basic), which registries take that keep their users themselves; those that
 * hand out tokens elsewhere (docker.io) want pull secrets, and are refused here by name. Names are rewritten by nobody:
 * containerd can't. What is not known is refused, so that nobody pulls from somewhere else than the file seems to say.
 */
#include "tools/k3x/registries/registries.h"

#include "base/base64.h"
#include "base/check.h"
#include "base/wire/url.h"
#include "base/yaml.h"

struct reading {
	struct arena *a;
	const struct json *mirrors, *configs;
	bool without_default;
	const struct registry_peers *peers; /* NULL: none */
	struct err *err;
};

#define DOCKER "docker.io"
#define DOCKER_HOST "registry-1.docker.io"

/* ---- what is said ---- */

static int bad(struct reading *r, const char *where, struct slice key, const char *why)
{
	return err_set(r->err, ERR_INVAL, "%s%s\"%.*s\": %s", where, *where ? ": " : "", SLICE_FMT(key), why);
}

/* All keys of a map are among these. */
static int check_keys(struct reading *r, const char *where, const struct json *map, const char *const *known, size_t n)
{
	JSON_FOREACH (it, map) {
		bool is_known = false;
		for (size_t i = 0; i < n; i++)
			is_known = is_known || slice_is(it->key, known[i]);
		if (!is_known)
			return bad(r, where, it->key, "is nothing that registries.yaml may have here");
	}
	return 0;
}

static bool is_map(const struct json *v)
{
	return !v || v->type == JSON_NULL || v->type == JSON_OBJECT;
}

/* A registry's name: HOST or HOST:PORT. What else would be a path of ours. */
static bool is_host(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]", name.ptr[i]) ||
		        !name.ptr[i])
			return false;
	return name.len && name.len < 256 && name.ptr[0] != '.' && name.ptr[0] != '-' && name.ptr[0] != '_';
}

static bool is_plain(struct slice text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.ptr[i] < 0x20 || text.ptr[i] == 0x7f)
			return false;
	return true;
}

/* ---- toml ---- */

static void quoted(struct strbuf *out, struct slice text)
{
	strbuf_addc(out, '"');
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] == '"' || text.ptr[i] == '\\')
			strbuf_addc(out, '\\');
		strbuf_addc(out, text.ptr[i]);
	}
	strbuf_addc(out, '"');
}

static int write_tls(struct reading *r, const char *where, const struct json *tls, struct strbuf *out)
{
	static const char *const known[] = {"ca_file", "cert_file", "key_file", "insecure_skip_verify"};
	struct slice ca = json_str(json_get(tls, "ca_file")), cert = json_str(json_get(tls, "cert_file")),
	             key = json_str(json_get(tls, "key_file"));
	const struct json *skip = json_get(tls, "insecure_skip_verify");
	if (check_keys(r, where, tls, known, COUNT_OF(known)) != 0)
		return r->err->code;
	if (!is_plain(ca) || !is_plain(cert) || !is_plain(key))
		return bad(r, where, SLICE("tls"), "a file's name has control characters");
	if (!cert.len != !key.len)
		return bad(r, where, SLICE("tls"), "cert_file and key_file belong together");
	if (skip && skip->type != JSON_BOOL)
		return bad(r, where, SLICE("insecure_skip_verify"), "is not true or false");
	if (ca.len) {
		strbuf_adds(out, "  ca = ");
		quoted(out, ca);
		strbuf_addc(out, '\n');
	}
	if (cert.len) {
		strbuf_adds(out, "  client = [[");
		quoted(out, cert);
		strbuf_adds(out, ", ");
		quoted(out, key);
		strbuf_adds(out, "]]\n");
	}
	if (skip && skip->boolean)
		strbuf_adds(out, "  skip_verify = true\n");
	return 0;
}

/* The word behind Authorization; SLICE_NULL: none. */
static int authorization(struct reading *r, const char *where, const struct json *auth, struct slice *ret)
{
	static const char *const known[] = {"username", "password", "auth"};
	struct slice user = json_str(json_get(auth, "username")), password = json_str(json_get(auth, "password")),
	             both = json_str(json_get(auth, "auth"));
	struct strbuf text = STRBUF_INIT;
	*ret = SLICE_NULL;
	if (json_get(auth, "identity_token"))
		return bad(r, where, SLICE("identity_token"), "tokens are not sent from here: use a pull secret");
	if (check_keys(r, where, auth, known, COUNT_OF(known)) != 0)
		return r->err->code;
	if (both.len && !is_plain(both))
		return bad(r, where, SLICE("auth"), "has control characters");
	if (user.len || password.len) {
		strbuf_addf(&text, "%.*s:%.*s", SLICE_FMT(user), SLICE_FMT(password));
		both = base64_encode(r->a, strbuf_slice(&text));
		strbuf_release(&text);
	}
	*ret = both;
	return 0;
}

/* What configs say of a host, for a table of its own or the top of the file. `table`: the header's, "" for the top. */
static int write_host(struct reading *r, struct slice host, const char *table, struct strbuf *out)
{
	static const char *const known[] = {"auth", "tls"};
	const char *name = arena_memdup(r->a, host.ptr, host.len);
	const struct json *config = json_get(r->configs, name), *auth = json_get(config, "auth"),
	                  *tls = json_get(config, "tls");
	const char *where = arena_printf(r->a, "configs: %s", name);
	struct slice word;
	if (!is_map(config) || !is_map(auth) || !is_map(tls))
		return bad(r, "configs", host, "is a map with auth and tls in it, each a map too");
	if (check_keys(r, where, config, known, COUNT_OF(known)) != 0 || write_tls(r, where, tls, out) != 0 ||
	        authorization(r, where, auth, &word) != 0)
		return r->err->code;
	if (word.len && (slice_is(host, DOCKER_HOST) || slice_is(host, DOCKER)))
		return bad(r, "configs", host,
		        "hands out tokens, which a user and password of a file don't get: use a pull secret");
	if (word.len) {
		strbuf_addf(out, "  [%s%sheader]\n    Authorization = ", table, *table ? "." : "");
		quoted(out,
		        (struct slice){arena_printf(r->a, "Basic %.*s", SLICE_FMT(word)), word.len + strlen("Basic ")});
		strbuf_addc(out, '\n');
	}
	return 0;
}

/* ---- a registry ---- */

static void write_peers_tls(struct reading *r, const char *indent, struct strbuf *out)
{
	strbuf_addf(out, "%sca = ", indent);
	quoted(out, slice_of(r->peers->ca_file));
	strbuf_addf(out, "\n%sclient = [[", indent);
	quoted(out, slice_of(r->peers->cert_file));
	strbuf_adds(out, ", ");
	quoted(out, slice_of(r->peers->key_file));
	strbuf_adds(out, "]]\n");
}

static void write_peers(struct reading *r, struct strbuf *out)
{
	strbuf_adds(out, "[host.");
	quoted(out, slice_of(r->peers->url));
	strbuf_adds(out, "]\n  capabilities = [\"pull\", \"resolve\"]\n");
	write_peers_tls(r, "  ", out);
}

/* https://HOST[:PORT][/PATH]: HOST:PORT, and whether there is a path, which is then the whole one. */
static bool take_endpoint(struct slice url, struct slice *host, bool *has_path)
{
	struct slice rest = url;
	size_t scheme = slice_starts(url, "https://") ? 8 : slice_starts(url, "http://") ? 7 : 0;
	if (!scheme || !is_plain(url))
		return false;
	rest = (struct slice){url.ptr + scheme, url.len - scheme};
	*host = slice_cut(&rest, '/');
	*has_path = rest.len > 0;
	return is_host(*host) && !memchr(url.ptr, '?', url.len) && !memchr(url.ptr, '#', url.len) &&
	       !memchr(url.ptr, ' ', url.len);
}

static int write_endpoint(struct reading *r, struct slice registry, struct slice url, struct strbuf *out)
{
	struct slice host;
	bool has_path;
	struct strbuf table = STRBUF_INIT;
	if (!take_endpoint(url, &host, &has_path))
		return bad(r, arena_printf(r->a, "mirrors: %.*s", SLICE_FMT(registry)), url,
		        "is no endpoint like https://mirror.test:5000");
	while (url.len && url.ptr[url.len - 1] == '/')
		url.len--;
	strbuf_adds(&table, "host.");
	quoted(&table, url);
	strbuf_addf(out, "[%s]\n  capabilities = [\"pull\", \"resolve\"]\n%s", strbuf_cstr(&table),
	        has_path ? "  override_path = true\n" : "");
	int rc = write_host(r, host, strbuf_cstr(&table), out);
	strbuf_release(&table);
	return rc;
}

/* The list of endpoints of a mirror, or its only one. */
static int write_mirrors(
        struct reading *r, struct slice registry, const struct json *endpoint, struct strbuf *out, struct slice *last)
{
	*last = SLICE_NULL;
	if (json_is(endpoint, JSON_STRING)) {
		*last = json_str(endpoint);
		return write_endpoint(r, registry, *last, out);
	}
	if (endpoint && endpoint->type != JSON_ARRAY && endpoint->type != JSON_NULL)
		return bad(r, "mirrors", registry, "endpoint is a list of URLs");
	JSON_FOREACH (it, endpoint) {
		*last = json_str(it);
		if (write_endpoint(r, registry, *last, out) != 0)
			return r->err->code;
	}
	return 0;
}

/* The registry itself, which comes last: at the top of the file. Of "*" it is whatever the image says. */
static int write_server(
        struct reading *r, struct slice registry, bool is_mirror, struct slice last_mirror, struct strbuf *out)
{
	bool is_all = slice_is(registry, "*");
	struct slice host = slice_is(registry, DOCKER) ? SLICE(DOCKER_HOST) : registry, mirror_host;
	bool unused;
	strbuf_adds(out, "# Written by k3x from registries.yaml at every start.\n");
	if (r->without_default && is_mirror && !last_mirror.ptr && r->peers) { /* the other nodes, and nobody else */
		strbuf_adds(out, "server = ");
		quoted(out, slice_of(r->peers->url));
		strbuf_addc(out, '\n');
		write_peers_tls(r, "", out);
		return 0;
	}
	if (r->without_default && last_mirror.ptr) {
		strbuf_adds(out, "server = ");
		quoted(out, last_mirror);
		strbuf_addc(out, '\n');
		return take_endpoint(last_mirror, &mirror_host, &unused) ? write_host(r, mirror_host, "", out) : 0;
	}
	if (is_all)
		return 0;
	strbuf_addf(out, "server = \"https://%.*s\"\n", SLICE_FMT(host));
	return write_host(r, registry, "", out);
}

static int write_registry(
        struct reading *r, struct slice registry, const struct json *mirror, struct registry_hosts *ret)
{
	static const char *const known[] = {"endpoint"};
	const char *where = arena_printf(r->a, "mirrors: %.*s", SLICE_FMT(registry));
	struct strbuf top = STRBUF_INIT, hosts = STRBUF_INIT;
	struct slice last;
	if (mirror && r->peers)
		write_peers(r, &hosts);
	if (!slice_is(registry, "*") && !is_host(registry))
		bad(r, "", registry, "is no registry, like docker.io, registry.test:5000 or \"*\"");
	else if (!is_map(mirror))
		bad(r, "mirrors", registry, "is a map with endpoint in it");
	else if (json_get(mirror, "rewrite"))
		bad(r, where, SLICE("rewrite"),
		        "containerd can't change names: keep images in the mirror under the names they have");
	else if (check_keys(r, where, mirror, known, 1) == 0 &&
	         write_mirrors(r, registry, json_get(mirror, "endpoint"), &hosts, &last) == 0)
		write_server(r, registry, mirror, last, &top);
	/* A table of the top's (header) would swallow keys that follow it: none do, all else are tables with whole
	 * names. */
	strbuf_add_slice(&top, strbuf_slice(&hosts));
	ret->folder = slice_is(registry, "*") ? "_default" : arena_memdup(r->a, registry.ptr, registry.len);
	ret->text = arena_memdup(r->a, top.len ? top.data : "", top.len);
	strbuf_release(&top);
	strbuf_release(&hosts);
	return r->err->code;
}

static size_t count(const struct json *map)
{
	size_t n = 0;
	JSON_FOREACH (it, map)
		n++;
	return n;
}

int registries_parse(struct arena *a, struct slice text, bool without_default, const struct registry_peers *peers,
        struct registry_hosts **ret, size_t *n, struct err *err)
{
	static const char *const known[] = {"mirrors", "configs"};
	struct json *tree = yaml_parse(a, text, NULL, err);
	struct reading r = {.a = a, .without_default = without_default, .peers = peers, .err = err};
	*n = 0;
	if (!tree)
		return err->code;
	r.mirrors = json_get(tree, "mirrors");
	r.configs = json_get(tree, "configs");
	if (!is_map(tree) || !is_map(r.mirrors) || !is_map(r.configs))
		return err_set(err, ERR_INVAL, "is a map with mirrors and configs in it, each a map too");
	if (check_keys(&r, "", tree, known, COUNT_OF(known)) != 0)
		return err->code;
	*ret = ARENA_ARRAY(a, struct registry_hosts, count(r.mirrors) + count(r.configs) + 1);
	JSON_FOREACH (it, r.mirrors)
		if (write_registry(&r, it->key, it, &(*ret)[(*n)++]) != 0)
			return err->code;
	JSON_FOREACH (it, r.configs) {
		const char *name = arena_memdup(a, it->key.ptr, it->key.len);
		if (!json_get(r.mirrors, name) && write_registry(&r, it->key, NULL, &(*ret)[(*n)++]) != 0)
			return err->code;
	}
	return 0;
}
