/* The registry between nodes (--embedded-registry), as far as containerd asks it: GET and HEAD of manifests and blobs.
 *
 *     containerd --(hosts.toml: this node's kubelet first)--> own kubelet: 307 to one that has it, or 404
 *                --> that node's kubelet: out of its containerd's content store
 *
 * Who asks says what is done: this node itself (by its certificate) is sent on, another node is answered from what is
 * here and never sent on, so that nothing goes in circles; nobody else gets anything. Where 404 is the answer
 * containerd asks the next registry of its list, at last the one that the image names.
 *
 * A tag is looked up with containerd, for only it knows which manifest a name has; everything else is a file of the
 * content store, which is named by what is in it: nobody who gets it need trust us. What containerd removes while it is
 * read stays readable until it is closed.
 *
 * What can go wrong: it is not here (404), containerd is away (503), too many at a time (429), the client leaves. */
#include "node/server/kubelet_registry_int.h"

#include "base/check.h"
#include "base/json/json.h"
#include "base/limits.h"
#include "base/rt/sm.h"
#include "node/ground/errand.h"
#include "node/ground/node_record.h"
#include "node/runtime/cri.h"
#include "node/runtime/proto/images.pb-c.h"
#include "node/server/answer_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 256 * 1024, PULLED_MANIFEST_BYTES_MAX = 4 * 1024 * 1024, ASK_MS = 10000, HEX = 64 };

#define DIGEST "sha256:"
#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"

/* ---- what is asked for ---- */

bool kubelet_registry_is_path(struct slice path)
{
	return slice_is(path, "/v2") || slice_starts(path, "/v2/");
}

bool kubelet_registry_is_digest(struct slice s)
{
	bool ok = s.len == strlen(DIGEST) + HEX && slice_starts(s, DIGEST);
	for (size_t i = strlen(DIGEST); ok && i < s.len; i++)
		ok = (s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f');
	return ok;
}

static bool is_of(struct slice s, const char *more)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		            (c && strchr(more, c))))
			return false;
	}
	return s.len > 0 && s.len < 256;
}

bool kubelet_registry_parse(struct slice path, struct registry_path *ret)
{
	static const struct {
		const char *text;
		bool is_blob;
	} kinds[] = {{"/manifests/", false}, {"/blobs/", true}};
	*ret = (struct registry_path){0};
	if (slice_is(path, "/v2") || slice_is(path, "/v2/"))
		return true;
	CHECK(kubelet_registry_is_path(path));
	struct slice rest = {path.ptr + strlen("/v2/"), path.len - strlen("/v2/")};
	for (size_t i = 0; i < COUNT_OF(kinds); i++) {
		const char *at = memmem(rest.ptr, rest.len, kinds[i].text, strlen(kinds[i].text));
		if (!at)
			continue;
		const char *behind = at + strlen(kinds[i].text);
		*ret = (struct registry_path){kinds[i].is_blob, {rest.ptr, (size_t)(at - rest.ptr)},
		        {behind, (size_t)(rest.ptr + rest.len - behind)}};
		bool is_digest = kubelet_registry_is_digest(ret->reference);
		return is_of(ret->name, "._/-") && (is_digest || (!ret->is_blob && is_of(ret->reference, "._-")));
	}
	return false;
}

static void refuse(struct http_exchange *x, int status, const char *code, const char *why)
{
	http_set_content_type(x, "application/json");
	http_respond_copy(x, status,
	        slice_of(
	                arena_printf(http_arena(x), "{\"errors\":[{\"code\":\"%s\",\"message\":\"%s\"}]}", code, why)));
}

static void refuse_unknown(struct http_exchange *x)
{
	refuse(x, 404, "MANIFEST_UNKNOWN", "no node has it");
}

/* ---- one answer ---- */

enum serving_state { SERVING_ASKING, SERVING_OPENING, SERVING_READING, SERVING_SENDING, SERVING_ENDED };

struct serving {
	struct node *n;
	struct http_exchange *x; /* NULL: all is said, or the client is gone */
	struct sm sm;
	struct errand errand; /* the pool's while it opens or reads */
	bool is_out;          /* an errand, or a question to containerd */
	bool is_head, is_manifest;
	char digest[sizeof DIGEST + HEX];
	char *file;
	char *type; /* of a manifest that containerd told of; NULL: as it says itself */
	int fd, error;
	int64_t size, sent;
	ssize_t got;
	struct strbuf bytes;
};

