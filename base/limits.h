/* Every limit of the house, with its unit and its reason. Names end in the unit and _MAX (or _MIN). */
#ifndef K3X_BASE_LIMITS_H
#define K3X_BASE_LIMITS_H

/* ---- requests ---- */
/* What kube-apiserver takes as a request body (MaxRequestBodyBytes). */
#define API_BODY_BYTES_MAX (3u * 1024 * 1024)
/* How deep objects and arrays are nested in each other, whichever form they come in: JSON, YAML, protobuf, schemas.
 * What one of them reads the others can write. (kube-apiserver's JSON: 10,000; no built-in kind is nested deeper
 * than 20.) */
#define API_TREE_DEPTH_MAX 64
/* What the trees of one write may take; its end is an answer of 413. An object of the store's largest request, in the
 * smallest values, takes 20 MB as a tree, and a patch has some five of it. */
#define API_WRITE_ARENA_BYTES_MAX (128u * 1024 * 1024)
/* Of what requests were worked out in, this much is kept for the next ones. */
#define API_KEPT_ARENA_BYTES_MAX (1024u * 1024)
/* Expressions in CEL: their text (upstream bounds it by the request alone; the longest of published definitions has 3
 * KB), how deep they nest (cel-go's), and what one run may take of memory beside what it counts as cost. */
#define CEL_TEXT_BYTES_MAX (64u * 1024)
#define CEL_DEPTH_MAX 200
#define CEL_RUN_BYTES_MAX (64u * 1024 * 1024)
/* How long one write may be worked on, waits included, before it is given up with 504. */
#define API_WRITE_MS_MAX 10000
/* Answers that are built for one client (tables, YAML, protobuf lists) and wait for it to read them, all together: a
 * few lists of 10,000 pods at a time. JSON lists are sent by reference and do not count. */
#define API_BUILT_ANSWER_BYTES_MAX (64u * 1024 * 1024)
/* What another server answers to somebody within this process: metrics of some ten thousand pods. A larger one is none.
 */
#define API_INPROC_STREAM_BYTES_MAX (64u * 1024 * 1024)
/* Audit events that wait for the disk, or the webhook; beyond it they are lost, and counted. At 1 KB each: a second of
 * 16,000 requests.
 */
#define AUDIT_PENDING_BYTES_MAX (16u * 1024 * 1024)
/* How long a server that stops waits for its audit webhook to take the last batches. */
#define AUDIT_LAST_MS_MAX 3000
/* An event with its objects; of a larger one they are left out (upstream's largest batch, which is what its webhooks
 * take). */
#define AUDIT_EVENT_BYTES_MAX (10u * 1024 * 1024)
/* An object of which managedFields are left out: its tree takes ten times as much for a moment. Larger ones are left
 * out whole. */
#define AUDIT_PARSED_BYTES_MAX (2u * 1024 * 1024)
/* What is kept of the memory in which events are made. */
#define AUDIT_LINE_KEPT_BYTES_MAX (64u * 1024)
/* Request line and headers together, HTTP/1.1 and HTTP/2: Go's default is 1 MiB, browsers stay under 64 KiB. */
#define HTTP_HEADER_BYTES_MAX (64u * 1024)
#define HTTP_HEADERS_MAX 128
/* Streams one client may have open on one HTTP/2 connection (Go's server default: 250; clients open another
 * connection). */
#define HTTP2_STREAMS_MAX 250
/* What a server holds for the requests of one connection, heads and collected bodies: ten bodies of the largest size.
 * Beyond it the newest request is answered 429. */
#define HTTP_CONNECTION_HELD_BYTES_MAX (10u * API_BODY_BYTES_MAX)
/* The same for all peers together that nobody has vouched for yet (http_trust()): a thousand heads of the largest size.
 */
