/* Between two versions of one kind that share a storage. What changes hangs on the kind's row. */
#include "api/machinery/schema/kind_ops.h"

/* Objects in the store may be in any version. One with nothing in it is the same in all. */
static int by_webhook(
        struct arena *a, struct json *object, const struct resource *from, const struct resource *to, struct err *err)
{
	if (slice_is(json_get_str(object, "apiVersion"), to->api_version))
		return 0;
	if (!json_get(object, "metadata")) {
		json_set_cstr(a, object, "apiVersion", to->api_version);
		return 0;
	}
	return from->conversion->convert(from->conversion, a, object, to, err);
}

int resource_convert(
        struct arena *a, struct json *object, const struct resource *from, const struct resource *to, struct err *err)
{
	const struct kind_ops *ops = resource_ops(from);
	if (from->conversion)
		return by_webhook(a, object, from, to, err);
	if (from == to)
		return 0;
	if (from->is_custom && to->is_custom && strcmp(from->storage_prefix, to->storage_prefix) == 0) {
		json_set_cstr(a, object, "apiVersion", to->api_version); /* conversion strategy None */
		return 0;
	}
	if (from->storage != to->storage || !ops->convert)
		return err_set(err, ERR_UNIMPLEMENTED, "%s of %s cannot be converted to %s", from->plural,
		        from->api_version, to->api_version);
	int rc = ops->convert(a, object, to, err);
	if (rc == 0)
		json_set_cstr(a, object, "apiVersion", to->api_version);
	return rc;
}
