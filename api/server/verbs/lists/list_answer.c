/* How a list is answered: as JSON by reference, else built as text (tables, metadata only, YAML, protobuf). */
#include "api/server/verbs/lists/list.h"

#include "api/server/answer.h"
#include "api/server/audit/audit.h"
#include "api/server/converting/conversion.h"
#include "base/check.h"

#include <inttypes.h>

static void write_list_metadata(struct strbuf *out, const struct list *l)
{
	strbuf_addf(out, "{\"resourceVersion\":\"%" PRId64 "\"", l->revision);
	if (l->selection.next.len) {
		struct slice token = list_make_continue(l->call, l->revision, l->selection.next);
		strbuf_addf(out, ",\"continue\":\"%.*s\"", SLICE_FMT(token));
		if (l->selection.remaining >= 0)
			strbuf_addf(out, ",\"remainingItemCount\":%" PRId64, l->selection.remaining);
	}
	strbuf_addc(out, '}');
}

static void write_list_head(struct strbuf *out, const struct list *l)
{
	const struct call *c = l->call;
	const struct resource *r = c->route.resource;
	if (c->shape == SHAPE_PARTIAL)
		strbuf_adds(
		        out, "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\",\"metadata\":");
	else
		strbuf_addf(out, "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":", r->list_kind, r->api_version);
	write_list_metadata(out, l);
	strbuf_adds(out, ",\"items\":[");
}

static struct rcbuf *make_managed(void *object)
{
	return object_managed_text(object);
}

static void drop_object(void *object)
{
	object_unref(object);
}

/* An object's own bytes; managedFields between two pieces of them, unpacked when they are sent: those of all objects
 * would be many times what the connection takes at once. Takes over the reference. */
static size_t add_object(const struct call *c, struct http_buf *bufs, struct object *o)
{
	static const struct http_maker maker = {make_managed, drop_object};
	struct rcbuf *json = rcbuf_ref(o->json);
	size_t n = 0, managed = c->wants_managed ? object_managed_len(o) : 0, at = managed ? o->managed_at : 0;
	if (managed) {
		bufs[n++] = (struct http_buf){.data = {json->data, at}, .ref = rcbuf_ref(json)};
		bufs[n++] = (struct http_buf){.data = {NULL, managed}, .maker = &maker, .source = o};
	}
	bufs[n++] = (struct http_buf){.data = {json->data + at, json->len - at}, .ref = json};
	if (!managed)
		object_unref(o);
	return n;
}

static void respond_by_reference(struct list *l)
{
	struct call *c = l->call;
	const struct selection *s = &l->selection;
	struct http_buf *bufs = ARENA_ARRAY(&c->arena, struct http_buf, 4 * s->count + 2);
	struct strbuf head = STRBUF_INIT;
	size_t n = 0;
	write_list_head(&head, l);
	struct rcbuf *first = rcbuf_copy(head.data, head.len);
	strbuf_release(&head);
	bufs[n++] = (struct http_buf){.data = {first->data, first->len}, .ref = first};
	for (size_t i = 0; i < s->count; i++) {
		if (i)
			bufs[n++] = (struct http_buf){.data = SLICE(","), .ref = NULL};
		n += add_object(c, bufs + n, s->objects[i]);
	}
	bufs[n++] = (struct http_buf){.data = SLICE("]}\n"), .ref = NULL};
	call_respond_bufs(c, 200, "application/json", bufs, n);
}

/* Of the selection that goes with them. */
static void drop_forms(struct list *l)
{
	for (size_t i = 0; l->forms && i < l->selection.count; i++)
		rcbuf_unref(l->forms[i]);
	l->forms = NULL;
}

/* Rows that share a storage are told apart here: every text is turned into the route's form. NULL: it has none. */
static struct rcbuf *text_of(struct list *l, size_t i, struct err *err)
{
	struct call *c = l->call;
	const struct resource *r = c->route.resource;
	const struct object *o = l->selection.objects[i];
	if (l->forms)
		return rcbuf_ref(l->forms[i]);
	struct rcbuf *text = call_object_text(c, o), *converted = shape_convert(text, r->storage, r, err);
	rcbuf_unref(text);
	return converted;
}

static int write_items(struct strbuf *out, struct list *l, struct err *err)
{
	const struct call *c = l->call;
	const struct selection *s = &l->selection;
	for (size_t i = 0; i < s->count; i++) {
		struct rcbuf *whole = text_of(l, i, err);
		if (!whole)
			return err->code;
		struct slice text = {whole->data, whole->len};
		if (i)
			strbuf_addc(out, ',');
		if (c->shape == SHAPE_TABLE)
			shape_table_row(out, c->route.resource, text, c->table_include);
		else if (c->shape == SHAPE_PARTIAL)
			shape_partial(out, text);
		else
			strbuf_add_slice(out, text);
		rcbuf_unref(whole);
	}
	strbuf_adds(out, "]}");
	return 0;
}

static void respond_as_text(struct list *l)
{
	struct call *c = l->call;
	struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;
	struct err err = ERR_INIT;
	if (c->shape == SHAPE_TABLE) {
		struct strbuf meta = STRBUF_INIT;
		write_list_metadata(&meta, l);
		shape_table_head(&text, c->route.resource, strbuf_slice(&meta), true);
		strbuf_release(&meta);
	} else {
		write_list_head(&text, l);
	}
	int rc = write_items(&text, l, &err);
	if (rc == 0)
		audit_response_text(c, strbuf_slice(&text));
	if (rc != 0)
		call_respond_err(c, &err);
	else if (shape_encode(c->format, &text, &out, &err) == 0)
		call_respond_strbuf(c, 200, shape_content_type(c->format), &out);
	else
		call_respond_strbuf(c, 200, "application/json", &text);
	drop_forms(l);
	list_drop_selection(l);
	strbuf_release(&text);
	strbuf_release(&out);
}

/* Bytes that are made for one answer, and held until its client has taken them, are few at a time for all together.
 * What goes out by reference is not held. */
static bool may_be_built(const struct list *l)
{
	size_t bytes = 0;
	struct err err = ERR_INIT;
	for (size_t i = 0; i < l->selection.count; i++) {
		const struct object *o = l->selection.objects[i];
		bytes += o->json->len + (call_shows_managed(l->call) ? object_managed_len(o) : 0);
	}
	if (!bytes || call_charge(l->call, bytes, &err) == 0)
		return true;
	call_respond_err(l->call, &err);
	return false;
}

/* ---- where a webhook knows the versions ---- */

static void go_on(void *arg, const struct err *err)
{
	struct list *l = arg;
	struct call *c = l->call;
	if (err->code) {
		conversion_blame(c, err);
		call_respond_err(c, err);
		drop_forms(l);
		list_drop_selection(l);
	} else {
		list_respond(l);
	}
	call_unref(c);
}

/* Makes forms from where they stop, until as many are wanted as are asked for at once. */
static int make_forms(struct list *l, struct err *err)
{
	const struct call *c = l->call;
	const struct resource *r = c->route.resource;
	for (size_t i = l->forms_made; i < l->selection.count && !conversion_is_full(r); i++) {
		struct rcbuf *text = call_object_text(c, l->selection.objects[i]);
		*err = ERR_INIT;
		if (!l->forms[i])
			l->forms[i] = shape_convert(text, r->storage, r, err);
		rcbuf_unref(text);
		if (err->code && err->code != ERR_UNAVAILABLE)
			return err->code;
		if (i == l->forms_made && l->forms[i])
			l->forms_made++;
	}
	*err = ERR_INIT;
	return 0;
}

/* All objects are in the version that was asked for. */
static bool are_alike(const struct list *l)
{
	const struct resource *r = l->call->route.resource;
	bool alike = r->storage == r;
	for (size_t i = 0; alike && r->conversion && i < l->selection.count; i++)
		alike = !l->selection.objects[i]->is_of_other_version;
	return alike;
}

/* True: the list goes on when more forms are known. */
static bool waits_for_forms(struct list *l)
{
	const struct resource *r = l->call->route.resource;
	struct err err = ERR_INIT;
	if (!r->conversion || are_alike(l) || !l->selection.count)
		return false;
	if (!l->forms)
		l->forms = ARENA_ARRAY(&l->call->arena, struct rcbuf *, l->selection.count);
	if (make_forms(l, &err) == 0 && !conversion_is_wanted(r))
		return false;
	call_ref(l->call);
	if (!err.code) {
		conversion_ask(r, go_on, l);
	} else {
		conversion_forget(r);
		go_on(l, &err);
	}
	return true;
}

static bool goes_by_reference(const struct list *l)
{
	return l->call->shape == SHAPE_OBJECT && l->call->format == FORMAT_JSON && are_alike(l);
}

bool list_charge(struct list *l)
{
	l->is_charged = l->is_charged || goes_by_reference(l) || may_be_built(l);
	if (!l->is_charged)
		list_drop_selection(l);
	return l->is_charged;
}

void list_respond(struct list *l)
{
	CHECK(!l->call->answered);
	if (!list_charge(l) || waits_for_forms(l))
		return;
	if (goes_by_reference(l))
		respond_by_reference(l);
	else
		respond_as_text(l);
}