static bool holds(const struct sm *m, int before)
{
	const struct serving *s = CONTAINER_OF(m, struct serving, sm);
	return sm_state(m) == SERVING_ENDED ? !s->x : sm_state(m) == SERVING_SENDING ? !s->is_out : s->is_out;
}

static const struct sm_state states[] = {
        [SERVING_ASKING] = {"asking", SM_TO(SERVING_OPENING) | SM_TO(SERVING_ENDED)},
        [SERVING_OPENING] = {"opening", SM_TO(SERVING_READING) | SM_TO(SERVING_ENDED)},
        [SERVING_READING] = {"reading", SM_TO(SERVING_SENDING) | SM_TO(SERVING_ENDED)},
        [SERVING_SENDING] = {"sending", SM_TO(SERVING_READING) | SM_TO(SERVING_ENDED)},
        [SERVING_ENDED] = {"ended", 0},
};
static const struct sm_kind machine = SM_KIND("image-serving", states, holds);

static void maybe_free(struct serving *s)
{
	if (s->is_out || sm_state(&s->sm) != SERVING_ENDED)
		return;
	CHECK(!s->x && s->n->image_servings);
	s->n->image_servings--;
	if (s->fd >= 0)
		close(s->fd);
	strbuf_release(&s->bytes);
	free(s->file);
	free(s->type);
	free(s);
}

/* The exchange was answered, or has gone. */
static void end(struct serving *s)
{
	s->x = NULL;
	sm_move(&s->sm, SERVING_ENDED);
	maybe_free(s);
}

static void client_gone(struct http_exchange *x, void *arg)
{
	end(arg);
}

static void end_with(struct serving *s, int status, const char *code, const char *why)
{
	struct http_exchange *x = s->x;
	CHECK(x);
	http_on_abort(x, NULL, NULL);
	refuse(x, status, code, why);
	end(s);
}

/* ---- reading (pool) ---- */

static void open_on_pool(struct errand *e)
{
	struct serving *s = CONTAINER_OF(e, struct serving, errand);
	struct stat st;
	s->fd = open(s->file, O_RDONLY | O_CLOEXEC);
	s->error = s->fd < 0 || fstat(s->fd, &st) != 0 ? errno : 0;
	s->size = s->error ? 0 : st.st_size;
}

static void read_on_pool(struct errand *e)
{
	struct serving *s = CONTAINER_OF(e, struct serving, errand);
	size_t want = s->is_manifest ? (size_t)s->size : READ_BYTES;
	CHECK(s->fd >= 0 && s->bytes.len <= want);
	do
		s->got = read(s->fd, s->bytes.data + s->bytes.len, want - s->bytes.len);
	while ((s->got < 0 && errno == EINTR) ||
	        (s->is_manifest && s->got > 0 && (s->bytes.len += (size_t)s->got) < want));
}

/* ---- a manifest: whole ---- */

static const char *type_of(struct serving *s)
{
	struct slice said =
	        json_get_str(json_parse(http_arena(s->x), strbuf_slice(&s->bytes), NULL, NULL), "mediaType");
	if (s->type)
		return arena_strdup(http_arena(s->x), s->type);
	return said.len ? arena_printf(http_arena(s->x), "%.*s", SLICE_FMT(said)) : MANIFEST_TYPE;
}

static void send_manifest(struct serving *s)
{
	struct http_exchange *x = s->x;
	struct strbuf body = STRBUF_INIT;
	http_set_header(x, "content-type", slice_of(type_of(s)));
	http_set_header(x, "docker-content-digest", slice_of(s->digest));
	strbuf_add_slice(&body, strbuf_slice(&s->bytes));
	http_on_abort(x, NULL, NULL);
	http_respond_strbuf(x, 200, &body);
	end(s);
}

/* ---- a blob: in pieces, as the client takes them ---- */

static void read_more(struct serving *s);

