/* See status.h. */
#include "api/client/status.h"

#include "base/json/json.h"

struct reason_row {
	const char *reason;
	int code;
};

static const struct reason_row reasons[] = {
#define ERR_ROW(name, text, http, reason, grpc, exit_code, retry) {reason, ERR_##name},
        ERR_ROWS
#undef ERR_ROW
};

static int code_of(struct slice reason, int http_status)
{
	for (size_t i = 0; reason.len && i < sizeof reasons / sizeof *reasons; i++)
		if (slice_is(reason, reasons[i].reason))
			return reasons[i].code;
	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (err_http_status(reasons[i].code) == http_status)
			return reasons[i].code;
	return http_status >= 500 ? ERR_UNAVAILABLE : ERR_INVAL;
}

static bool has_cause(const struct json *status, const char *reason)
{
	JSON_FOREACH (it, json_path(status, "details", "causes", NULL))
		if (slice_is(json_get_str(it, "reason"), reason))
			return true;
	return false;
}

int client_status_to_err(int http_status, struct slice body, struct err *err)
{
	*err = ERR_INIT;
	if (http_status >= 200 && http_status < 300)
		return 0;
	struct arena a = ARENA_INIT;
	struct json *s = json_parse(&a, body, NULL, NULL);
	struct slice message = json_get_str(s, "message");
	if (!message.len)
		message = (struct slice){body.ptr, body.len < 200 ? body.len : 200};
	int code = has_cause(s, "NamespaceTerminating") ? ERR_TERMINATING
	                                                : code_of(json_get_str(s, "reason"), http_status);
	err_set(err, code, "%.*s", SLICE_FMT(message));
	arena_release(&a);
	return err->code;
}
