"""A private PostgreSQL cluster and the service's processes, for runs that break things on purpose."""

import glob
import http.client
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

DEATH_SIGNAL = 1  # prctl(PR_SET_PDEATHSIG)


def _die_with_parent(user=None):
    import ctypes

    def prepare():
        os.setpgid(0, 0)
        if user:
            os.setgid(user.pw_gid)
            os.setuid(user.pw_uid)
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGKILL)

    return prepare


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_ready(port, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return True
        except OSError:
            pass
        time.sleep(0.02)
    return False


class Cluster:
    """initdb, a unix socket, no port; as root it runs as the user postgres."""

    def __init__(self, settings=()):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
        self.programs = os.path.dirname(found[-1]) if found else os.path.dirname(shutil.which("initdb"))
        self.folder = tempfile.mkdtemp(prefix="sagad-test-", dir="/tmp")
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
        self.data = os.path.join(self.folder, "data")
        self.url = f"host={self.folder} port=5432 user=sagad dbname=postgres"
        self.settings = ["listen_addresses=", "max_connections=100", *settings]
        self.process = None
        self._run("initdb", "-D", self.data, "-U", "sagad", "--auth=trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def _run(self, program, *arguments):
        with open(os.path.join(self.folder, program + ".log"), "a") as log:
            subprocess.run([os.path.join(self.programs, program), *arguments], check=True, stdout=log,
                           stderr=log, preexec_fn=_die_with_parent(self.user), cwd=self.folder)

    def start(self):
        options = [o for setting in self.settings for o in ("-c", setting)]
        log = open(os.path.join(self.folder, "postgres.log"), "a")
        self.process = subprocess.Popen(
            [os.path.join(self.programs, "postgres"), "-D", self.data, "-k", self.folder, *options],
            stdout=log, stderr=log, preexec_fn=_die_with_parent(self.user), cwd=self.folder)
        log.close()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            ready = subprocess.run([os.path.join(self.programs, "pg_isready"), "-q", "-h", self.folder])
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError("PostgreSQL did not start")

    def stop(self, how=signal.SIGQUIT):
        """SIGQUIT: immediate, as a crash; SIGINT: fast, in order."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)
        self.process = None

    def url_of(self, database):
        return self.url.replace("dbname=postgres", f"dbname={database}")

    def query(self, sql, database="postgres"):
        out = subprocess.run(["psql", "-XAtq", self.url_of(database), "-c", sql], check=True, capture_output=True,
                             text=True)
        return out.stdout.strip()

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Process:
    """One program of ours, with its log in a file; can be killed and started again."""

    def __init__(self, arguments, log):
        self.arguments, self.log, self.process = arguments, log, None

    def start(self, user=None):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.arguments, stdout=log, stderr=log,
                                            preexec_fn=_die_with_parent(user))

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def terminate(self, seconds=30):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                return self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                return None
        return self.process.returncode if self.process else None
