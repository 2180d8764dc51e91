/* Images: having one at hand for a container, and the list that the Node shows. Loop's thread. */
#ifndef K3X_NODE_RUNTIME_IMAGE_H
#define K3X_NODE_RUNTIME_IMAGE_H

#include "base/err.h"
#include "base/json/json.h"

struct node;
struct images;
struct image_request;

/* changed(n): the list of images_status() is another one. */
struct images *images_new(struct node *n, void (*changed)(struct node *n));
void images_free(struct images *i);
/* What was being imported is in, or never will be: those that waited for it are asked for again. */
void images_look_again(struct images *i);

struct image_result {
	const char *reference; /* of the image as the runtime knows it */
	int64_t uid;           /* -1: none said */
	const char *username;
	const char *reason; /* static, on errors: ErrImagePull, ErrImageNeverPull, InvalidImageName */
};

struct image_credential {
	const char *user, *password;
};

/* Has the image at hand as the policy says. A pull tries the credentials one after the other, which are copied, or,
 * when there are none, goes without. `on_pull` (may be NULL) is called when a pull begins. done() is called once, on
 * the loop, never inside. */
struct image_request *image_ensure(struct node *n, const char *image, const char *policy,
        const struct image_credential *credentials, size_t credentials_count, void (*on_pull)(void *arg),
        void (*done)(void *arg, const struct image_result *r, const struct err *err), void *arg);
void image_forget(struct image_request *r); /* done is not called */
/* Status.images of the Node; appended in the arena. Fetches in the background. */
struct json *images_status(struct node *n, struct arena *a);

#endif