#define HTTP_STRANGERS_HELD_BYTES_MAX (1000u * HTTP_HEADER_BYTES_MAX)
/* Chunk sizes, extensions and line ends of one HTTP/1.1 body: beyond it the request is refused. */
#define HTTP_CHUNK_EXTENSION_BYTES_MAX 1024
/* Flow control: what a client may send ahead on one stream and on one connection before we have taken it. */
#define HTTP2_STREAM_WINDOW_BYTES (256 * 1024)
#define HTTP2_CONNECTION_WINDOW_BYTES (1024 * 1024)
/* Streams a client may reset at once, and per second after that, before its connection is ended (rapid reset). */
#define HTTP2_RESETS_BURST_MAX 1000
#define HTTP2_RESETS_PER_S_MAX 33
/* Connections an API loop keeps; beyond it new ones are closed at once. */
#define API_CONNECTIONS_MAX 20000
/* Connections that nobody has vouched for and that wait to be (a TLS handshake costs 35 KB): the one that has waited
 * longest makes room for a new one. */
#define HTTP_STRANGERS_MAX 1024
/* Descriptors that a server leaves for everything that is no connection of a client: logs, pods, peers. */
#define HTTP_DESCRIPTORS_RESERVED 1024
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

/* ---- calls to others: webhooks, an issuer's keys, extenders of the scheduler ---- */
/* What one may answer: an admission webhook sends a patch of an object, an issuer some keys. */
#define OUTGOING_ANSWER_BYTES_MAX API_BODY_BYTES_MAX
/* How long one may take, tries included, when its caller does not say (client-go's for webhooks). */
#define OUTGOING_MS_DEFAULT 30000
/* Connections to one target that speaks HTTP/1.1, and calls under way to one: beyond it ERR_BUSY. Of one, so that
 * strangers whose tokens a webhook is asked for are in nobody else's way. */
#define OUTGOING_CONNECTIONS_MAX 32
#define OUTGOING_CALLS_MAX 4096

/* What an extender of the scheduler may answer: thousands of whole nodes, as they were sent to it. */
#define EXTENDER_ANSWER_BYTES_MAX (16u * 1024 * 1024)

/* What one conversion webhook is asked for at a time, and what it may answer to that: many objects, each of which may
 * have grown. One object alone may be as large as a body. */
#define CONVERSION_OBJECTS_MAX 500
#define CONVERSION_BYTES_MAX (2u * 1024 * 1024)
#define CONVERSION_ANSWER_BYTES_MAX (16u * 1024 * 1024)
/* What is remembered of the answers of one CRD's, and for how long. */
#define CONVERSION_KEPT_BYTES_MAX (16u * 1024 * 1024)
#define CONVERSION_KEPT_MS 60000

/* What fails for every request alike is logged once in this time. */
#define LOG_REPEAT_MS 10000

/* Requests that wait until somebody has said whose token they bring; beyond it they are refused. */
#define AUTHN_WAITING_MAX 4096

/* ---- streams over one connection (base/wire/mux.h) ---- */
/* A frame's bytes: two TLS records; the longest that one stream keeps others waiting at a time. */
#define MUX_FRAME_BYTES_MAX (32u * 1024)
/* What may be under way to one reader that does not read: half a second of 4 Mbit/s. */
#define MUX_WINDOW_BYTES (256u * 1024)
/* Streams of one session: sessions of exec, logs and port-forward on one node at a time. */
#define MUX_STREAMS_MAX 256u
/* Why a stream was broken off. */
#define MUX_REASON_BYTES_MAX 256u

/* ---- store ---- */
/* etcd's defaults: --max-request-bytes and --max-txn-ops. */
#define STORE_REQUEST_BYTES_MAX (1536u * 1024)
#define STORE_TXN_OPS_MAX 128
#define STORE_KEY_BYTES_MAX (64u * 1024)
/* What --max-request-bytes may be set to, and --max-txn-ops. */
#define STORE_REQUEST_BYTES_CEILING (16u * 1024 * 1024)
#define STORE_TXN_OPS_CEILING 100000
/* Transactions in transactions: each level costs stack where it is checked, coded and carried out. */
#define STORE_TXN_DEPTH_MAX 8
/* A request as a command of the log. What an operation takes besides its bytes (numbers, flags) comes on top of those.
 */
