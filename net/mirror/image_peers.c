/* See image_peers.h. Of each Node a few lines are kept; a search reads those of all nodes, some 50 names each, once for
 * a manifest or a layer: nothing beside what follows, the transfer.
 *
 * What can go wrong: a node that says it has an image and has it no more (it answers 404, and containerd asks the next
 * registry), one that is gone and Ready still (the connection fails: the same), more images than a Node lists. */
#include "net/mirror/image_peers.h"

#include "api/client/informer.h"
#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

/* So many repositories are remembered, each in the place that its hash says. */
enum { RECENT = 64 };

struct recent {
	uint64_t repository, node; /* hashes of the names */
};

struct image_peers {
	struct informer *informer;
	char *self;
	struct recent recent[RECENT];
	uint64_t turn;
	void (*closed)(void *arg);
	void *arg;
};

/* ---- a Node ---- */

static bool is_ready(const struct json *status)
{
	JSON_FOREACH (it, json_get(status, "conditions"))
		if (slice_is(json_get_str(it, "type"), "Ready"))
			return slice_is(json_get_str(it, "status"), "True");
	return false;
}

static struct slice address_of(const struct json *status)
{
	JSON_FOREACH (it, json_get(status, "addresses"))
		if (slice_is(json_get_str(it, "type"), "InternalIP"))
			return json_get_str(it, "address");
	return SLICE_NULL;
}

struct rcbuf *image_peers_digest(struct slice node)
{
	struct arena a = ARENA_INIT;
	struct strbuf out = STRBUF_INIT;
	const struct json *status = json_get(json_parse(&a, node, NULL, NULL), "status");
	struct slice address = address_of(status);
	int64_t port = json_int(json_path(status, "daemonEndpoints", "kubeletEndpoint", "Port", NULL), 0);
	if (is_ready(status) && address.len && port > 0 && port < 65536) {
		bool is_v6 = memchr(address.ptr, ':', address.len) != NULL;
		strbuf_addf(&out, is_v6 ? "[%.*s]:%d\n" : "%.*s:%d\n", SLICE_FMT(address), (int)port);
		JSON_FOREACH (image, json_get(status, "images"))
			JSON_FOREACH (name, json_get(image, "names"))
				strbuf_addf(&out, "%.*s\n", SLICE_FMT(json_str(name)));
	}
	struct rcbuf *kept = rcbuf_copy(out.len ? out.data : "", out.len);
	strbuf_release(&out);
	arena_release(&a);
	return kept;
}

enum image_match image_peers_match(struct slice digest, struct slice repository, struct slice reference)
{
	enum image_match best = IMAGE_MATCH_NONE;
	slice_cut(&digest, '\n');
	while (digest.len && best != IMAGE_MATCH_WHOLE) {
		struct slice name = slice_cut(&digest, '\n');
		if (name.len <= repository.len + 1 || memcmp(name.ptr, repository.ptr, repository.len) != 0)
			continue;
		struct slice rest = {name.ptr + repository.len + 1, name.len - repository.len - 1};
		char sign = name.ptr[repository.len];
		if ((sign == ':' || sign == '@') && slice_eq(rest, reference))
			best = IMAGE_MATCH_WHOLE;
		else if (sign == ':' || sign == '@')
			best = IMAGE_MATCH_REPOSITORY;
	}
	return best;
}

/* ---- searching ---- */

static uint64_t hash_of(struct slice s)
{
	return fnv1a64_add(FNV1A64_INIT, s.ptr, s.len);
}

struct search {
	struct slice repository, reference;
	bool is_digest;
	uint64_t near; /* where the repository was found last */
	struct informer_object *best;
	int rank;
	uint64_t seen; /* of that rank */
};

/* A tag is where it is told to be. A digest that no node tells may be of what a manifest names. */
static int rank_of(const struct search *s, const struct informer_object *o)
{
	enum image_match match = image_peers_match(informer_text(o), s->repository, s->reference);
	if (match == IMAGE_MATCH_NONE || (match == IMAGE_MATCH_REPOSITORY && !s->is_digest))
		return 0;
	return match == IMAGE_MATCH_WHOLE ? 3 : hash_of(o->key) == s->near ? 2 : 1;
}

static void consider(struct search *s, struct informer_object *o, uint64_t turn)
{
	int rank = rank_of(s, o);
	if (rank > s->rank) {
		s->rank = rank;
		s->seen = 0;
	}
	if (!rank || rank < s->rank)
		return;
	/* Each of those that are as good has the same chance, whichever order they come in. */
	if (turn % ++s->seen == 0)
		s->best = o;
}

const char *image_peers_find(struct image_peers *p, struct arena *a, struct slice repository, struct slice reference)
{
	struct recent *recent = &p->recent[hash_of(repository) % RECENT];
	struct search s = {.repository = repository,
	        .reference = reference,
	        .is_digest = slice_starts(reference, "sha256:"),
	        .near = recent->repository == hash_of(repository) ? recent->node : 0};
	p->turn = p->turn * UINT64_C(6364136223846793005) + 1442695040888963407u;
	INFORMER_FOREACH(o, p->informer)
	if (!slice_is(o->key, p->self))
		consider(&s, o, p->turn >> 33);
	if (!s.best)
		return NULL;
	*recent = (struct recent){hash_of(repository), hash_of(s.best->key)};
	struct slice text = informer_text(s.best), address = slice_cut(&text, '\n');
	return arena_printf(a, "%.*s", SLICE_FMT(address));
}

/* ---- life ---- */

struct image_peers *image_peers_new(struct client *client, const char *self)
{
	struct image_peers *p = xcalloc(1, sizeof *p);
	struct informer_options o = {.client = client, .path = "/api/v1/nodes", .digest = image_peers_digest, .arg = p};
	p->self = xstrdup(self);
	p->turn = hash_of(slice_of(self));
	p->informer = informer_new(&o);
	return p;
}

static void informer_closed(void *arg)
{
	struct image_peers *p = arg;
	void (*closed)(void *) = p->closed;
	void *closed_arg = p->arg;
	free(p->self);
	free(p);
	if (closed)
		closed(closed_arg);
}

void image_peers_close(struct image_peers *p, void (*closed)(void *arg), void *arg)
{
	p->closed = closed;
	p->arg = arg;
	informer_close(p->informer, informer_closed, p);
}
