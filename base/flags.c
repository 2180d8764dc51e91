/* See flags.h. Sources are read weakest first, so that a later one simply overwrites; lists remember which source they
 * came from, because a stronger source replaces them as a whole. */
#include "base/flags.h"

#include "base/check.h"
#include "base/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONFIG_BYTES_MAX = 1 << 20, FLAGS_MAX = 256 };

struct loader {
	struct flags *f;
	struct arena *a;
	struct err *err;
	bool list_touched[FLAGS_MAX]; /* by the source being read */
};

static const struct flag *find(const struct flags *f, struct slice name)
{
	for (size_t i = 0; i < f->count; i++)
		if (slice_is(name, f->table[i].name))
			return &f->table[i];
	return NULL;
}

static const struct flag *find_letter(const struct flags *f, char letter)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->table[i].letter == letter)
			return &f->table[i];
	return NULL;
}

static const struct flag_refusal *find_refusal(const struct flags *f, struct slice name, char letter)
{
	for (size_t i = 0; i < f->refusal_count; i++)
		if (slice_is(name, f->refusals[i].name) || (letter && f->refusals[i].letter == letter))
			return &f->refusals[i];
	return NULL;
}

bool flag_list_has(const struct flag_list *l, const char *item)
{
	for (size_t i = 0; i < l->count; i++)
		if (strcmp(l->items[i], item) == 0)
			return true;
	return false;
}

static void list_add(struct loader *l, struct flag_list *list, struct slice item)
{
	const char **bigger = ARENA_ARRAY(l->a, const char *, list->count + 1);
	if (list->count)
		memcpy(bigger, list->items, list->count * sizeof *bigger);
	bigger[list->count++] = arena_memdup(l->a, item.ptr, item.len);
	list->items = bigger;
}

static void list_set(struct loader *l, const struct flag *flag, struct slice value, bool append)
{
	struct flag_list *list = flag->value;
	size_t i = (size_t)(flag - l->f->table);
	if (!l->list_touched[i] && !append)
		list->count = 0;
	l->list_touched[i] = true;
	if (flag->type == FLAG_ITEMS) {
		list_add(l, list, value);
		return;
	}
	while (value.ptr) {
		struct slice item = slice_trim(slice_cut(&value, ','));
		if (item.len)
			list_add(l, list, item);
	}
}

static bool parse_bool(struct slice v, bool *out)
{
	*out = slice_is(v, "true") || slice_is(v, "1") || slice_is(v, "yes") || slice_is(v, "on");
	return *out || slice_is(v, "false") || slice_is(v, "0") || slice_is(v, "no") || slice_is(v, "off");
}

/* 0: the value is what is so anyway. */
static int refuse(struct loader *l, const struct flag_refusal *r, struct slice value, const char *source)
{
	bool said, is_so;
	if (r->fixed && r->is_bool && parse_bool(value, &said) && parse_bool(slice_of(r->fixed), &is_so) &&
	        said == is_so)
		return 0;
	if (r->fixed && !r->is_bool && slice_is(value, r->fixed))
		return 0;
	return err_set(l->err, ERR_UNIMPLEMENTED, "%s: --%s: %s", source, r->name, r->why);
}

static int set(struct loader *l, const struct flag *flag, struct slice value, bool append, const char *source)
{
	if (flag->unsupported)
		return err_set(l->err, ERR_UNIMPLEMENTED, "%s: --%s: %s", source, flag->name, flag->unsupported);
	switch (flag->type) {
	case FLAG_BOOL:
		if (!parse_bool(value, flag->value))
			return err_set(l->err, ERR_INVAL, "%s: --%s: \"%.*s\" is not true or false", source, flag->name,
			        SLICE_FMT(value));
		return 0;
	case FLAG_INT:
		if (!slice_to_i64(value, flag->value))
			return err_set(l->err, ERR_INVAL, "%s: --%s: \"%.*s\" is not a whole number", source,
			        flag->name, SLICE_FMT(value));
		return 0;
	case FLAG_STRING:
		*(const char **)flag->value = arena_memdup(l->a, value.ptr, value.len);
		return 0;
	case FLAG_LIST:
	case FLAG_ITEMS:
		list_set(l, flag, value, append);
		return 0;
	}
	return 0;
}

