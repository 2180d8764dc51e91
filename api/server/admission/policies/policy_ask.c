/* One policy asked about one request: its conditions, then its validations, then what it notes for the audit log.
 * Upstream: apiserver pkg/admission/plugin/policy/validating/validator.go. Variables are evaluated when an expression
 * first asks for them, once for all expressions; all draw on one budget. What cannot be evaluated is a denial, or is
 * passed over, as the policy's failurePolicy says. */
#include "api/server/admission/policies/policy.h"

#include "api/machinery/cel/kube_cel.h"
#include "base/check.h"

#define OUT_OF_BUDGET "validation failed due to running out of cost budget, no further validation rules will be run"

enum { NOTE_BYTES_MAX = 10 * 1024 };

struct asking {
	const struct policy *policy;
	struct arena *arena;
	struct policy_outcome *out;
	struct cel_run run;
	int64_t budget;
};

static void deny(struct asking *k, size_t check, const char *message, const char *reason, bool is_always)
{
	if (k->out->count == COUNT_OF(k->out->denials))
		return; /* one is enough to deny */
	k->out->denials[k->out->count].message = message;
	k->out->denials[k->out->count].reason = reason;
	k->out->denials[k->out->count].check = check;
	k->out->denials[k->out->count++].is_always = is_always;
}

/* What could not be told. */
static void fail(struct asking *k, size_t check, const char *message, bool is_always)
{
	if (!k->policy->ignores_failure)
		deny(k, check, message, "Invalid", is_always);
}

/* Runs one; the budget's end is an error as others are. */
static struct cel_value evaluate(struct asking *k, const struct cel_program *p)
{
	struct cel_value v = {.kind = CEL_ERROR, .error = "it does not compile"};
	if (k->budget < 0)
		return (struct cel_value){.kind = CEL_ERROR, .error = OUT_OF_BUDGET};
	if (p)
		v = cel_run(p, &k->run);
	k->budget -= (int64_t)k->run.cost;
	k->run.cost = 0;
	k->run.is_over = false;
	return k->budget < 0 ? (struct cel_value){.kind = CEL_ERROR, .error = OUT_OF_BUDGET} : v;
}

static const char *message_of(struct asking *k, const struct policy_check *c)
{
	const char *why;
	if (c->message_program) {
		struct slice s = kube_cel_message(evaluate(k, c->message_program), &why);
		if (s.len)
			return arena_memdup(k->arena, s.ptr, s.len);
	}
	if (c->message.len)
		return c->message.ptr;
	return arena_printf(k->arena, "failed expression: %.*s", SLICE_FMT(c->expression));
}

static void ask_check(struct asking *k, size_t i)
{
	const struct policy_check *c = &k->policy->program->checks[i];
	struct cel_value v = evaluate(k, c->program);
	if (cel_is_true(v))
		return;
	if (v.kind == CEL_BOOL) {
		deny(k, i, message_of(k, c), c->reason.len ? c->reason.ptr : "Invalid", false);
		return;
	}
	fail(k, i,
	        arena_printf(k->arena, "expression '%.*s' resulted in error: %s", SLICE_FMT(c->expression),
	                v.kind == CEL_ERROR ? cel_error_text(v) : "it is no bool"),
	        false);
}

static void ask_annotation(struct asking *k, const struct policy_annotation *n)
{
	struct cel_value v = evaluate(k, n->program);
	if (v.kind == CEL_ERROR) {
		fail(k, 0, arena_strdup(k->arena, cel_error_text(v)), true);
		return;
	}
	struct slice s = v.kind == CEL_STRING ? slice_trim(v.text) : SLICE_NULL;
	if (!s.len || k->out->note_count + 2 > COUNT_OF(k->out->notes))
		return;
	k->out->notes[k->out->note_count++] =
	        arena_printf(k->arena, "%.*s/%.*s", SLICE_FMT(k->policy->name), SLICE_FMT(n->key));
	k->out->notes[k->out->note_count++] =
	        arena_memdup(k->arena, s.ptr, s.len < NOTE_BYTES_MAX ? s.len : NOTE_BYTES_MAX);
}

void policy_ask(const struct policy *p, struct arena *a, struct cel_value *values, struct policy_outcome *ret)
{
	struct asking k = {.policy = p,
	        .arena = a,
	        .out = ret,
	        .run = {.arena = a, .variables = values, .cost_max = KUBE_CEL_CALL_COST_MAX},
	        .budget = KUBE_CEL_BUDGET};
	const char *why = "";
	*ret = (struct policy_outcome){0};
	enum match_verdict verdict = match_conditions_ask(p->program->conditions, a, values, &why);
	if (verdict == MATCH_ERROR)
		fail(&k, 0, why, false);
	if (verdict != MATCH_HOLDS)
		return;
	values[POLICY_VARIABLES] = policy_variables(a, p->program, values);
	for (size_t i = 0; i < p->program->check_count; i++)
		ask_check(&k, i);
	k.budget = KUBE_CEL_BUDGET;
	for (size_t i = 0; i < p->program->annotation_count; i++)
		ask_annotation(&k, &p->program->annotations[i]);
}
