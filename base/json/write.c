/* Tree to text, compact or indented. See json.h. HTML characters are not escaped: Go's encoder escapes <, > and & in
 * strings, but every client reads both. */
#include "base/json/json.h"

#include "base/mem/utf8.h"

static const char hex[] = "0123456789abcdef";

static void write_special(struct strbuf *out, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *at = c ? strchr(from, c) : NULL;
	strbuf_addc(out, '\\');
	if (at) {
		strbuf_addc(out, to[at - from]);
	} else {
		strbuf_add(out, "u00", 3);
		strbuf_addc(out, hex[c >> 4]);
		strbuf_addc(out, hex[c & 15]);
	}
}

void json_write_str(struct strbuf *out, struct slice s)
{
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t run = 0, i = 0;
	strbuf_addc(out, '"');
	while (i < s.len) {
		unsigned char c = p[i];
		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			i++;
			continue;
		}
		size_t n = c >= 0x80 ? utf8_len(p + i, s.len - i) : 0;
		if (n) {
			i += n;
			continue;
		}
		strbuf_add(out, p + run, i - run);
		if (c >= 0x80)
			strbuf_add(out, "\xef\xbf\xbd", 3);
		else
			write_special(out, c);
		run = ++i;
	}
	if (i > run)
		strbuf_add(out, p + run, i - run);
	strbuf_addc(out, '"');
}

static void newline(struct strbuf *out, int indent)
{
	if (indent < 0)
		return;
	strbuf_addc(out, '\n');
	for (int i = 0; i < indent; i++)
		strbuf_add(out, "  ", 2);
}

/* indent < 0: compact. */
static void write_value(struct strbuf *out, const struct json *v, int indent)
{
	int inner = indent < 0 ? -1 : indent + 1;
	switch (v->type) {
	case JSON_NULL:
		strbuf_add(out, "null", 4);
		return;
	case JSON_BOOL:
		strbuf_adds(out, v->boolean ? "true" : "false");
		return;
	case JSON_NUMBER:
		strbuf_add_slice(out, v->text);
		return;
	case JSON_STRING:
		json_write_str(out, v->text);
		return;
	case JSON_ARRAY:
	case JSON_OBJECT:
		break;
	}
	bool object = v->type == JSON_OBJECT;
	strbuf_addc(out, object ? '{' : '[');
	JSON_FOREACH (it, v) {
		if (it != v->first)
			strbuf_addc(out, ',');
		newline(out, inner);
		if (object) {
			json_write_str(out, it->key);
			strbuf_add(out, ": ", indent < 0 ? 1 : 2);
		}
		write_value(out, it, inner);
	}
	if (v->first)
		newline(out, indent);
	strbuf_addc(out, object ? '}' : ']');
}

void json_write(struct strbuf *out, const struct json *v)
{
	write_value(out, v, -1);
}

void json_write_pretty(struct strbuf *out, const struct json *v)
{
	write_value(out, v, 0);
}
