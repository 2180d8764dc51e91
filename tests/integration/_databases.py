"""Databases of Debian's packages for the tests of datastores: each in a folder of its own, as a user without rights, on a
socket or on loopback, ended by its pid."""

import glob
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time


class Database:
    user = None

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="k3x-database-")
        self.process = None
        if os.geteuid() == 0 and self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)

    def path(self, name):
        return os.path.join(self.folder, name)

    def as_user(self, command):
        if os.geteuid() == 0 and self.user:
            return ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups"] + command
        return command

    def launch(self):
        with open(self.path("server.log"), "ab") as log:
            self.process = subprocess.Popen(self.as_user(self.command()), stdout=log, stderr=log, cwd=self.folder)

    def last_words(self):
        return open(self.path("server.log")).read()[-800:]

    def start(self):
        self.launch()
        deadline = time.time() + 60
        while not self.is_up():
            has_ended = self.process.poll() is not None
            is_early = has_ended and "is still in use" in self.last_words()  # those of one that was killed end by themselves
            if time.time() > deadline or (has_ended and not is_early):
                raise RuntimeError(f"{self.user} does not start: {self.last_words()}")
            time.sleep(0.05)
            if is_early:
                self.launch()
        return self

    def end(self, number=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait()

    def everyone(self):
        """The process and all that it has started: PostgreSQL's have groups of their own."""
        found = [self.process.pid]
        for pid in found:
            for task in glob.glob(f"/proc/{pid}/task/*/children"):
                found += [int(child) for child in open(task).read().split()]
        return found

    def pause(self):
        for pid in self.everyone():
            os.kill(pid, signal.SIGSTOP)

    def go_on(self):
        for pid in self.everyone():
            os.kill(pid, signal.SIGCONT)

    def remove(self):
        self.end(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


class Postgres(Database):
    kind, user = "postgres", "postgres"

    def __init__(self, port=5499):
        super().__init__()
        self.port = port
        self.bin = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]
        with open(self.path("password"), "w") as f:
            f.write("se:cr/et@")
        os.chmod(self.path("password"), 0o644)
        subprocess.run(self.as_user([self.bin + "/initdb", "-D", self.path("data"), "-A", "scram-sha-256", "-U", "k3x",
                                     "--pwfile", self.path("password"), "--no-sync"]), check=True, stdout=subprocess.DEVNULL, cwd=self.folder)

    def command(self):
        return [self.bin + "/postgres", "-D", self.path("data"), "-k", self.folder, "-c", "listen_addresses=127.0.0.1", "-c", f"port={self.port}"]

    def sql(self, text):
        return subprocess.run(["psql", "-qtA", "-h", "127.0.0.1", "-p", str(self.port), "-U", "k3x", "postgres", "-c", text],
                              env={**os.environ, "PGPASSWORD": "se:cr/et@"}, capture_output=True, text=True)

    def is_up(self):
        return self.sql("SELECT 1").returncode == 0

    def make_empty(self, name):
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        r = self.sql(f"CREATE DATABASE {name}")
        if r.returncode:
            raise RuntimeError(r.stderr)
        return f"postgres://k3x:se%3Acr%2Fet%40@127.0.0.1:{self.port}/{name}"


class MariaDB(Database):
    kind, user = "mysql", "mysql"

    def __init__(self, port=3399):
        super().__init__()
        self.port = port
        subprocess.run(self.as_user(["mariadb-install-db", "--no-defaults", "--datadir=" + self.path("data"), "--auth-root-authentication-method=normal",
                                     "--skip-test-db"]), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=self.folder)

    def command(self):
        return ["/usr/sbin/mariadbd", "--no-defaults", "--datadir=" + self.path("data"), "--socket=" + self.path("s.sock"), "--pid-file=" + self.path("pid"),
                "--bind-address=127.0.0.1", f"--port={self.port}", "--innodb-buffer-pool-size=64M"]

    def sql(self, text):
        return subprocess.run(["mariadb", "--no-defaults", "-N", "-u", "root", "-S", self.path("s.sock"), "-e", text], capture_output=True, text=True)

    def is_up(self):
        return self.sql("SELECT 1").returncode == 0

    def make_empty(self, name):
        r = self.sql(f"DROP DATABASE IF EXISTS {name}; CREATE DATABASE {name}; CREATE USER IF NOT EXISTS k3x@'127.0.0.1' IDENTIFIED BY 'se:cr/et@';"
                     f"GRANT ALL ON {name}.* TO k3x@'127.0.0.1'")
        if r.returncode:
            raise RuntimeError(r.stderr)
        return f"mysql://k3x:se:cr/et@@tcp(127.0.0.1:{self.port})/{name}"


class Etcd(Database):
    kind = "etcd"

    def __init__(self, port=2399):
        super().__init__()
        self.port = port

    def command(self):
        return ["etcd", "--data-dir", self.path("data"), "--listen-client-urls", f"http://127.0.0.1:{self.port}", "--advertise-client-urls",
                f"http://127.0.0.1:{self.port}", "--listen-peer-urls", f"http://127.0.0.1:{self.port + 1}", "--initial-advertise-peer-urls",
                f"http://127.0.0.1:{self.port + 1}", "--initial-cluster", f"default=http://127.0.0.1:{self.port + 1}", "--log-level", "warn"]

    def ctl(self, *args):
        return subprocess.run(["etcdctl", "--endpoints", f"http://127.0.0.1:{self.port}", *args], env={**os.environ, "ETCDCTL_API": "3"},
                              capture_output=True, text=True)

    def is_up(self):
        return self.ctl("endpoint", "health").returncode == 0

    def make_empty(self, name):
        self.ctl("del", "--prefix", "")
        return f"http://127.0.0.1:{self.port}"


KINDS = {"postgres": Postgres, "mysql": MariaDB, "etcd": Etcd}
