/* See container_record.h. */
#include "node/ground/container_record.h"

#include "base/check.h"

#include <stdlib.h>

void container_free(struct container *c)
{
	CHECK(!c->probes);
	list_del(&c->in_pod);
	free(c->id);
	free(c->sandbox_id);
	free(c->name);
	free(c->reason);
	free(c->message);
	free(c->image_ref);
	free(c->hash);
	free(c);
}

void sandbox_free(struct sandbox *s)
{
	list_del(&s->in_pod);
	free(s->id);
	free(s->ip);
	free(s->ip_other);
	free(s);
}