#define STORE_COMMAND_BYTES_MAX (24u * 1024 * 1024)
/* Keys of a lease that has run out, deleted in one revision: a larger one ends over several, so that nobody waits long.
 */
#define STORE_EXPIRY_KEYS_MAX 10000
/* Requests waiting for the writer; beyond it ERR_BUSY. */
#define STORE_REQUESTS_MAX 8192
/* Events kept in memory for watchers; those further behind read the disk. */
#define STORE_WATCH_RING_BYTES_MAX (8u * 1024 * 1024)
/* What one range may bring into memory; beyond it the answer is "use a limit". */
#define STORE_RANGE_BYTES_MAX (512u * 1024 * 1024)
/* One read of a watch stops after the revision that passes either. */
#define STORE_WATCH_READ_EVENTS_MAX 1000
#define STORE_WATCH_READ_BYTES_MAX (1024u * 1024)
/* Of what is applied and not in the database yet: a segment of the memory table is flushed at this size (there is one
 * more at most, which holds up to twice as much when the disk is slow), or when so much of the log was applied since
 * the last time: a start applies it again. */
#define STORE_TABLE_BYTES_MAX (8u * 1024 * 1024)
#define STORE_FLUSH_LOG_BYTES_MAX (32u * 1024 * 1024)
/* Versions lie in the database in blocks: of about so many bytes before they are packed (16 KiB of Pods fill a page of
 * 4 KiB, and twice as much gains little and is unpacked for every point read), and no more than so many versions. A
 * version that is larger has one to itself; what a file says a block unpacks to is believed up to RAW_MAX. */
#define STORE_BLOCK_BYTES (16u * 1024)
#define STORE_BLOCK_VERSIONS_MAX 256
#define STORE_BLOCK_RAW_MAX (128u * 1024 * 1024)
/* Unpacked blocks that a connection keeps; a check of a whole file keeps more, for it steps back from every version. */
#define STORE_BLOCK_CACHE_BLOCKS_MAX 64
#define STORE_BLOCK_CACHE_BYTES_MAX (1024u * 1024)
#define STORE_CHECK_CACHE_BLOCKS_MAX 4096
#define STORE_CHECK_CACHE_BYTES_MAX (64u * 1024 * 1024)
/* Versions that a compaction looks at in one transaction; each can be why a block is written anew. */
#define STORE_TRIM_ROWS_MAX 1000
/* A snapshot that is sent: read and sent in such pieces (whole pages, and below what malloc maps and unmaps each time),
 * two of which are in memory; so many at a time. A client that
 * takes nothing for so long is cut off, and one so slow that the log, which cannot be shortened before it is through,
 * grows to this: it may not fill the disk. */
#define STORE_SNAPSHOT_PIECE_BYTES (30u * 4096)
#define STORE_SNAPSHOTS_MAX 4
#define STORE_SNAPSHOT_STALL_MS_MAX 60000
#define STORE_SNAPSHOT_LOG_BYTES_MAX (1024u * 1024 * 1024)
/* Committed commands that wait to be applied; beyond it a leader takes no new ones. */
#define STORE_APPLY_BYTES_MAX (64u * 1024 * 1024)
/* etcd's: lease TTLs beyond it are refused. */
#define STORE_LEASE_TTL_S_MAX 9000000000ll

/* ---- raft: each holds the one before it, with what is put around it ---- */
/* One entry: a command alone, or small ones packed together. */
#define RAFT_PACK_BYTES_MAX (1024u * 1024)
#define RAFT_ENTRY_BYTES_MAX (STORE_COMMAND_BYTES_MAX + 64)
/* One write of the log: entries that came together. */
#define RAFT_BATCH_BYTES_MAX (32u * 1024 * 1024)
/* One message to a peer: entries that follow each other, up to as many bytes as a batch takes. */
#define RAFT_MESSAGE_BYTES_MAX (40u * 1024 * 1024)

