/* NamespaceLifecycle: nothing new in a namespace that is not there or is going away, and some namespaces stay. */
#include "api/server/admission/admission.h"
#include "api/server/admission/plugin.h"

#include "api/machinery/schema/kind_ops.h"
#include "api/server/strategy.h"

static bool is_immortal(struct slice name)
{
	return slice_is(name, "default") || slice_is(name, "kube-system") || slice_is(name, "kube-public");
}

static int check_deletion(const struct admission *a, struct err *err)
{
	if (!resource_has(a->resource, KIND_IS_NAMESPACE) || !is_immortal(a->name))
		return 0;
	return err_set(err, ERR_FORBIDDEN, "namespaces \"%.*s\" is forbidden: this namespace may not be deleted",
	        SLICE_FMT(a->name));
}

static bool is_dying(const struct object *o)
{
	struct arena arena = ARENA_INIT;
	struct json *tree = json_parse(&arena, object_text(o), NULL, NULL);
	bool dying = json_path(tree, "metadata", "deletionTimestamp", NULL) != NULL;
	arena_release(&arena);
	return dying;
}

int admit_namespace_lifecycle(struct admission *a, struct err *err)
{
	if (a->operation == ADMISSION_DELETE)
		return check_deletion(a, err);
	if (!a->resource->namespaced || !a->resource->storage_prefix) /* a question leaves nothing there */
		return 0;
	struct object *o = admission_lookup(a, "", "namespaces", a->ns);
	if (!o)
		return err_set(err, ERR_NOT_FOUND, "namespaces \"%.*s\" not found", SLICE_FMT(a->ns));
	if (is_dying(o))
		return err_set(err, ERR_TERMINATING,
		        "%s%s%s \"%.*s\" is forbidden: unable to create new content in namespace %.*s because it is "
		        "being "
		        "terminated",
		        a->resource->plural, *a->resource->group ? "." : "", a->resource->group, SLICE_FMT(a->name),
		        SLICE_FMT(a->ns));
	return 0;
}
