/* How a list is answered: as JSON by reference, else built as text (tables, metadata only, YAML, protobuf). */
#include "api/server/verbs/list_int.h"

#include "api/server/answer.h"
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

static void respond_by_reference(struct list *l)
{
	struct call *c = l->call;
	const struct selection *s = &l->selection;
	struct http_buf *bufs = arena_alloc(&c->arena, (2 * s->count + 2) * sizeof *bufs);
	struct strbuf head = STRBUF_INIT;
	size_t n = 0;
	write_list_head(&head, l);
	struct rcbuf *first = rcbuf_copy(head.data, head.len);
	strbuf_release(&head);
	bufs[n++] = (struct http_buf){{first->data, first->len}, first};
	for (size_t i = 0; i < s->count; i++) {
		if (i)
			bufs[n++] = (struct http_buf){SLICE(","), NULL};
		bufs[n++] = (struct http_buf){{s->texts[i]->data, s->texts[i]->len}, s->texts[i]};
	}
	bufs[n++] = (struct http_buf){SLICE("]}\n"), NULL};
	call_respond_bufs(c, 200, "application/json", bufs, n);
}

static void write_items(struct strbuf *out, struct list *l)
{
	const struct call *c = l->call;
	const struct selection *s = &l->selection;
	for (size_t i = 0; i < s->count; i++) {
		struct slice text = {s->texts[i]->data, s->texts[i]->len};
		if (i)
			strbuf_addc(out, ',');
		if (c->shape == SHAPE_TABLE)
			shape_table_row(out, c->route.resource, text, c->table_include);
		else if (c->shape == SHAPE_PARTIAL)
			shape_partial(out, text);
		else
			strbuf_add_slice(out, text);
		rcbuf_unref(s->texts[i]);
	}
	strbuf_adds(out, "]}");
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
	write_items(&text, l);
	if (shape_encode(c->format, &text, &out, &err) == 0)
		call_respond_strbuf(c, 200, shape_content_type(c->format), &out);
	else
		call_respond_strbuf(c, 200, "application/json", &text);
	strbuf_release(&text);
	strbuf_release(&out);
}

/* Rows that share a storage are told apart here: every text is turned into the route's form. */
static bool convert_selection(struct list *l)
{
	struct selection *s = &l->selection;
	const struct resource *r = l->call->route.resource;
	struct err err = ERR_INIT;
	for (size_t i = 0; r->storage != r && i < s->count; i++) {
		struct rcbuf *converted = shape_convert(s->texts[i], r->storage, r, &err);
		if (!converted) {
			list_drop_selection(l);
			call_respond_err(l->call, &err);
			return false;
		}
		rcbuf_unref(s->texts[i]);
		s->texts[i] = converted;
	}
	return true;
}

/* Bytes that are made for one answer, and held until its client has taken them, are few at a time for all together. */
static bool may_be_built(const struct list *l)
{
	size_t bytes = 0;
	struct err err = ERR_INIT;
	for (size_t i = 0; i < l->selection.count; i++)
		bytes += l->selection.texts[i]->len;
	if (call_charge(l->call, bytes, &err) == 0)
		return true;
	call_respond_err(l->call, &err);
	return false;
}

void list_respond(struct list *l)
{
	struct call *c = l->call;
	CHECK(!c->answered);
	if (!convert_selection(l))
		return;
	if (c->shape == SHAPE_OBJECT && c->format == FORMAT_JSON)
		respond_by_reference(l);
	else if (may_be_built(l))
		respond_as_text(l);
	else
		list_drop_selection(l);
}
