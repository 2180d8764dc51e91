/* See conversion.h. Upstream: apiextensions-apiserver pkg/apiserver/conversion.
 *
 *     WANTED --conversion_ask()--> ASKED --an answer--> READY --(a minute, or others need the room)--> gone
 *                                    '----no answer---> gone
 *
 * A form is known by the digest of the object's text and the version that is wanted. Everything of a CRD hangs on the
 * set of rows that one generation of it made, and goes with that: what a new generation's webhook says is asked anew.
 *
 * What can go wrong: the webhook is not there, is slow (30 s), answers something else, or changes what it must not
 * (conversion_review.h): all who wait for that object are told the same. A definition that changes while a question is
 * out: the question holds the old rows until it is answered. */
#include "api/server/converting/conversion.h"

#include "api/machinery/codec/decode.h"
#include "api/server/answer.h"
#include "api/server/cache/object.h"
#include "api/server/call.h"
#include "api/server/converting/conversion_review.h"
#include "api/server/passing/hook_place.h"
#include "api/server/shape.h"
#include "api/server/state.h"
#include "api/server/status.h"
#include "api/server/strategy.h"
#include "base/check.h"
#include "base/pki/pki.h"

#include <stdlib.h>

enum { TIMEOUT_S = 30, DIGEST_BYTES = 32 };

enum form_state { FORM_WANTED, FORM_ASKED, FORM_READY, FORM_GONE };

struct conversion {
	struct resource_conversion base;
	struct api_server *server;
	struct arena arena;
	struct hook_place place;
	const char *version; /* of reviews; NULL: none that is spoken here */
	bool is_retired;
	struct map forms;
	struct list_link ready; /* the least recently used first */
	size_t ready_bytes;
	struct form **wanted; /* references */
	size_t wanted_count, wanted_cap, wanted_bytes;
};

struct form {
	unsigned char digest[DIGEST_BYTES];
	unsigned refs; /* the map's, of those that want it, of those that wait */
	enum form_state state;
	struct conversion *of;
	const struct resource *to;
	struct rcbuf *text; /* WANTED, ASKED: of the object as it is; READY: as it was wanted */
	uint64_t made_ms;
	struct list_link in_ready;
	struct list_link waits; /* ASKED */
	struct err err;         /* GONE, for those who wait */
};

struct wait {
	struct list_link link;
	struct question *question;
	struct form *form;
};

/* Of one who asks: all that he needs. */
struct question {
	const struct resource *row; /* a reference: the forms live in its set */
	struct wait *waits;
	size_t count, open;
	struct err err;
	void (*done)(void *arg, const struct err *err);
	void *arg;
	struct loop_defer ending; /* when nobody could be asked */
};

/* One call to the webhook. */
struct review {
	struct conversion *of;
	const struct resource *row; /* a reference */
	const struct resource *to;
	struct arena arena;
	struct outgoing_call call;
	struct strbuf body;
	const char *uid;
	struct form **forms; /* references */
	size_t count;
};

static struct conversion *of_row(const struct resource *r)
{
	return r->conversion ? CONTAINER_OF(r->conversion, struct conversion, base) : NULL;
}

/* ---- forms ---- */

static struct slice key_of(const struct form *f)
{
	return (struct slice){(const char *)f->digest, DIGEST_BYTES};
}

static void form_unref_n(struct form *f, unsigned n)
{
	CHECK(f->refs >= n);
	f->refs -= n;
	if (f->refs)
		return;
	rcbuf_unref(f->text);
	free(f);
}

static void form_unref(struct form *f)
{
	form_unref_n(f, 1);
}

/* Nobody finds it any more; the references that the caller is to give back for that. */
static unsigned form_hide(struct form *f)
{
	struct conversion *c = f->of;
	if (map_get(&c->forms, key_of(f)) != f)
		return 0;
	if (f->state == FORM_READY) {
		list_del(&f->in_ready);
		c->ready_bytes -= f->text->len;
	}
	map_del(&c->forms, key_of(f));
	return 1;
}

static void form_drop(struct form *f)
{
	form_unref_n(f, form_hide(f));
}

