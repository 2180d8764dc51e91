/* Named formats: format.dns1123Label().validate(name) is none when the name is good, else a list of what is wrong.
 * format.named("uri") is a format by its name, or none. The words are upstream's (apimachinery util/validation). */
#include "api/machinery/cel/kube_cel.h"

#include "base/base64.h"
#include "base/check.h"

typedef const struct cel_value *args_t;

/* At most two things are wrong with a name. */
struct findings {
	const char *words[3];
	size_t count;
};

struct format {
	struct cel_opaque head; /* its name */
	void (*validate)(struct cel_run *r, struct slice s, struct findings *f);
};

static const struct cel_type type = {.kind = CEL_OPAQUE, .name = "kubernetes.NamedFormat"};

#define LABEL_RULE \
	"a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and " \
	"end " \
	"with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
#define SUBDOMAIN_RULE \
	"a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must " \
	"start " \
	"and end with an alphanumeric character (e.g. 'example.com', regex used for validation is " \
	"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
#define LABEL_1035_RULE \
	"a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic " \
	"character, " \
	"and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is " \
	"'[a-z]([-a-z0-9]*[a-z0-9])?')"
#define QUALIFIED_PART_RULE \
	"must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " \
	"character " \
	"(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is " \
	"'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
#define LABEL_VALUE_RULE \
	"a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must " \
	"start " \
	"and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for " \
	"validation " \
	"is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"

static void add(struct findings *f, const char *words)
{
	f->words[f->count++] = words;
}

