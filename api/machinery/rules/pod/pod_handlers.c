/* Probes, hooks and restart policies of containers: what would else be stored and never run. Upstream:
 * pkg/apis/core/validation (validateProbe, validateLifecycle, validateInitContainers). */
#include "api/machinery/rules/pod/pod_parts_int.h"
#include "api/machinery/rules/checks.h"

#include "base/check.h"

static void check_http(struct field_errors *e, const char *here, const struct json *http)
{
	int i = 0;
	check_choice(e, at(e, "%s.scheme", here), json_get_str(http, "scheme"), "HTTP,HTTPS", false);
	JSON_FOREACH (it, json_get(http, "httpHeaders")) {
		if (!json_get_str(it, "name").len)
			bad_required(e, at(e, "%s.httpHeaders[%d].name", here, i), "");
		i++;
	}
}

static void check_handler_port(struct field_errors *e, const char *here, const struct json *action)
{
	struct json *port = json_get(action, "port");
	if (json_is(port, JSON_NUMBER))
		check_port(e, at(e, "%s.port", here), json_int(port, 0));
	else if (action && !json_str(port).len)
		bad_required(e, at(e, "%s.port", here), "");
}

/* `kinds` ends with NULL. */
static void check_handler(struct field_errors *e, const char *here, const struct json *h, const char *const *kinds)
{
	int n = 0;
	for (size_t i = 0; kinds[i]; i++)
		if (object_member(h, kinds[i]) && ++n > 1)
			bad_forbidden(e, at(e, "%s.%s", here, kinds[i]), "may not specify more than 1 handler type");
	if (n == 0)
		bad_required(e, here, "must specify a handler type");
	struct json *command = json_path(h, "exec", "command", NULL), *http = json_get(h, "httpGet");
	if (json_get(h, "exec") && !(command && command->first))
		bad_required(e, at(e, "%s.exec.command", here), "");
	if (http)
		check_http(e, at(e, "%s.httpGet", here), http);
	check_handler_port(e, at(e, "%s.httpGet", here), http);
	check_handler_port(e, at(e, "%s.tcpSocket", here), json_get(h, "tcpSocket"));
	check_handler_port(e, at(e, "%s.grpc", here), json_get(h, "grpc"));
}

/* ---- probes ---- */

static void check_probe_grace(struct field_errors *e, const char *here, const struct json *p, bool is_readiness)
{
	struct json *grace = json_get(p, "terminationGracePeriodSeconds");
	const char *field = at(e, "%s.terminationGracePeriodSeconds", here);
	if (!grace || json_is(grace, JSON_NULL))
		return;
	if (is_readiness)
		bad_number(e, field, json_int(grace, 0), "must not be set for readinessProbes");
	else if (json_int(grace, 0) <= 0)
		bad_number(e, field, json_int(grace, 0), "must be greater than 0");
}

static void check_probe(struct field_errors *e, const char *base, const struct json *container, const char *name)
{
	static const char *const kinds[] = {"exec", "httpGet", "tcpSocket", "grpc", NULL};
	static const char *const numbers[] = {
	        "initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"};
	struct json *p = json_get(container, name);
	if (!p || json_is(p, JSON_NULL))
		return;
	const char *here = at(e, "%s.%s", base, name);
	bool is_readiness = strcmp(name, "readinessProbe") == 0;
	check_handler(e, here, p, kinds);
	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		check_non_negative(e, at(e, "%s.%s", here, numbers[i]), json_get(p, numbers[i]));
	if (!is_readiness && json_get_int(p, "successThreshold", 1) != 1)
		bad_number(e, at(e, "%s.successThreshold", here), json_get_int(p, "successThreshold", 1), "must be 1");
	check_probe_grace(e, here, p, is_readiness);
}

void validate_probes(struct field_errors *e, const char *field, const struct json *container)
{
	check_probe(e, field, container, "livenessProbe");
	check_probe(e, field, container, "readinessProbe");
	check_probe(e, field, container, "startupProbe");
}

/* ---- hooks ---- */

static void check_hook(
        struct field_errors *e, const char *base, const struct json *container, const char *name, int64_t grace_s)
{
	static const char *const kinds[] = {"exec", "httpGet", "tcpSocket", "sleep", NULL};
	struct json *h = json_path(container, "lifecycle", name, NULL);
	const char *here = at(e, "%s.lifecycle.%s", base, name);
	if (!h || json_is(h, JSON_NULL))
		return;
	check_handler(e, here, h, kinds);
	int64_t seconds = json_int(json_path(h, "sleep", "seconds", NULL), 0);
	if (json_get(h, "sleep") && (seconds <= 0 || seconds > grace_s))
		bad_number(e, at(e, "%s.sleep", here), seconds,
		        at(e,
		                "must be greater than 0 and less than terminationGracePeriodSeconds (%lld). Enable "
		                "AllowPodLifecycleSleepActionZeroValue feature gate for zero sleep.",
		                (long long)grace_s));
}

/* An init container that does not stay is over before anybody could ask it. */
static void check_init(struct field_errors *e, const char *here, const struct json *c)
{
	static const char *const fields[] = {"lifecycle", "livenessProbe", "readinessProbe", "startupProbe"};
	for (size_t i = 0; i < COUNT_OF(fields); i++) {
		const struct json *v = json_get(c, fields[i]);
		if (v && !json_is(v, JSON_NULL))
			bad_forbidden(e, at(e, "%s.%s", here, fields[i]),
			        "may not be set for init containers without restartPolicy=Always");
	}
}

void validate_container_life(
        struct field_errors *e, const char *field, const struct json *container, bool is_init, int64_t grace_s)
{
	struct slice policy = json_get_str(container, "restartPolicy");
	const char *here = at(e, "%s.restartPolicy", field);
	bool stays = is_init && slice_is(policy, "Always");
	if (policy.len && !is_init)
		bad_forbidden(e, here, "may not be set for non-init containers");
	else if (is_init)
		check_choice(e, here, policy, "Always", false);
	if (is_init && !stays)
		check_init(e, field, container);
	check_hook(e, field, container, "postStart", grace_s);
	check_hook(e, field, container, "preStop", grace_s);
}