/* Not those that somebody is about to use. */
static void make_room(struct conversion *c)
{
	struct list_link *it = c->ready.next, *next;
	for (; c->ready_bytes > CONVERSION_KEPT_BYTES_MAX && it != &c->ready; it = next) {
		struct form *f = CONTAINER_OF(it, struct form, in_ready);
		next = it->next;
		if (f->refs == 1)
			form_drop(f);
	}
}

static void want(struct conversion *c, struct form *f)
{
	if (c->wanted_count == c->wanted_cap) {
		c->wanted_cap = c->wanted_cap ? 2 * c->wanted_cap : 16;
		c->wanted = xrealloc(c->wanted, c->wanted_cap * sizeof(struct form *));
	}
	f->refs++;
	c->wanted[c->wanted_count++] = f;
	c->wanted_bytes += f->text->len;
}

static struct form *form_new(
        struct conversion *c, const unsigned char *digest, struct slice text, const struct resource *to)
{
	struct form *f = xcalloc(1, sizeof *f);
	memcpy(f->digest, digest, DIGEST_BYTES);
	f->refs = 1;
	f->of = c;
	f->to = to;
	f->text = rcbuf_copy(text.ptr, text.len);
	list_init(&f->waits);
	list_init(&f->in_ready);
	map_put(&c->forms, key_of(f), f);
	return f;
}

static struct form *form_find(struct conversion *c, const unsigned char *digest)
{
	struct form *f = map_get(&c->forms, (struct slice){(const char *)digest, DIGEST_BYTES});
	if (f && f->state == FORM_READY && loop_now_ms(c->server->loop) - f->made_ms > CONVERSION_KEPT_MS) {
		form_drop(f);
		return NULL;
	}
	return f;
}

/* ---- converting ---- */

/* What the server keeps about an object is no part of its text: taken out, and laid in again. */
struct kept {
	struct json *version, *managed;
};

static struct kept take_out(struct json *meta)
{
	struct kept k = {json_get(meta, "resourceVersion"), json_get(meta, "managedFields")};
	if (k.version)
		json_remove(meta, k.version);
	if (k.managed)
		json_remove(meta, k.managed);
	return k;
}

static void lay_in(struct json *meta, struct kept k)
{
	if (k.version)
		json_insert(meta, 0, k.version);
	if (k.managed)
		json_append(meta, k.managed);
}

static void digest_of(struct slice text, const char *to, unsigned char *ret)
{
	struct pki_digest *d = pki_digest_new();
	pki_digest_add(d, to, strlen(to) + 1);
	pki_digest_add(d, text.ptr, text.len);
	pki_digest_get(d, ret);
	pki_digest_free(d);
}

static const struct resource *own_row(const struct conversion *c, const char *api_version)
{
	for (size_t i = 0; i < c->base.count; i++)
		if (strcmp(c->base.rows[i].api_version, api_version) == 0)
			return &c->base.rows[i];
	return NULL;
}

static void become(struct arena *a, struct json *object, struct form *f)
{
	struct json *now = json_parse(a, (struct slice){f->text->data, f->text->len}, NULL, NULL);
	CHECK(json_is(now, JSON_OBJECT)); /* written by us */
	object->first = now->first;
	object->last = now->last;
	object->count = now->count;
	list_del(&f->in_ready);
	list_push_back(&f->of->ready, &f->in_ready);
}

static int convert(struct resource_conversion *base, struct arena *a, struct json *object, const struct resource *to,
        struct err *err)
{
	struct conversion *c = CONTAINER_OF(base, struct conversion, base);
	const struct resource *row = own_row(c, to->api_version);
	unsigned char digest[DIGEST_BYTES];
	struct strbuf text = STRBUF_INIT;
	LOOP_CHECK_OWNER(c->server->loop);
	if (!row)
		return err_set(err, ERR_NOT_FOUND, "%s has no version %s any more", to->plural, to->version);
	struct kept kept = take_out(json_get(object, "metadata"));
	json_write(&text, object);
	digest_of(strbuf_slice(&text), row->api_version, digest);
	struct form *f = form_find(c, digest);
	bool is_ready = f && f->state == FORM_READY;
	if (is_ready) {
		become(a, object, f);
	} else if (!conversion_is_full(row)) {
		want(c, f ? f : form_new(c, digest, strbuf_slice(&text), row));
	}
	lay_in(json_get(object, "metadata"), kept);
	strbuf_release(&text);
	return is_ready ? 0 : err_set(err, ERR_UNAVAILABLE, "not converted to %s yet", to->api_version);
}