_Static_assert(STORE_KEY_BYTES_MAX < STORE_REQUEST_BYTES_MAX, "a request has room for a key and a value");
_Static_assert(STORE_REQUEST_BYTES_MAX <= STORE_REQUEST_BYTES_CEILING && STORE_TXN_OPS_MAX <= STORE_TXN_OPS_CEILING,
        "defaults are possible settings");
_Static_assert(STORE_REQUEST_BYTES_CEILING <= STORE_COMMAND_BYTES_MAX / 3 * 2, "a command has room for a request");
_Static_assert(STORE_REQUEST_BYTES_MAX *STORE_TXN_OPS_MAX < STORE_RANGE_BYTES_MAX,
        "what a transaction puts can be read in it as often as it has operations");
_Static_assert(STORE_COMMAND_BYTES_MAX + 1024 < STORE_BLOCK_RAW_MAX, "what was written can be read");
_Static_assert(STORE_TRIM_ROWS_MAX *STORE_BLOCK_BYTES <= 16u * 1024 * 1024, "a step of compaction is short");
_Static_assert(STORE_COMMAND_BYTES_MAX < RAFT_ENTRY_BYTES_MAX && RAFT_PACK_BYTES_MAX < RAFT_ENTRY_BYTES_MAX,
        "an entry has room for a command");
_Static_assert(RAFT_ENTRY_BYTES_MAX + 64 < RAFT_BATCH_BYTES_MAX, "a batch has room for an entry");
_Static_assert(RAFT_BATCH_BYTES_MAX + 1024 < RAFT_MESSAGE_BYTES_MAX, "a message has room for a batch");
_Static_assert(STORE_APPLY_BYTES_MAX > 2 * RAFT_ENTRY_BYTES_MAX, "the largest entry may wait behind another");

_Static_assert(HTTP_CONNECTION_HELD_BYTES_MAX >= API_BODY_BYTES_MAX + HTTP_HEADER_BYTES_MAX,
        "one connection can bring one request of the largest size");
_Static_assert(HTTP_STRANGERS_HELD_BYTES_MAX > HTTP_HEADER_BYTES_MAX, "a stranger can bring a head");

/* ---- the network of a node ---- */
/* What nft takes as a comment (NFTNL_UDATA_COMMENT_MAXLEN). */
#define NFT_COMMENT_BYTES_MAX 128
/* What the kernel may have told of nftables before it is read: a transaction of some ten thousand rules. */
#define NFT_WATCH_BYTES (8 * 1024 * 1024)
/* What is kept of nft's words about a script: its first error stands at their beginning. */
#define NFT_OUTPUT_BYTES_MAX (16u * 1024)
/* Addresses of endpoints that left stay in a set, which does no harm; past so many the table is written anew. */
#define PROXY_HAIRPINS_MAX 65536
/* An agent's way to the servers: how many of them it knows (a cluster has seven at the most that vote; a load
 * balancer's names come on top), and connections that go through it at a time, beyond which new ones are closed: the
 * kubelet and the proxy have one each, the rest is whoever on the machine uses the port. */
#define BALANCER_SERVERS_MAX 32u
#define BALANCER_CONNECTIONS_MAX 1024u
/* Tunnels of one node that one server keeps: a node that reaches it under several addresses has several. */
#define TUNNELS_PER_NODE_MAX 4u

