/* See front_proxy.h. TLS has verified whose CA vouches for the peer (conn_peer.is_proxy): headers of anybody else are
 * not looked at, whatever they are called. */
#include "api/server/auth/identity/front_proxy.h"

#include "base/check.h"
#include "base/pki/pki.h"
#include "base/wire/http.h"

#include <stdlib.h>

int front_proxy_check(const struct api_front_proxy_arguments *o, const char *client_ca_file, struct err *err)
{
	CLEANUP(cleanup_free) char *ours = NULL;
	CLEANUP(cleanup_free) char *theirs = NULL;
	bool says_more = o->allowed_names.count || o->username_headers.count || o->group_headers.count ||
	                 o->uid_headers.count || o->extra_prefixes.count;
	if (!o->ca_file)
		return says_more ? err_set(err, ERR_INVAL,
		                           "requestheader-...: requestheader-client-ca-file is missing, who is a proxy "
		                           "is not "
		                           "said")
		                 : 0;
	if (o->username_headers.count == 0)
		return err_set(
		        err, ERR_INVAL, "requestheader-client-ca-file: requestheader-username-headers are missing");
	if (pki_file_read(o->ca_file, &theirs, NULL, err) != 0)
		return err_wrap(err, "requestheader-client-ca-file");
	if (o->allowed_names.count == 0 && pki_file_read(client_ca_file, &ours, NULL, err) == 0 &&
	        strcmp(ours, theirs) == 0)
		return err_set(err, ERR_INVAL,
		        "requestheader-client-ca-file: it is the CA of clients, who could all be anybody: "
		        "requestheader-allowed-names must say who is a proxy");
	return err->code;
}

static bool is_listed(const struct flag_list *l, struct slice text)
{
	for (size_t i = 0; i < l->count; i++)
		if (slice_is(text, l->items[i]))
			return true;
	return false;
}

/* The first of these headers that says something. */
static struct slice value_of(const struct http_request *r, const struct flag_list *names)
{
	for (size_t i = 0; i < names->count; i++)
		for (size_t k = 0; k < r->headers_count; k++)
			if (slice_caseis(r->headers[k].name, names->items[i]) && r->headers[k].value.len)
				return r->headers[k].value;
	return SLICE_NULL;
}

static bool add_groups(struct user *u, const struct http_request *r, const struct flag_list *names)
{
	for (size_t i = 0; i < names->count; i++)
		for (size_t k = 0; k < r->headers_count; k++)
			if (slice_caseis(r->headers[k].name, names->items[i]) && r->headers[k].value.len &&
			        !user_add_group(u, r->headers[k].value))
				return false;
	return user_is_in(u, "system:unauthenticated") || user_add_group(u, SLICE("system:authenticated"));
}

/* Names of headers come in small letters, and so are keys; they may be percent-encoded. */
static bool add_extra(struct user *u, struct slice name, struct slice value, const char *prefix)
{
	struct arena a = ARENA_INIT;
	size_t n = strlen(prefix);
	struct slice key;
	bool ok = true;
	if (name.len > n && slice_caseis((struct slice){name.ptr, n}, prefix)) {
		ok = http_decode(&a, (struct slice){name.ptr + n, name.len - n}, false, &key);
		if (ok)
			user_add_extra(u, key, value);
	}
	arena_release(&a);
	return ok;
}

static bool add_extras(struct user *u, const struct http_request *r, const struct flag_list *prefixes)
{
	for (size_t i = 0; i < prefixes->count; i++)
		for (size_t k = 0; k < r->headers_count; k++)
			if (!add_extra(u, r->headers[k].name, r->headers[k].value, prefixes->items[i]))
				return false;
	return true;
}

int front_proxy_user(
        const struct api_front_proxy_arguments *o, const struct http_request *r, struct user **ret, struct err *err)
{
	struct slice name = value_of(r, &o->username_headers);
	*ret = NULL;
	if (!o->ca_file || !r->peer->is_proxy || !name.len ||
	        (o->allowed_names.count && !is_listed(&o->allowed_names, r->peer->common_name)))
		return 0;
	struct user *u = user_new(name, value_of(r, &o->uid_headers));
	if (add_groups(u, r, &o->group_headers) && add_extras(u, r, &o->extra_prefixes)) {
		*ret = u;
		return 0;
	}
	user_unref(u);
	return err_set(err, ERR_UNAUTHENTICATED, "a proxy names more than %d groups, or an extra that is not encoded",
	        USER_GROUPS_MAX - 1);
}
