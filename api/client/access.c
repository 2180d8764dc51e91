/* See access.h.
 *
 *     a token --> is its user remembered? else TokenReview --> the user --> may they, is remembered? else
 *     SubjectAccessReview --> done
 *
 * Both answers lie in one map, by the hash of what was asked. What could not be asked is remembered by nobody. What can
 * go wrong: an API server that is away, which is told as it is: nobody is let in meanwhile but who was a moment ago. */
#include "api/client/access.h"

#include "base/limits.h"
#include "base/pki/pki.h"

#include <stdlib.h>

#define TOKEN_REVIEWS "/apis/authentication.k8s.io/v1/tokenreviews"
#define ACCESS_REVIEWS "/apis/authorization.k8s.io/v1/subjectaccessreviews"

enum { KEY_MAX = 65 };

/* What was answered. */
struct answer {
	struct slice key;
	uint64_t until_ms;
	int code;   /* 0: allowed, or who it is */
	char *text; /* the user of a token, or why not */
};

struct access {
	struct access_options o;
	struct map answers;
	struct list_link open; /* questions */
};

struct access_question {
	struct access *access; /* NULL: forgotten */
	struct list_link link;
	struct access_request r;
	struct arena arena;
	struct json *user, *attributes;
	char key[KEY_MAX]; /* of what is being asked */
	struct err err;
	struct client_request request;
	struct loop_task task;
};

/* ---- what is remembered ---- */

static uint64_t now_ms(const struct access *a)
{
	return loop_now_ms(a->o.client->loop);
}

static void answer_free(struct answer *x)
{
	free(x->text);
	free(x);
}

/* Those that are over go; if that is not enough, all of them. */
static void make_room(struct access *a)
{
	struct map kept = MAP_INIT;
	if (a->answers.count < ACCESS_ANSWERS_MAX)
		return;
	MAP_FOREACH (it, &a->answers) {
		struct answer *x = it->value;
		if (x->until_ms > now_ms(a))
			map_put(&kept, x->key, x);
		else
			answer_free(x);
	}
	map_release(&a->answers);
	a->answers = kept;
	if (kept.count < ACCESS_ANSWERS_MAX)
		return;
	MAP_FOREACH (it, &a->answers)
		answer_free(it->value);
	map_release(&a->answers);
	a->answers = MAP_INIT;
}

static void remember(struct access *a, const char *key, unsigned ms, int code, struct slice text)
{
	make_room(a);
	struct answer *x = MAP_ENTRY_NEW(struct answer, key, slice_of(key)), *old;
	x->until_ms = now_ms(a) + ms;
	x->code = code;
	x->text = xmemdup(text.ptr ? text.ptr : "", text.len);
	if ((old = map_put(&a->answers, x->key, x)))
		answer_free(old);
}

static const struct answer *recall(struct access *a, const char *key)
{
	const struct answer *x = map_get(&a->answers, slice_of(key));
	return x && x->until_ms > now_ms(a) ? x : NULL;
}

/* ---- the end of a question ---- */

static void question_free(struct access_question *q)
{
	client_request_release(&q->request);
	arena_release(&q->arena);
	free(q);
}

static void finish(struct access_question *q)
{
	void (*done)(void *, const struct err *) = q->r.done;
	void *arg = q->r.arg;
	struct err err = q->err;
	bool is_wanted = q->access != NULL;
	if (is_wanted)
		list_del(&q->link);
	question_free(q);
	if (is_wanted)
		done(arg, err.code ? &err : NULL);
}

static void finish_later(struct loop_task *t)
{
	finish(CONTAINER_OF(t, struct access_question, task));
}

/* ---- asking ---- */

static struct slice text_of(struct arena *a, const struct json *v)
{
	struct strbuf b = STRBUF_INIT;
	json_write(&b, v);
	struct slice s = {arena_memdup(a, b.data, b.len), b.len};
	strbuf_release(&b);
	return s;
}

