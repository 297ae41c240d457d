"""What the tests of the whole daemon share: one PostgreSQL cluster, daemons, a client for their API."""

import http.client
import json
import os
import subprocess
import sys
import threading
import time
import unittest
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cluster import Cluster, Process, free_port, wait_ready  # noqa: E402,F401

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SOON = 20  # seconds until a test gives up; nothing waits so long if all is well
SANITIZED = "address" in os.environ.get("BIN", "")


def program(name):
    return os.path.join(os.environ.get("BIN", os.path.join(ROOT, "build", "bin")), name)


def new_saga_id():
    """A UUIDv7 of now, so that a script can be written before its saga starts."""
    value = int(time.time() * 1000) << 80 | uuid.uuid4().int & ((1 << 80) - 1)
    value = value & ~(0xF << 76) | 7 << 76
    value = value & ~(0x3 << 62) | 2 << 62
    return str(uuid.UUID(int=value))


def until(condition, what, seconds=SOON):
    """What `condition` gives as soon as it is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not in {seconds} s: {what}")
        time.sleep(0.02)


# ---- the API ----

class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode()

    def __repr__(self):
        return f"{self.status} {self.body[:600]!r}"


class Recorder:
    """Every answer, one JSON line each, into the file that RECORD_ANSWERS names."""

    def __init__(self):
        self.path, self.lock = os.environ.get("RECORD_ANSWERS"), threading.Lock()

    def keep(self, method, path, answer):
        if not self.path:
            return
        line = json.dumps({"method": method, "path": path, "status": answer.status,
                           "content_type": answer.headers.get("Content-Type"),
                           "body": answer.body.decode("utf-8", "replace")})
        with self.lock, open(self.path, "a") as file:
            file.write(line + "\n")


RECORDER = Recorder()


class Api:
    def __init__(self, port):
        self.port = port

    def call(self, method, path, body=None, headers=None, timeout=90):
        """`body`: bytes as they are, anything else as JSON."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        RECORDER.keep(method, path, answer)
        return answer

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, body=None, **options):
        return self.call("POST", path, body, **options)

    def start(self, saga, input=None, **members):
        answer = self.post("/v1/sagas", {"saga": saga, "input": input or {}, **members})
        assert answer.status in (200, 201), answer
        return answer.json["id"]

    def saga(self, id):
        answer = self.get(f"/v1/sagas/{id}")
        assert answer.status == 200, answer
        return answer.json

    def ended(self, id, seconds=SOON):
        """The saga once it has ended."""
        saga = self.get(f"/v1/sagas/{id}?wait={seconds}s").json
        assert saga["status"] in ("completed", "compensated", "failed"), saga
        return saga

    def steps(self, id):
        return {step["name"]: step for step in self.get(f"/v1/sagas/{id}/steps").json["items"]}

    def journal(self, id):
        return self.get(f"/v1/sagas/{id}/events?limit=500").json["items"]

    def attention(self, id, reason, seconds=SOON):
        """The saga's attention once it is for that reason."""
        return until(lambda: (a := self.saga(id)["attention"]) and a["reason"] == reason and a,
                     f"attention {reason} of {id}: it is {self.saga(id)}", seconds)

    def explain(self, id):
        answer = self.get(f"/v1/sagas/{id}/explain")
        assert answer.status == 200, answer
        return answer.json

    def metrics(self):
        """{'name{a="b"}': value}"""
        lines = [line for line in self.get("/metrics").text.splitlines() if line and line[0] != "#"]
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


# ---- daemons ----

