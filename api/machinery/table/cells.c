/* See cells.h. */
#include "api/machinery/table/cells.h"

#include "api/machinery/codec/scalar.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

void cell_str(struct cells *c, struct slice s)
{
	strbuf_adds(c->out, c->count++ ? "," : "");
	json_write_str(c->out, s);
}

void cell_text(struct cells *c, const char *text)
{
	cell_str(c, slice_of(text));
}

void cell_int(struct cells *c, int64_t v)
{
	strbuf_addf(c->out, "%s%" PRId64, c->count++ ? "," : "", v);
}

void cell_fmt(struct cells *c, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	cell_text(c, text);
}

void cell_or_none(struct cells *c, struct slice s)
{
	cell_str(c, s.len ? s : SLICE("<none>"));
}

/* apimachinery/pkg/util/duration.HumanDuration */
void duration_text(char out[32], int64_t s)
{
	int64_t minutes = s / 60, hours = s / 3600, days = hours / 24, years = hours / 24 / 365;
	if (s < -1)
		snprintf(out, 32, "<invalid>");
	else if (s < 0)
		snprintf(out, 32, "0s");
	else if (s < 120)
		snprintf(out, 32, "%" PRId64 "s", s);
	else if (minutes < 10 && s % 60)
		snprintf(out, 32, "%" PRId64 "m%" PRId64 "s", minutes, s % 60);
	else if (minutes < 180)
		snprintf(out, 32, "%" PRId64 "m", minutes);
	else if (hours < 8 && minutes % 60)
		snprintf(out, 32, "%" PRId64 "h%" PRId64 "m", hours, minutes % 60);
	else if (hours < 48)
		snprintf(out, 32, "%" PRId64 "h", hours);
	else if (hours < 192 && hours % 24)
		snprintf(out, 32, "%" PRId64 "d%" PRId64 "h", days, hours % 24);
	else if (years < 2)
		snprintf(out, 32, "%" PRId64 "d", days);
	else if (years < 8 && days % 365)
		snprintf(out, 32, "%" PRId64 "y%" PRId64 "d", years, days % 365);
	else
		snprintf(out, 32, "%" PRId64 "y", years);
}

int64_t time_of(struct slice s)
{
	int64_t seconds;
	int32_t nanos;
	return scalar_time_parse(s, &seconds, &nanos, NULL) == 0 ? seconds : -1;
}

void cell_age_of(struct cells *c, struct slice when)
{
	char text[32];
	int64_t t = when.len ? time_of(when) : -1;
	if (t < 0) {
		cell_text(c, "<unknown>");
		return;
	}
	duration_text(text, c->now_s - t);
	cell_text(c, text);
}

void cell_age(struct cells *c)
{
	cell_age_of(c, json_str(json_path(c->object, "metadata", "creationTimestamp", NULL)));
}

void cell_name(struct cells *c)
{
	cell_str(c, json_str(json_path(c->object, "metadata", "name", NULL)));
}

void cell_count(struct cells *c, const char *member)
{
	struct json *v = json_get(c->object, member);
	cell_int(c, v ? v->count : 0);
}

static void join(struct strbuf *out, struct slice s)
{
	if (out->len)
		strbuf_addc(out, ',');
	strbuf_add_slice(out, s);
}

void cell_join(struct cells *c, const struct json *list, const char *member)
{
	struct strbuf text = STRBUF_INIT;
	JSON_FOREACH (it, list)
		join(&text, member ? json_get_str(it, member) : json_str(it));
	cell_or_none(c, strbuf_slice(&text));
	strbuf_release(&text);
}

void cell_labels(struct cells *c, const struct json *labels)
{
	struct strbuf text = STRBUF_INIT;
	JSON_FOREACH (it, labels)
		strbuf_addf(&text, "%s%.*s=%.*s", text.len ? "," : "", SLICE_FMT(it->key), SLICE_FMT(json_str(it)));
	cell_or_none(c, strbuf_slice(&text));
	strbuf_release(&text);
}

void cell_selector(struct cells *c, const struct json *selector)
{
	struct strbuf text = STRBUF_INIT;
	JSON_FOREACH (it, json_get(selector, "matchLabels"))
		strbuf_addf(&text, "%s%.*s=%.*s", text.len ? "," : "", SLICE_FMT(it->key), SLICE_FMT(json_str(it)));
	JSON_FOREACH (it, json_get(selector, "matchExpressions"))
		strbuf_addf(&text, "%s%.*s %.*s (...)", text.len ? "," : "", SLICE_FMT(json_get_str(it, "key")),
		        SLICE_FMT(json_get_str(it, "operator")));
	cell_or_none(c, strbuf_slice(&text));
	strbuf_release(&text);
}