/* ---- config file ---- */

static int set_from_json(struct loader *l, const struct flag *flag, const struct json *v, bool append, const char *path)
{
	if (v->type == JSON_ARRAY) {
		if (flag->type != FLAG_LIST && flag->type != FLAG_ITEMS)
			return err_set(l->err, ERR_INVAL, "%s: %s: takes one value, not a list", path, flag->name);
		JSON_FOREACH (it, v)
			if (set_from_json(l, flag, it, append, path) != 0)
				return l->err->code;
		return 0;
	}
	if (v->type == JSON_OBJECT)
		return err_set(l->err, ERR_INVAL, "%s: %s: takes a plain value", path, flag->name);
	struct slice text = v->type == JSON_BOOL ? slice_of(v->boolean ? "true" : "false") : v->text;
	return v->type == JSON_NULL ? 0 : set(l, flag, text, append, path);
}

static int refuse_json(struct loader *l, const struct flag_refusal *r, const struct json *v, const char *path)
{
	struct slice text = v->type == JSON_BOOL ? slice_of(v->boolean ? "true" : "false") : v->text;
	if (v->type == JSON_NULL)
		return 0;
	if (v->type != JSON_ARRAY)
		return refuse(l, r, v->type == JSON_OBJECT ? SLICE("") : text, path);
	JSON_FOREACH (it, v)
		if (refuse_json(l, r, it, path) != 0)
			return l->err->code;
	return 0;
}

static int read_file(struct loader *l, const char *path, struct slice *out, bool *missing)
{
	*missing = false;
	FILE *file = fopen(path, "re");
	if (!file) {
		*missing = errno == ENOENT;
		return err_errno(l->err, errno, "open %s", path);
	}
	char *text = arena_alloc(l->a, CONFIG_BYTES_MAX + 1);
	size_t n = fread(text, 1, CONFIG_BYTES_MAX + 1, file);
	int e = ferror(file) ? errno : 0;
	fclose(file);
	if (e)
		return err_errno(l->err, e, "read %s", path);
	if (n > CONFIG_BYTES_MAX)
		return err_set(l->err, ERR_TOO_BIG, "%s: larger than 1 MiB", path);
	*out = (struct slice){text, n};
	return 0;
}

static int set_section(struct loader *l, const struct json *section, const char *path)
{
	JSON_FOREACH (it, section) {
		const char *name = l->f->config_name(l->a, section->key, it->key);
		const struct flag *flag = name ? find(l->f, slice_of(name)) : NULL;
		if (!flag)
			return err_set(l->err, ERR_INVAL, "%s: unknown setting \"%.*s\" in \"%.*s\" (see %s --help)",
			        path, SLICE_FMT(it->key), SLICE_FMT(section->key), l->f->program);
		if (set_from_json(l, flag, it, false, path) != 0)
			return l->err->code;
	}
	return 0;
}

