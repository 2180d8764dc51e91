/* Plain routes between nodes on one link: see way_int.h. A route to a node's pods leads to the node itself. */
#include "net/fabric/way_int.h"

static int link_of(struct fabric_family *f, int beneath, int *ret_link, struct err *err)
{
	*ret_link = beneath;
	return 0;
}

static bool has_end(const struct peer_end *p)
{
	return true;
}

static struct netlink_route route(const struct fabric_family *f, const struct peer_end *p)
{
	return (struct netlink_route){.to = p->pods, .via = p->host, .link = f->link};
}

static void write_end(const struct fabric_family *f, struct strbuf *out)
{
	strbuf_adds(out, "null");
}

const struct fabric_way fabric_host_gw = {
        .link = link_of, .has_end = has_end, .route = route, .write_end = write_end, .type = "host-gw"};