static void post_review(struct access_question *q, const char *path, const char *kind, const char *api_version,
        struct json *spec, void (*done)(struct client_request *))
{
	struct json *o = json_new(&q->arena, JSON_OBJECT);
	json_set_cstr(&q->arena, o, "apiVersion", api_version);
	json_set_cstr(&q->arena, o, "kind", kind);
	json_set(&q->arena, o, "spec", spec);
	client_request_release(&q->request);
	q->request =
	        (struct client_request){.method = "POST", .path = path, .body = text_of(&q->arena, o), .done = done};
	client_send(q->access->o.client, &q->request);
}

/* The answer's status; NULL: none came, and q->err says why. */
static const struct json *status_of(struct access_question *q)
{
	const struct rcbuf *body = q->request.response;
	const struct json *tree = NULL;
	if (q->request.err.code) {
		q->err = q->request.err;
		/* that we may not ask is not that they may not do it */
		if (q->err.code == ERR_FORBIDDEN || q->err.code == ERR_UNAUTHENTICATED)
			err_set(&q->err, ERR_INTERNAL, "who asks could not be checked: %s", q->request.err.msg);
		return NULL;
	}
	tree = json_parse(&q->arena, (struct slice){body->data, body->len}, NULL, &q->err);
	if (tree && !json_get(tree, "status"))
		err_set(&q->err, ERR_PROTOCOL, "the API's answer to a review has no status");
	return json_get(tree, "status");
}

static void hash(struct access_question *q, const char *what, struct slice text)
{
	struct strbuf b = STRBUF_INIT;
	strbuf_addf(&b, "%s ", what);
	strbuf_add_slice(&b, text);
	pki_sha256_hex(b.data, b.len, q->key);
	explicit_bzero(b.data, b.len);
	strbuf_release(&b);
}

static void forbid(struct access_question *q, const char *text)
{
	err_set(&q->err, ERR_FORBIDDEN, "%s", text);
}

static void judged(struct client_request *request)
{
	struct access_question *q = CONTAINER_OF(request, struct access_question, request);
	const struct json *status = q->access ? status_of(q) : NULL;
	if (status && json_get_bool(status, "allowed", false)) {
		remember(q->access, q->key, q->access->o.allowed_ms, 0, SLICE_NULL);
	} else if (status) {
		struct slice reason = json_get_str(status, "reason");
		forbid(q, arena_printf(&q->arena, "User \"%.*s\" may not %s this%s%.*s",
		                  SLICE_FMT(json_get_str(q->user, "user")), q->r.deed.verb, reason.len ? ": " : "",
		                  SLICE_FMT(reason)));
		remember(q->access, q->key, q->access->o.denied_ms, ERR_FORBIDDEN, slice_of(q->err.msg));
	}
	finish(q);
}

/* True: it is known already, and q->err says it. */
static bool ask_whether(struct access_question *q)
{
	struct json *spec = q->user;
	json_set(&q->arena, spec, json_get(q->attributes, "path") ? "nonResourceAttributes" : "resourceAttributes",
	        q->attributes);
	hash(q, "access", text_of(&q->arena, spec));
	const struct answer *x = recall(q->access, q->key);
	if (!x) {
		post_review(q, ACCESS_REVIEWS, "SubjectAccessReview", "authorization.k8s.io/v1", spec, judged);
		return false;
	}
	if (x->code)
		forbid(q, x->text);
	return true;
}

static bool take_user(struct access_question *q, const struct json *user)
{
	struct arena *a = &q->arena;
	q->user = json_new(a, JSON_OBJECT);
	json_set_str(a, q->user, "user", json_get_str(user, "username"));
	static const char *const members[] = {"uid", "groups", "extra"};
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (json_get(user, members[i]))
			json_set(a, q->user, members[i], json_copy(a, json_get(user, members[i])));
	return ask_whether(q);
}

static void nobody(struct access_question *q)
{
	err_set(&q->err, ERR_UNAUTHENTICATED, "Unauthorized");
}

