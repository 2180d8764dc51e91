/* The parts of a client that do not depend on its transport. See client.h. */
#include "api/client/client.h"

void client_send(struct client *c, struct client_request *req)
{
	LOOP_CHECK_OWNER(c->loop);
	req->err = ERR_INIT;
	req->http_status = 0;
	req->response = NULL;
	c->vtable->send(c, req);
}

void client_request_release(struct client_request *req)
{
	rcbuf_unref(req->response);
	req->response = NULL;
}

void client_cancel(struct client *c, struct client_request *req)
{
	LOOP_CHECK_OWNER(c->loop);
	c->vtable->cancel(c, req);
}

void client_watch_open(struct client *c, struct client_watch *w)
{
	LOOP_CHECK_OWNER(c->loop);
	c->vtable->watch_open(c, w);
}

void client_watch_close(struct client *c, struct client_watch *w)
{
	LOOP_CHECK_OWNER(c->loop);
	c->vtable->watch_close(c, w);
}

void client_close(struct client *c, void (*closed)(void *arg), void *arg)
{
	c->vtable->close(c, closed, arg);
}
