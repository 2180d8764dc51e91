/* What a JobSpec must be, for jobs and for the templates of cron jobs. Upstream: pkg/apis/batch/validation. */
#include "api/machinery/rules/groups/batch/batch_int.h"
#include "api/machinery/rules/checks_ip.h"
#include "api/machinery/rules/checks_value.h"
#include "api/machinery/rules/pod/pod.h"
#include "api/machinery/rules/groups/batch/job_indexes.h"
#include "base/check.h"

enum {
	INDEXED_MAX =
	        100000,   /* parallelism and failed indexes of an indexed job; its completions, before more is asked */
	HIGH_MAX = 10000, /* the same beyond that */
	RULES_MAX = 20,
	EXIT_CODES_MAX = 255,
	CONDITIONS_MAX = 20,
	INDEXES_BYTES_MAX = 64 * 1024,
	MANAGER_BYTES_MAX = 63,
};

static void bad_thing(struct field_errors *e, const char *field, const struct json *v, const char *detail)
{
	struct strbuf text = STRBUF_INIT;
	if (v)
		json_write(&text, v);
	else
		strbuf_adds(&text, "null");
	field_error_add(e, "FieldValueInvalid", field, "Invalid value: %s: %s", strbuf_cstr(&text), detail);
	strbuf_release(&text);
}

static void check_at_most(struct field_errors *e, const char *path, const struct json *spec, const char *name,
        int64_t max, const char *when)
{
	const struct json *v = json_get(spec, name);
	if (v && json_int(v, 0) > max)
		bad_number(e, at(e, "%s.%s", path, name), json_int(v, 0),
		        at(e, "must be less than or equal to %lld%s", (long long)max, when));
}

/* ---- completions and indexes ---- */

static void check_high(struct field_errors *e, const char *path, const struct json *spec)
{
	static const char when[] = " when completions are above 100000 and used with backoff limit per index";
	if (json_get_int(spec, "completions", 0) <= INDEXED_MAX || !json_get(spec, "backoffLimitPerIndex"))
		return;
	if (!json_get(spec, "maxFailedIndexes"))
		bad_required(
		        e, at(e, "%s.maxFailedIndexes", path), "must be specified when completions is above 100000");
	check_at_most(e, path, spec, "parallelism", HIGH_MAX, when);
	check_at_most(e, path, spec, "maxFailedIndexes", HIGH_MAX, when);
}

static void check_indexed(struct field_errors *e, const char *path, const struct json *spec)
{
	const struct json *completions = json_get(spec, "completions"), *failed = json_get(spec, "maxFailedIndexes");
	if (!completions)
		bad_required(e, at(e, "%s.completions", path), "when completion mode is Indexed");
	check_at_most(e, path, spec, "parallelism", INDEXED_MAX, " when completion mode is Indexed");
	if (completions && failed && json_int(failed, 0) > json_int(completions, 0))
		bad_number(e, at(e, "%s.maxFailedIndexes", path), json_int(failed, 0),
		        "must be less than or equal to completions");
	check_at_most(e, path, spec, "maxFailedIndexes", INDEXED_MAX, "");
	check_high(e, path, spec);
}

static void check_mode(struct field_errors *e, const char *path, const struct json *spec)
{
	static const char *const indexed_only[] = {"backoffLimitPerIndex", "maxFailedIndexes", "successPolicy"};
	struct slice mode = json_get_str(spec, "completionMode");
	if (json_get(spec, "completionMode"))
		check_supported(e, at(e, "%s.completionMode", path), mode, "NonIndexed,Indexed");
	if (json_get(spec, "maxFailedIndexes") && !json_get(spec, "backoffLimitPerIndex"))
		bad_required(e, at(e, "%s.backoffLimitPerIndex", path), "when maxFailedIndexes is specified");
	if (slice_is(mode, "Indexed")) {
		check_indexed(e, path, spec);
		return;
	}
	for (size_t i = 0; i < COUNT_OF(indexed_only); i++)
		if (json_get(spec, indexed_only[i]))
			bad_thing(e, at(e, "%s.%s", path, indexed_only[i]), json_get(spec, indexed_only[i]),
			        "requires indexed completion mode");
}

/* ---- podFailurePolicy ---- */

static bool has_container(const struct json *pod, struct slice name)
{
	static const char *const lists[] = {"containers", "initContainers"};
	for (size_t i = 0; i < COUNT_OF(lists); i++)
		JSON_FOREACH (c, json_get(pod, lists[i]))
			if (slice_eq(json_get_str(c, "name"), name))
				return true;
	return false;
}

