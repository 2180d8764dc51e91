/* Keys and certificates: the cluster's own CAs, what they issue, signatures for tokens, and small crypto helpers.
 *
 * Everything is EC P-256 (signing is ten times cheaper than RSA). PEM text goes in and out; files are written whole or
 * not at all. No state, any thread; signing and issuing cost some 0.1 ms of CPU. */
#ifndef K3X_BASE_PKI_PKI_H
#define K3X_BASE_PKI_PKI_H

#include "base/err.h"
#include "base/mem/str.h"

/* A certificate and its private key as PEM text, malloc'ed. */
struct pki_pair {
	char *certificate_pem;
	char *key_pem;
};

#define PKI_PAIR_INIT ((struct pki_pair){0})
void pki_pair_release(struct pki_pair *p);

enum { PKI_CA_DAYS = 3650, PKI_LEAF_DAYS = 365, PKI_RENEW_DAYS = 90 };

/* A self-signed CA of PKI_CA_DAYS. */
int pki_ca_new(const char *common_name, struct pki_pair *ret, struct err *err);

struct pki_request {
	const char *common_name;
	const char *const *organizations; /* groups of a client; may be NULL */
	size_t organizations_count;
	const char *const *names; /* DNS names and IP addresses of a server; may be NULL */
	size_t names_count;
	bool is_server;
	bool is_client;
	unsigned days; /* 0: PKI_LEAF_DAYS */
};

/* Makes a key and a certificate signed by ca. The start is an hour back for clocks that differ, the end not behind the
 * CA's own. */
int pki_issue(const struct pki_pair *ca, const struct pki_request *request, struct pki_pair *ret, struct err *err);

/* A certificate for a key that stays where it is: the one who has it sends a request (PKCS #10, PEM), and whoever signs
 * decides what the certificate says; of the request only the key counts, and that its sender has it. ERR_INVAL: it is
 * no such request, its signature does not fit, or its key is neither EC P-256 nor RSA of 2048 to 4096 bits. Results
 * malloc'ed. */
int pki_csr_new(const char *common_name, char **ret_key_pem, char **ret_csr_pem, struct err *err);
/* The same for a key that is there: a certificate that is renewed keeps its key. ERR_INVAL: the text is no key. */
int pki_csr_for(const char *common_name, const char *key_pem, char **ret_csr_pem, struct err *err);
int pki_issue_csr(const struct pki_pair *ca, struct slice csr_pem, const struct pki_request *request,
        char **ret_certificate_pem, struct err *err);

/* The key file gets mode 0600, the certificate 0644; the key is written first. Loading takes what saving wrote. */
int pki_pair_save(const struct pki_pair *p, const char *certificate_file, const char *key_file, struct err *err);
int pki_pair_load(const char *certificate_file, const char *key_file, struct pki_pair *ret, struct err *err);

/* Reads the first certificate of a PEM text. */
enum { PKI_USE_SERVER = 1, PKI_USE_CLIENT = 2, PKI_USE_CA = 4 };
struct pki_info {
	char common_name[256];
	char subject[512];    /* "CN=system:admin,O=system:masters", as much as there is room for */
	unsigned uses;        /* PKI_USE_* */
	int64_t not_before_s; /* Unix time */
	int64_t not_after_s;
	bool is_ca;
};
int pki_info(const char *certificate_pem, struct pki_info *ret, struct err *err);

/* Less than a quarter of its life (90 of 365 days) is left, or it is over. */
bool pki_needs_renewal(const struct pki_info *info, int64_t now_s);

/* The certificate was issued by one of the CAs and is valid now. */
int pki_verify(const char *certificate_pem, const char *ca_pem, struct err *err);

/* It was signed by the key of the first of the CAs: the one that signs now, not one that is trusted beside it. */
bool pki_is_signed_by(const char *certificate_pem, const char *ca_pem);

/* The last part of a certificate's life, an eighth of it: it should have been renewed by now. */
bool pki_is_near_end(const struct pki_info *info, int64_t now_s);

/* ---- bundles: a CA's own certificate first, then others that vouch for it or that are trusted beside it ---- */

/* Can it sign, now and with this key? Says by a trial what it can't. */
int pki_bundle_check(const struct pki_pair *ca, struct err *err);
/* Does whoever trusts `old` alone believe what the new CA signs, given the rest of the new bundle? Some certificate of
 * the new CA's key must be signed by one of `old`. ERR_UNAUTHENTICATED: no. */
int pki_bundle_continues(const struct pki_pair *ca, const char *old_pem, struct err *err);
/* Do the two have a certificate in common? Bundles of one cluster do, before and after one of its CAs has taken over.
 */
bool pki_bundle_shares(const char *pem, const char *other_pem);
/* Appends `pem` and those of `more` that are not in it and not over: what is trusted while both are in use. */
void pki_bundle_merge(struct strbuf *out, const char *pem, const char *more, int64_t now_s);
/* Appends what a server sends behind its certificate, for clients that know an older CA: those of the bundle that are
 * not signed by themselves. Nothing for a CA of one certificate. */
void pki_bundle_chain(struct strbuf *out, const char *bundle_pem);

/* sha256 of the DER form of the first certificate, as hex: the hash in a join token is this of the CA. */
int pki_fingerprint(const char *certificate_pem, char ret_hex[65], struct err *err);

