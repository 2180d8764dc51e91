/* The password of a node goes with it. An agent that joins shows one, which the API server keeps hashed in the Secret
 * kube-system/NAME.node-password.k3x, and nobody else gets certificates of that name (../server/join/nodes.c). Without
 * this, a machine that takes the place of one that was removed would be turned away for good.
 *
 *     the Node is deleted              -> its Secret too, at once
 *     a Secret whose Node is not there -> after a while: the password comes before the Node when a machine joins, and
 *                                         whoever led when the Node was deleted may have died of it
 *
 * Keys are "gone/NAME" and "kept/NAME" for the two. Only Secrets of the one type are watched, by an informer of its
 * own. As k3s does it (pkg/node, nodepassword). */
#include "api/controllers/controllers_int.h"

#define SUFFIX ".node-password.k3x"
#define GONE "gone"

enum { JOIN_S = 600 };

struct node_passwords {
	struct controllers *c;
	struct shared_informer *nodes;
	struct informer *secrets;
	struct work_queue *queue;
};

static void add(struct node_passwords *s, const char *why, struct slice node)
{
	char *key = xprintf("%s/%.*s", why, SLICE_FMT(node));
	work_queue_add(s->queue, slice_of(key));
	free(key);
}

static void node_deleted(void *arg, struct informer_object *o)
{
	add(arg, GONE, o->key);
}

static void secret_added(void *arg, struct informer_object *o)
{
	struct slice name;
	struct meta m;
	meta_read(informer_text(o), &m);
	name = m.name;
	if (!slice_ends(name, SUFFIX))
		return;
	name.len -= strlen(SUFFIX);
	add(arg, "kept", name);
}

/* With its uid: one that was made again meanwhile is of a machine that joins. */
static void remove_password(struct work *w, const struct meta *m)
{
	struct arena *a = &w->arena;
	struct json *options = json_new(a, JSON_OBJECT);
	json_set_str(a, json_need(a, options, "preconditions", JSON_OBJECT), "uid", m->uid);
	work_send(w, "DELETE", kube_path(a, "v1", "secrets", m->ns, m->name, NULL), options, work_done_ignore_missing);
}

static void run(struct work *w)
{
	struct node_passwords *s = w->arg;
	struct meta m;
	const char *name = arena_printf(&w->arena, "%.*s" SUFFIX, SLICE_FMT(w->name));
	struct informer_object *o = informer_get_named(s->secrets, SLICE("kube-system"), slice_of(name));
	if (!o || informer_get(shared_informer_base(s->nodes), w->name))
		return;
	meta_read(informer_text(o), &m);
	int64_t left = kube_time_parse(m.creation_timestamp) + JOIN_S - kube_time_now_s();
	if (slice_is(w->ns, GONE) || left <= 0)
		remove_password(w, &m);
	else
		work_again(w, (left < JOIN_S ? left : JOIN_S) * 1000);
}

void *node_password_start(struct controllers *c)
{
	struct node_passwords *s = xcalloc(1, sizeof *s);
	s->c = c;
	s->queue = controllers_queue(c, "node-password", 1, run, s);
	s->nodes = controllers_listen(c, NODES, &(struct informer_handler){.deleted = node_deleted, .arg = s});
	s->secrets = informer_new(&(struct informer_options){.client = c->client,
	        .path = "/api/v1/namespaces/kube-system/secrets",
	        .field_selector = "type=k3x.io/node-password",
	        .added = secret_added,
	        .arg = s});
	return s;
}

void node_password_stop(void *state)
{
	struct node_passwords *s = state;
	closing_hold(&s->c->closing);
	informer_close(s->secrets, closing_part_done, &s->c->closing);
}

void node_password_release(void *state)
{
	free(state);
}
