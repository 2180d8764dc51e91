/* Named quantities: what containers and pods ask for and are limited to, what a LimitRange or a ResourceQuota says of
 * them. Names are borrowed, the list lies in its arena. Any thread. */
#ifndef K3X_API_MACHINERY_CODEC_RESOURCE_LIST_H
#define K3X_API_MACHINERY_CODEC_RESOURCE_LIST_H

#include "api/machinery/codec/quantity.h"

struct named_quantity {
	struct slice name;
	struct quantity q;
};

struct resource_list {
	struct arena *arena;
	struct named_quantity *list;
	size_t n, cap;
};

/* A resource list, {"cpu": "500m", ...}; what is no quantity was refused before and is left out. */
struct resource_list resource_list_read(struct arena *a, const struct json *map);
/* NULL: it is not named. */
struct quantity *resource_list_get(const struct resource_list *a, struct slice name);
void resource_list_set(struct resource_list *a, struct slice name, const struct quantity *q);
void resource_list_add(struct resource_list *a, const struct resource_list *more); /* name by name */
void resource_list_sub(struct resource_list *a, const struct resource_list *less);
void resource_list_raise(
        struct resource_list *a, const struct resource_list *other); /* to the larger of both, name by name */
/* As a resource list, in canonical form, in the order they came. */
struct json *resource_list_json(const struct resource_list *a);
/* "cpu=1,memory=2Gi" in order of names, as upstream's messages have it. */
const char *resource_list_text(const struct resource_list *a, struct arena *arena);
/* "cpu,memory", the same way. */
const char *resource_list_names(const struct resource_list *a, struct arena *arena);

/* What a pod asks for (resources.requests) or may use (resources.limits): containers together with init containers that
 * stay, or the largest init container with those that stay before it, whichever is more. */
struct resource_list resource_list_of_pod(struct arena *a, const struct json *spec, const char *which);

#endif
