/* Which functions there are: the tables of all libraries, their declarations read, found by name. */
#include "base/cel/program_int.h"

#include "base/check.h"

struct cel_env {
	struct map functions, types; /* in no arena: freed with the one of the environment */
};

static const struct cel_library *const own[] = {&cel_standard, &cel_convert, &cel_times, &cel_strings, &cel_lists,
        &cel_regex, &cel_urls, &cel_addresses, &cel_sets, &cel_optionals, &cel_formats};

static bool take(struct slice *s, const char *text)
{
	if (!slice_starts(*s, text))
		return false;
	s->ptr += strlen(text);
	s->len -= strlen(text);
	return true;
}

static void note_type(struct cel_env *env, const struct cel_type *t)
{
	if (t->kind == CEL_OPAQUE)
		map_put(&env->types, slice_of(t->name), (void *)t);
}

static void declare(struct arena *a, struct cel_env *env, struct function_overload *o, const struct cel_overload *row)
{
	struct slice s = slice_of(row->declaration);
	o->fn = row->fn;
	o->cost = (uint8_t)row->cost;
	if (!slice_starts(s, "(")) {
		o->is_member = true;
		o->args[o->count++] = cel_type_parse(a, &s);
		CHECK(take(&s, "."));
	}
	CHECK(take(&s, "("));
	while (!take(&s, ")")) {
		CHECK(o->count < FUNCTION_ARGS_MAX);
		o->args[o->count++] = cel_type_parse(a, &s);
		take(&s, ",");
	}
	o->result = cel_type_parse(a, &s);
	CHECK(s.len == 0);
	for (size_t i = 0; i < o->count; i++)
		o->kinds[i] = o->args[i]->kind == CEL_PARAM ? CEL_DYN : (uint8_t)o->args[i]->kind;
	note_type(env, o->result);
}

static void add(struct arena *a, struct cel_env *env, const struct cel_overload *row)
{
	struct slice name = slice_of(row->name);
	struct function *f = map_get(&env->functions, name);
	if (!f) {
		f = ARENA_NEW(a, struct function);
		f->name = name;
		f->overloads = ARENA_ARRAY(a, struct function_overload, FUNCTION_OVERLOADS_MAX);
		map_put(&env->functions, name, f);
	}
	CHECK(f->count < FUNCTION_OVERLOADS_MAX);
	declare(a, env, &f->overloads[f->count++], row);
}

static void add_library(struct arena *a, struct cel_env *env, const struct cel_library *l)
{
	for (size_t i = 0; i < l->count; i++)
		add(a, env, &l->overloads[i]);
}

static void release(void *arg)
{
	struct cel_env *env = arg;
	map_release(&env->functions);
	map_release(&env->types);
}

const struct cel_env *cel_env_new(struct arena *a, const struct cel_library *const *libraries, size_t count)
{
	struct cel_env *env = ARENA_NEW(a, struct cel_env);
	map_init(&env->functions);
	arena_on_release(a, release, env);
	for (size_t i = 0; i < COUNT_OF(own); i++)
		add_library(a, env, own[i]);
	for (size_t i = 0; i < count; i++)
		add_library(a, env, libraries[i]);
	return env;
}

const struct function *cel_env_function(const struct cel_env *env, struct slice name)
{
	return map_get(&env->functions, name);
}

const struct cel_type *cel_env_type(const struct cel_env *env, struct slice name)
{
	return map_get(&env->types, name);
}
