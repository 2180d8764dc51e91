/* Reads Go type declarations, line by line: structs, named types, constants, and the comments before them.
 *
 * The API packages are machine-checked to be plain: one field a line, // comments, no nested anonymous structs. So a
 * line reader suffices; what it can't place inside a struct is an error. A comment belongs to a declaration when no
 * blank line is between them. */
#include "tools/schema/gen_schema.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COMMENT_MAX = 64 * 1024, IMPORTS_MAX = 64 };

struct import {
	const char *alias;
	const char *path;
};

struct parser {
	struct go_model *m;
	const char *package;
	const char *path;
	FILE *f;
	int line;
	char text[16 * 1024];
	char comment[COMMENT_MAX]; /* lines before the declaration, each ended by \n */
	struct import imports[IMPORTS_MAX];
	size_t import_count;
};

struct go_type *go_type_find(struct go_model *m, const char *qualified)
{
	for (size_t i = 0; i < m->type_count; i++) {
		struct go_type *t = &m->types[i];
		size_t n = strlen(t->package);
		if (strncmp(qualified, t->package, n) == 0 && qualified[n] == '.' &&
		        strcmp(qualified + n + 1, t->name) == 0)
			return t;
	}
	return NULL;
}

/* ---- lines and comments ---- */

static char *trim(char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	size_t n = strlen(s);
	while (n && isspace((unsigned char)s[n - 1]))
		s[--n] = 0;
	return s;
}

static void comment_add(struct parser *p, const char *line)
{
	size_t n = strlen(p->comment);
	if (n + strlen(line) + 2 >= sizeof(p->comment))
		gen_fail("%s:%d: comment too long", p->path, p->line);
	sprintf(p->comment + n, "%s\n", line);
}

static void skip_block_comment(struct parser *p, const char *s)
{
	while (!strstr(s, "*/")) {
		if (!fgets(p->text, sizeof(p->text), p->f))
			gen_fail("%s: comment without end", p->path);
		p->line++;
		s = p->text;
	}
}

/* The next line of code, trimmed; comments before it are in p->comment. NULL at the end of the file. */
static char *next_line(struct parser *p)
{
	p->comment[0] = 0;
	while (fgets(p->text, sizeof(p->text), p->f)) {
		p->line++;
		char *s = trim(p->text);
		if (!*s) {
			p->comment[0] = 0;
		} else if (strncmp(s, "/*", 2) == 0) {
			skip_block_comment(p, s);
		} else if (strncmp(s, "//", 2) == 0) {
			comment_add(p, s[2] == ' ' ? s + 3 : s + 2);
		} else {
			return s;
		}
	}
	return NULL;
}

/* The value behind "+name=" or "+name" among the comment lines; NULL when it is not there. Nth counts from 0. */
static char *marker(const char *comment, const char *name, int nth)
{
	size_t n = strlen(name);
	for (const char *l = comment; l && *l; l = strchr(l, '\n') ? strchr(l, '\n') + 1 : NULL) {
		while (*l == ' ')
			l++;
		if (*l != '+' || strncmp(l + 1, name, n) != 0 ||
		        (l[n + 1] != '=' && l[n + 1] != '\n' && l[n + 1] != ' '))
			continue;
		if (nth-- > 0)
			continue;
		const char *v = l + n + 1 + (l[n + 1] == '=');
		return trim(strndup(v, strcspn(v, "\n")));
	}
	return NULL;
}

/* Joins comment lines as upstream's OpenAPI generator does: paragraphs stay, indented lines stand alone, markers and
 * TODO lines go, and everything after a line "---". */
static char *doc_of(const char *comment)
{
	char *out = calloc(1, strlen(comment) * 3 + 4);
	size_t n = 0;
	for (const char *l = comment; *l; l = strchr(l, '\n') + 1) {
		size_t len = strcspn(l, "\n");
		while (len && l[len - 1] == ' ')
			len--;
		size_t lead = strspn(l, " ");
		if (len == 3 && strncmp(l, "---", 3) == 0)
			break;
		bool is_indented = *l == ' ' || *l == '\t';
		if (len && (strncmp(l + lead, "TODO", 4) == 0 || l[lead] == '+'))
			continue;
		if ((len == 0 || is_indented) && n)
			n -= out[n - 1] == ' ';
		if (len == 0)
			n += (size_t)sprintf(out + n, "\n\n");
		else
			n += (size_t)sprintf(out + n, is_indented ? "\n%.*s\n" : "%.*s ", (int)len, l);
	}
	out[n] = 0;
	return trim(out);
}