static bool is_low(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_any(char c)
{
	return is_low(c) || (c >= 'A' && c <= 'Z');
}

static bool is_label(struct slice s)
{
	bool good = s.len && is_low(s.ptr[0]) && is_low(s.ptr[s.len - 1]);
	for (size_t i = 0; i < s.len && good; i++)
		good = is_low(s.ptr[i]) || s.ptr[i] == '-';
	return good;
}

static bool is_subdomain(struct slice s)
{
	struct slice rest = s;
	if (!s.len || s.ptr[s.len - 1] == '.')
		return false;
	while (rest.ptr)
		if (!is_label(slice_cut(&rest, '.')))
			return false;
	return true;
}

static bool is_qualified_part(struct slice s)
{
	bool good = s.len && is_any(s.ptr[0]) && is_any(s.ptr[s.len - 1]);
	for (size_t i = 0; i < s.len && good; i++)
		good = is_any(s.ptr[i]) || s.ptr[i] == '-' || s.ptr[i] == '_' || s.ptr[i] == '.';
	return good;
}

/* Of a name that something is put behind: a dash at its end is well. */
static struct slice masked(struct cel_run *r, struct slice s)
{
	if (s.len > 1 && s.ptr[s.len - 1] == '-')
		return slice_of(arena_printf(r->arena, "%.*sa", (int)s.len - 1, s.ptr));
	return s;
}

static void label(struct cel_run *r, struct slice s, struct findings *f)
{
	if (s.len > 63)
		add(f, "must be no more than 63 characters");
	if (!is_label(s))
		add(f, LABEL_RULE);
}

static void label_prefix(struct cel_run *r, struct slice s, struct findings *f)
{
	label(r, masked(r, s), f);
}

static void subdomain(struct cel_run *r, struct slice s, struct findings *f)
{
	if (s.len > 253)
		add(f, "must be no more than 253 characters");
	if (!is_subdomain(s))
		add(f, SUBDOMAIN_RULE);
}

static void subdomain_prefix(struct cel_run *r, struct slice s, struct findings *f)
{
	subdomain(r, masked(r, s), f);
}

static void label_1035(struct cel_run *r, struct slice s, struct findings *f)
{
	if (s.len > 63)
		add(f, "must be no more than 63 characters");
	if (!is_label(s) || (s.ptr[0] >= '0' && s.ptr[0] <= '9'))
		add(f, LABEL_1035_RULE);
}

static void label_1035_prefix(struct cel_run *r, struct slice s, struct findings *f)
{
	label_1035(r, masked(r, s), f);
}

static void qualified_name(struct cel_run *r, struct slice s, struct findings *f)
{
	struct slice rest = s, first = slice_cut(&rest, '/'), name = rest.ptr ? rest : first;
	if (rest.ptr && memchr(rest.ptr, '/', rest.len)) {
		add(f, "a qualified name " QUALIFIED_PART_RULE " with an optional DNS subdomain prefix and '/' (e.g. "
		       "'example.com/MyName')");
		return;
	}
	if (rest.ptr && !first.len)
		add(f, "prefix part must be non-empty");
	else if (rest.ptr && !is_subdomain(first))
		add(f, "prefix part " SUBDOMAIN_RULE);
	if (!name.len)
		add(f, "name part must be non-empty");
	else if (name.len > 63)
		add(f, "name part must be no more than 63 characters");
	if (!is_qualified_part(name))
		add(f, "name part " QUALIFIED_PART_RULE);
}

static void label_value(struct cel_run *r, struct slice s, struct findings *f)
{
	if (s.len > 63)
		add(f, "must be no more than 63 characters");
	if (s.len && !is_qualified_part(s))
		add(f, LABEL_VALUE_RULE);
}

/* Asks the library of the language. */
static bool holds(struct cel_run *r, const char *expression, struct slice s)
{
	const struct cel_variable vars[] = {{"s", &cel_type_string}};
	struct cel_value v = cel_of_text(s);
	const struct cel_program *p = cel_compile(r->arena, kube_cel_env(), vars, 1, slice_of(expression), NULL);
	struct cel_run inner = {.arena = r->arena, .variables = &v, .cost_max = r->cost_max};
	return cel_is_true(cel_run(p, &inner));
}

static void uri(struct cel_run *r, struct slice s, struct findings *f)
{
	if (!holds(r, "isURL(s)", s))
		add(f, arena_printf(r->arena, "parse \"%.*s\": invalid URI for request", SLICE_FMT(s)));
}

static void uuid(struct cel_run *r, struct slice s, struct findings *f)
{
	if (!holds(r, "s.matches('(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$')", s))
		add(f, "does not match the UUID format");
}

static void byte(struct cel_run *r, struct slice s, struct findings *f)
{
	struct slice bytes;
	if (!base64_decode(r->arena, s, &bytes))
		add(f, "invalid base64");
}

static void date(struct cel_run *r, struct slice s, struct findings *f)
{
	if (!holds(r, "type(timestamp(s + 'T00:00:00Z')) == google.protobuf.Timestamp", s))
		add(f, "invalid date");
}

static void date_time(struct cel_run *r, struct slice s, struct findings *f)
{
	if (!holds(r, "type(timestamp(s)) == google.protobuf.Timestamp", s))
		add(f, "invalid datetime");
}

static const struct format formats[] = {
        {{"dns1123Label"}, label},
        {{"dns1123Subdomain"}, subdomain},
        {{"dns1035Label"}, label_1035},
        {{"qualifiedName"}, qualified_name},
        {{"dns1123LabelPrefix"}, label_prefix},
        {{"dns1123SubdomainPrefix"}, subdomain_prefix},
        {{"dns1035LabelPrefix"}, label_1035_prefix},
        {{"labelValue"}, label_value},
        {{"uri"}, uri},
        {{"uuid"}, uuid},
        {{"byte"}, byte},
        {{"date"}, date},
        {{"datetime"}, date_time},
};

static struct cel_value named(struct cel_run *r, args_t v, size_t n)
{
	for (size_t i = 0; i < COUNT_OF(formats); i++) {
		if (slice_is(v[0].text, formats[i].head.words)) {
			struct cel_value out = cel_of_opaque(&type, &formats[i].head);
			return cel_of_optional(r->arena, &out);
		}
	}
	return cel_of_optional(r->arena, NULL);
}

static struct cel_value validate(struct cel_run *r, args_t v, size_t n)
{
	const struct format *format = v[0].opaque;
	struct findings f = {0};
	struct cel_list_maker m = {0};
	format->validate(r, v[1].text, &f);
	for (size_t i = 0; i < f.count; i++)
		cel_list_add(r, &m, cel_of_text(slice_of(f.words[i])));
	struct cel_value list = cel_list_value(r, &m);
	return cel_of_optional(r->arena, f.count ? &list : NULL);
}

#define FORMAT(fn, at) \
	static struct cel_value fn(struct cel_run *r, args_t v, size_t n) \
	{ \
		return cel_of_opaque(&type, &formats[at].head); \
	}
FORMAT(get_0, 0)
FORMAT(get_1, 1)
FORMAT(get_2, 2)
FORMAT(get_3, 3)
FORMAT(get_4, 4)
FORMAT(get_5, 5)
FORMAT(get_6, 6)
FORMAT(get_7, 7)
FORMAT(get_8, 8)
FORMAT(get_9, 9)
FORMAT(get_10, 10)
FORMAT(get_11, 11)
FORMAT(get_12, 12)

#define GET(name, fn) \
	{ \
		"format." name, "()kubernetes.NamedFormat", fn, CEL_COST_ONE \
	}
static const struct cel_overload rows[] = {
        {"format.named", "(string)optional(kubernetes.NamedFormat)", named, CEL_COST_ONE},
        {"validate", "kubernetes.NamedFormat.(string)optional(list(string))", validate, CEL_COST_FORMAT},
        GET("dns1123Label", get_0),
        GET("dns1123Subdomain", get_1),
        GET("dns1035Label", get_2),
        GET("qualifiedName", get_3),
        GET("dns1123LabelPrefix", get_4),
        GET("dns1123SubdomainPrefix", get_5),
        GET("dns1035LabelPrefix", get_6),
        GET("labelValue", get_7),
        GET("uri", get_8),
        GET("uuid", get_9),
        GET("byte", get_10),
        GET("date", get_11),
        GET("datetime", get_12),
};

const struct cel_library kube_formats = {rows, COUNT_OF(rows)};
