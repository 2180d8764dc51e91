/* See settings_json.h. A setting is a row. */
#include "tools/snapshots/settings_json.h"

#include "base/check.h"

#include <stddef.h>

#define AT(member) offsetof(struct snapshot_settings, member)

static const struct {
	const char *name;
	size_t at;
} texts[] = {{"name", AT(name)}, {"dir", AT(dir)}, {"s3Endpoint", AT(s3.endpoint)},
        {"s3EndpointCA", AT(s3.endpoint_ca)}, {"s3Bucket", AT(s3.bucket)}, {"s3Lookup", AT(s3.lookup)},
        {"s3Region", AT(s3.region)}, {"s3Folder", AT(s3.folder)}, {"s3AccessKey", AT(s3.access_key)},
        {"s3SecretKey", AT(s3.secret_key)}, {"s3SessionToken", AT(s3.session_token)}, {"s3Proxy", AT(s3.proxy)},
        {"s3Timeout", AT(s3.timeout)}, {"s3ConfigSecret", AT(s3.config_secret)}};
static const struct {
	const char *name;
	size_t at;
} flags[] = {{"packed", AT(is_packed)}, {"s3", AT(s3.is_on)}, {"s3SkipVerify", AT(s3.skip_ssl_verify)},
        {"s3Insecure", AT(s3.is_insecure)}};
static const struct {
	const char *name;
	size_t at;
} numbers[] = {{"retention", AT(retention)}, {"s3Retention", AT(s3.retention)}};

/* Of a store that is not wanted nothing is said: then the server's own settings count. */
static bool is_said(const struct snapshot_settings *v, const char *name)
{
	return v->s3.is_on || !slice_starts(slice_of(name), "s3");
}

void snapshot_settings_write(const struct snapshot_settings *v, json_t *out)
{
	const char *base = (const char *)v;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		const char *text = *(const char *const *)(const void *)(base + texts[i].at);
		if (text && is_said(v, texts[i].name))
			json_lib_set_cstr(out, texts[i].name, text);
	}
	for (size_t i = 0; i < COUNT_OF(flags); i++)
		if (*(const bool *)(base + flags[i].at) && is_said(v, flags[i].name))
			json_lib_set_bool(out, flags[i].name, true);
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		int64_t n = *(const int64_t *)(const void *)(base + numbers[i].at);
		if (n && is_said(v, numbers[i].name))
			json_lib_set_int(out, numbers[i].name, n);
	}
}

void snapshot_settings_read(struct snapshot_settings *v, const json_t *in, struct arena *a)
{
	char *base = (char *)v;
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		struct slice s = json_lib_get_str(in, texts[i].name);
		if (s.ptr)
			*(const char **)(void *)(base + texts[i].at) = arena_printf(a, "%.*s", SLICE_FMT(s));
	}
	for (size_t i = 0; i < COUNT_OF(flags); i++) {
		bool *at = (bool *)(base + flags[i].at);
		*at = json_lib_get_bool(in, flags[i].name, *at);
	}
	for (size_t i = 0; i < COUNT_OF(numbers); i++) {
		int64_t *at = (int64_t *)(void *)(base + numbers[i].at);
		*at = json_lib_get_int(in, numbers[i].name, *at);
	}
}
