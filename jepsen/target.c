/* See target.h: the list of targets. */
#include "jepsen/target.h"

#include "base/check.h"

#include <string.h>

static const struct target *const targets[] = {&target_etcd, &target_k3x, &target_server};

const struct target *target_find(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(targets); i++)
		if (strcmp(targets[i]->name, name) == 0)
			return targets[i];
	return NULL;
}
