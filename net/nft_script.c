/* See nft_script.h.
 *
 * nft makes of each command an object of its own, looks its table and set up, and sends it by itself: ten thousand
 * services in forty thousand commands take it twice the time and memory of the same elements in four. Parts of a table
 * don't know of each other, so it is here that their elements come together: once over the lines, each element's text
 * copied once into the list of its set. */
#include "net/nft_script.h"

#include "base/mem/arena.h"

#include <stdlib.h>

/* The elements that one verb has for a set. */
struct list_of {
	struct slice head; /* "add element ip k3x-proxy services { ", in the script */
	struct strbuf elements;
};

struct lists {
	struct list_of *items;
	size_t count, cap;
	size_t last; /* neighbours are often of one set */
};

static struct list_of *list_for(struct lists *l, struct slice head)
{
	if (l->last < l->count && slice_eq(l->items[l->last].head, head))
		return &l->items[l->last];
	for (l->last = 0; l->last < l->count; l->last++)
		if (slice_eq(l->items[l->last].head, head))
			return &l->items[l->last];
	if (l->count == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->items = xrealloc(l->items, l->cap * sizeof *l->items);
	}
	l->items[l->count] = (struct list_of){head, STRBUF_INIT};
	return &l->items[l->count++];
}

/* False: it is no command on elements. */
static bool take_elements(struct lists *l, struct slice line)
{
	static const char end[] = " }";
	const char *open = line.len ? memchr(line.ptr, '{', line.len) : NULL;
	if (!open || !slice_ends(line, end))
		return false;
	size_t head = (size_t)(open - line.ptr) + sizeof "{ " - 1;
	if (head + sizeof end - 1 > line.len)
		return false;
	struct list_of *list = list_for(l, (struct slice){line.ptr, head});
	strbuf_adds(&list->elements, list->elements.len ? ",\n" : "");
	strbuf_add_slice(&list->elements, (struct slice){line.ptr + head, line.len - head - (sizeof end - 1)});
	return true;
}

static void write_lists(struct strbuf *out, struct lists *l)
{
	for (size_t i = 0; i < l->count; i++) {
		strbuf_add_slice(out, l->items[i].head);
		strbuf_add_slice(out, strbuf_slice(&l->items[i].elements));
		strbuf_adds(out, " }\n");
		strbuf_release(&l->items[i].elements);
	}
	free(l->items);
}

void nft_script_group(struct strbuf *out, struct slice script)
{
	struct lists added = {0}, deleted = {0};
	struct strbuf others = STRBUF_INIT;
	while (script.len) {
		struct slice line = slice_cut(&script, '\n');
		struct lists *l = slice_starts(line, "add element ")      ? &added
		                  : slice_starts(line, "delete element ") ? &deleted
		                                                          : NULL;
		if (l && take_elements(l, line))
			continue;
		strbuf_add_slice(&others, line);
		strbuf_adds(&others, "\n");
	}
	write_lists(out, &deleted);
	strbuf_add_slice(out, strbuf_slice(&others));
	write_lists(out, &added);
	strbuf_release(&others);
}
