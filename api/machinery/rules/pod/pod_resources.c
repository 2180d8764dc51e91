/* What containers ask for and how much they may have. Upstream: ValidateResourceRequirements, validateOverhead. */
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/pod/pod_parts_int.h"

#include "api/machinery/codec/quantity.h"
#include "api/machinery/rules/checks_resource.h"
#include "base/check.h"

static const char page[] = "hugepages-";

/* Whole pages. */
static bool is_divisible(struct slice name, const struct quantity *amount)
{
	const size_t skip = sizeof page - 1;
	struct quantity size;
	if (quantity_parse((struct slice){name.ptr + skip, name.len - skip}, &size, NULL) != 0 ||
	        quantity_value(&size) <= 0)
		return false;
	return quantity_milli_value(amount) % 1000 == 0 && quantity_value(amount) % quantity_value(&size) == 0;
}

static void check_pages(struct field_errors *e, const char *field, struct slice name, const struct quantity *amount)
{
	char text[QUANTITY_TEXT_MAX];
	if (!slice_starts(name, page) || is_divisible(name, amount))
		return;
	quantity_format(amount, text);
	bad_value(
	        e, field, slice_of(text), at(e, "%s is not positive integer multiple of %.*s", text, SLICE_FMT(name)));
}

/* One of a list; what is no quantity was refused before. */
static void check_amount(struct field_errors *e, const char *list, const struct json *it)
{
	const char *field = at(e, "%s[%.*s]", list, SLICE_FMT(it->key));
	struct quantity amount;
	check_container_resource_name(e, field, it->key);
	if (quantity_parse(it->text, &amount, NULL) != 0)
		return;
	check_resource_amount(e, field, it->key, it->text);
	check_pages(e, field, it->key, &amount);
}

/* A request is no more than the limit, and where nothing may be promised twice the same. */
static void check_request(
        struct field_errors *e, const char *field, const struct json *request, const struct json *limit)
{
	struct slice name = request->key;
	struct quantity r, l;
	bool may_differ = resource_may_overcommit(name);
	if (!limit && !may_differ)
		bad_required(e, at(e, "%s.limits", field), "Limit must be set for non overcommitable resources");
	if (!limit || quantity_parse(request->text, &r, NULL) != 0 || quantity_parse(limit->text, &l, NULL) != 0)
		return;
	int order = quantity_cmp(&r, &l);
	if (order > 0 || (order && !may_differ))
		bad_value(e, at(e, "%s.requests", field), request->text,
		        at(e, "must be %s %.*s limit of %.*s", may_differ ? "less than or equal to" : "equal to",
		                SLICE_FMT(name), SLICE_FMT(limit->text)));
}

static bool has_pages(const struct json *list)
{
	JSON_FOREACH (it, list)
		if (slice_starts(it->key, page))
			return true;
	return false;
}

static bool has_basics(const struct json *list)
{
	return json_get(list, "cpu") || json_get(list, "memory");
}

void validate_resources(struct field_errors *e, const char *field, const struct json *resources)
{
	struct json *limits = json_get(resources, "limits"), *requests = json_get(resources, "requests");
	struct json_index by_name;
	JSON_FOREACH (it, limits)
		check_amount(e, at(e, "%s.limits", field), it);
	json_index_init(&by_name, limits);
	JSON_FOREACH (it, requests) {
		check_amount(e, at(e, "%s.requests", field), it);
		check_request(e, field, it, json_index_get(&by_name, it->key));
	}
	json_index_release(&by_name);
	if ((has_pages(limits) || has_pages(requests)) && !has_basics(limits) && !has_basics(requests))
		bad_forbidden(e, field, "HugePages require cpu or memory");
}

void validate_overhead(struct field_errors *e, const char *base, const struct json *spec)
{
	JSON_FOREACH (it, json_get(spec, "overhead"))
		check_amount(e, at(e, "%s.overhead.limits", base), it);
}
