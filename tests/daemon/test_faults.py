"""PostgreSQL away and back, daemons killed and stopped, two daemons on one database (S-30, S-32, I-10)."""

import http.client
import json
import signal
import socket
import subprocess
import threading
import time
import unittest

from harness import Cluster, Daemon, new_saga_id, program, until, world
from participant import Gate, Participant, answer

SAGA = """saga: load
defaults:
  timeout: 10s
  retry: {attempts: 20, delay: 50ms, max_delay: 200ms, jitter: 0.5}
  undo_timeout: 10s
  undo_retry: {attempts: unlimited, delay: 50ms, max_delay: 200ms}
steps:
  - {name: first, do: wire.seat.book, undo: wire.seat.cancel}
  - name: both
    parallel:
      - {name: left, do: wire.room.book, undo: wire.room.cancel}
      - {name: right, do: wire.car.book, undo: wire.car.cancel}
  - {name: last, do: wire.payment.take, undo: wire.payment.give}
"""
SLOW = """saga: slow
defaults: {timeout: 20s, retry: {attempts: 5, delay: 50ms, jitter: 0}}
steps:
  - {name: first, do: wire.seat.book, undo: wire.seat.cancel}
  - {name: last, do: wire.payment.take, undo: wire.payment.give}
"""


class Load:
    """Starts sagas, each with a key, from several threads; every start is repeated until it is definite."""

    def __init__(self, ports, saga="load", threads=4, pause=0.01):
        self.ports, self.saga, self.pause = ports, saga, pause
        self.stopping, self.lock, self.ids, self.refused = threading.Event(), threading.Lock(), [], []
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _run(self, number):
        count = 0
        while not self.stopping.is_set():
            count += 1
            key, body = f'"{self.saga}-{number}-{count}"', json.dumps({"saga": self.saga, "input": {"n": count}})
            tries = number + count
            while not self._start(self.ports[tries % len(self.ports)], key, body):
                tries += 1
                if self.stopping.wait(0.05):
                    return
            self.stopping.wait(self.pause)

    def _start(self, port, key, body):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
            connection.request("POST", "/v1/sagas", body, {"Content-Type": "application/json", "Idempotency-Key": key})
            response = connection.getresponse()
            data = json.loads(response.read())
            connection.close()
        except (OSError, http.client.HTTPException, ValueError):
            return False
        if response.status in (200, 201):
            with self.lock:
                self.ids.append(data["id"])
            return True
        if 400 <= response.status < 500 and response.status != 429:
            with self.lock:
                self.refused.append(data)
            return True
        return False


