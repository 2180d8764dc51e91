/* See addons.h. As k3s does it (pkg/deploy/stage.go, pkg/cli/server), but that a file is written only when it differs:
 * a start costs the flash nothing.
 *
 * What can go wrong: a folder that can't be written, which stops the start, by name. A file is
 * replaced whole, so that the controller never reads half of one. */
#include "tools/k3x/addons.h"

#include "base/log.h"
#include "base/pki/pki.h"
#include "node/runtime/system_image.h"
#include "tools/k3x/system_names.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* k3s's name, ours. What is built in has no file: it is left out where it is made. */
static const struct {
	const char *name, *synonym;
} components[] = {
        {"coredns", "dns"},
        {"traefik", "ingress"},
        {"servicelb", "loadbalancer"}, /* parts/part_controllers.c */
        {"local-storage", "provisioner"},
        {"metrics-server", "metrics"},
        {"runtimes", NULL},
};

enum { COMPONENTS = sizeof components / sizeof *components };

/* ---- what is left out ---- */

static const struct addon_file *find_file(const struct addon_file *files, const char *name)
{
	for (; files->name; files++)
		if (strcmp(files->name, name) == 0)
			return files;
	return NULL;
}

/* NULL: no component is called so. */
static const char *canonical(const struct addon_file *files, const char *name)
{
	for (size_t i = 0; i < COMPONENTS; i++)
		if (strcmp(components[i].name, name) == 0 ||
		        (components[i].synonym && strcmp(components[i].synonym, name) == 0))
			return components[i].name;
	return find_file(files, name) ? name : NULL;
}

static int unknown(const char *name, const struct addon_file *files, struct err *err)
{
	struct strbuf all = STRBUF_INIT;
	for (size_t i = 0; i < COMPONENTS; i++)
		strbuf_addf(&all, "%s%s", i ? ", " : "", components[i].name);
	for (const struct addon_file *none = &(struct addon_file){0}; files->name; files++)
		if (!canonical(none, files->name))
			strbuf_addf(&all, ", %s", files->name);
	err_set(err, ERR_INVAL, "--disable=%s is not a component: %s", name, strbuf_cstr(&all));
	strbuf_release(&all);
	return err->code;
}

int addons_choose(struct server_settings *s, const struct addon_file *files, struct err *err)
{
	const char **off = ARENA_ARRAY(&s->arena, const char *, s->disable.count + 1);
	s->addons_off = (struct flag_list){.items = off};
	for (size_t i = 0; i < s->disable.count; i++) {
		const char *name = canonical(files, s->disable.items[i]);
		if (!name)
			return unknown(s->disable.items[i], files, err);
		if (find_file(files, name) && !flag_list_has(&s->addons_off, name))
			off[s->addons_off.count++] = name;
	}
	return 0;
}

/* ---- filling in ---- */

static const char *default_storage(struct server_settings *s)
{
	return s->local_storage ? s->local_storage : arena_printf(&s->arena, "%s/storage", s->data_dir);
}

static const char *registry_alone(struct server_settings *s)
{
	return s->system_registry ? s->system_registry : "";
}

static const char *cluster_dns(struct server_settings *s)
{
	struct slice rest = slice_of(s->cluster_dns), first = slice_cut(&rest, ',');
	return arena_printf(&s->arena, "%.*s", SLICE_FMT(first));
}

/* ["10.43.0.10","fd00:43::a"] */
static const char *cluster_dns_list(struct server_settings *s)
{
	struct slice rest = slice_of(s->cluster_dns), first = slice_cut(&rest, ',');
	return rest.len ? arena_printf(&s->arena, "[\"%.*s\",\"%.*s\"]", SLICE_FMT(first), SLICE_FMT(rest))
	                : arena_printf(&s->arena, "[\"%.*s\"]", SLICE_FMT(first));
}

static const char *cluster_domain(struct server_settings *s)
{
	return s->cluster_domain;
}

static const char *ip_family_policy(struct server_settings *s)
{
	return strchr(s->cluster_dns, ',') ? "RequireDualStack" : "SingleStack";
}