class Daemon:
    """One sagad with a configuration of its own; `settings` are merged over the defaults."""

    def __init__(self, world, name, database, sagas, participants, settings=None):
        self.world, self.port = world, free_port()
        self.api = Api(self.port)
        folder = os.path.join(world.folder, name)
        os.makedirs(os.path.join(folder, "sagas"), exist_ok=True)
        for number, text in enumerate(sagas):
            with open(os.path.join(folder, "sagas", f"{number:03}.yaml"), "w") as file:
                file.write(text)
        self.config = {"database_url": world.cluster.url_of(database), "listen": f"127.0.0.1:{self.port}",
                       "sagas": [os.path.join(folder, "sagas")], "participants": participants,
                       "heartbeat": {"interval": "200ms", "timeout": "4s"}, "log": {"level": "info"},
                       **(settings or {})}
        path = os.path.join(folder, "sagad.yaml")
        with open(path, "w") as file:
            json.dump(self.config, file)  # JSON is YAML
        self.process = Process([program("sagad"), "--config", path], os.path.join(folder, "sagad.log"))
        world.daemons.append(self)

    def launch(self):
        self.process.start()
        return self

    def start(self, seconds=60):
        self.launch()
        if not wait_ready(self.port, seconds):
            raise RuntimeError("the daemon did not get ready: " + self.log_text()[-2000:])
        return self

    def stop(self, seconds=30):
        return self.process.terminate(seconds)

    def kill(self):
        self.process.kill()

    @property
    def running(self):
        return self.process.process is not None and self.process.process.poll() is None

    def log_text(self):
        with open(self.process.log, errors="replace") as file:
            return file.read()

    def log(self):
        return [json.loads(line) for line in self.log_text().splitlines()]


class World:
    """Made once a run. Each test class has a database of its own in the one cluster."""

    def __init__(self):
        self.cluster = Cluster(["shared_buffers=64MB", "fsync=off"])
        self.folder = self.cluster.folder + ".run"
        os.makedirs(self.folder)
        self.daemons, self.databases = [], 0
        self.cluster.start()
        self.cluster.query("create database template_sagad")
        self.migrate("template_sagad")

    def migrate(self, database):
        return subprocess.run([program("sagad"), "migrate", "--database-url", self.cluster.url_of(database)],
                              check=True, capture_output=True, text=True)

    def database(self):
        self.databases += 1
        name = f"sagas_{self.databases}"
        self.cluster.query(f"create database {name} template template_sagad")
        return name

    def daemon(self, name, *arguments, **options):
        return Daemon(self, name, *arguments, **options)

    def audit(self, database):
        return subprocess.run([program("sagactl"), "audit", "--database-url", self.cluster.url_of(database)],
                              capture_output=True, text=True)

    def remove(self):
        for daemon in self.daemons:
            daemon.kill()
        self.cluster.remove()
        subprocess.run(["rm", "-rf", self.folder])


THE_WORLD = []


def world():
    if not THE_WORLD:
        THE_WORLD.append(World())
    return THE_WORLD[0]


class DaemonTest(unittest.TestCase):
    """A daemon, a scripted participant and a database for all tests of a class."""

    sagas = ()
    settings = None
    maxDiff = 4000

    @classmethod
    def participants(cls):
        return [{"match": "wire.*", "url": cls.participant.url + "/commands"}]

    @classmethod
    def setUpClass(cls):
        from participant import Participant
        cls.world = world()
        cls.participant = Participant()
        cls.database = cls.world.database()
        cls.daemon = cls.world.daemon(cls.__name__, cls.database, cls.sagas, cls.participants(),
                                      settings=cls.settings).start()
        cls.api = cls.daemon.api

    @classmethod
    def tearDownClass(cls):
        """Whatever a class did: the daemon lives, stops in order, and the audit finds nothing."""
        cls.participant.stop()  # first: the daemon waits for what is on its way
        running, code = cls.daemon.running, cls.daemon.stop()
        audit = cls.world.audit(cls.database)
        if not running or code != 0:
            raise AssertionError(f"the daemon ended with {code}: {cls.daemon.log_text()[-3000:]}")
        if audit.returncode != 0:
            raise AssertionError("audit: " + audit.stdout + audit.stderr)

    def query(self, sql):
        return self.world.cluster.query(sql, self.database)

    def dead_letters(self, saga, reason):
        return int(self.query(f"select count(*) from dead_letters where saga_id = '{saga}' and reason = '{reason}'"))