/* ---- type expressions ---- */

static void add_import(struct parser *p, char *s)
{
	char *quote = strchr(s, '"');
	if (!quote || p->import_count == IMPORTS_MAX)
		return;
	char *path = strndup(quote + 1, strcspn(quote + 1, "\""));
	*quote = 0;
	char *alias = trim(s);
	char *slash = strrchr(path, '/');
	p->imports[p->import_count++] = (struct import){*alias ? strdup(alias) : slash ? slash + 1 : path, path};
}

static bool is_builtin(const char *name)
{
	static const char *const names[] = {"string", "bool", "int", "int32", "int64", "float64", "byte", "uint32",
	        "uint64", "uint8", "int16", "float32", "rune", "interface{}", "any", "error"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* "[]metav1.Foo" -> "[]k8s.io/apimachinery/pkg/apis/meta/v1.Foo". */
static char *qualify(struct parser *p, const char *expr)
{
	if (strlen(expr) > NAME_MAX_)
		gen_fail("%s:%d: type expression too long", p->path, p->line);
	if (*expr == '*')
		return gen_printf("*%s", qualify(p, expr + 1));
	if (strncmp(expr, "[]", 2) == 0)
		return gen_printf("[]%s", qualify(p, expr + 2));
	if (strncmp(expr, "map[", 4) == 0) {
		const char *end = strchr(expr, ']');
		if (!end)
			gen_fail("%s:%d: %s is no type", p->path, p->line, expr);
		return gen_printf(
		        "map[%s]%s", qualify(p, strndup(expr + 4, (size_t)(end - expr - 4))), qualify(p, end + 1));
	}
	if (is_builtin(expr))
		return strdup(expr);
	const char *dot = strchr(expr, '.');
	if (!dot)
		return gen_printf("%s.%s", p->package, expr);
	for (size_t i = 0; i < p->import_count; i++)
		if (strncmp(p->imports[i].alias, expr, (size_t)(dot - expr)) == 0 && !p->imports[i].alias[dot - expr])
			return gen_printf("%s.%s", p->imports[i].path, dot + 1);
	gen_fail("%s:%d: package of %s is not imported", p->path, p->line, expr);
}

/* ---- fields ---- */

/* The value of `key:"..."` in a struct tag; NULL when absent. */
static char *tag_value(const char *tag, const char *key)
{
	char *want = gen_printf("%s:\"", key);
	const char *at = tag;
	while ((at = strstr(at, want)) && at != tag && at[-1] != ' ' && at[-1] != '`')
		at++;
	if (!at)
		return NULL;
	at += strlen(want);
	return strndup(at, strcspn(at, "\""));
}

static void field_json(struct go_field *f, char *json)
{
	if (!json || strcmp(json, "-") == 0) {
		f->json = json ? NULL : f->name;
		return;
	}
	char *options = strchr(json, ',');
	if (options)
		*options++ = 0;
	f->json = json;
	f->omitempty = options && strstr(options, "omitempty");
	f->inlined = !*json && options && strstr(options, "inline");
}

static void field_protobuf(struct go_field *f, const char *tag)
{
	if (!tag || strcmp(tag, "-") == 0)
		return;
	const char *comma = strchr(tag, ',');
	if (!comma)
		return;
	f->is_fixed = strncmp(tag, "fixed", 5) == 0;
	f->number = atoi(comma + 1);
}

static void field_markers(struct parser *p, struct go_field *f)
{
	const char *c = p->comment;
	f->optional = marker(c, "optional", 0) != NULL;
	f->list_type = marker(c, "listType", 0);
	f->default_json = marker(c, "default", 0);
	const char *shape = marker(c, "mapType", 0);
	if (!shape)
		shape = marker(c, "structType", 0);
	f->atomic = shape && strcmp(shape, "atomic") == 0;
	const char *key;
	for (int i = 0; (key = marker(c, "listMapKey", i)); i++) {
		if (strlen(f->list_keys) + strlen(key) + 2 > sizeof(f->list_keys))
			gen_fail("%s:%d: too many list map keys", p->path, p->line);
		if (i)
			strcat(f->list_keys, ",");
		strcat(f->list_keys, key);
	}
}

static void parse_field(struct parser *p, struct go_type *t, char *s)
{
	char *tag = strchr(s, '`');
	if (!tag)
		return; /* unexported or not part of the API */
	*tag++ = 0;
	s = trim(s);
	struct go_field f = {.number = 0};
	char *space = strpbrk(s, " \t");
	const char *expr = space ? trim(space) : s;
	if (space) {
		*space = 0;
		f.name = strdup(s);
		expr = trim(space + 1);
	} else {
		const char *dot = strrchr(s, '.');
		f.name = strdup(dot ? dot + 1 : s);
	}
	field_json(&f, tag_value(tag, "json"));
	field_protobuf(&f, tag_value(tag, "protobuf"));
	f.patch_strategy = tag_value(tag, "patchStrategy");
	f.patch_merge_key = tag_value(tag, "patchMergeKey");
	f.expr = qualify(p, expr);
	f.doc = doc_of(p->comment);
	field_markers(p, &f);
	if (t->field_count == FIELDS_MAX)
		gen_fail("%s:%d: too many fields", p->path, p->line);
	t->fields[t->field_count++] = f;
}

/* ---- declarations ---- */

static void parse_type(struct parser *p, char *s)
{
	char *space = strchr(s, ' ');
	if (!space || p->m->type_count == TYPES_MAX)
		return;
	*space = 0;
	char *expr = trim(space + 1);
	struct go_type t = {.package = p->package, .name = strdup(s), .doc = doc_of(p->comment), .index = -1};
	t.is_enum = marker(p->comment, "enum", 0) != NULL;
	t.is_union = marker(p->comment, "k3x:union", 0) != NULL;
	t.is_message = marker(p->comment, "protobuf.nullable", 0) != NULL;
	const char *shape = marker(p->comment, "structType", 0);
	if (!shape)
		shape = marker(p->comment, "mapType", 0);
	t.is_atomic = shape && strcmp(shape, "atomic") == 0;
	if (strncmp(expr, "interface", 9) == 0 || strncmp(expr, "func", 4) == 0)
		return;
	bool is_struct = strncmp(expr, "struct", 6) == 0;
	if (!is_struct) {
		if (*expr == '=')
			expr = trim(expr + 1);
		expr[strcspn(expr, " \t")] = 0;
		t.alias = qualify(p, expr);
	} else if (!strchr(expr, '}')) {
		t.fields = calloc(FIELDS_MAX, sizeof(struct go_field));
		for (char *l; (l = next_line(p)) && *l != '}';)
			parse_field(p, &t, l);
		t.fields = realloc(t.fields, (t.field_count + 1) * sizeof(struct go_field));
	}
	p->m->types[p->m->type_count++] = t;
}

/* `Name Type = "value"` or `Name = "value"`. */
static void parse_const(struct parser *p, char *s)
{
	char *eq = strchr(s, '=');
	char *open = eq ? strchr(eq, '"') : NULL;
	char *close = open ? strchr(open + 1, '"') : NULL;
	if (!close || p->m->const_count == ENUMS_MAX)
		return;
	*eq = 0;
	char *name = trim(s);
	char *type = strpbrk(name, " \t");
	if (type)
		*type++ = 0;
	const char *value = strndup(open + 1, (size_t)(close - open - 1));
	p->m->consts[p->m->const_count++] =
	        (struct go_const){p->package, type ? strdup(trim(type)) : "", strdup(name), value};
}

static void parse_group(struct parser *p, void (*parse)(struct parser *, char *))
{
	for (char *l; (l = next_line(p)) && *l != ')';)
		parse(p, l);
}

void go_parse_file(struct go_model *m, const char *package, const char *path)
{
	struct parser *p = calloc(1, sizeof(*p));
	p->m = m;
	p->package = package;
	p->path = path;
	p->f = fopen(path, "r");
	if (!p->f)
		gen_fail("open %s", path);
	for (char *s; (s = next_line(p));) {
		if (strncmp(s, "import (", 8) == 0)
			parse_group(p, add_import);
		else if (strncmp(s, "import ", 7) == 0)
			add_import(p, s + 7);
		else if (strncmp(s, "const (", 7) == 0)
			parse_group(p, parse_const);
		else if (strncmp(s, "const ", 6) == 0)
			parse_const(p, s + 6);
		else if (strncmp(s, "type ", 5) == 0)
			parse_type(p, s + 5);
	}
	fclose(p->f);
	free(p);
}
