/* See forwarded.h. */
#include "net/ingress/serve/forwarded.h"

#include "base/check.h"
#include "net/ingress/route/source.h"

enum { EXTRA = 12 };

/* Said by us, or by nobody. */
static bool is_ours(const struct forwarded *f, struct slice name)
{
	if (slice_is(name, "host") || slice_is(name, "expect") || slice_is(name, "x-forwarded-for"))
		return true;
	return !f->is_trusted &&
	       (slice_starts(name, "x-forwarded-") || slice_is(name, "x-real-ip") || slice_is(name, "forwarded"));
}

static void add(struct header_vector *h, const char *name, struct slice value)
{
	if (value.len)
		h->items[h->count++] = (struct http_header){slice_of(name), value};
}

static struct slice scheme_of(const struct forwarded *f)
{
	if (f->is_upgrade)
		return f->is_tls ? SLICE("wss") : SLICE("ws");
	return f->is_tls ? SLICE("https") : SLICE("http");
}

static void add_origin(const struct forwarded *f, struct header_vector *h)
{
	struct http_exchange *x = f->exchange;
	struct slice client = source_host(slice_of(http_request(x)->peer->address));
	struct slice before = f->is_trusted ? http_header(x, "x-forwarded-for") : SLICE_NULL;
	add(h, "x-forwarded-for",
	        before.len ? slice_of(arena_printf(http_arena(x), "%.*s, %.*s", SLICE_FMT(before), SLICE_FMT(client)))
	                   : client);
	add(h, "x-forwarded-prefix", slice_of(f->prefix));
	if (f->is_trusted && http_header(x, "x-forwarded-proto").len)
		return;
	add(h, "x-real-ip", client);
	add(h, "x-forwarded-host", http_request(x)->authority);
	add(h, "x-forwarded-proto", scheme_of(f));
	add(h, "x-forwarded-port", f->is_tls ? SLICE("443") : SLICE("80"));
}

/* Is this one set anew, or taken off? */
static bool is_edited_away(const struct header_edits *e, struct slice name)
{
	for (size_t i = 0; e && i < e->count; i++)
		if (e->items[i].op != HEADER_ADD && slice_is(name, e->items[i].name))
			return true;
	return false;
}

static struct header_vector edited(struct arena *a, const struct header_vector *from, const struct header_edits *e)
{
	struct header_vector h = {ARENA_ARRAY(a, struct http_header, from->count + e->count + 1), 0};
	for (size_t i = 0; i < from->count; i++)
		if (!is_edited_away(e, from->items[i].name))
			h.items[h.count++] = from->items[i];
	for (size_t i = 0; i < e->count; i++)
		if (e->items[i].op != HEADER_REMOVE)
			add(&h, e->items[i].name, e->items[i].value);
	return h;
}

struct header_vector forwarded_request(const struct forwarded *f)
{
	const struct http_request *r = http_request(f->exchange);
	struct slice connection = http_header(f->exchange, "connection"), te = http_header(f->exchange, "te");
	struct header_vector h = {
	        ARENA_ARRAY(http_arena(f->exchange), struct http_header, r->headers_count + EXTRA), 0};
	for (size_t i = 0; i < r->headers_count; i++) {
		struct slice name = r->headers[i].name;
		if (!http_is_of_connection(name, connection) && !is_ours(f, name))
			h.items[h.count++] = r->headers[i];
	}
	if (slice_is(te, "trailers"))
		add(&h, "te", te);
	add_origin(f, &h);
	return f->edits && f->edits->count ? edited(http_arena(f->exchange), &h, f->edits) : h;
}

void forwarded_answer(struct http_exchange *x, const struct http_answer *answer, const struct header_edits *edits)
{
	struct slice connection = http_answer_header(answer, "connection");
	for (size_t i = 0; i < answer->headers_count; i++) {
		const struct http_header *h = &answer->headers[i];
		if (!http_is_of_connection(h->name, connection) && !slice_is(h->name, "date") &&
		        !is_edited_away(edits, h->name))
			http_set_header(x, arena_memdup(http_arena(x), h->name.ptr, h->name.len), h->value);
	}
	for (size_t i = 0; edits && i < edits->count; i++)
		if (edits->items[i].op != HEADER_REMOVE)
			http_set_header(x, edits->items[i].name, edits->items[i].value);
}
