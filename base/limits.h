/* Every limit of the house, with its unit and its reason. Names end in the unit and _MAX (or _MIN). */
#ifndef K3X_BASE_LIMITS_H
#define K3X_BASE_LIMITS_H

/* ---- requests ---- */
/* What kube-apiserver takes as a request body (MaxRequestBodyBytes). */
#define API_BODY_BYTES_MAX (3u * 1024 * 1024)
/* Request line and headers together, HTTP/1.1 and HTTP/2: Go's default is 1 MiB, browsers stay under 64 KiB. */
#define HTTP_HEADER_BYTES_MAX (64u * 1024)
#define HTTP_HEADERS_MAX 128
/* Streams one client may have open on one HTTP/2 connection (Go's server default: 250; client-go opens one per watch).
 */
#define HTTP2_STREAMS_MAX 1000
/* Flow control: what a client may send ahead on one stream and on one connection before we have taken it. */
#define HTTP2_STREAM_WINDOW_BYTES (256 * 1024)
#define HTTP2_CONNECTION_WINDOW_BYTES (1024 * 1024)
/* Streams a client may reset at once, and per second after that, before its connection is ended (rapid reset). */
#define HTTP2_RESETS_BURST_MAX 1000
#define HTTP2_RESETS_PER_S_MAX 33
/* Connections an API loop keeps; beyond it new ones are closed at once. */
#define API_CONNECTIONS_MAX 20000
/* A request's header or body that stalls this long ends its connection (slow loris). */
#define HTTP_READ_STALL_MS_MAX 30000
/* A peer that takes none of what is queued for it in this time is given up. */
#define HTTP_WRITE_STALL_MS_MAX 120000
/* An idle keep-alive connection is closed after this. */
#define HTTP_IDLE_MS_MAX 180000
/* Bytes queued on one connection that the peer does not take; producers pause well before. */
#define CONN_WRITE_QUEUE_BYTES_MAX (4u * 1024 * 1024)
/* Room of one exchange: producers write until it is full. Two or three TLS record runs of the socket buffer. */
#define HTTP_WRITE_ROOM_BYTES (128u * 1024)

/* ---- store ---- */
/* etcd's defaults: --max-request-bytes and --max-txn-ops. */
#define STORE_REQUEST_BYTES_MAX (1536u * 1024)
#define STORE_TXN_OPS_MAX 128
#define STORE_KEY_BYTES_MAX (64u * 1024)
/* Requests waiting for the writer; beyond it ERR_BUSY. */
#define STORE_REQUESTS_MAX 8192
/* Events kept in memory for watchers; those further behind read the disk. */
#define STORE_WATCH_RING_BYTES_MAX (8u * 1024 * 1024)
/* What one range may bring into memory; beyond it the answer is "use a limit". */
#define STORE_RANGE_BYTES_MAX (512u * 1024 * 1024)
/* One SQLite transaction of the writer: so many requests or bytes, then it commits and answers. */
#define STORE_BATCH_REQUESTS_MAX 1024
#define STORE_BATCH_BYTES_MAX (4u * 1024 * 1024)
/* One read of a watch stops after the revision that passes either. */
#define STORE_WATCH_READ_EVENTS_MAX 1000
#define STORE_WATCH_READ_BYTES_MAX (1024u * 1024)
/* Write-ahead log: past SOFT it is checkpointed beside the writer, past HARD the writer waits for the checkpoint. */
#define STORE_WAL_SOFT_BYTES_MAX (4u * 1024 * 1024)
#define STORE_WAL_HARD_BYTES_MAX (16u * 1024 * 1024)
/* Rows a compaction looks at per step of the writer, beside other work and alone. */
#define STORE_TRIM_BUSY_ROWS_MAX 100
#define STORE_TRIM_IDLE_ROWS_MAX 200
/* Committed commands that wait to be applied; beyond it a leader takes no new ones. */
#define STORE_APPLY_BYTES_MAX (64u * 1024 * 1024)
/* etcd's: lease TTLs beyond it are refused. */
#define STORE_LEASE_TTL_S_MAX 9000000000ll

#endif