/* ---- who waits ---- */

bool conversion_is_wanted(const struct resource *r)
{
	return r->conversion && of_row(r)->wanted_count > 0;
}

bool conversion_is_full(const struct resource *r)
{
	const struct conversion *c = of_row(r);
	return c && (c->wanted_count >= CONVERSION_OBJECTS_MAX || c->wanted_bytes >= CONVERSION_BYTES_MAX);
}

void conversion_forget(const struct resource *r)
{
	struct conversion *c = of_row(r);
	while (c && c->wanted_count) {
		struct form *f = c->wanted[--c->wanted_count];
		form_unref_n(f, 1 + (f->state == FORM_WANTED ? form_hide(f) : 0));
	}
	if (c)
		c->wanted_bytes = 0;
}

static void question_end(struct question *q)
{
	q->done(q->arg, &q->err);
	for (size_t i = 0; i < q->count; i++)
		form_unref(q->waits[i].form);
	make_room(of_row(q->row));
	resource_unref(q->row);
	free(q->waits);
	free(q);
}

static void end_later(struct loop_defer *d)
{
	question_end(CONTAINER_OF(d, struct question, ending));
}

/* READY, or GONE with its error. */
static void settle(struct form *f)
{
	struct list_link *it;
	CHECK(f->state == FORM_READY || f->state == FORM_GONE);
	while ((it = list_pop_front(&f->waits))) {
		struct question *q = CONTAINER_OF(it, struct wait, link)->question;
		if (f->err.code && !q->err.code)
			q->err = f->err;
		if (--q->open == 0)
			question_end(q);
	}
}

static void fail(struct form *f, const struct err *err)
{
	unsigned was_known = form_hide(f);
	f->err = *err;
	f->state = FORM_GONE;
	settle(f);
	CHECK(f->refs > was_known); /* whoever calls has one of his own */
	form_unref_n(f, was_known);
}

/* ---- the call ---- */

/* "example.com/v1, Kind=Widget" of an object's text. */
static const char *kind_of(struct arena *a, const struct json *object)
{
	return arena_printf(a, "%.*s, Kind=%.*s", SLICE_FMT(json_get_str(object, "apiVersion")),
	        SLICE_FMT(json_get_str(object, "kind")));
}

static struct json *tree_of(struct arena *a, const struct form *f)
{
	return json_parse(a, (struct slice){f->text->data, f->text->len}, NULL, NULL);
}

/* The answer's object is one of `to`, and what its schema does not know is taken out. */
static void take(struct review *v, struct form *f, struct json *converted, size_t index)
{
	struct err err = ERR_INIT;
	struct strbuf text = STRBUF_INIT;
	struct json *original = tree_of(&v->arena, f);
	if (conversion_review_take(&v->arena, original, f->to->api_version, converted, index, &err) != 0) {
		struct err whole = ERR_INIT;
		err_set(&whole, err.code, "conversion webhook for %s %s", kind_of(&v->arena, original), err.msg);
		fail(f, &whole);
		return;
	}
	if (f->to->type)
		decode_object(&v->arena, converted, f->to->type, DECODE_LENIENT, NULL, NULL);
	json_write(&text, converted);
	rcbuf_unref(f->text);
	f->text = rcbuf_copy(text.data, text.len);
	strbuf_release(&text);
	f->state = FORM_READY;
	f->made_ms = loop_now_ms(v->of->server->loop);
	list_push_back(&v->of->ready, &f->in_ready);
	v->of->ready_bytes += f->text->len;
	settle(f);
}

