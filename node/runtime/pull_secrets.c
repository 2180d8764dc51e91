/* See pull_secrets.h. A secret maps registries to users:
 *
 *     .dockerconfigjson   {"auths": {"registry.test/team": {"auth": base64("user:password")}, ...}}
 *     .dockercfg          {"registry.test": {"username": "...", "password": "..."}}
 *
 * A key names a host, with a port or without, and may go on with the beginning of a path; a scheme before it and an API
 * version behind it ("https://host/v1/") say nothing. Each part of a host between dots may have wildcards. An image
 * without a host is Docker Hub's, whose key is index.docker.io. Upstream: pkg/credentialprovider (keyring.go,
 * config.go).
 *
 * What can go wrong: secrets that hold something else. They are passed over, and told. */
#include "node/runtime/pull_secrets.h"

#include "base/base64.h"
#include "base/check.h"

#include <fnmatch.h>
#include <stdlib.h>

enum { ENTRIES_MAX = 1024 };

struct pull_entry {
	const char *host, *path; /* path: "" or "/..." */
	struct image_credential credential;
};

void pull_keyring_init(struct pull_keyring *k, struct arena *a)
{
	*k = (struct pull_keyring){.arena = a};
}

/* ---- keys ---- */

static void split(struct arena *a, struct slice key, const char **host, const char **path)
{
	const char *slash = key.len ? memchr(key.ptr, '/', key.len) : NULL;
	size_t host_len = slash ? (size_t)(slash - key.ptr) : key.len;
	*host = arena_printf(a, "%.*s", (int)host_len, key.len ? key.ptr : "");
	*path = slash ? arena_printf(a, "%.*s", (int)(key.len - host_len), slash) : "";
}

static struct slice without_scheme(struct slice key)
{
	static const char *const schemes[] = {"https://", "http://"};
	for (size_t i = 0; i < COUNT_OF(schemes); i++)
		if (slice_starts(key, schemes[i]))
			return (struct slice){key.ptr + strlen(schemes[i]), key.len - strlen(schemes[i])};
	return key;
}

static void set_place(struct pull_keyring *k, struct pull_entry *e, struct slice key)
{
	split(k->arena, without_scheme(key), &e->host, &e->path);
	if (strncmp(e->path, "/v1/", 4) == 0 || strncmp(e->path, "/v2/", 4) == 0)
		e->path += 3;
	if (strcmp(e->path, "/") == 0)
		e->path = "";
}

/* ---- adding ---- */

/* "auth" is both in one, and goes before the other two. */
static bool take_user(struct arena *a, const struct json *v, struct image_credential *c)
{
	struct slice auth = json_get_str(v, "auth"), plain, rest;
	c->user = json_cstr(a, json_get(v, "username"));
	c->password = json_cstr(a, json_get(v, "password"));
	if (!auth.len)
		return *c->user || *c->password;
	if (!base64_decode(a, auth, &plain))
		return false;
	while (plain.len && plain.ptr[plain.len - 1] == 0)
		plain.len--;
	rest = plain;
	struct slice user = slice_cut(&rest, ':');
	if (!rest.ptr || memchr(plain.ptr, 0, plain.len))
		return false;
	c->user = arena_printf(a, "%.*s", SLICE_FMT(user));
	c->password = arena_printf(a, "%.*s", SLICE_FMT(rest));
	return true;
}

/* Behind those whose place is named by more, or by later letters: upstream's reverse order of keys. */
static int compare(const void *x, const void *y)
{
	const struct pull_entry *a = x, *b = y;
	int hosts = strcmp(b->host, a->host);
	return hosts ? hosts : strcmp(b->path, a->path);
}

static void insert(struct pull_keyring *k, const struct pull_entry *e)
{
	size_t at = k->count;
	if (k->count == k->cap) {
		size_t cap = k->cap ? k->cap * 2 : 8;
		struct pull_entry *entries = ARENA_ARRAY(k->arena, struct pull_entry, cap);
		if (k->count)
			memcpy(entries, k->entries, k->count * sizeof *entries);
		k->entries = entries;
		k->cap = cap;
	}
	while (at && compare(e, &k->entries[at - 1]) < 0) {
		k->entries[at] = k->entries[at - 1];
		at--;
	}
	k->entries[at] = *e;
	k->count++;
}

static bool add_map(struct pull_keyring *k, const struct json *map)
{
	if (!json_is(map, JSON_OBJECT))
		return false;
	JSON_FOREACH (it, map) {
		struct pull_entry e;
		if (k->count >= ENTRIES_MAX || !take_user(k->arena, it, &e.credential))
			continue;
		set_place(k, &e, it->key);
		insert(k, &e);
	}
	return true;
}

bool pull_keyring_add(struct pull_keyring *k, const struct json *secret)
{
	struct json *data = json_get(secret, "data"), *config = json_get(data, ".dockerconfigjson"),
	            *old = json_get(data, ".dockercfg");
	struct slice text;
	if (!config && !old)
		return false;
	if (!base64_decode(k->arena, json_str(config ? config : old), &text))
		return false;
	struct json *tree = json_parse(k->arena, text, NULL, NULL);
	return add_map(k, config ? json_get(tree, "auths") : tree);
}

/* ---- finding ---- */

static struct slice next_part(struct slice *host)
{
	return slice_cut(host, '.');
}

/* Part by part, so that a wildcard is one part's. The last may have a port, which must be the same. */
static bool host_fits(struct arena *a, const char *glob, const char *host)
{
	struct slice g = slice_of(glob), h = slice_of(host);
	while (g.ptr && h.ptr) {
		struct slice x = next_part(&g), y = next_part(&h);
		if (fnmatch(arena_printf(a, "%.*s", SLICE_FMT(x)), arena_printf(a, "%.*s", SLICE_FMT(y)), 0) != 0)
			return false;
	}
	return !g.ptr && !h.ptr;
}

/* A first part that is none of a path says so: by a dot, a port, or a name that all know. */
static bool has_host(const char *image)
{
	struct slice rest = slice_of(image), first = slice_cut(&rest, '/');
	return rest.ptr &&
	       (memchr(first.ptr, '.', first.len) || memchr(first.ptr, ':', first.len) || slice_is(first, "localhost"));
}

static bool is_of_hub(const char *image)
{
	struct slice s = slice_of(image);
	return !has_host(image) || slice_starts(s, "docker.io/") || slice_starts(s, "index.docker.io/");
}

struct image_credential *pull_keyring_find(const struct pull_keyring *k, const char *image, size_t *ret_count)
{
	const char *host, *path;
	struct image_credential *found = ARENA_ARRAY(k->arena, struct image_credential, k->count + 1);
	bool hub = is_of_hub(image);
	size_t n = 0;
	CHECK(k->arena);
	split(k->arena, slice_of(image), &host, &path);
	for (size_t i = 0; i < k->count; i++) {
		const struct pull_entry *e = &k->entries[i];
		bool fits = has_host(image) && host_fits(k->arena, e->host, host) &&
		            strncmp(path, e->path, strlen(e->path)) == 0;
		if (fits || (hub && strcmp(e->host, "index.docker.io") == 0))
			found[n++] = e->credential;
	}
	*ret_count = n;
	return found;
}
