/* See field_errors.h. */
#include "api/machinery/rules/field_errors.h"

#include <stdarg.h>
#include <stdio.h>

void field_errors_init(struct field_errors *e, struct arena *a)
{
	e->arena = a;
	e->count = 0;
	e->dropped = 0;
}

void field_error_add(struct field_errors *e, const char *reason, const char *field, const char *fmt, ...)
{
	char text[1024];
	va_list ap;
	if (e->count == FIELD_ERRORS_MAX) {
		e->dropped++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	e->items[e->count++] =
	        (struct field_error){reason, arena_strdup(e->arena, field), arena_strdup(e->arena, text)};
}

const char *go_list_text(struct arena *a, const char *type, const struct json *list)
{
	struct strbuf b = STRBUF_INIT;
	JSON_FOREACH (it, list)
		strbuf_addf(&b, "%s\"%.*s\"", b.len ? ", " : "", SLICE_FMT(json_str(it)));
	const char *text = arena_printf(a, "%s{%s}", type, strbuf_cstr(&b));
	strbuf_release(&b);
	return text;
}
