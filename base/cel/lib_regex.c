/* Kubernetes' functions of regular expressions: find and findAll. (`matches` is the language's own.) */
#include "base/cel/program_int.h"

#include "base/check.h"
#include "base/mem/utf8.h"

typedef const struct cel_value *args_t;

static struct cel_value bad_pattern(struct cel_run *r, struct cel_value why)
{
	return cel_error(r->arena, "Illegal regex: %s", why.error);
}

static struct cel_value find(struct cel_run *r, args_t v, size_t n)
{
	struct cel_value error;
	struct slice found;
	const struct pattern *p = cel_run_pattern(r, v[1].text, &error);
	if (!p)
		return bad_pattern(r, error);
	bool is_found = cel_work_pattern(r, p, v[0].text.len) && pattern_find(p, v[0].text, 0, &found, NULL);
	return cel_of_text(is_found ? found : SLICE(""));
}

static struct cel_value find_all(struct cel_run *r, args_t v, size_t n)
{
	struct cel_value error;
	struct cel_list_maker m = {0};
	struct slice s = v[0].text, found;
	const struct pattern *p = cel_run_pattern(r, v[1].text, &error);
	int64_t limit = n > 2 ? v[2].integer : -1;
	const char *behind = NULL; /* the end of the last one */
	size_t at = 0, looked;
	if (!p)
		return bad_pattern(r, error);
	/* a search may look far beyond what it finds, each time anew */
	while (at <= s.len && (limit < 0 || (int64_t)m.count < limit) && pattern_find(p, s, at, &found, &looked)) {
		if (!cel_work_pattern(r, p, looked))
			break;
		at = (size_t)(found.ptr + found.len - s.ptr);
		/* an empty one right behind another does not count */
		if (found.len || found.ptr != behind)
			cel_list_add(r, &m, cel_of_text(found));
		behind = found.ptr + found.len;
		if (!found.len) {
			size_t width = at < s.len ? utf8_len((const unsigned char *)s.ptr + at, s.len - at) : 1;
			at += width ? width : 1;
		}
	}
	return cel_list_value(r, &m);
}

static const struct cel_overload rows[] = {
        {"find", "string.(string)string", find, CEL_COST_PATTERN},
        {"findAll", "string.(string)list(string)", find_all, CEL_COST_PATTERN},
        {"findAll", "string.(string,int)list(string)", find_all, CEL_COST_PATTERN},
};

const struct cel_library cel_regex = {rows, COUNT_OF(rows)};
