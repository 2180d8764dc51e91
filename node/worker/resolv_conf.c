/* See resolv_conf_int.h. Comments begin with '#' or ';' at the start of a line. What is not understood is passed over,
 * as the resolver does. */
#include "node/worker/resolv_conf_int.h"

#include "base/check.h"
static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f';
}

/* Empty: the line has no more. */
static struct slice next_word(struct slice *line)
{
	struct slice word;
	while (line->len && is_blank(*line->ptr)) {
		line->ptr++;
		line->len--;
	}
	word = (struct slice){line->ptr, 0};
	while (word.len < line->len && !is_blank(line->ptr[word.len]))
		word.len++;
	line->ptr += word.len;
	line->len -= word.len;
	return word;
}

static void add(struct arena *a, char **list, size_t *count, size_t max, struct slice word)
{
	CHECK(*count <= max && word.len);
	if (*count < max && !memchr(word.ptr, 0, word.len))
		list[(*count)++] = arena_memdup(a, word.ptr, word.len);
}

struct resolv_conf resolv_conf_parse(struct arena *a, struct slice text)
{
	struct resolv_conf c = {.n_servers = 0};
	while (text.len) {
		struct slice line = slice_cut(&text, '\n'), key = next_word(&line), word;
		bool is_server = slice_is(key, "nameserver"), is_domain = slice_is(key, "domain"),
		     is_search = slice_is(key, "search") || is_domain, is_option = slice_is(key, "options");
		if (is_search)
			c.n_searches = 0;
		while ((is_server || is_search || is_option) && (word = next_word(&line)).len) {
			if (is_server)
				add(a, c.servers, &c.n_servers, RESOLV_SERVERS_MAX, word);
			else if (is_search)
				add(a, c.searches, &c.n_searches, RESOLV_SEARCHES_MAX, word);
			else
				add(a, c.options, &c.n_options, RESOLV_OPTIONS_MAX, word);
			if (is_server || is_domain)
				break; /* one a line */
		}
	}
	return c;
}
