/* See names.h. Upstream: apimachinery/pkg/util/validation, pkg/api/validation/path. */
#include "api/machinery/rules/names.h"

enum { LABEL_MAX = 63, SUBDOMAIN_MAX = 253 };

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool is_label(struct slice s)
{
	if (!s.len || !is_lower_alnum(s.ptr[0]) || !is_lower_alnum(s.ptr[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_lower_alnum(s.ptr[i]) && s.ptr[i] != '-')
			return false;
	return true;
}

const char *validate_dns1123_label(struct slice s)
{
	if (s.len > LABEL_MAX)
		return "must be no more than 63 characters";
	return is_label(s) ? NULL
	                   : "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
	                     "and must start and end with an "
	                     "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
	                     "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
}

const char *validate_dns1123_subdomain(struct slice s)
{
	struct slice rest = s;
	bool good = s.len > 0;
	if (s.len > SUBDOMAIN_MAX)
		return "must be no more than 253 characters";
	while (good && rest.ptr)
		good = is_label(slice_cut(&rest, '.'));
	return good ? NULL
	            : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
	              "and must start and end with an "
	              "alphanumeric character (e.g. 'example.com', regex used for validation is "
	              "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
}

const char *check_dns1035_label(struct slice s)
{
	if (s.len > LABEL_MAX)
		return "must be no more than 63 characters";
	return is_label(s) && !(s.ptr[0] >= '0' && s.ptr[0] <= '9')
	               ? NULL
	               : "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
	                 "alphabetic character, and end with an "
	                 "alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
	                 "'[a-z]([-a-z0-9]*[a-z0-9])?')";
}

static bool is_name_part(struct slice s)
{
	if (!s.len || s.len > LABEL_MAX || !is_alnum(s.ptr[0]) || !is_alnum(s.ptr[s.len - 1]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!is_alnum(s.ptr[i]) && !memchr("-_.", s.ptr[i], 3))
			return false;
	return true;
}

const char *check_qualified_name(struct slice s)
{
	const char *slash = s.len ? memchr(s.ptr, '/', s.len) : NULL;
	struct slice name = s;
	if (slash) {
		struct slice prefix = {s.ptr, (size_t)(slash - s.ptr)};
		name = (struct slice){slash + 1, s.len - prefix.len - 1};
		if (validate_dns1123_subdomain(prefix))
			return "prefix part must be a lowercase RFC 1123 subdomain";
	}
	return is_name_part(name) ? NULL
	                          : "name part must consist of alphanumeric characters, '-', '_' or '.', and must "
	                            "start and end with an alphanumeric character "
	                            "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
	                            "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
}

const char *check_config_key(struct slice s)
{
	if (s.len > SUBDOMAIN_MAX)
		return "must be no more than 253 characters";
	bool good = s.len > 0 && !slice_is(s, ".") && !slice_starts(s, "..");
	for (size_t i = 0; good && i < s.len; i++)
		good = is_alnum(s.ptr[i]) || memchr("-_.", s.ptr[i], 3) != NULL;
	return good ? NULL
	            : "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  "
	              "or 'KEY_NAME',  or 'key-name', regex "
	              "used for validation is '[-._a-zA-Z0-9]+')";
}

const char *check_path_segment(struct slice name)
{
	if (slice_is(name, "."))
		return "may not be '.'";
	if (slice_is(name, ".."))
		return "may not be '..'";
	if (name.len && memchr(name.ptr, '/', name.len))
		return "may not contain '/'";
	return name.len && memchr(name.ptr, '%', name.len) ? "may not contain '%'" : NULL;
}

static const char *label_value_error(struct slice s)
{
	if (s.len > LABEL_MAX)
		return "must be no more than 63 characters";
	return !s.len || is_name_part(s) ? NULL
	                                 : "a valid label must be an empty string or consist of alphanumeric "
	                                   "characters, '-', '_' or '.', and must start and end with an "
	                                   "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex "
	                                   "used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
}

const char *validate_label_key(struct slice s)
{
	return check_qualified_name(s);
}

const char *validate_label_value(struct slice s)
{
	return label_value_error(s);
}