class Faults(unittest.TestCase):
    """Each test has a cluster or a database of its own, as it breaks it."""

    def setUp(self):
        self.participant, self.daemons, self.clusters = Participant(), [], []

    def tearDown(self):
        self.participant.stop()
        for daemon in self.daemons:
            daemon.kill()
        for cluster in self.clusters:
            cluster.remove()

    def daemon(self, database, name="a", **settings):
        daemon = Daemon(world(), f"{self.id().rpartition('.')[2]}-{name}", database, [SAGA, SLOW],
                        [{"match": "wire.*", "url": self.participant.url}], settings)
        self.daemons.append(daemon)
        return daemon

    def own_cluster(self):
        # its processes die, not the machine: what was written is in the page cache
        cluster = Cluster(["fsync=off", "shared_buffers=32MB"])
        self.clusters.append(cluster)
        return cluster

    def migrate(self, cluster):
        subprocess.run([program("sagad"), "migrate", "--database-url", cluster.url], check=True, capture_output=True)

    def query(self, sql, database):
        return world().cluster.query(sql, database)

    def all_ended(self, query, ids, seconds=60):
        until(lambda: query("select count(*) from sagas where ended_at is null") == "0", "all end", seconds)
        known = set(query("select id from sagas").split())
        self.assertEqual(set(ids) - known, set(), "acknowledged and not there")
        self.assertEqual(query("select count(*) from outbox"), "0")

    def audit(self, url):
        out = subprocess.run([program("sagactl"), "audit", "--database-url", url], capture_output=True, text=True)
        self.assertEqual(out.returncode, 0, out.stdout + out.stderr)

    # ---- PostgreSQL ----

    def test_without_a_database_it_starts_says_so_and_comes_up_by_itself(self):
        cluster = self.own_cluster()
        cluster.start()
        self.migrate(cluster)
        cluster.stop(signal.SIGINT)
        daemon = self.daemon("postgres", database_url=cluster.url).launch()
        until(lambda: self.status(daemon, "/livez") == 200, "livez")
        self.assertEqual(self.status(daemon, "/readyz"), 503)
        self.assertIn("[-] database", daemon.api.get("/readyz?verbose").text)
        refused = daemon.api.post("/v1/sagas", {"saga": "load"})
        self.assertEqual((refused.status, refused.json["type"]), (503, "/problems/starting"))
        self.assertEqual(refused.headers["Retry-After"], "1")
        self.assertEqual(self.status(daemon, "/metrics"), 200)
        away = until(lambda: [e for e in daemon.log() if e["event.action"] == "database.away"], "a log line")
        self.assertEqual((len(away), away[0]["log.level"]), (1, "error"))
        cluster.start()
        until(lambda: self.status(daemon, "/readyz") == 200, "readyz, by itself")
        self.assertEqual(daemon.api.ended(daemon.api.start("load"))["status"], "completed")
        self.assertEqual(daemon.stop(), 0)

    def status(self, daemon, path):
        try:
            return daemon.api.get(path).status
        except OSError:
            return None

    def test_a_database_without_a_schema_is_told_with_the_remedy(self):
        world().cluster.query("create database bare")
        daemon = self.daemon("bare").launch()
        until(lambda: not daemon.running, "it ends")
        self.assertEqual(daemon.process.process.returncode, 1)
        self.assertIn("run sagad migrate", daemon.log_text())

    def test_stopped_while_it_waits_for_the_database_it_ends_in_order(self):
        daemon = self.daemon("nothing", database_url="host=/tmp/there-is-none dbname=x").launch()
        until(lambda: self.status(daemon, "/livez") == 200, "livez")
        began = time.monotonic()
        self.assertEqual(daemon.stop(), 0)
        self.assertLess(time.monotonic() - began, 5)

    def test_a_crash_of_the_database_under_load_loses_nothing(self):
        cluster = self.own_cluster()
        cluster.start()
        self.migrate(cluster)
        daemon = self.daemon("postgres", database_url=cluster.url).start()
        with Load([daemon.port]) as load:
            for _ in range(2):
                have = len(load.ids)
                until(lambda: len(load.ids) > have + 40, "starts go on by themselves")
                cluster.stop(signal.SIGQUIT)
                until(lambda: self.status(daemon, "/readyz") == 503, "not ready")
                self.assertEqual(self.status(daemon, "/livez"), 200)
                cluster.start()
            have = len(load.ids)
            until(lambda: len(load.ids) > have + 40, "starts go on by themselves")
        self.assertEqual(load.refused, [])
        self.all_ended(cluster.query, load.ids)
        self.assertEqual(cluster.query("select distinct status from sagas"), "completed")
        self.audit(cluster.url)
        self.assertEqual(daemon.stop(), 0)
        actions = {entry["event.action"] for entry in daemon.log()}
        self.assertLessEqual({"database.lost", "database.back"}, actions)

    # ---- the daemon ----

    def test_killed_with_open_sagas_it_goes_on_where_it_was(self):
        database = world().database()
        daemon = self.daemon(database, heartbeat={"interval": "100ms", "timeout": "1s"}).start()
        sagas = [new_saga_id() for _ in range(20)]
        gates = [Gate(answer(200, {})) for _ in sagas]
        for saga, gate in zip(sagas, gates):
            self.participant.script(f"{saga}/last/do", gate)
            daemon.api.start("load", {"n": 1}, id=saga)
        until(lambda: all(self.participant.calls(f"{s}/last/do") for s in sagas), "all wait for their last step")
        daemon.kill()
        daemon.start()
        until(lambda: all(len(self.participant.calls(f"{s}/last/do")) == 2 for s in sagas), "adopted and sent again", 6)
        for saga in sagas:
            first, second = self.participant.calls(f"{saga}/last/do")
            self.assertEqual(first.json["eventId"], second.json["eventId"])
            self.assertEqual((first.data_bytes, first.json["causationId"], first.json["timestamp"]),
                             (second.data_bytes, second.json["causationId"], second.json["timestamp"]))
            self.assertEqual(second.json["metadata"]["retryCount"], 1)
        for gate in gates:
            gate.open()
        self.all_ended(lambda sql: self.query(sql, database), sagas)
        self.assertEqual(daemon.api.steps(sagas[0])["last"]["attempts"][0]["tries"], 1, "an adoption costs no try")
        self.assertEqual(daemon.stop(), 0)
        self.audit(world().cluster.url_of(database))

    def test_sigterm_under_load_drains_and_lets_go(self):
        database = world().database()
        daemon = self.daemon(database, shutdown_grace="10s").start()
        with Load([daemon.port]) as load:
            until(lambda: len(load.ids) > 100, "load")
            began = time.monotonic()
            code = daemon.stop(15)
            took = time.monotonic() - began
        self.assertEqual(code, 0)
        self.assertLess(took, 11)
        query = lambda sql: self.query(sql, database)
        # what is left waits in the database for the next daemon: no row is owned, no daemon is alive
        self.assertEqual(query("select count(*) from outbox where owner is not null"), "0")
        self.assertEqual(query("select count(*) from daemons where heartbeat_at > now() - interval '4 s'"), "0")
        self.audit(world().cluster.url_of(database))
        daemon.start()
        self.all_ended(query, load.ids)
        self.assertEqual(daemon.stop(), 0)
        self.audit(world().cluster.url_of(database))

    def test_sigterm_waits_for_answers_on_their_way_but_not_beyond_its_grace(self):
        database = world().database()
        daemon = self.daemon(database, shutdown_grace="1s").start()
        soon, never = new_saga_id(), new_saga_id()
        gate = Gate(answer(200, {}))
        self.participant.script(f"{soon}/first/do", gate)
        self.participant.script(f"{never}/first/do", Gate())
        for saga in (soon, never):
            daemon.api.start("slow", {}, id=saga)
        until(lambda: self.participant.calls(soon) and self.participant.calls(never), "both under way")
        daemon.process.signal(signal.SIGTERM)
        until(lambda: not self.accepts(daemon), "it takes no connections")
        gate.open()
        began = time.monotonic()
        self.assertEqual(daemon.process.process.wait(15), 0)
        self.assertLess(time.monotonic() - began, 6)
        steps = self.query(f"select step from sagas where id = '{soon}'", database)
        self.assertEqual(steps, "last", "the answer was taken")
        self.assertEqual(self.query(f"select step from sagas where id = '{never}'", database), "first")
        # what was sent without an answer is unknown and waits for its next try; what was not sent is let go
        rows = lambda s: self.query(f"select step, owner is null from outbox where saga_id = '{s}'", database)
        self.assertEqual((rows(never), rows(soon)), ("", "last|t"))
        self.audit(world().cluster.url_of(database))

    def accepts(self, daemon):
        try:
            socket.create_connection(("127.0.0.1", daemon.port), 1).close()
            return True
        except OSError:
            return False

    def test_a_waiting_request_is_answered_at_sigterm(self):
        database = world().database()
        daemon = self.daemon(database, shutdown_grace="1s").start()
        saga = new_saga_id()
        self.participant.script(f"{saga}/first/do", answer(202))
        daemon.api.start("slow", {}, id=saga)
        answers = []
        thread = threading.Thread(target=lambda: answers.append(daemon.api.get(f"/v1/sagas/{saga}?wait=50s")))
        thread.start()
        until(lambda: self.participant.calls(saga), "under way")
        time.sleep(0.1)  # most often the request waits by now; nothing depends on it
        self.assertEqual(daemon.stop(), 0)
        thread.join(10)
        self.assertEqual([a.status for a in answers], [200])

    # ---- two daemons ----

    def two(self, **settings):
        database = world().database()
        settings.setdefault("heartbeat", {"interval": "100ms", "timeout": "1s"})
        return database, self.daemon(database, "a", **settings).start(), self.daemon(database, "b", **settings).start()

    def test_a_reply_may_go_to_either_of_two_daemons(self):
        database, a, b = self.two(heartbeat={"interval": "100ms", "timeout": "4s"})
        for starter, replied in ((a, b), (b, a)):
            saga = new_saga_id()
            self.participant.script(f"{saga}/first/do", answer(202))
            self.participant.script(f"{saga}/last/do", answer(202))
            starter.api.start("slow", {}, id=saga)
            for step, to in (("first", replied), ("last", starter)):
                command = until(lambda: self.participant.calls(f"{saga}/{step}/do"), step)[0]
                got = to.api.post("/v1/events", command.reply("_succeeded", {"step": step}))
                self.assertEqual(got.json["items"][0]["disposition"], "applied")
            for daemon in (a, b):
                self.assertEqual(daemon.api.ended(saga)["output"], {"first": {"step": "first"}, "last": {"step": "last"}})
        self.assertEqual((a.stop(), b.stop()), (0, 0))
        self.audit(world().cluster.url_of(database))

    def test_the_same_reply_to_both_at_once_is_applied_once(self):
        database, a, b = self.two(heartbeat={"interval": "100ms", "timeout": "4s"})
        for _ in range(10):
            saga = new_saga_id()
            self.participant.script(f"{saga}/first/do", answer(202))
            a.api.start("slow", {}, id=saga)
            command = until(lambda: self.participant.calls(f"{saga}/first/do"), "first")[0]
            dispositions = []

            def send(to, n):
                got = to.api.post("/v1/events", command.reply("_succeeded", {"n": n}))
                dispositions.append(got.json["items"][0]["disposition"])
            threads = [threading.Thread(target=send, args=(to, n)) for n, to in enumerate((a, b))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            a.api.ended(saga)
            self.assertEqual(len(self.participant.calls(f"{saga}/last/do")), 1, dispositions)
            self.assertEqual([e["type"] for e in a.api.journal(saga)].count("step.ok"), 2)
        self.assertEqual((a.stop(), b.stop()), (0, 0))
        self.audit(world().cluster.url_of(database))

    def test_the_rows_of_a_killed_daemon_are_adopted_in_time(self):
        database, a, b = self.two()
        sagas = [new_saga_id() for _ in range(10)]
        for saga in sagas:
            self.participant.script(f"{saga}/first/do", Gate())
            a.api.start("slow", {}, id=saga)
        until(lambda: all(self.participant.calls(s) for s in sagas), "all under way")
        a.kill()
        died = time.monotonic()
        until(lambda: all(len(self.participant.calls(f"{s}/first/do")) == 2 for s in sagas), "all sent again", 15)
        self.assertLess(time.monotonic() - died, 1 + 2)
        self.all_ended(lambda sql: self.query(sql, database), sagas)
        for saga in sagas:
            self.assertIn("row.adopted", [e["type"] for e in b.api.journal(saga)])
        self.assertEqual(b.stop(), 0)
        self.audit(world().cluster.url_of(database))

    def test_a_due_wake_up_of_a_killed_daemon_is_not_missed(self):
        database, a, b = self.two()
        saga = new_saga_id()
        self.participant.script(f"{saga}/first/do", answer(429, b"", "Retry-After: 2"))
        a.api.start("slow", {}, id=saga)
        until(lambda: a.api.steps(saga)["first"]["status"] == "backoff", "backoff")
        a.kill()
        self.assertEqual(b.api.ended(saga)["status"], "completed")
        self.assertEqual(b.stop(), 0)

    def test_both_under_load_one_killed_and_started_again_lose_nothing(self):
        database, a, b = self.two()
        with Load([a.port, b.port]) as load:
            until(lambda: len(load.ids) > 60, "load")
            a.kill()
            have = len(load.ids)
            until(lambda: len(load.ids) > have + 60, "the other goes on")
            a.start()
            have = len(load.ids)
            until(lambda: len(load.ids) > have + 60, "both go on")
        self.assertEqual(load.refused, [])
        self.all_ended(lambda sql: self.query(sql, database), load.ids)
        self.assertEqual((a.stop(), b.stop()), (0, 0))
        self.audit(world().cluster.url_of(database))
