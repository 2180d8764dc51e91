/* See kind_ops.h. */
#include "api/machinery/schema/kind_ops.h"

const struct kind_ops *resource_ops(const struct resource *r)
{
	static const struct kind_ops plain = {0}, custom = {.status_keeps = STATUS_KEEPS_ALL};
	return r->ops ? r->ops : r->is_custom ? &custom : &plain;
}

bool resource_has(const struct resource *r, unsigned traits)
{
	return (resource_ops(r)->traits & traits) != 0;
}
