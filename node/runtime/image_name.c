/* See image_name.h. The grammar is that of the distribution specification:
 *
 *     name    = [domain "/"] component {"/" component}        at most 255 bytes
 *     domain  = what stands before the first "/" when it has a "." or a ":", or is "localhost"
 *     component = [a-z0-9]+ ((. | _ | __ | -+) [a-z0-9]+)*
 *     tag     = [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}
 *     digest  = algorithm ":" at least 32 hex digits */
#include "node/runtime/image_name.h"

#include "base/mem/str.h"

#include <ctype.h>

enum { NAME_BYTES_MAX = 255, TAG_BYTES_MAX = 128, DIGEST_HEX_MIN = 32 };

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The length of what may stand between two runs of letters; 0: nothing that may. */
static size_t separator_len(struct slice s)
{
	size_t dashes = 0;
	while (dashes < s.len && s.ptr[dashes] == '-')
		dashes++;
	if (dashes)
		return dashes;
	if (s.len > 1 && s.ptr[0] == '_' && s.ptr[1] == '_')
		return 2;
	return s.len && (s.ptr[0] == '_' || s.ptr[0] == '.');
}

static bool is_component(struct slice s)
{
	size_t at = 0;
	while (at < s.len) {
		size_t start = at;
		while (at < s.len && is_lower_alnum(s.ptr[at]))
			at++;
		if (at == start)
			return false;
		if (at == s.len)
			return true;
		size_t sep = separator_len((struct slice){s.ptr + at, s.len - at});
		if (!sep)
			return false;
		at += sep;
	}
	return false;
}

static bool is_port(struct slice s)
{
	uint64_t port;
	return slice_to_u64(s, &port) && port < 65536;
}

/* A name or an address; an IPv6 address stands in brackets. */
static bool is_domain(struct slice s)
{
	struct slice port = SLICE_NULL;
	if (s.len && s.ptr[0] == '[') {
		const char *end = memchr(s.ptr, ']', s.len);
		for (const char *c = s.ptr + 1; end && c < end; c++)
			if (!isxdigit((unsigned char)*c) && *c != ':')
				return false;
		if (!end || end == s.ptr + 1)
			return false;
		port = (struct slice){end + 1, s.len - (size_t)(end + 1 - s.ptr)};
		return !port.len || (port.ptr[0] == ':' && is_port((struct slice){port.ptr + 1, port.len - 1}));
	}
	struct slice host = slice_cut(&s, ':');
	if (s.ptr && !is_port(s))
		return false;
	while (host.ptr) {
		struct slice label = slice_cut(&host, '.');
		if (!label.len || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-')
			return false;
		for (size_t i = 0; i < label.len; i++)
			if (!isalnum((unsigned char)label.ptr[i]) && label.ptr[i] != '-')
				return false;
	}
	return true;
}

static bool looks_like_domain(struct slice s)
{
	return slice_is(s, "localhost") || memchr(s.ptr, '.', s.len) || memchr(s.ptr, ':', s.len);
}

static bool is_name(struct slice s)
{
	const char *slash = memchr(s.ptr, '/', s.len);
	struct slice first = {s.ptr, slash ? (size_t)(slash - s.ptr) : 0};
	if (!s.len || s.len > NAME_BYTES_MAX || s.ptr[s.len - 1] == '/')
		return false;
	if (slash && looks_like_domain(first)) {
		if (!is_domain(first))
			return false;
		slice_cut(&s, '/');
	}
	while (s.len)
		if (!is_component(slice_cut(&s, '/')))
			return false;
	return true;
}

static bool is_tag(struct slice s)
{
	if (!s.len || s.len > TAG_BYTES_MAX || s.ptr[0] == '.' || s.ptr[0] == '-')
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (!isalnum((unsigned char)s.ptr[i]) && !memchr("_.-", s.ptr[i], 3))
			return false;
	return true;
}

static bool is_digest(struct slice s)
{
	struct slice algorithm = slice_cut(&s, ':');
	if (!algorithm.len || !isalpha((unsigned char)algorithm.ptr[0]) || s.len < DIGEST_HEX_MIN)
		return false;
	for (size_t i = 0; i < algorithm.len; i++)
		if (!isalnum((unsigned char)algorithm.ptr[i]) && !memchr("+._-", algorithm.ptr[i], 4))
			return false;
	for (size_t i = 0; i < s.len; i++)
		if (!isxdigit((unsigned char)s.ptr[i]))
			return false;
	return true;
}

int image_name_check(const char *image, struct err *err)
{
	struct slice rest = slice_of(image), name = slice_cut(&rest, '@');
	bool good = !rest.ptr || is_digest(rest);
	const char *slash = strrchr(image, '/');
	struct slice last = name;
	if (slash && slash < name.ptr + name.len)
		last = (struct slice){slash + 1, name.len - (size_t)(slash + 1 - name.ptr)};
	const char *colon = last.len ? memchr(last.ptr, ':', last.len) : NULL;
	if (colon) {
		good = good && is_tag((struct slice){colon + 1, (size_t)(name.ptr + name.len - colon) - 1});
		name.len = (size_t)(colon - name.ptr);
	}
	if (good && is_name(name))
		return 0;
	return err_set(err, ERR_INVAL, "couldn't parse image name \"%s\": invalid reference format", image);
}

const char *image_default_tag(struct arena *a, const char *image)
{
	const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image;
	return strchr(name, ':') || strchr(image, '@') ? arena_strdup(a, image) : arena_printf(a, "%s:latest", image);
}

const char *image_whole_name(struct arena *a, const char *image)
{
	const char *tagged = image_default_tag(a, image), *slash = strchr(tagged, '/');
	struct slice first = {tagged, slash ? (size_t)(slash - tagged) : 0};
	bool has_host =
	        memchr(first.ptr, '.', first.len) || memchr(first.ptr, ':', first.len) || slice_is(first, "localhost");
	return has_host ? tagged : arena_printf(a, "docker.io/%s%s", slash ? "" : "library/", tagged);
}

const char *image_default_policy(const char *image)
{
	struct arena a = ARENA_INIT;
	bool latest = slice_ends(slice_of(image_default_tag(&a, image)), ":latest");
	arena_release(&a);
	return latest ? "Always" : "IfNotPresent";
}
