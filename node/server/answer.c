/* See answer_int.h. */
#include "node/server/answer_int.h"

void kubelet_answer_err(struct http_exchange *x, const struct err *err)
{
	http_set_content_type(x, "text/plain; charset=utf-8");
	http_respond_copy(x, err_http_status(err->code), slice_of(err->msg));
}

struct slice kubelet_param(struct http_exchange *x, const char *name)
{
	struct slice rest = http_request(x)->query, key, value;
	while (http_query_next(http_arena(x), &rest, &key, &value))
		if (slice_is(key, name))
			return value;
	return SLICE_NULL;
}

bool kubelet_flag(struct http_exchange *x, const char *name)
{
	struct slice v = kubelet_param(x, name);
	return slice_is(v, "1") || slice_is(v, "true");
}
