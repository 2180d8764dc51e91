/* See kube_cel.h. */
#include "api/machinery/cel/kube_cel.h"

#include "base/check.h"

#include <pthread.h>

static struct arena arena; /* never released */
static const struct cel_env *env;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make(void)
{
	static const struct cel_library *const libraries[] = {&kube_quantities, &kube_formats, &kube_authorizers};
	env = cel_env_new(&arena, libraries, COUNT_OF(libraries));
}

const struct cel_env *kube_cel_env(void)
{
	pthread_once(&once, make);
	return env;
}

struct slice kube_cel_message(struct cel_value v, const char **why)
{
	if (v.kind != CEL_STRING) {
		*why = v.kind == CEL_ERROR ? cel_error_text(v) : "failed to convert to string";
		return SLICE_NULL;
	}
	struct slice s = slice_trim(v.text);
	if (s.len > KUBE_CEL_MESSAGE_BYTES_MAX)
		*why = "beyond allowable length of 5120";
	else if (s.len && memchr(s.ptr, '\n', s.len))
		*why = "should not contain line breaks";
	else if (!s.len)
		*why = "should evaluate to a non-empty string";
	else
		return s;
	return SLICE_NULL;
}
