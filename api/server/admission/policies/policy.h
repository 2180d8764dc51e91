/* ValidatingAdmissionPolicies in force: compiled, with their bindings, as the watch cache has them. API loop. */
#ifndef K3X_API_SERVER_ADMISSION_POLICIES_POLICY_H
#define K3X_API_SERVER_ADMISSION_POLICIES_POLICY_H

#include "api/machinery/cel/policy_program.h"
#include "api/server/admission/match.h"

struct api_server;

struct policy {
	struct arena arena; /* of all below */
	struct slice name;
	int64_t revision;
	const struct json *spec;
	const struct admission_matcher *matcher; /* NULL: `fault` says why */
	const struct policy_program *program;
	const char *fault;
	bool ignores_failure;
};

struct policy_binding {
	struct arena arena;
	struct slice name, policy;
	int64_t revision;
	const struct json *spec;
	const struct admission_matcher *matcher; /* NULL: as above */
	const char *fault;
};

struct policies {
	struct policy **policies; /* in order of names */
	struct policy_binding **bindings;
	size_t policy_count, binding_count;
};

/* As fresh as the cache; good until the loop's next turn. Compiles what is new since the last time. */
const struct policies *policies_get(struct api_server *s);
/* With the server. */
void policies_free(struct api_server *s);

/* One policy asked about one request by one binding and one parameter. */
struct policy_outcome {
	size_t count; /* of what is wrong */
	struct {
		const char *message, *reason;
		size_t check;
		bool is_always; /* a denial whatever the binding's actions are: an audit annotation that failed */
	} denials[64];
	/* notes for the audit log: key and value in turn */
	const char *notes[2 * 20];
	size_t note_count;
};
/* `values`: the request's; params are set in them. */
void policy_ask(const struct policy *p, struct arena *a, struct cel_value *values, struct policy_outcome *ret);

#endif
