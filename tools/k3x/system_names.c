/* See system_names.h. A name's first part is a registry when it has a dot or a port in it, or is localhost: that is how
 * every client of registries tells "rancher/klipper-helm" from "registry.test/klipper-helm". */
#include "tools/k3x/system_names.h"

#include "base/mem/str.h"

#include <ctype.h>
#include <string.h>

enum { PORT_MAX = 65535 };

static bool is_host(struct slice s)
{
	bool ok = s.len && s.len < 254 && isalnum((unsigned char)s.ptr[0]);
	for (size_t i = 0; i < s.len && ok; i++)
		ok = isalnum((unsigned char)s.ptr[i]) || s.ptr[i] == '-' || s.ptr[i] == '.';
	return ok && s.ptr[s.len - 1] != '-' && s.ptr[s.len - 1] != '.';
}

int system_names_check(const char *registry, struct err *err)
{
	uint64_t port = 1;
	if (!registry || !*registry)
		return 0;
	struct slice rest = slice_of(registry), host = slice_cut(&rest, ':');
	bool has_port = strchr(registry, ':') != NULL;
	if (is_host(host) && (!has_port || (slice_to_u64(rest, &port) && port && port <= PORT_MAX)))
		return 0;
	return err_set(err, ERR_INVAL,
	        "--system-default-registry: \"%s\" is not a host, or host:port, like registry.test:5000", registry);
}

static bool names_registry(const char *image)
{
	struct slice rest = slice_of(image), first = slice_cut(&rest, '/');
	return rest.len &&
	       (memchr(first.ptr, '.', first.len) || memchr(first.ptr, ':', first.len) || slice_is(first, "localhost"));
}

const char *system_name(struct arena *a, const char *registry, const char *image)
{
	static const char hub[] = "docker.io/";
	if (!registry || !*registry || !image)
		return image;
	if (strncmp(image, hub, sizeof hub - 1) == 0)
		image += sizeof hub - 1;
	else if (names_registry(image))
		return image;
	return arena_printf(a, "%s/%s", registry, image);
}