static void send_piece(struct serving *s)
{
	struct http_exchange *x = s->x;
	CHECK(x && s->got <= READ_BYTES);
	s->sent += s->got;
	bool room = s->got <= 0 || http_write(x, (struct slice){s->bytes.data, (size_t)s->got});
	if (s->got <= 0 && s->sent < s->size) {
		http_on_abort(x, NULL, NULL);
		http_abort(x); /* less than was promised: the client must not take it for whole */
		end(s);
	} else if (s->sent >= s->size) {
		http_on_abort(x, NULL, NULL);
		http_respond_end(x);
		end(s);
	} else if (room) {
		read_more(s);
	} else {
		http_want_writable(x);
	}
}

static void has_room(struct http_exchange *x, void *arg)
{
	struct serving *s = arg;
	if (sm_state(&s->sm) == SERVING_SENDING)
		read_more(s);
}

static void have_read(struct errand *e)
{
	LOOP_CHECK_OWNER(e->n->loop);
	struct serving *s = CONTAINER_OF(e, struct serving, errand);
	s->is_out = false;
	if (sm_state(&s->sm) == SERVING_ENDED) {
		maybe_free(s);
		return;
	}
	sm_move(&s->sm, SERVING_SENDING);
	if (s->is_manifest && (int64_t)s->bytes.len == s->size)
		send_manifest(s);
	else if (s->is_manifest)
		end_with(s, 500, "UNKNOWN", "it could not be read");
	else
		send_piece(s);
}

static void read_more(struct serving *s)
{
	s->is_out = errand_start(s->n, &s->errand, read_on_pool, have_read);
	if (!s->is_out) { /* too much is queued: the client asks again, or somebody else */
		struct http_exchange *x = s->x;
		http_on_abort(x, NULL, NULL);
		http_abort(x);
		end(s);
		return;
	}
	sm_move(&s->sm, SERVING_READING);
}