static void identified(struct client_request *request)
{
	struct access_question *q = CONTAINER_OF(request, struct access_question, request);
	const struct json *status = q->access ? status_of(q) : NULL, *user = json_get(status, "user");
	if (status && json_get_bool(status, "authenticated", false)) {
		remember(q->access, q->key, q->access->o.identity_ms, 0, text_of(&q->arena, user));
		if (!take_user(q, user))
			return;
	} else if (status) {
		remember(q->access, q->key, q->access->o.denied_ms, ERR_UNAUTHENTICATED, SLICE_NULL);
		nobody(q);
	}
	finish(q);
}

/* True: it is over already. */
static bool ask_who(struct access_question *q, struct slice token)
{
	struct json *spec;
	if (token.len > ACCESS_TOKEN_BYTES_MAX) {
		nobody(q);
		return true;
	}
	hash(q, "token", token);
	const struct answer *x = recall(q->access, q->key);
	if (x && x->code) {
		nobody(q);
		return true;
	}
	if (x)
		return take_user(q, json_parse(&q->arena, slice_of(x->text), NULL, NULL));
	spec = json_new(&q->arena, JSON_OBJECT);
	json_set_str(&q->arena, spec, "token", token);
	post_review(q, TOKEN_REVIEWS, "TokenReview", "authentication.k8s.io/v1", spec, identified);
	return false;
}

static struct json *attributes_of(struct arena *a, const struct access_deed *d)
{
	struct json *o = json_new(a, JSON_OBJECT);
	const struct {
		const char *name;
		struct slice value;
	} rows[] = {{"group", d->group}, {"version", d->version}, {"resource", d->resource},
	        {"subresource", d->subresource}, {"namespace", d->ns}, {"name", d->name}};
	json_set_cstr(a, o, "verb", d->verb);
	if (d->path.len)
		json_set_str(a, o, "path", d->path);
	for (size_t i = 0; !d->path.len && i < sizeof rows / sizeof *rows; i++)
		if (rows[i].value.len)
			json_set_str(a, o, rows[i].name, rows[i].value);
	return o;
}

struct access_question *access_ask(struct access *a, const struct access_request *r)
{
	LOOP_CHECK_OWNER(a->o.client->loop);
	struct access_question *q = xcalloc(1, sizeof *q);
	q->access = a;
	q->r = *r;
	q->r.deed.verb = arena_strdup(&q->arena, r->deed.verb);
	q->attributes = attributes_of(&q->arena, &r->deed);
	list_push_back(&a->open, &q->link);
	if (!r->token.len)
		q->user = json_copy(&q->arena, r->user);
	if (r->token.len ? ask_who(q, r->token) : ask_whether(q)) {
		q->task.run = finish_later;
		loop_post(a->o.client->loop, &q->task);
	}
	return q;
}

/* What is under way comes back to nobody. */
void access_forget(struct access_question *q)
{
	list_del(&q->link);
	q->access = NULL;
}

struct json *access_user(struct arena *a, struct slice name, const struct slice *groups, size_t n_groups)
{
	struct json *user = json_new(a, JSON_OBJECT), *list = json_need(a, user, "groups", JSON_ARRAY);
	json_set_str(a, user, "user", name);
	for (size_t i = 0; i < n_groups; i++)
		json_append(list, json_new_str(a, groups[i]));
	return user;
}

/* ---- life ---- */

struct access *access_new(const struct access_options *options)
{
	struct access *a = xcalloc(1, sizeof *a);
	a->o = *options;
	list_init(&a->open);
	return a;
}

void access_free(struct access *a)
{
	if (!a)
		return;
	while (!list_empty(&a->open))
		access_forget(CONTAINER_OF(a->open.next, struct access_question, link));
	MAP_FOREACH (it, &a->answers)
		answer_free(it->value);
	map_release(&a->answers);
	free(a);
}
