/* Versions of a CRD that a webhook converts (spec.conversion.strategy Webhook).
 *
 * Steps that need an object in another version call resource_convert() as for every kind. Where the webhook has not
 * been asked for that object yet they get ERR_UNAVAILABLE, and the object is noted as wanted. Who called then asks for
 * all that is wanted, and takes his step again when it is there:
 *
 *     step(x);
 *     if (conversion_is_wanted(r))
 *             conversion_ask(r, step_again, x);
 *
 * so that only the steps' beginnings and ends know of webhooks. Answers are remembered for a while, by the bytes of
 * what was asked: the same object is not asked for again by each of those who watch it. API loop. */
#ifndef K3X_API_SERVER_CONVERTING_CONVERSION_H
#define K3X_API_SERVER_CONVERTING_CONVERSION_H

#include "api/machinery/schema/custom_resource.h"

struct api_server;
struct call;
struct object;

/* Hangs on all rows of the set what its CRD says of conversion; nothing when that is None. Before anybody sees them. */
void conversion_attach(struct api_server *s, struct custom_resources *set, const struct json *crd);
/* The set is no longer the one that is served: connections go. */
void conversion_retire(struct custom_resources *set);

/* Somebody was told "not yet" since the last question. False for kinds without a webhook. */
bool conversion_is_wanted(const struct resource *r);
/* As much is wanted as is asked for at once. */
bool conversion_is_full(const struct resource *r);
/* Nobody asks for it after all. */
void conversion_forget(const struct resource *r);
/* Asks for what is wanted; done() follows, never from inside. Its error says why something did not come. What came is
 * there for as long as done() takes. */
void conversion_ask(const struct resource *r, void (*done)(void *arg, const struct err *err), void *arg);

/* The object's form in the version of the call's route is not known: it is asked for, and again(c) follows when it is
 * there, or the call is answered with why it is not. False: it is known, or none is needed. */
bool conversion_awaits(struct call *c, const struct object *o, void (*again)(struct call *c));
/* The call is answered as upstream answers when a conversion has failed: 500, without a reason. */
void conversion_blame(struct call *c, const struct err *err);

#endif