/* ERR_INTERNAL in upstream's words, for all. */
static int read_answer(struct review *v, const struct json **ret, struct err *err)
{
	const char *kind = kind_of(&v->arena, tree_of(&v->arena, v->forms[0]));
	const struct outgoing_call *k = &v->call;
	*err = k->err;
	if (!err->code && (k->status < 200 || k->status > 299))
		err_set(err, ERR_UNAVAILABLE, "the server answered %d", k->status);
	if (!err->code)
		conversion_review_read(&v->arena, k->answer, v->of->version, v->uid, ret, err);
	if (err->code) {
		err_wrap(err, "conversion webhook for %s failed", kind);
		return err->code;
	}
	if ((*ret)->count != v->count)
		return err_set(err, ERR_INTERNAL, "conversion webhook for %s returned %u objects, expected %zu", kind,
		        (*ret)->count, v->count);
	return 0;
}

static void review_free(struct review *v)
{
	for (size_t i = 0; i < v->count; i++)
		form_unref(v->forms[i]);
	free(v->forms);
	strbuf_release(&v->body);
	arena_release(&v->arena);
	resource_unref(v->row);
	free(v);
}

static void answered(struct outgoing_call *k)
{
	struct review *v = k->arg;
	const struct json *list = NULL;
	struct err err = ERR_INIT;
	int rc = read_answer(v, &list, &err);
	struct json *it = rc == 0 ? list->first : NULL, *next;
	for (size_t i = 0; i < v->count; i++, it = next) {
		next = it ? it->next : NULL;
		if (rc == 0)
			take(v, v->forms[i], it, i);
		else
			fail(v->forms[i], &err);
	}
	review_free(v);
}

static int send_review(struct review *v, struct err *err)
{
	struct conversion *c = v->of;
	struct outgoing *target;
	struct strbuf objects = STRBUF_INIT;
	if (!c->version)
		return err_set(err, ERR_INTERNAL, "no supported conversion review versions");
	if (hook_place_target(&c->place, c->server, &v->arena, TIMEOUT_S, &target, err) != 0)
		return err->code;
	for (size_t i = 0; i < v->count; i++) {
		if (i)
			strbuf_addc(&objects, ',');
		strbuf_add(&objects, v->forms[i]->text->data, v->forms[i]->text->len);
	}
	v->uid = strategy_uid(&v->arena);
	conversion_review_write(&v->body, c->version, v->uid, v->to->api_version, strbuf_slice(&objects));
	strbuf_release(&objects);
	v->call = (struct outgoing_call){.body = strbuf_slice(&v->body),
	        .timeout_ms = TIMEOUT_S * 1000,
	        .answer_bytes_max = CONVERSION_ANSWER_BYTES_MAX,
	        .done = answered,
	        .arg = v};
	outgoing_send(target, &v->call);
	outgoing_unref(target);
	if (c->is_retired)
		hook_place_release(&c->place);
	return 0;
}

/* ---- asking ---- */

/* All that is wanted in one version. */
static struct review *review_new(struct conversion *c, const struct resource *to)
{
	struct review *v = xcalloc(1, sizeof *v);
	v->of = c;
	v->to = to;
	v->row = resource_ref(to);
	v->forms = xcalloc(c->wanted_count, sizeof(struct form *));
	for (size_t i = 0; i < c->wanted_count; i++) {
		struct form *f = c->wanted[i];
		if (f->state != FORM_WANTED || f->to != to)
			continue;
		f->state = FORM_ASKED;
		f->refs++;
		v->forms[v->count++] = f;
	}
	return v;
}

static void send_all(struct conversion *c)
{
	for (size_t i = 0; i < c->wanted_count; i++) {
		struct form *f = c->wanted[i];
		struct err err = ERR_INIT;
		if (f->state != FORM_WANTED)
			continue;
		struct review *v = review_new(c, f->to);
		if (send_review(v, &err) == 0)
			continue;
		err_wrap(&err, "conversion webhook for %s failed", kind_of(&v->arena, tree_of(&v->arena, f)));
		for (size_t k = 0; k < v->count; k++)
			fail(v->forms[k], &err);
		review_free(v);
	}
}

