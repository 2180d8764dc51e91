/* The one table of error codes.
 *
 * A row is ERR_ROW(NAME, text, HTTP status, Kubernetes reason, gRPC status, process exit code, may be retried).
 * The HTTP pair is what the API server puts in a Status object (see metav1.StatusReason), the gRPC status is the one of
 * the etcd API (grpc/grpc doc/statuscodes.md), the exit code is what command line tools end with, and "may be retried"
 * says that the same request can succeed later without being changed. */
#ifndef K3X_BASE_ERR_CODES_H
#define K3X_BASE_ERR_CODES_H

#define ERR_ROWS \
	/* the request is at fault */ \
	ERR_ROW(INVAL, "bad request", 400, "BadRequest", 3, 2, 0) \
	ERR_ROW(UNAUTHENTICATED, "not authenticated", 401, "Unauthorized", 16, 3, 0) \
	ERR_ROW(FORBIDDEN, "forbidden", 403, "Forbidden", 7, 3, 0) \
	ERR_ROW(NOT_FOUND, "not found", 404, "NotFound", 5, 4, 0) \
	ERR_ROW(METHOD, "method not allowed", 405, "MethodNotAllowed", 12, 2, 0) \
	ERR_ROW(NOT_ACCEPTABLE, "not acceptable", 406, "NotAcceptable", 3, 2, 0) \
	ERR_ROW(EXISTS, "already exists", 409, "AlreadyExists", 6, 4, 0) \
	ERR_ROW(CONFLICT, "conflict", 409, "Conflict", 10, 4, 0) \
	ERR_ROW(COMPACTED, "revision has been compacted", 410, "Expired", 11, 4, 0) \
	ERR_ROW(FUTURE_REVISION, "revision is in the future", 504, "Timeout", 11, 4, 1) \
	ERR_ROW(TOO_BIG, "too large", 413, "RequestEntityTooLarge", 8, 2, 0) \
	ERR_ROW(MEDIA_TYPE, "unsupported media type", 415, "UnsupportedMediaType", 3, 2, 0) \
	ERR_ROW(INVALID_OBJECT, "invalid object", 422, "Invalid", 3, 2, 0) \
	ERR_ROW(UNIMPLEMENTED, "not implemented", 501, "NotImplemented", 12, 2, 0) \
	/* a resource is short: shed load, try again later */ \
	ERR_ROW(BUSY, "too many requests", 429, "TooManyRequests", 8, 5, 1) \
	ERR_ROW(UNAVAILABLE, "unavailable", 503, "ServiceUnavailable", 14, 5, 1) \
	ERR_ROW(TIMEOUT, "timed out", 504, "Timeout", 4, 5, 1) \
	ERR_ROW(NO_SPACE, "no space left", 507, "InternalError", 8, 5, 1) \
	ERR_ROW(NOMEM, "out of memory", 503, "ServiceUnavailable", 8, 5, 1) \
	ERR_ROW(CANCELED, "canceled", 503, "ServiceUnavailable", 1, 5, 1) \
	/* a peer, a file or the system is at fault */ \
	ERR_ROW(PROTOCOL, "protocol error", 400, "BadRequest", 13, 6, 0) \
	ERR_ROW(CLOSED, "connection closed", 503, "ServiceUnavailable", 14, 6, 1) \
	ERR_ROW(LOCKED, "in use by another process", 500, "InternalError", 9, 6, 0) \
	ERR_ROW(CORRUPT, "corrupt", 500, "InternalError", 15, 7, 0) \
	ERR_ROW(IO, "input/output error", 500, "InternalError", 13, 6, 0) \
	ERR_ROW(INTERNAL, "internal error", 500, "InternalError", 13, 1, 0) \
	/* a cause of Forbidden that clients of ours must tell apart: nothing new comes into a namespace that goes \
	 * away */ \
	ERR_ROW(TERMINATING, "namespace is being terminated", 403, "Forbidden", 7, 3, 0)

#endif