static int load_file(struct loader *l, const char *path, bool may_be_missing)
{
	struct slice text;
	bool missing;
	if (read_file(l, path, &text, &missing) != 0) {
		if (missing && may_be_missing) {
			*l->err = ERR_INIT;
			return 0;
		}
		return l->err->code;
	}
	struct json *tree = yaml_parse(l->a, text, NULL, l->err);
	if (!tree)
		return err_wrap(l->err, "%s", path);
	if (tree->type != JSON_OBJECT && tree->type != JSON_NULL)
		return err_set(l->err, ERR_INVAL, "%s: must be a map of settings", path);
	memset(l->list_touched, 0, sizeof l->list_touched);
	JSON_FOREACH (it, tree) {
		if (it->type == JSON_OBJECT && l->f->config_name) {
			if (set_section(l, it, path) != 0)
				return l->err->code;
			continue;
		}
		bool append = slice_ends(it->key, "+");
		struct slice name = append ? (struct slice){it->key.ptr, it->key.len - 1} : it->key;
		const struct flag *flag = find(l->f, name);
		if (!flag && l->f->shares_config)
			continue;
		const struct flag_refusal *refusal = flag ? NULL : find_refusal(l->f, name, 0);
		if (refusal) {
			if (refuse_json(l, refusal, it, path) != 0)
				return l->err->code;
			continue;
		}
		if (!flag)
			return err_set(l->err, ERR_INVAL, "%s: unknown setting \"%.*s\" (see %s --help)", path,
			        SLICE_FMT(it->key), l->f->program);
		if (append && flag->type != FLAG_LIST && flag->type != FLAG_ITEMS)
			return err_set(l->err, ERR_INVAL, "%s: %s+: takes one value, to which nothing is appended",
			        path, flag->name);
		if (set_from_json(l, flag, it, append, path) != 0)
			return l->err->code;
	}
	return 0;
}

static int is_yaml(const struct dirent *e)
{
	struct slice name = slice_of(e->d_name);
	return slice_ends(name, ".yaml") || slice_ends(name, ".yml");
}

static int load_config(struct loader *l, const char *path, bool named)
{
	if (load_file(l, path, !named) != 0)
		return l->err->code;
	struct dirent **entries;
	const char *folder = arena_printf(l->a, "%s.d", path);
	int n = scandir(folder, &entries, is_yaml, alphasort);
	int rc = n >= 0 || errno == ENOENT || errno == ENOTDIR ? 0 : err_errno(l->err, errno, "list %s", folder);
	for (int i = 0; i < n; i++) {
		if (rc == 0)
			rc = load_file(l, arena_printf(l->a, "%s/%s", folder, entries[i]->d_name), false);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return rc;
}

/* ---- environment and command line ---- */

static int load_env(struct loader *l)
{
	memset(l->list_touched, 0, sizeof l->list_touched);
	for (size_t i = 0; i < l->f->count; i++) {
		const struct flag *flag = &l->f->table[i];
		const char *v = flag->env ? getenv(flag->env) : NULL;
		if (v && *v && set(l, flag, slice_of(v), false, flag->env) != 0)
			return l->err->code;
	}
	for (size_t i = 0; i < l->f->refusal_count; i++) {
		const struct flag_refusal *r = &l->f->refusals[i];
		const char *v = r->env ? getenv(r->env) : NULL;
		if (v && *v && refuse(l, r, slice_of(v), r->env) != 0)
			return l->err->code;
	}
	return 0;
}

/* One argument that begins with a dash; *next is the argument after it, NULL at the end. */
static int parse_flag(struct loader *l, const char *arg, const char *next, bool *took_next)
{
	struct slice rest = slice_of(arg), name;
	const struct flag *flag;
	const struct flag_refusal *refusal = NULL;
	*took_next = false;
	if (arg[1] == '-' || (arg[1] && arg[2] && arg[2] != '=')) {
		rest = slice_of(arg + (arg[1] == '-' ? 2 : 1));
		name = slice_cut(&rest, '=');
		flag = find(l->f, name);
		refusal = find_refusal(l->f, name, 0);
	} else {
		rest = slice_of(arg + 1);
		name = slice_cut(&rest, '=');
		flag = name.len == 1 ? find_letter(l->f, name.ptr[0]) : NULL;
		refusal = name.len == 1 ? find_refusal(l->f, name, name.ptr[0]) : NULL;
	}
	if (!flag && !refusal)
		return err_set(l->err, ERR_INVAL, "unknown flag %s (see %s --help)", arg, l->f->program);
	if (!rest.ptr && (flag ? flag->type == FLAG_BOOL : refusal->is_bool))
		rest = SLICE("true");
	if (!rest.ptr && flag && !next)
		return err_set(l->err, ERR_INVAL, "--%s needs a value", flag->name);
	if (!rest.ptr && next) {
		rest = slice_of(next);
		*took_next = true;
	}
	return flag ? set(l, flag, rest, false, "command line") : refuse(l, refusal, rest, "command line");
}

static int load_arguments(struct loader *l, int argc, char **argv)
{
	struct flags *f = l->f;
	memset(l->list_touched, 0, sizeof l->list_touched);
	f->arguments = ARENA_ARRAY(l->a, const char *, (size_t)argc + 1);
	f->argument_count = 0;
	for (int i = 1; i < argc; i++) {
		bool took_next;
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			f->want_help = true;
			return 0;
		}
		if (strcmp(argv[i], "--help=table") == 0) {
			f->want_help = f->want_table = true;
			return 0;
		}
		if (argv[i][0] != '-' || !argv[i][1]) {
			if (!f->takes_arguments)
				return err_set(l->err, ERR_INVAL, "unexpected argument \"%s\" (see %s --help)", argv[i],
				        f->program);
			f->arguments[f->argument_count++] = argv[i];
			continue;
		}
		if (parse_flag(l, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &took_next) != 0)
			return l->err->code;
		i += took_next;
	}
	return 0;
}