/* ---- signatures (service-account tokens) ---- */

struct pki_key;

/* PEM text of a new EC P-256 key, malloc'ed. */
int pki_key_generate(char **ret_pem, struct err *err);
/* A private or public key, or the public one of a certificate; EC P-256 or RSA (at least 2048 bits). */
int pki_key_load(const char *pem, struct pki_key **ret, struct err *err);
void pki_key_free(struct pki_key *k); /* NULL is allowed */
bool pki_key_is_private(const struct pki_key *k);
const char *pki_key_algorithm(const struct pki_key *k);                           /* "ES256" or "RS256" */
int pki_key_public_pem(const struct pki_key *k, char **ret_pem, struct err *err); /* malloc'ed */
/* Kubernetes' key id: base64url(sha256(DER of the public key)). */
int pki_key_id(const struct pki_key *k, struct strbuf *out, struct err *err);
/* JSON Web Key of the public part, for the OIDC discovery documents: appends one object. */
int pki_key_jwk(const struct pki_key *k, struct strbuf *out, struct err *err);

/* JOSE signatures over bytes: ES256 is r and s in 64 bytes, RS256 is PKCS #1 1.5 with SHA-256. Appends. */
int pki_sign(const struct pki_key *k, struct slice data, struct strbuf *out, struct err *err);
/* 0, or ERR_UNAUTHENTICATED when the signature does not fit. */
int pki_verify_signature(const struct pki_key *k, struct slice data, struct slice signature, struct err *err);

/* ---- JSON Web Tokens (RFC 7519), compact form ---- */

/* Appends header.claims.signature with the header {"alg":...,"kid":...}; claims is JSON text. */
int jwt_sign(const struct pki_key *k, struct slice claims_json, struct strbuf *out, struct err *err);
/* Takes a token apart without looking at its signature: decoded header and claims are appended. */
int jwt_parse(struct slice token, struct strbuf *header_json, struct strbuf *claims_json, struct err *err);
/* Checks the signature with any of the keys; the caller has looked at `alg` no more than we do: the key decides. Times
 * and audience are the caller's to check. */
int jwt_verify(struct slice token, struct pki_key *const *keys, size_t count, struct err *err);

/* ---- passwords ---- */

/* COST_MAX: of a hash that is checked at all, which takes seconds. */
enum { PKI_PASSWORD_BYTES_MAX = 72, PKI_PASSWORD_COST_MAX = 16 };

/* Appends a salted bcrypt hash ("$2a$10$" and 53 characters). cost: 4 to 14; each step doubles the time, 10 takes some
 * 60 ms. Never on a loop. ERR_INVAL: longer than PKI_PASSWORD_BYTES_MAX. */
int pki_password_hash(struct slice password, unsigned cost, struct strbuf *out, struct err *err);
/* Does the password fit? As slow as making the hash was. False also for a text that is no such hash. */
bool pki_password_check(struct slice password, struct slice hash);
/* What a bcrypt hash costs; 0: it is none. */
unsigned pki_password_bcrypt_cost(struct slice hash);

/* ---- sealing: what only who knows a password may read ---- */

/* Appends `plain` encrypted under a key that is derived from the password (PBKDF2-HMAC-SHA256 with a salt of its own),
 * so that any change is noticed (AES-256-GCM). Takes some 100 ms. Never on a loop. */
void pki_seal(struct slice password, struct slice plain, struct strbuf *out);
/* The reverse; appends. ERR_UNAUTHENTICATED: another password, or it was changed. ERR_INVAL: it was never sealed by
 * us. As slow. */
int pki_unseal(struct slice password, struct slice sealed, struct strbuf *out, struct err *err);

/* ---- helpers ---- */

void pki_sha256(const void *data, size_t len, unsigned char ret[32]);
/* The same of what comes in pieces. One thread at a time. */
struct pki_digest;
struct pki_digest *pki_digest_new(void);
void pki_digest_add(struct pki_digest *d, const void *data, size_t len);
void pki_digest_get(const struct pki_digest *d, unsigned char ret[32]); /* of all so far; more may follow */
void pki_digest_free(struct pki_digest *d);                             /* NULL is allowed */
void pki_hmac_sha256(struct slice key, struct slice data, unsigned char ret[32]);
void pki_sha256_hex(const void *data, size_t len, char ret_hex[65]);
/* Cryptographically random; the process stops when the system has none. */
void pki_random(void *ret, size_t len);
/* The same for names and ids, of which many are made: the kernel is asked for a stock at a time, a thread. At most
 * PKI_RANDOM_NAME_BYTES_MAX bytes. Not for keys, which nothing but their owner may hold; nor in a process that is
 * forked and goes on: it would name as its parent does. */
enum { PKI_RANDOM_NAME_BYTES_MAX = 64 };
void pki_random_name(void *ret, size_t len);
void pki_random_hex(struct strbuf *out, size_t bytes); /* appends 2 * bytes digits */
/* In a time that depends on the lengths only. */
bool pki_equal(struct slice a, struct slice b);

/* Replaces a file atomically: temporary file, fsync, rename, fsync of the folder. */
int pki_file_write(const char *path, struct slice data, unsigned mode, struct err *err);
/* Whole file, malloc'ed and terminated; at most 1 MiB. */
int pki_file_read(const char *path, char **ret, size_t *ret_len, struct err *err);

#endif