/* ---- the ingress ---- */
/* Connections to one endpoint; requests beyond it wait. */
#define INGRESS_UPSTREAM_CONNECTIONS_MAX 1024u
/* Connections of clients to one entry point; more are closed as they come. */
#define INGRESS_CONNECTIONS_MAX 16384u
/* Of a request's body so much is read until an endpoint is connected to: it is kept, so that another may be asked. */
#define INGRESS_REPLAY_BYTES_MAX (64u * 1024)
/* Addresses whose rate is known, of all rules together; some 200 bytes each. */
#define INGRESS_RATE_CLIENTS_MAX 16384u
/* Passwords known to be right, each for a while. */
#define INGRESS_LOGINS_MAX 1024u

/* ---- the cluster's DNS server ---- */
/* A Corefile with what it imports (a ConfigMap has 1 MiB), its words, its server blocks, and how deep imports nest. */
#define DNS_CONF_BYTES_MAX (1024u * 1024)
#define DNS_CONF_WORDS_MAX 100000u
#define DNS_CONF_BLOCKS_MAX 256u
#define DNS_CONF_IMPORTS_MAX 256u
/* A hosts file: one of the well-known lists of names to be blocked has 6 MiB. */
#define DNS_HOSTS_BYTES_MAX (16u * 1024 * 1024)
/* Upstreams of one forward directive (upstream's own limit), and such directives of one server block. */
#define DNS_UPSTREAMS_MAX 15u
#define DNS_FORWARDS_PER_BLOCK_MAX 16u
/* Questions that wait for an upstream, all together; beyond it they are refused. Each holds a socket. */
#define DNS_FORWARDS_MAX 4096u
/* Clients that wait for the upstreams of a forward directive, several for one answer among them; at some 6 KB each.
 * More of them are refused. */
#define DNS_FORWARD_WAITERS_MAX 8192u
/* A question: with all that EDNS may bring (padding, cookies), and a signature. */
#define DNS_QUESTION_BYTES_MAX 4096u
/* TCP connections of clients, how many questions of one are worked on at a time, and how long one may say nothing. */
#define DNS_TCP_CONNECTIONS_MAX 1024u
#define DNS_TCP_QUESTIONS_MAX 64u
#define DNS_TCP_IDLE_MS_MAX 10000u
/* What is sent over UDP whatever the client says it takes: a larger datagram is cut in pieces on its way (DNS flag day
 * 2020). */
#define DNS_UDP_BYTES_MAX 1232u
/* Records of a cache (upstream's), and bytes of one. */
#define DNS_CACHE_RECORDS_MAX 9984u
#define DNS_CACHE_RECORD_BYTES_MAX (16u * 1024)
/* Aliases followed for one question (upstream's). */
#define DNS_ALIASES_MAX 8u

/* ---- metrics of nodes and pods (k3x metrics) ---- */
/* What a kubelet says at /metrics/resource: some 500 bytes a container. A larger answer is none. */
#define METRICS_SCRAPE_BYTES_MAX (16u * 1024 * 1024)
/* Of a sample; kubelets give three. */
#define METRICS_LABELS_MAX 32u
/* Pods of a node, containers of a pod, and all pods: three times what upstream is tested with. The rest is left out and
 * counted. */
#define METRICS_NODE_PODS_MAX 5000u
#define METRICS_POD_CONTAINERS_MAX 256u
#define METRICS_PODS_MAX 500000u
/* Certificates in the caBundle of our APIService: one of each copy of the program, and of those before them. */
#define METRICS_BUNDLE_CERTIFICATES_MAX 4u
/* Connections from API servers and probes. */
#define METRICS_CONNECTIONS_MAX 256u
/* What is remembered of who asked: identities of tokens, and what who may. Beyond it what is over goes, then all. */
#define ACCESS_ANSWERS_MAX 1024u
#define ACCESS_TOKEN_BYTES_MAX (16u * 1024)