static const char *address_types(struct server_settings *s)
{
	return s->flannel_external_ip ? "ExternalIP,InternalIP,Hostname" : "InternalIP,ExternalIP,Hostname";
}

/* What stands before names of images. */
static const char *registry(struct server_settings *s)
{
	const char *r = registry_alone(s);
	return *r ? arena_printf(&s->arena, "%s/", r) : "";
}

static const char *system_image(struct server_settings *s)
{
	return system_name(&s->arena, s->system_registry, SYSTEM_IMAGE);
}

static const struct {
	const char *name;
	const char *(*value)(struct server_settings *s);
} variables[] = {
        {"CLUSTER_DNS", cluster_dns},
        {"CLUSTER_DNS_LIST", cluster_dns_list},
        {"CLUSTER_DNS_IPFAMILYPOLICY", ip_family_policy},
        {"CLUSTER_DOMAIN", cluster_domain},
        {"DEFAULT_LOCAL_STORAGE_PATH", default_storage},
        {"PREFERRED_ADDRESS_TYPES", address_types},
        {"SYSTEM_DEFAULT_REGISTRY", registry},
        {"SYSTEM_DEFAULT_REGISTRY_RAW", registry_alone},
        {"SYSTEM_IMAGE", system_image},
};

static const char *variable(struct server_settings *s, struct slice name)
{
	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
		if (slice_is(name, variables[i].name))
			return variables[i].value(s);
	return NULL;
}

/* What else stands between the signs is text that means itself. */
static bool looks_like_one(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z') && name.ptr[i] != '_')
			return false;
	return name.len;
}

int addons_fill_in(struct server_settings *s, struct slice text, struct strbuf *out, struct err *err)
{
	while (text.len) {
		const char *begin = memmem(text.ptr, text.len, "%{", 2);
		const char *end = begin ? memmem(begin, (size_t)(text.ptr + text.len - begin), "}%", 2) : NULL;
		if (!end)
			break;
		struct slice name = {begin + 2, (size_t)(end - begin) - 2};
		bool is_one = looks_like_one(name);
		const char *value = is_one ? variable(s, name) : "%{";
		if (!value)
			return err_set(err, ERR_INVAL, "%%{%.*s}%% is no variable of add-ons", SLICE_FMT(name));
		strbuf_add(out, text.ptr, (size_t)(begin - text.ptr));
		strbuf_adds(out, value);
		const char *rest = is_one ? end + 2 : begin + 2;
		text.len -= (size_t)(rest - text.ptr);
		text.ptr = rest;
	}
	strbuf_add_slice(out, text);
	return 0;
}

/* ---- files ---- */

static bool holds(const char *path, struct slice text)
{
	char *have = xmalloc(text.len + 1);
	FILE *f = fopen(path, "re");
	bool same = f && fread(have, 1, text.len + 1, f) == text.len && memcmp(have, text.ptr, text.len) == 0;
	if (f)
		fclose(f);
	free(have);
	return same;
}

static int lay_out(struct server_settings *s, const struct addon_file *f, struct err *err)
{
	const char *path = server_file(s, "server/manifests/%s.yaml", f->name);
	struct strbuf text = STRBUF_INIT;
	if (access(server_file(s, "server/manifests/%s.yaml.skip", f->name), F_OK) == 0)
		return 0;
	int rc = addons_fill_in(s, (struct slice){f->text, (size_t)(f->end - f->text)}, &text, err);
	if (rc == 0 && !holds(path, strbuf_slice(&text)))
		rc = pki_file_write(path, strbuf_slice(&text), 0600, err);
	strbuf_release(&text);
	return rc == 0 ? 0 : err_wrap(err, "add-on %s", f->name);
}

int addons_lay_out(struct server_settings *s, const struct addon_file *files, struct err *err)
{
	for (const struct addon_file *f = files; f->name; f++) {
		const char *path = server_file(s, "server/manifests/%s.yaml", f->name);
		if (!flag_list_has(&s->addons_off, f->name)) {
			if (lay_out(s, f, err) != 0)
				return err->code;
		} else if (unlink(path) != 0 && errno != ENOENT) {
			return err_errno(err, errno, "remove %s", path);
		}
	}
	return 0;
}