/* As Go shows a list of numbers. */
static void bad_values(struct field_errors *e, const char *path, const struct json *values, const char *detail)
{
	struct strbuf text = STRBUF_INIT;
	JSON_FOREACH (it, values)
		strbuf_addf(&text, "%s%.*s", text.len ? ", " : "", SLICE_FMT(it->text));
	field_error_add(e, "FieldValueInvalid", path,
	        values ? "Invalid value: []int32{%s}: %s" : "Invalid value: []int32(nil)%s: %s", strbuf_cstr(&text),
	        detail);
	strbuf_release(&text);
}

static void check_exit_values(struct field_errors *e, const char *path, const struct json *codes)
{
	const struct json *values = json_get(codes, "values");
	bool is_ordered = true, excludes_zero = slice_is(json_get_str(codes, "operator"), "In");
	struct name_set seen = {MAP_INIT};
	int64_t before = INT64_MIN;
	unsigned i = 0;
	if (!values || !values->first)
		bad_values(e, path, values, "at least one value is required");
	check_not_too_many(e, path, values, EXIT_CODES_MAX);
	JSON_FOREACH (it, values) {
		int64_t n = json_int(it, 0);
		if (excludes_zero && n == 0)
			bad_number(e, at(e, "%s[%u]", path, i), n, "must not be 0 for the In operator");
		if (!name_set_add(&seen, it->text))
			field_error_add(e, "FieldValueDuplicate", at(e, "%s[%u]", path, i), "Duplicate value: %lld",
			        (long long)n);
		is_ordered &= n >= before;
		before = n;
		i++;
	}
	name_set_release(&seen);
	if (!is_ordered)
		bad_values(e, path, values, "must be ordered");
}

static void check_exit_codes(struct field_errors *e, const char *path, const struct json *codes, const struct json *pod)
{
	struct slice operator= json_get_str(codes, "operator"), name = json_get_str(codes, "containerName");
	if (!operator.len)
		bad_required(e, at(e, "%s.operator", path), "valid values: [\"In\" \"NotIn\"]");
	else
		check_choice(e, at(e, "%s.operator", path), operator, "In,NotIn", true);
	if (json_get(codes, "containerName") && !has_container(pod, name))
		bad_value(e, at(e, "%s.containerName", path), name,
		        "must be one of the container or initContainer names in the pod template");
	check_exit_values(e, at(e, "%s.values", path), codes);
}

static void check_conditions(struct field_errors *e, const char *path, const struct json *patterns)
{
	unsigned i = 0;
	check_not_too_many(e, path, patterns, CONDITIONS_MAX);
	JSON_FOREACH (it, patterns) {
		const char *wrong = check_qualified_name(json_get_str(it, "type"));
		if (wrong)
			bad_value(e, at(e, "%s[%u].type", path, i), json_get_str(it, "type"), wrong);
		check_choice(
		        e, at(e, "%s[%u].status", path, i), json_get_str(it, "status"), "False,True,Unknown", true);
		i++;
	}
}

static void check_failure_rule(
        struct field_errors *e, const char *path, const struct json *rule, const struct json *spec)
{
	const struct json *codes = json_get(rule, "onExitCodes"), *conditions = json_get(rule, "onPodConditions");
	const char *action_path = at(e, "%s.action", path);
	struct slice action = json_get_str(rule, "action");
	bool has_conditions = conditions && conditions->first;
	if (!action.len)
		bad_required(e, action_path, "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]");
	else if (slice_is(action, "FailIndex") && !json_get(spec, "backoffLimitPerIndex"))
		bad_value(e, action_path, action, "requires the backoffLimitPerIndex to be set");
	else
		check_choice(e, action_path, action, "Count,FailIndex,FailJob,Ignore", true);
	if (codes)
		check_exit_codes(e, at(e, "%s.onExitCodes", path), codes, json_path(spec, "template", "spec", NULL));
	if (has_conditions)
		check_conditions(e, at(e, "%s.onPodConditions", path), conditions);
	if (!codes == !has_conditions)
		field_error_add(e, "FieldValueInvalid", path,
		        "Invalid value: specifying %s OnExitCodes and OnPodConditions is %s", codes ? "both" : "one of",
		        codes ? "not supported" : "required");
}

static void check_failure_policy(struct field_errors *e, const char *path, const struct json *spec)
{
	const struct json *rules = json_path(spec, "podFailurePolicy", "rules", NULL);
	unsigned i = 0;
	check_not_too_many(e, at(e, "%s.podFailurePolicy.rules", path), rules, RULES_MAX);
	JSON_FOREACH (it, rules)
		check_failure_rule(e, at(e, "%s.podFailurePolicy.rules[%u]", path, i++), it, spec);
}

