/* See family_state_int.h. */
#include "net/fabric/family_state_int.h"

const struct peer_end *family_peer_of(const struct fabric_family *f, const struct ip *pods)
{
	MAP_FOREACH (slot, &f->peers)
		if (ip_equal(&family_peer_end(slot)->pods.first, pods))
			return family_peer_end(slot);
	return NULL;
}
