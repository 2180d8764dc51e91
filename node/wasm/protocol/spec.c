/* The specification as JSON. It is our own file, but it is checked as if it were not: who reads it is root. */
#include "node/wasm/protocol/spec.h"

#include "base/json/json.h"
#include "base/limits.h"

size_t wasm_spec_descriptors(const struct wasm_spec *s)
{
	return s->cgroups + s->has_network + s->has_files + s->mounts_count;
}

static struct json *text_list(struct arena *a, const char *const *list, size_t count)
{
	struct json *v = json_new(a, JSON_ARRAY);
	for (size_t i = 0; i < count; i++)
		json_append(v, json_new_cstr(a, list[i]));
	return v;
}

void wasm_spec_write(struct strbuf *out, const struct wasm_spec *s)
{
	struct arena a = ARENA_INIT;
	struct json *v = json_new(&a, JSON_OBJECT), *groups = json_new(&a, JSON_ARRAY),
	            *mounts = json_new(&a, JSON_ARRAY);
	json_set_cstr(&a, v, "module", s->module);
	json_set(&a, v, "args", text_list(&a, (const char *const *)s->args, s->args_count));
	json_set(&a, v, "env", text_list(&a, (const char *const *)s->env, s->env_count));
	json_set_int(&a, v, "uid", s->uid);
	json_set_int(&a, v, "gid", s->gid);
	for (size_t i = 0; i < s->groups_count; i++)
		json_append(groups, json_new_int(&a, s->groups[i]));
	json_set(&a, v, "groups", groups);
	json_set_int(&a, v, "memoryPagesMax", s->memory_pages_max);
	json_set_int(&a, v, "oomScoreAdj", s->oom_score_adj);
	json_set_bool(&a, v, "hasNetwork", s->has_network);
	json_set_bool(&a, v, "hasFiles", s->has_files);
	json_set_bool(&a, v, "isRootReadOnly", s->is_root_read_only);
	json_set_int(&a, v, "cgroups", (int64_t)s->cgroups);
	for (size_t i = 0; i < s->mounts_count; i++) {
		struct json *m = json_new(&a, JSON_OBJECT);
		json_set_cstr(&a, m, "to", s->mounts[i].to);
		json_set_bool(&a, m, "isFile", s->mounts[i].is_file);
		json_append(mounts, m);
	}
	json_set(&a, v, "mounts", mounts);
	json_write(out, v);
	arena_release(&a);
}

static const char **read_list(struct arena *a, const struct json *list, size_t *count)
{
	const char **v = ARENA_ARRAY(a, const char *, (list ? list->count : 0) + 1);
	*count = 0;
	JSON_FOREACH (it, list)
		v[(*count)++] = json_cstr(a, it);
	return v;
}

/* Numbers that the kernel takes as a user or group. */
static bool is_id(int64_t v)
{
	return v >= 0 && v < UINT32_MAX;
}

static int read_groups(struct arena *a, const struct json *v, struct wasm_spec *s, struct err *err)
{
	const struct json *groups = json_get(v, "groups");
	s->uid = json_get_int(v, "uid", -1);
	s->gid = json_get_int(v, "gid", -1);
	s->groups = ARENA_ARRAY(a, int64_t, (groups ? groups->count : 0) + 1);
	JSON_FOREACH (it, groups)
		s->groups[s->groups_count++] = json_int(it, -1);
	for (size_t i = 0; i < s->groups_count; i++)
		if (!is_id(s->groups[i]))
			return err_set(err, ERR_CORRUPT, "group %lld of a specification", (long long)s->groups[i]);
	if (!is_id(s->uid) || !is_id(s->gid))
		return err_set(
		        err, ERR_CORRUPT, "user %lld:%lld of a specification", (long long)s->uid, (long long)s->gid);
	return 0;
}

static int read_mounts(struct arena *a, const struct json *v, struct wasm_spec *s, struct err *err)
{
	const struct json *mounts = json_get(v, "mounts");
	s->mounts = ARENA_ARRAY(a, struct wasm_mount, (mounts ? mounts->count : 0) + 1);
	JSON_FOREACH (it, mounts) {
		struct wasm_mount m = {json_cstr(a, json_get(it, "to")), json_get_bool(it, "isFile", false)};
		if (m.to[0] != '/')
			return err_set(err, ERR_CORRUPT, "a mount of a specification goes to \"%.80s\"", m.to);
		s->mounts[s->mounts_count++] = m;
	}
	return 0;
}

int wasm_spec_read(struct arena *a, struct slice text, struct wasm_spec *s, struct err *err)
{
	struct json *v = json_parse(a, text, NULL, err);
	if (!v)
		return err->code = ERR_CORRUPT;
	*s = (struct wasm_spec){.module = json_cstr(a, json_get(v, "module"))};
	s->args = read_list(a, json_get(v, "args"), &s->args_count);
	s->env = read_list(a, json_get(v, "env"), &s->env_count);
	s->memory_pages_max = json_get_int(v, "memoryPagesMax", 0);
	s->oom_score_adj = json_get_int(v, "oomScoreAdj", 0);
	s->has_network = json_get_bool(v, "hasNetwork", false);
	s->has_files = json_get_bool(v, "hasFiles", false);
	s->is_root_read_only = json_get_bool(v, "isRootReadOnly", false);
	int64_t cgroups = json_get_int(v, "cgroups", 0);
	if (s->module[0] != '/' || cgroups < 0 || cgroups > WASM_DESCRIPTORS_MAX || s->memory_pages_max < 0 ||
	        s->memory_pages_max > UINT32_MAX)
		return err_set(err, ERR_CORRUPT, "a specification with module \"%.80s\" and %lld cgroups", s->module,
		        (long long)cgroups);
	s->cgroups = (size_t)cgroups;
	if (read_groups(a, v, s, err) != 0 || read_mounts(a, v, s, err) != 0)
		return err->code;
	if (wasm_spec_descriptors(s) > WASM_DESCRIPTORS_MAX)
		return err_set(err, ERR_CORRUPT, "a specification with %zu descriptors", wasm_spec_descriptors(s));
	return 0;
}