static void have_opened(struct errand *e)
{
	LOOP_CHECK_OWNER(e->n->loop);
	struct serving *s = CONTAINER_OF(e, struct serving, errand);
	s->is_out = false;
	if (sm_state(&s->sm) == SERVING_ENDED) {
		maybe_free(s);
	} else if (s->error || (s->is_manifest && s->size > PULLED_MANIFEST_BYTES_MAX)) {
		end_with(s, 404, s->is_manifest ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN", "it is not on this node");
	} else if (s->is_manifest) {
		strbuf_reserve(&s->bytes, (size_t)s->size);
		read_more(s);
	} else if (s->is_head) {
		struct http_exchange *x = s->x;
		http_on_abort(x, NULL, NULL);
		http_set_header(x, "docker-content-digest", slice_of(s->digest));
		http_respond(x, 200);
		end(s);
	} else {
		http_set_content_type(s->x, "application/octet-stream");
		http_set_header(s->x, "docker-content-digest", slice_of(s->digest));
		http_on_writable(s->x, has_room, s);
		http_respond_begin(s->x, 200, s->size);
		strbuf_reserve(&s->bytes, READ_BYTES);
		read_more(s);
	}
}

static void open_file(struct serving *s)
{
	s->file = xprintf("%s/agent/containerd/io.containerd.content.v1.content/blobs/sha256/%s", s->n->o.data_dir,
	        s->digest + strlen(DIGEST));
	s->is_out = errand_start(s->n, &s->errand, open_on_pool, have_opened);
	if (s->is_out)
		sm_move(&s->sm, SERVING_OPENING);
	else
		end_with(s, 429, "TOOMANYREQUESTS", "this node is busy");
}

/* ---- a tag ---- */

static void have_image(void *arg, const void *answer, const struct err *err)
{
	const Containerd__Services__Images__V1__ListImagesResponse *list = answer;
	struct serving *s = arg;
	s->is_out = false;
	if (sm_state(&s->sm) == SERVING_ENDED) {
		maybe_free(s);
		return;
	}
	const Containerd__Services__Images__V1__Descriptor *target =
	        !err && list->n_images == 1 ? list->images[0]->target : NULL;
	if (err) {
		end_with(s, 503, "UNAVAILABLE", "containerd does not answer");
	} else if (!target || !kubelet_registry_is_digest(slice_of(target->digest))) {
		end_with(s, 404, "MANIFEST_UNKNOWN", "it is not on this node");
	} else {
		memcpy(s->digest, target->digest, sizeof s->digest - 1);
		s->type = xstrdup(target->media_type);
		open_file(s);
	}
}

static void ask_containerd(struct serving *s, const char *image)
{
	Containerd__Services__Images__V1__ListImagesRequest r =
	        CONTAINERD__SERVICES__IMAGES__V1__LIST_IMAGES_REQUEST__INIT;
	char *filter = arena_printf(http_arena(s->x), "name==\"%s\"", image);
	r.n_filters = 1;
	r.filters = &filter;
	s->is_out = true;
	cri_call(s->n->cri, "/containerd.services.images.v1.Images/List", &r.base,
	        &containerd__services__images__v1__list_images_response__descriptor, ASK_MS, have_image, s);
}

/* ---- who asks ---- */

static bool is_node(const struct http_peer *peer)
{
	for (size_t i = 0; peer->verified && i < peer->organizations_count; i++)
		if (slice_is(peer->organizations[i], "system:nodes"))
			return true;
	return false;
}

static void send_on(struct node *n, struct http_exchange *x, const struct registry_path *p, struct slice repository)
{
	const struct http_request *r = http_request(x);
	const char *peer = n->o.find_image(n->o.find_image_arg, http_arena(x), repository, p->reference);
	if (!peer) {
		refuse_unknown(x);
		return;
	}
	http_set_header(
	        x, "location", slice_of(arena_printf(http_arena(x), "https://%s%.*s", peer, SLICE_FMT(r->target))));
	http_respond(x, 307);
}

static void serve(struct node *n, struct http_exchange *x, const struct registry_path *p, struct slice repository)
{
	bool is_digest = kubelet_registry_is_digest(p->reference);
	if (n->image_servings >= NODE_IMAGE_SERVINGS_MAX) {
		refuse(x, 429, "TOOMANYREQUESTS", "this node is busy");
		return;
	}
	if (!is_digest && !n->cri) {
		refuse(x, 503, "UNAVAILABLE", "containerd does not answer");
		return;
	}
	struct serving *s = xcalloc(1, sizeof *s);
	*s = (struct serving){.n = n,
	        .x = x,
	        .fd = -1,
	        .is_out = true,
	        .is_manifest = !p->is_blob,
	        .is_head = slice_is(http_request(x)->method, "HEAD")};
	n->image_servings++;
	sm_init(&s->sm, &machine, SERVING_ASKING, NULL);
	http_on_abort(x, client_gone, s);
	if (is_digest) {
		memcpy(s->digest, p->reference.ptr, p->reference.len);
		open_file(s);
	} else {
		ask_containerd(
		        s, arena_printf(http_arena(x), "%.*s:%.*s", SLICE_FMT(repository), SLICE_FMT(p->reference)));
	}
}

void kubelet_registry(struct node *n, struct http_exchange *x)
{
	LOOP_CHECK_OWNER(n->loop);
	const struct http_request *r = http_request(x);
	struct registry_path p;
	const char *own = arena_printf(http_arena(x), "system:node:%s", n->o.node_name);
	struct slice of = kubelet_param(x, "ns");
	if (!is_node(r->peer))
		refuse(x, 401, "UNAUTHORIZED", "nodes of the cluster alone are served, by their certificates");
	else if (!n->o.find_image)
		refuse(x, 404, "UNSUPPORTED", "--embedded-registry is not given");
	else if (!slice_is(r->method, "GET") && !slice_is(r->method, "HEAD"))
		refuse(x, 405, "UNSUPPORTED", "images are read here, not written");
	else if (!kubelet_registry_parse(r->path, &p))
		refuse(x, 404, "NAME_INVALID", "there is nothing of this name");
	else if (!p.name.len)
		refuse(x, 200, "OK", "a registry");
	else if (!is_of(of, ".:-_"))
		refuse(x, 400, "NAME_INVALID", "ns= says which registry is meant");
	else {
		struct slice repository =
		        slice_of(arena_printf(http_arena(x), "%.*s/%.*s", SLICE_FMT(of), SLICE_FMT(p.name)));
		if (slice_is(r->peer->common_name, own))
			send_on(n, x, &p, repository);
		else
			serve(n, x, &p, repository);
	}
}
