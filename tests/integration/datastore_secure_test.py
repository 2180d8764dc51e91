"""Datastores behind TLS, with certificates of servers and of clients, wrong ones too; and behind a pooler that hands out
connections by transaction."""

import os
import shutil
import subprocess
import sys
import tempfile

from _databases import Etcd, MariaDB, Postgres
from harness import Mismatch, Server, case, eq, has, run, true

work = tempfile.mkdtemp(prefix="k3x-secure-")
os.chmod(work, 0o755)
servers = []


def path(name):
    return os.path.join(work, name)


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def make_ca(name):
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout",
            path(name + ".key"), "-out", path(name + ".crt"))


def make_leaf(name, ca):
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", path(name + ".key"), "-out",
            path(name + ".csr"))
    with open(path(name + ".ext"), "w") as f:
        f.write("subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n")
    openssl("x509", "-req", "-in", path(name + ".csr"), "-CA", path(ca + ".crt"), "-CAkey", path(ca + ".key"), "-CAcreateserial", "-days", "2", "-extfile",
            path(name + ".ext"), "-out", path(name + ".crt"))


def give(database, *names):
    """The keys, readable by the database's user alone."""
    for name in names:
        shutil.copy(path(name), database.path(name))
        os.chmod(database.path(name), 0o600)
        if database.user and os.geteuid() == 0:
            shutil.chown(database.path(name), database.user, database.user)


def works(endpoint, *flags):
    server = Server(16443, flags=["--datastore-endpoint", endpoint, *flags])
    try:
        server.start()
        server.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "c"}}).want(201)
        eq(server.stop(), 0, "exit code")
        server.start()
        server.admin().get("/api/v1/namespaces/default/configmaps/c").want(200)
    finally:
        server.remove()


