/* Events in the words of core/v1, in which they are stored, and of events.k8s.io/v1: they differ in names, and in what
 * is asked of who writes them. Clients of the first write what they like, but for the place; the second has rules
 * (upstream: pkg/apis/core/validation/events.go, whose paths are core's for both). */
#include "api/machinery/rules/groups/core/core_int.h"
#include "api/machinery/rules/checks.h"

#include "base/check.h"

struct rename {
	const char *core;
	const char *events;
};

static const struct rename event_renames[] = {
        {"involvedObject", "regarding"},
        {"message", "note"},
        {"reportingComponent", "reportingController"},
        {"source", "deprecatedSource"},
        {"firstTimestamp", "deprecatedFirstTimestamp"},
        {"lastTimestamp", "deprecatedLastTimestamp"},
        {"count", "deprecatedCount"},
};

static void rename_member(struct arena *a, struct json *object, const char *from, const char *to)
{
	struct json *v = json_get(object, from);
	if (!v)
		return;
	json_remove(object, v);
	json_set(a, object, to, v);
}

int event_convert(struct arena *a, struct json *object, const struct resource *to, struct err *err)
{
	bool to_core = *to->group == 0;
	for (size_t i = 0; i < COUNT_OF(event_renames); i++) {
		const struct rename *r = &event_renames[i];
		rename_member(a, object, to_core ? r->events : r->core, to_core ? r->core : r->events);
	}
	return 0;
}

/* ---- validation ---- */

enum { EVENT_WORD_MAX = 128, EVENT_NOTE_MAX = 1024 };

/* What says nothing is as if it were not there: a time that is null, an object of no members. */
static const struct json *said(const struct json *v)
{
	return v && v->type != JSON_NULL && !(v->type == JSON_OBJECT && !v->first) ? v : NULL;
}

/* A member by its name in core/v1, whichever group's words the object has. */
static struct json *member(const struct json *event, bool is_core, const char *name)
{
	if (!is_core)
		for (size_t i = 0; i < COUNT_OF(event_renames); i++)
			if (strcmp(event_renames[i].core, name) == 0)
				return json_get(event, event_renames[i].events);
	return json_get(event, name);
}

static void check_word(struct field_errors *e, const char *field, struct slice word, size_t max, bool is_needed)
{
	if (is_needed && !word.len)
		bad_required(e, field, "");
	if (word.len > max)
		bad_value(e, field, SLICE(""), at(e, "can have at most %zu characters", max));
}

/* What the newer clients say, who give an eventTime. */
static void check_reporter(struct field_errors *e, const struct json *event, bool is_core)
{
	struct slice who = json_str(member(event, is_core, "reportingComponent"));
	const char *bad = check_qualified_name(who);
	if (!who.len)
		bad_required(e, "reportingController", "");
	if (bad)
		bad_value(e, "reportingController", who, bad);
	check_word(e, "reportingInstance", json_get_str(event, "reportingInstance"), EVENT_WORD_MAX, true);
	check_word(e, "action", json_get_str(event, "action"), EVENT_WORD_MAX, true);
	check_word(e, "reason", json_get_str(event, "reason"), EVENT_WORD_MAX, true);
	check_word(e, "message", json_str(member(event, is_core, "message")), EVENT_NOTE_MAX, false);
}

/* An event lies where what it is about lies. Of what lies nowhere it lies in "default", or in "kube-system" when a
 * newer client writes it. */
static void check_place(struct field_errors *e, const struct json *event, bool is_core, bool is_new)
{
	struct slice own = json_str(json_path(event, "metadata", "namespace", NULL)),
	             about = json_get_str(member(event, is_core, "involvedObject"), "namespace");
	bool fits = about.len ? is_new || slice_eq(own, about)
	                      : slice_is(own, "default") || (is_new && slice_is(own, "kube-system"));
	if (!fits)
		bad_value(e, "involvedObject.namespace", about, "does not match event.namespace");
}

static void check_series(struct field_errors *e, const struct json *event)
{
	const struct json *series = json_get(event, "series");
	if (!json_is(series, JSON_OBJECT))
		return;
	if (json_get_int(series, "count", 0) < 2)
		bad_value(e, "series.count", SLICE(""), "should be at least 2");
	if (!json_get_str(series, "lastObservedTime").len)
		bad_required(e, "series.lastObservedTime", "");
}

static void check_new(struct field_errors *e, const struct json *event)
{
	static const char *const unset[] = {"firstTimestamp", "lastTimestamp", "count", "source"};
	struct slice type = json_get_str(event, "type");
	check_series(e, event);
	if (!json_get_str(event, "eventTime").len)
		bad_required(e, "eventTime", "");
	if (!slice_is(type, "Normal") && !slice_is(type, "Warning"))
		bad_value(e, "type", SLICE(""), at(e, "has invalid value: %.*s", SLICE_FMT(type)));
	for (size_t i = 0; i < COUNT_OF(unset); i++) {
		const struct json *v = said(member(event, false, unset[i]));
		if (v && json_int(v, 1) != 0)
			bad_value(e, unset[i], SLICE(""), "needs to be unset");
	}
}

static void check_kept(struct field_errors *e, const struct json *event, const struct json *old)
{
	static const char *const kept[] = {"involvedObject", "reason", "message", "source", "firstTimestamp",
	        "lastTimestamp", "count", "type", "eventTime", "action", "related", "reportingComponent",
	        "reportingInstance"};
	if (!json_equal(said(json_get(event, "series")), said(json_get(old, "series"))))
		check_series(e, event);
	for (size_t i = 0; i < COUNT_OF(kept); i++) {
		const char *field = strcmp(kept[i], "reportingComponent") == 0 ? "reportingController" : kept[i];
		check_immutable(e, field, said(member(event, false, kept[i])), said(member(old, false, kept[i])));
	}
}

void validate_event(struct field_errors *e, const struct json *object, const struct json *old)
{
	bool is_core = !slice_starts(json_get_str(object, "apiVersion"), "events.k8s.io/");
	bool is_new = json_get_str(object, "eventTime").len > 0;
	struct slice name = json_str(json_path(object, "metadata", "name", NULL));
	const char *bad = is_core || old ? NULL : validate_dns1123_subdomain(name);
	check_place(e, object, is_core, is_new);
	if (is_new)
		check_reporter(e, object, is_core);
	if (bad)
		bad_value(e, "metadata.name", name, bad);
	if (!is_core && !old)
		check_new(e, object);
	if (!is_core && old)
		check_kept(e, object, old);
}
