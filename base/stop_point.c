/* See stop_point.h. */
#include "base/stop_point.h"

#ifdef K3X_BREAKABLE

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
#define STOP_POINT(id, name) [STOP_##id] = name,
        STOP_POINTS
#undef STOP_POINT
};

void stop_point(enum stop_point p)
{
	const char *name = getenv("K3X_STOP");
	if (!name || strcmp(name, names[p]) != 0)
		return;
	fprintf(stderr, "this server dies on purpose: %s\n", name);
	raise(SIGKILL);
}

#endif
