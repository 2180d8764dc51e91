/* See breakage.h. */
#include "base/breakage.h"

#ifdef K3X_BREAKABLE

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = {
#define BREAKAGE(id, name) [BREAK_##id] = name,
        BREAKAGES
#undef BREAKAGE
};

static int chosen = -1;

static void choose(void)
{
	const char *name = getenv("K3X_BREAK");
	for (int i = 0; name && i < (int)(sizeof names / sizeof *names); i++)
		if (strcmp(names[i], name) == 0)
			chosen = i;
	if (name && chosen < 0)
		fprintf(stderr, "K3X_BREAK=%s is not known\n", name);
	if (chosen >= 0)
		fprintf(stderr, "this server is broken on purpose: %s\n", names[chosen]);
}

bool breakage_is(enum breakage b)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, choose);
	return chosen == (int)b;
}

#endif
