/* See nft_script.h.
 *
 * nft makes of each command an object of its own, looks its table and set up, and sends it by itself: ten thousand
 * services in forty thousand commands take it twice the time and memory of the same elements in four. Parts of a table
 * don't know of each other, so it is here that their elements come together: once over the lines, each element's text
 * copied once into the list of its set. */
#include "net/nft_script.h"

#include "base/mem/arena.h"

#include <stdlib.h>

struct nft_elements {
	struct slice head; /* in the commands */
	struct strbuf list;
};

static struct nft_elements *elements_of(struct nft_lists *l, struct slice head)
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
	l->items[l->count] = (struct nft_elements){head, STRBUF_INIT};
	return &l->items[l->count++];
}

/* False: it is no command on elements. */
static bool take_elements(struct nft_lists *l, struct slice line)
{
	static const char end[] = " }";
	const char *open = line.len ? memchr(line.ptr, '{', line.len) : NULL;
	if (!open || !slice_ends(line, end))
		return false;
	size_t head = (size_t)(open - line.ptr) + sizeof "{ " - 1;
	if (head + sizeof end - 1 > line.len)
		return false;
	struct nft_elements *e = elements_of(l, (struct slice){line.ptr, head});
	strbuf_adds(&e->list, e->list.len ? ",\n" : "");
	strbuf_add_slice(&e->list, (struct slice){line.ptr + head, line.len - head - (sizeof end - 1)});
	return true;
}

static void write_lists(struct strbuf *out, struct nft_lists *l)
{
	for (size_t i = 0; i < l->count; i++) {
		strbuf_add_slice(out, l->items[i].head);
		strbuf_add_slice(out, strbuf_slice(&l->items[i].list));
		strbuf_adds(out, " }\n");
		strbuf_release(&l->items[i].list);
	}
	free(l->items);
}

void nft_script_add(struct nft_script *s, struct slice commands)
{
	while (commands.len) {
		struct slice line = slice_cut(&commands, '\n');
		struct nft_lists *l = slice_starts(line, "add element ")      ? &s->added
		                      : slice_starts(line, "delete element ") ? &s->deleted
		                                                              : NULL;
		if (l && take_elements(l, line))
			continue;
		strbuf_add_slice(&s->others, line);
		strbuf_adds(&s->others, "\n");
	}
}

struct strbuf nft_script_text(struct nft_script *s)
{
	struct strbuf out = STRBUF_INIT;
	write_lists(&out, &s->deleted);
	strbuf_add_slice(&out, strbuf_slice(&s->others));
	write_lists(&out, &s->added);
	strbuf_release(&s->others);
	*s = NFT_SCRIPT_INIT;
	return out;
}
