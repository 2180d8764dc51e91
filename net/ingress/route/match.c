/* See match.h. Of headers and parameters that come twice the first counts, as the Gateway API has it. */
#include "net/ingress/route/match.h"

#include "net/ingress/route/expression.h"

enum { TEXT_MAX = 1024 }; /* the longest value that an HTTPRoute may ask for */

static int read_term(struct arena *a, const struct json *from, const char *what, struct match_term *t, struct err *err)
{
	struct slice type = json_get_str(from, "type"), value = json_get_str(from, "value");
	t->value = (struct slice){arena_memdup(a, value.ptr, value.len), value.len};
	if (!type.len || slice_is(type, "Exact"))
		return 0;
	if (!slice_is(type, "RegularExpression"))
		return err_set(err, ERR_INVAL, "a match of a %s of type %.*s is not served", what, SLICE_FMT(type));
	return expression_compile(a, t->value, EXPRESSION_WHOLE, REG_NOSUB, what, &t->regex, err);
}

static bool is_there(const struct match_term *terms, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(terms[i].name, name) == 0)
			return true;
	return false;
}

static int read_terms(
        struct arena *a, const struct json *list, bool are_headers, struct match_term **ret, size_t *n, struct err *err)
{
	*ret = ARENA_ARRAY(a, struct match_term, list ? list->count + 1 : 1);
	JSON_FOREACH (it, list) {
		struct slice name = json_get_str(it, "name");
		struct match_term t = {
		        .name = are_headers ? slice_lower(a, name).ptr : arena_memdup(a, name.ptr, name.len)};
		if (is_there(*ret, *n, t.name))
			continue;
		if (read_term(a, it, are_headers ? "header" : "parameter", &t, err) != 0)
			return err->code;
		(*ret)[(*n)++] = t;
	}
	return 0;
}

int request_match_read(struct arena *a, const struct json *match, struct request_match *ret, struct err *err)
{
	struct slice method = json_get_str(match, "method");
	*ret = (struct request_match){.method = {arena_memdup(a, method.ptr, method.len), method.len}};
	int rc = read_terms(a, json_get(match, "headers"), true, &ret->headers, &ret->n_headers, err);
	if (rc == 0)
		rc = read_terms(a, json_get(match, "queryParams"), false, &ret->queries, &ret->n_queries, err);
	return rc;
}

static bool term_holds(const struct match_term *t, struct slice value)
{
	regmatch_t all = {0, (regoff_t)value.len};
	if (!t->regex)
		return slice_eq(t->value, value);
	return value.len <= TEXT_MAX && regexec(t->regex, value.ptr ? value.ptr : "", 1, &all, REG_STARTEND) == 0;
}

/* Of a query. Longer than TEXT_MAX: it is cut, and longer than all that can be asked for. */
static struct slice decoded(struct slice s, char buf[TEXT_MAX + 1])
{
	size_t n = 0;
	for (size_t i = 0; i < s.len && n <= TEXT_MAX; i++) {
		bool is_coded = s.ptr[i] == '%' && i + 2 < s.len && hex_digit(s.ptr[i + 1]) >= 0 &&
		                hex_digit(s.ptr[i + 2]) >= 0;
		buf[n++] = is_coded          ? (char)(hex_digit(s.ptr[i + 1]) * 16 + hex_digit(s.ptr[i + 2]))
		           : s.ptr[i] == '+' ? ' '
		                             : s.ptr[i];
		i += is_coded ? 2 : 0;
	}
	return (struct slice){buf, n};
}

static bool query_holds(const struct match_term *t, struct slice query)
{
	char name_text[TEXT_MAX + 1], value_text[TEXT_MAX + 1];
	while (query.ptr) {
		struct slice value = slice_cut(&query, '&'), name = slice_cut(&value, '=');
		if (name.len && slice_is(decoded(name, name_text), t->name))
			return term_holds(t, decoded(value, value_text));
	}
	return false;
}

bool request_match_holds(const struct request_match *m, const struct match_asked *asked)
{
	if (m->method.len && !slice_eq(m->method, asked->method))
		return false;
	for (size_t i = 0; i < m->n_headers; i++) {
		struct slice value = asked->header(asked->arg, m->headers[i].name);
		if (!value.ptr || !term_holds(&m->headers[i], value))
			return false;
	}
	for (size_t i = 0; i < m->n_queries; i++)
		if (!query_holds(&m->queries[i], asked->query))
			return false;
	return true;
}