int flags_load(struct flags *f, struct arena *a, int argc, char **argv, struct err *err)
{
	struct loader l = {.f = f, .a = a, .err = err};
	CHECK(f->count <= FLAGS_MAX);
	const struct flag *config = f->config_flag ? find(f, slice_of(f->config_flag)) : NULL;
	if (config) {
		/* A first pass only finds the config file's name; what it sets is set again after the file. */
		const char *by_default = *(const char **)config->value;
		if (load_env(&l) != 0 || load_arguments(&l, argc, argv) != 0)
			return err->code;
		const char *path = *(const char **)config->value;
		if (!f->want_help && path && load_config(&l, path, path != by_default) != 0)
			return err->code;
	}
	if (load_env(&l) != 0)
		return err->code;
	return load_arguments(&l, argc, argv);
}

static void print_table(const struct flags *f)
{
	static const char *const kinds[] = {"bool", "int", "string", "list", "items"};
	for (size_t i = 0; i < f->count; i++) {
		const struct flag *flag = &f->table[i];
		if (!flag->unsupported)
			printf("%s\t%.1s\t%s\t%s\t%s\n", flag->name, &flag->letter, kinds[flag->type],
			        flag->env ? flag->env : "", flag->help ? flag->help : "");
	}
}

void flags_help(const struct flags *f)
{
	if (f->want_table) {
		print_table(f);
		return;
	}
	static const char *const kinds[] = {"", " N", " VALUE", " LIST", " VALUE"};
	printf("%s\n\nUsage: %s [flags]%s\n\n", f->summary, f->program, f->takes_arguments ? " ..." : "");
	for (size_t i = 0; i < f->count; i++) {
		const struct flag *flag = &f->table[i];
		char left[80];
		if (!flag->help || flag->unsupported)
			continue;
		snprintf(left, sizeof left, "%c%c%s --%s%s", flag->letter ? '-' : ' ',
		        flag->letter ? flag->letter : ' ', flag->letter ? "," : " ", flag->name, kinds[flag->type]);
		printf("  %-36s %s%s%s%s\n", left, flag->help, flag->env ? " [" : "", flag->env ? flag->env : "",
		        flag->env ? "]" : "");
	}
}

const char *flag_list_join(struct arena *a, const struct flag_list *l)
{
	const char *text = NULL;
	for (size_t i = 0; i < l->count; i++)
		text = text ? arena_printf(a, "%s,%s", text, l->items[i]) : l->items[i];
	return text;
}

struct slice flag_argument_cut(const char *given, struct slice *ret_value)
{
	struct slice text = slice_of(given);
	while (text.len && *text.ptr == '-')
		text.ptr++, text.len--;
	struct slice name = slice_cut(&text, '=');
	*ret_value = text;
	return name;
}