/* ---- successPolicy ---- */

static void check_success_count(
        struct field_errors *e, const char *field, const struct json *count, int64_t completions, const int64_t *total)
{
	int64_t n = json_int(count, 0);
	check_non_negative(e, field, count);
	if (n > completions)
		bad_number(e, field, n,
		        at(e, "must be less than or equal to %lld (the number of specified completions)",
		                (long long)completions));
	if (total && n > *total)
		bad_number(e, field, n,
		        at(e,
		                "must be less than or equal to %lld (the number of indexes in the specified "
		                "succeededIndexes field)",
		                (long long)*total));
}

static void check_success_rule(struct field_errors *e, const char *path, const struct json *rule, int64_t completions)
{
	const struct json *indexes = json_get(rule, "succeededIndexes"), *count = json_get(rule, "succeededCount");
	const char *field = at(e, "%s.succeededIndexes", path);
	int64_t total = 0;
	if (!indexes && !count)
		bad_required(e, path, "at least one of succeededCount or succeededIndexes must be specified");
	check_not_too_long(e, field, indexes, INDEXES_BYTES_MAX);
	const char *bad = job_indexes_check(e->arena, json_str(indexes), completions, &total);
	if (bad)
		bad_value(e, field, json_str(indexes), at(e, "error parsing succeededIndexes: %s", bad));
	if (count)
		check_success_count(e, at(e, "%s.succeededCount", path), count, completions, indexes ? &total : NULL);
}

static void check_success_policy(struct field_errors *e, const char *path, const struct json *spec)
{
	const struct json *rules = json_path(spec, "successPolicy", "rules", NULL);
	const char *rules_path = at(e, "%s.successPolicy.rules", path);
	unsigned i = 0;
	if (!rules || !rules->first)
		bad_required(e, rules_path, "at least one rules must be specified when the successPolicy is specified");
	check_not_too_many(e, rules_path, rules, RULES_MAX);
	JSON_FOREACH (it, rules)
		check_success_rule(
		        e, at(e, "%s[%u]", rules_path, i++), it, json_get_int(spec, "completions", INT64_MAX));
}

/* ---- the whole ---- */

static void check_manager(struct field_errors *e, const char *field, const struct json *name)
{
	if (!json_str(name).len)
		bad_required(e, field, "");
	else
		check_domain_path(e, field, json_str(name));
	check_not_too_long(e, field, name, MANAGER_BYTES_MAX);
}

static void check_restart_policy(struct field_errors *e, const char *path, const struct json *spec)
{
	struct slice policy = json_str(json_path(spec, "template", "spec", "restartPolicy", NULL));
	const char *field = at(e, "%s.template.spec.restartPolicy", path);
	if (!policy.len || slice_is(policy, "Always"))
		bad_required(e, field, "valid values: \"OnFailure\", \"Never\"");
	else if (!slice_is(policy, "OnFailure") && !slice_is(policy, "Never"))
		bad_choice(e, field, policy, "OnFailure,Never");
	else if (json_get(spec, "podFailurePolicy") && !slice_is(policy, "Never"))
		bad_value(e, field, policy, "only \"Never\" is supported when podFailurePolicy is specified");
}

void validate_job_spec(struct field_errors *e, const char *path, const struct json *spec)
{
	static const char *const counts[] = {"parallelism", "completions", "activeDeadlineSeconds", "backoffLimit",
	        "ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes"};
	for (size_t i = 0; i < COUNT_OF(counts); i++)
		check_non_negative(e, at(e, "%s.%s", path, counts[i]), json_get(spec, counts[i]));
	if (json_get(spec, "managedBy"))
		check_manager(e, at(e, "%s.managedBy", path), json_get(spec, "managedBy"));
	check_mode(e, path, spec);
	if (json_get(spec, "podFailurePolicy"))
		check_failure_policy(e, path, spec);
	if (json_get(spec, "successPolicy") && slice_is(json_get_str(spec, "completionMode"), "Indexed"))
		check_success_policy(e, path, spec);
	if (json_get(spec, "podReplacementPolicy"))
		check_supported(e, at(e, "%s.podReplacementPolicy", path), json_get_str(spec, "podReplacementPolicy"),
		        json_get(spec, "podFailurePolicy") ? "Failed" : "Failed,TerminatingOrFailed");
	validate_pod_template(e, at(e, "%s.template", path), json_get(spec, "template"));
	check_restart_policy(e, path, spec);
}