def refused(endpoint, *flags):
    """Ends, or says again and again why it does not reach it."""
    server = Server(16443, flags=["--datastore-endpoint", endpoint, *flags])
    r = subprocess.Popen(server.command(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        line = ""
        while "datastore is not reached" not in line and "k3x server:" not in line:
            line = r.stdout.readline()
            if not line:
                raise Mismatch("it said nothing")
        return line
    finally:
        r.kill()
        r.wait()
        shutil.rmtree(server.folder, ignore_errors=True)


def setup():
    make_ca("ca")
    make_ca("other-ca")
    make_leaf("server", "ca")
    make_leaf("client", "ca")


def teardown():
    for s in servers:
        s.remove()
    shutil.rmtree(work, ignore_errors=True)


def started(database):
    servers.append(database)
    return database.start()


CLIENT = ["--datastore-certfile", path("client.crt"), "--datastore-keyfile", path("client.key")]
CA = ["--datastore-cafile", path("ca.crt")]


@case("PostgreSQL, verified by its CA, with a client certificate")
def _():
    database = Postgres()
    give(database, "server.crt", "server.key", "ca.crt")
    with open(database.path("data/postgresql.conf"), "a") as f:
        f.write(f"ssl=on\nssl_cert_file='{database.path('server.crt')}'\nssl_key_file='{database.path('server.key')}'\nssl_ca_file='{database.path('ca.crt')}'\n")
    with open(database.path("data/pg_hba.conf"), "w") as f:
        f.write("hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-ca\n")
    os.environ.update(PGSSLCERT=path("client.crt"), PGSSLKEY=path("client.key"), PGSSLMODE="require")
    started(database)
    endpoint = database.make_empty("secure")
    for name in ("PGSSLCERT", "PGSSLKEY", "PGSSLMODE"):
        del os.environ[name]
    works(endpoint, *CA, *CLIENT)
    has(refused(endpoint, "--datastore-cafile", path("other-ca.crt"), *CLIENT), "certificate verify failed")
    has(refused(endpoint + "?sslmode=disable"), "no encryption")
    has(refused(endpoint.replace("se%3A", "no%3A"), *CA, *CLIENT), "password authentication failed")
    database.end()


@case("PostgreSQL behind pgbouncer in transaction mode")
def _():
    database = started(Postgres())
    endpoint = database.make_empty("pooled")
    with open(database.path("users.txt"), "w") as f:
        f.write('"k3x" "se:cr/et@"\n')
    with open(database.path("pgbouncer.ini"), "w") as f:
        f.write(f"[databases]\n* = host=127.0.0.1 port={database.port}\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=6499\nauth_type=plain\n"
                f"auth_file={database.path('users.txt')}\npool_mode=transaction\nunix_socket_dir=\nignore_startup_parameters=extra_float_digits\n")
    os.chmod(database.path("users.txt"), 0o644)
    pooler = subprocess.Popen(database.as_user(["pgbouncer", "-q", database.path("pgbouncer.ini")]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        pooled = endpoint.replace(str(database.port), "6499")
        works(pooled)
        one = Server(16443, flags=["--datastore-endpoint", database.make_empty("two").replace(str(database.port), "6499")]).start()
        token = open(os.path.join(one.folder, "data", "server", "token")).read().strip()
        two = Server(16444, flags=[*one.flags, "--token", token]).start()
        try:
            for i in range(20):
                (one, two)[i % 2].admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": f"c{i}"}}).want(201)
            eq(len(one.admin().get("/api/v1/namespaces/default/configmaps").json["items"]), 20)
            version = one.admin().get("/api/v1/namespaces/default/configmaps").json["metadata"]["resourceVersion"]
            watch = one.admin().watch(f"/api/v1/namespaces/default/configmaps?resourceVersion={version}")
            two.admin().post("/api/v1/namespaces/default/configmaps", {"metadata": {"name": "told"}}).want(201)
            eq(watch.next()["object"]["metadata"]["name"], "told")
            watch.close()
        finally:
            one.remove()
            two.remove()
    finally:
        pooler.kill()
        pooler.wait()
        database.end()


@case("MariaDB, verified by its CA")
def _():
    database = MariaDB()
    give(database, "server.crt", "server.key", "ca.crt")
    plain = database.command()
    database.command = lambda: plain + ["--ssl-cert=" + database.path("server.crt"), "--ssl-key=" + database.path("server.key"),
                                        "--ssl-ca=" + database.path("ca.crt"), "--require-secure-transport=ON"]
    started(database)
    endpoint = database.make_empty("secure")
    works(endpoint + "?tls=true", *CA)
    has(refused(endpoint + "?tls=true", "--datastore-cafile", path("other-ca.crt")), "SSL")
    has(refused(endpoint + "?tls=false"), "Access denied")  # that is how it words it
    has(refused(endpoint.replace("se:cr", "no:cr") + "?tls=true", *CA), "Access denied")
    database.end()


@case("etcd, verified by its CA, with client certificates; one of three endpoints is enough")
def _():
    database = Etcd()
    give(database, "server.crt", "server.key", "ca.crt", "client.crt", "client.key")
    plain = [a.replace("http://127.0.0.1:2399", "https://127.0.0.1:2399") for a in database.command()]
    database.command = lambda: plain + ["--cert-file", database.path("server.crt"), "--key-file", database.path("server.key"), "--trusted-ca-file",
                                        database.path("ca.crt"), "--client-cert-auth"]
    database.ctl = lambda *args: subprocess.run(
        ["etcdctl", "--endpoints", "https://127.0.0.1:2399", "--cacert", path("ca.crt"), "--cert", path("client.crt"), "--key", path("client.key"), *args],
        env={**os.environ, "ETCDCTL_API": "3"}, capture_output=True, text=True)
    started(database)
    works("https://127.0.0.1:1,https://localhost:2399,https://127.0.0.1:2", *CA, *CLIENT)
    has(refused("https://127.0.0.1:2399", "--datastore-cafile", path("other-ca.crt"), *CLIENT), "issuer certificate")
    has(refused("https://127.0.0.1:2399", *CA), "certificate required")
    database.end()


@case("names that are none, and flags that do not fit, are told")
def _():
    for endpoint, flags, want in (("oracle://x", [], "begins with none of"), ("mysql://u:geheim@tcp(h:1)", [], "names no database"),
                                  ("https://a:1,http://b:1", [], "some are https"), ("postgres://x", ["--cluster-init"], "--cluster-init"),
                                  ("postgres://x", ["--datastore-certfile", "/x"], "both or none")):
        server = Server(16443, flags=["--datastore-endpoint", endpoint, *flags])
        r = subprocess.run(server.command(), capture_output=True, text=True, timeout=30)
        shutil.rmtree(server.folder, ignore_errors=True)
        true(r.returncode != 0, endpoint)
        has(r.stderr, want)
        true("geheim" not in r.stderr, "the password is told")


if __name__ == "__main__":
    sys.exit(run(setup, teardown, sys.argv[1] if len(sys.argv) > 1 else None))