/* Takes over what is wanted, with its references. What fails at once is told by the question's error. */
static struct question *question_new(struct conversion *c, const struct resource *r)
{
	struct question *q = xcalloc(1, sizeof *q);
	q->row = resource_ref(r);
	q->count = c->wanted_count;
	q->waits = xcalloc(q->count, sizeof *q->waits);
	for (size_t i = 0; i < q->count; i++) {
		struct form *f = c->wanted[i];
		q->waits[i] = (struct wait){.question = q, .form = f};
		if (f->state == FORM_GONE) {
			q->err = f->err;
			continue;
		}
		list_push_back(&f->waits, &q->waits[i].link);
		q->open++;
	}
	c->wanted_count = 0;
	c->wanted_bytes = 0;
	return q;
}

void conversion_ask(const struct resource *r, void (*done)(void *arg, const struct err *err), void *arg)
{
	struct conversion *c = of_row(r);
	CHECK(c && c->wanted_count);
	LOOP_CHECK_OWNER(c->server->loop);
	send_all(c);
	struct question *q = question_new(c, r);
	q->done = done;
	q->arg = arg;
	loop_defer_init(&q->ending, end_later);
	if (!q->open)
		loop_defer(c->server->loop, &q->ending);
}

void conversion_blame(struct call *c, const struct err *err)
{
	if (err->code != ERR_CANCELED)
		c->status = status_new(&c->arena, 500, "", arena_strdup(&c->arena, err->msg));
}

/* ---- of one object, for a read ---- */

struct awaiting {
	struct call *call;
	void (*again)(struct call *c);
};

static void form_is_there(void *arg, const struct err *err)
{
	const struct awaiting *w = arg;
	struct call *c = w->call;
	if (err->code) {
		conversion_blame(c, err);
		call_respond_err(c, err);
	} else {
		w->again(c);
	}
	call_unref(c);
}

bool conversion_awaits(struct call *c, const struct object *o, void (*again)(struct call *c))
{
	const struct resource *r = c->route.resource;
	if (!r->conversion)
		return false;
	rcbuf_unref(shape_convert(o->json, r->storage, r, NULL));
	if (!conversion_is_wanted(r))
		return false;
	struct awaiting *w = ARENA_NEW(&c->arena, struct awaiting);
	*w = (struct awaiting){call_ref(c), again};
	conversion_ask(r, form_is_there, w);
	return true;
}

/* ---- life ---- */

/* Nobody waits any more: who did held a row. */
static void conversion_free(struct resource_conversion *base)
{
	struct conversion *c = CONTAINER_OF(base, struct conversion, base);
	for (size_t i = 0; i < c->wanted_count; i++)
		form_unref(c->wanted[i]);
	MAP_FOREACH (slot, &c->forms)
		form_unref(slot->value);
	map_release(&c->forms);
	arena_release(&c->arena);
	free(c->wanted);
	free(c);
}

void conversion_attach(struct api_server *s, struct custom_resources *set, const struct json *crd)
{
	const struct json *said = json_path(crd, "spec", "conversion", NULL), *webhook = json_get(said, "webhook");
	if (!slice_is(json_get_str(said, "strategy"), "Webhook"))
		return;
	struct conversion *c = xcalloc(1, sizeof *c);
	c->base = (struct resource_conversion){set->rows, set->count, convert};
	c->server = s;
	list_init(&c->ready);
	hook_place_read(&c->arena, &c->place, json_get(webhook, "clientConfig"));
	c->version = conversion_review_version(json_get(webhook, "conversionReviewVersions"));
	set->conversion = &c->base;
	set->free_conversion = conversion_free;
	for (size_t i = 0; i < set->count; i++)
		set->rows[i].conversion = &c->base;
}

void conversion_retire(struct custom_resources *set)
{
	if (!set || !set->conversion)
		return;
	struct conversion *c = CONTAINER_OF(set->conversion, struct conversion, base);
	c->is_retired = true;
	hook_place_release(&c->place);
}