/* ---- manifests that are applied (DATA/server/manifests) ---- */
/* A file: the largest published ones, definitions of operators, have 6 MB. */
#define MANIFEST_BYTES_MAX (16u * 1024 * 1024)
/* Its objects, and how deep Lists lie in Lists. */
#define MANIFEST_OBJECTS_MAX 10000u
#define MANIFEST_LISTS_MAX 8
/* Files, folders below the first (each is watched), and how deep they lie. The rest is left out and told. */
#define MANIFESTS_MAX 1024u
#define MANIFEST_FOLDERS_MAX 64u
#define MANIFEST_FOLDER_DEPTH_MAX 8
/* What is named in one message of an event about a file. */
#define MANIFEST_MESSAGE_BYTES_MAX 1024u

/* ---- the kubelet ---- */
/* A frame of the runtime's streaming server: it sends 32 KiB at a time. */
#define SPDY_FRAME_BYTES_MAX (1024u * 1024)
/* What a kubelet takes as one answer of the runtime: a list of some ten thousand containers. */
#define CRI_ANSWER_BYTES_MAX (32u * 1024 * 1024)
/* Blocking work that waits for a thread, one or two pieces per pod that is being started or ended, of which there may
 * be thousands; beyond it an errand is not taken, and whoever had it tries again. */
#define NODE_ERRANDS_MAX 8192
/* Devices of one plugin; one that lists more counts as gone. */
#define NODE_PLUGIN_DEVICES_MAX 16384u
/* Sockets in plugins_registry, CSI drivers and what they answer; the files that remember their volumes. */
#define NODE_PLUGIN_SOCKETS_MAX 256u
#define NODE_CSI_ANSWER_BYTES_MAX (1024u * 1024)
#define NODE_CSI_RECORD_BYTES_MAX (64u * 1024)
/* A line of a container's log: runtimes cut theirs at 16 KiB. A longer one ends the answer. */
#define NODE_LOG_LINE_BYTES_MAX (1024u * 1024)
/* Manifests and blobs that a node sends other nodes at a time (--embedded-registry): each holds 256 KiB. */
#define NODE_IMAGE_SERVINGS_MAX 32u
/* A WebSocket message of exec, attach or port-forward: kubectl sends 32 KiB. A longer one ends the session. */
#define NODE_EXEC_MESSAGE_BYTES_MAX (4u * 1024 * 1024)
_Static_assert(NODE_EXEC_MESSAGE_BYTES_MAX < 0xffffff, "a message fits a SPDY frame");
/* Static pods: a manifest, and how many of them; a larger one is no pod, the rest of more is left out and told. */
#define STATIC_MANIFEST_BYTES_MAX (1024u * 1024)
#define STATIC_MANIFESTS_MAX 1024u
/* ConfigMaps and secrets that one pod's volumes and environment name; the rest is taken for absent. */
#define POD_REFS_MAX 256
/* Image archives in agent/images. */
#define IMAGE_ARCHIVES_MAX 4096
/* Events that wait for the API server; beyond it they are dropped. */
#define NODE_EVENTS_WAITING_MAX 512
/* Descriptors that go to the process of a WebAssembly container: the kernel passes 253 at once. A container has one
 * mount per volume and a few of its own; more is refused. */
#define WASM_DESCRIPTORS_MAX 240
/* A module: an image that holds a larger one is refused. */
#define WASM_MODULE_BYTES_MAX (256u * 1024 * 1024)
/* The specification of a container: its arguments and environment above all. */
#define WASM_SPEC_BYTES_MAX (4u * 1024 * 1024)
/* A line of a container's output, cut there into parts as the CRI does. */
#define WASM_LOG_LINE_BYTES_MAX (16u * 1024)
/* The root of a WebAssembly container: what it writes outside of volumes. It lies in memory. */
#define WASM_ROOT_BYTES_MAX "64m"
/* Processor seconds of compiling one module; one that takes longer is interpreted. */
#define WASM_COMPILE_CPU_S_MAX 120
/* Modules and what they were compiled to, on the disk; beyond it the longest unused go. */
#define WASM_CACHE_BYTES_MAX (1024ull * 1024 * 1024)

#endif
