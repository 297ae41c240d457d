"""The programs as they are started: sagad dev, --check-config, migrate, and what they say when it can't be."""

import os
import pwd
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from harness import ROOT, Api, DaemonTest, Process, free_port, new_saga_id, program, until, wait_ready, world
from participant import Participant, answer

GOOD = "saga: hello\nsteps:\n  - do: wire.greeting.say\n"
BAD = "saga: bad\nsteps:\n  - {nmae: a, do: x.y.z, undo: x.y.u}\n"


class Commands(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        os.chmod(self.folder.name, 0o755)
        self.processes = []

    def tearDown(self):
        for process in self.processes:
            process.kill()
        self.folder.cleanup()

    def file(self, name, text):
        path = os.path.join(self.folder.name, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def run_sagad(self, *arguments, environment=None, seconds=30):
        return subprocess.run([program("sagad"), *arguments], capture_output=True, text=True, timeout=seconds,
                              env={**os.environ, **(environment or {})}, cwd=self.folder.name)

    # ---- dev ----

    def dev(self, *arguments, **options):
        port = free_port()
        process = Process([program("sagad"), "dev", "--listen", f"127.0.0.1:{port}", *arguments],
                          os.path.join(self.folder.name, "dev.log"))
        process.port, process.api = port, Api(port)
        self.processes.append(process)
        process.start(**options)
        return process

    def ready(self, process):
        until(lambda: wait_ready(process.port, 0.1) or process.process.poll() is not None, "ready or ended", 60)
        self.assertIsNone(process.process.poll(), self.log())

    def log(self):
        with open(os.path.join(self.folder.name, "dev.log")) as file:
            return file.read()

    def check_dev(self, process, **options):
        participant = Participant()
        self.ready(process)
        self.assertIn(f"is ready: http://127.0.0.1:{process.port}", self.log())
        self.assertEqual(process.api.ended(process.api.start("hello", {"name": "you"}))["status"], "completed")
        names = [d["name"] for d in process.api.get("/v1/definitions").json["items"]]
        self.assertEqual(names, ["hello"])
        self.assertEqual(process.terminate(), 0, self.log())
        participant.stop()

    def clusters(self):
        return set(name for name in os.listdir("/tmp") if name.startswith("sagad-") and len(name) == len("sagad-XXXXXX"))

    def test_dev_has_a_cluster_of_its_own_serves_and_leaves_nothing(self):
        before = self.clusters()
        participant = Participant()
        self.file("sagas/hello.yaml", GOOD)
        process = self.dev("--set", f"sagas={self.folder.name}/sagas",
                           "--participant", f"wire.*={participant.url}/{{entity}}/{{action}}")
        self.check_dev(process)
        self.assertEqual([r.path for r in participant.requests], ["/greeting/say"])
        participant.stop()
        self.assertEqual(self.clusters() - before, set(), "the cluster is thrown away")

    def test_dev_as_another_user_than_root(self):
        if os.geteuid() != 0:
            self.skipTest("this is how it runs anyway")
        user = pwd.getpwnam("nobody")
        participant = Participant()
        self.file("sagas/hello.yaml", GOOD)
        process = self.dev("--set", f"sagas={self.folder.name}/sagas", "--participant", f"wire.*={participant.url}/",
                           user=user)
        self.check_dev(process)
        participant.stop()

    def test_dev_keeps_its_data_where_it_is_told_to(self):
        participant = Participant()
        self.file("sagas/hello.yaml", GOOD)
        arguments = ("--data", os.path.join(self.folder.name, "data"), "--set", f"sagas={self.folder.name}/sagas",
                     "--participant", f"wire.*={participant.url}/")
        process = self.dev(*arguments)
        self.ready(process)
        saga = process.api.start("hello")
        process.api.ended(saga)
        self.assertEqual(process.terminate(), 0)
        process = self.dev(*arguments)
        self.ready(process)
        self.assertEqual(process.api.saga(saga)["status"], "completed")
        self.assertEqual(process.terminate(), 0)
        participant.stop()

    def test_dev_killed_takes_its_cluster_along(self):
        self.file("sagas/hello.yaml", GOOD)
        before = self.clusters()
        process = self.dev("--set", f"sagas={self.folder.name}/sagas")
        self.ready(process)
        folder = (self.clusters() - before).pop()
        with open(f"/tmp/{folder}/data/postmaster.pid") as file:
            postmaster = int(file.readline())
        process.kill()
        until(lambda: not os.path.exists(f"/proc/{postmaster}"), "PostgreSQL is gone too")
        subprocess.run(["rm", "-rf", f"/tmp/{folder}"])

    def test_dev_ends_in_order_while_its_cluster_starts(self):
        self.file("sagas/hello.yaml", GOOD)
        before = self.clusters()
        process = self.dev("--set", f"sagas={self.folder.name}/sagas")
        folder = until(lambda: self.clusters() - before, "its cluster is being made").pop()
        process.signal(signal.SIGTERM)
        process.process.wait(30)
        until(lambda: not self.running_in(f"/tmp/{folder}"), "no PostgreSQL is left behind")
        subprocess.run(["rm", "-rf", f"/tmp/{folder}"])

    def running_in(self, folder):
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", "rb") as file:
                    if folder.encode() in file.read():
                        found.append(int(pid))
            except OSError:
                pass
        return found

    # ---- --check-config ----

    def test_check_config_good(self):
        self.file("sagas/hello.yaml", GOOD)
        path = self.file("sagad.yaml", "sagas: [sagas]\nheartbeat: {interval: 1s}\n")
        out = self.run_sagad("--config", path, "--check-config")
        self.assertEqual((out.returncode, out.stdout), (0, "sagad: the settings are fine\n"), out.stderr)

    def test_check_config_tells_every_problem_with_its_place(self):
        self.file("sagas/hello.yaml", GOOD)
        path = self.file("sagad.yaml", "sagas: [sagas]\nheartbeat: {intervall: 1s}\nworkers: many\n"
                         "participants:\n  - {match: wire.*}\n")
        out = self.run_sagad("--config", path, "--check-config", environment={"SAGAD_LOG_LEVEL": "loud"})
        self.assertEqual(out.returncode, 1)
        for text in ("sagad.yaml:2:", 'did you mean "interval"', "sagad.yaml:3:", "sagad.yaml:5:", "url",
                     "SAGAD_LOG_LEVEL", "loud"):
            self.assertIn(text, out.stderr)

    def test_check_config_tells_what_is_wrong_in_a_saga_file(self):
        self.file("sagas/hello.yaml", GOOD)
        self.file("sagas/bad.yaml", BAD)
        path = self.file("sagad.yaml", "sagas: [sagas]\n")
        out = self.run_sagad("--config", path, "--check-config")
        self.assertEqual((out.returncode, out.stdout), (1, ""))
        self.assertIn("sagas/bad.yaml:3:", out.stderr)
        self.assertIn('did you mean "name"', out.stderr)

    def test_check_config_passes_files_with_tests_over(self):
        self.file("sagas/hello.yaml", GOOD)
        self.file("sagas/hello.test.yaml", "test: hello\ncases: []\n")
        out = self.run_sagad("--check-config", "--set", "sagas=sagas")
        self.assertEqual(out.returncode, 0, out.stderr)

    def test_check_config_misses_a_folder_or_a_file(self):
        out = self.run_sagad("--check-config", "--set", "sagas=nowhere")
        self.assertEqual(out.returncode, 1)
        self.assertIn("nowhere: No such file", out.stderr)
        self.assertIn("--set sagas=FOLDER", out.stderr)
        out = self.run_sagad("--config", "nowhere.yaml", "--check-config")
        self.assertEqual(out.returncode, 1)
        self.assertIn("nowhere.yaml", out.stderr)

    def test_the_examples_are_fine(self):
        out = self.run_sagad("--check-config", "--config", os.path.join(ROOT, "demo", "sagad.yaml"),
                             "--set", f"sagas={ROOT}/sagas")
        self.assertEqual(out.returncode, 0, out.stderr)

    # ---- starting ----

    def test_other_addresses_than_loopback_must_be_asked_for(self):
        self.file("sagas/hello.yaml", GOOD)
        for listen in ("0.0.0.0:18080", "[::]:18080", "10.0.0.1:18080"):
            out = self.run_sagad("--database-url", world().cluster.url, "--listen", listen, "--set", "sagas=sagas")
            self.assertEqual(out.returncode, 1)
            self.assertIn("allow_unauthenticated", out.stderr)
        out = self.run_sagad("--check-config", "--listen", "0.0.0.0:18080", "--set", "sagas=sagas",
                             "--set", "allow_unauthenticated=true")
        self.assertEqual(out.returncode, 0, out.stderr)

    def test_a_taken_port_is_told_with_the_remedy(self):
        self.file("sagas/hello.yaml", GOOD)
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            out = self.run_sagad("--database-url", world().cluster.url_of(world().database()), "--set", "sagas=sagas",
                                 "--listen", f"127.0.0.1:{port}")
            self.assertEqual(out.returncode, 1)
            self.assertIn(str(port), out.stderr)
            self.assertIn("taken", out.stderr)
            self.assertIn("--listen", out.stderr)

    def test_without_a_database_setting_it_says_which(self):
        self.file("sagas/hello.yaml", GOOD)
        out = self.run_sagad("--set", "sagas=sagas", environment={"SAGAD_DATABASE_URL": ""})
        self.assertEqual(out.returncode, 1)
        for text in ("database_url", "SAGAD_DATABASE_URL", "--database-url", "sagad dev"):
            self.assertIn(text, out.stderr)

    def test_usage_is_told_with_code_2(self):
        for arguments, text in ((["fly"], "fly"), (["migrate", "now"], "now"), (["--set", "x"], "NAME=VALUE"),
                                (["--nothing"], "sagad --help")):
            out = self.run_sagad(*arguments)
            self.assertEqual(out.returncode, 2, arguments)
            self.assertIn(text, out.stderr)
        self.assertEqual(self.run_sagad("--version").returncode, 0)
        self.assertIn("heartbeat.interval", self.run_sagad("--help").stdout)

    def test_a_saga_file_that_changed_under_its_version_stops_the_start(self):
        database = world().database()
        self.file("sagas/hello.yaml", "version: 1\n" + GOOD)
        arguments = ["--database-url", world().cluster.url_of(database), "--set", "sagas=sagas"]
        self.start_and_stop(arguments)
        self.file("sagas/hello.yaml", "version: 1\ndescription: other\n" + GOOD)
        out = self.run_sagad(*arguments, "--listen", f"127.0.0.1:{free_port()}")
        self.assertEqual(out.returncode, 1)
        self.assertIn("raise `version`", out.stderr)
        self.assertIn("hello.yaml", out.stderr)

    def start_and_stop(self, arguments):
        port = free_port()
        process = subprocess.Popen([program("sagad"), *arguments, "--listen", f"127.0.0.1:{port}"], cwd=self.folder.name,
                                   stderr=subprocess.DEVNULL)
        try:
            self.assertTrue(wait_ready(port))
        finally:
            process.terminate()
            self.assertEqual(process.wait(30), 0)

    def test_it_listens_on_a_unix_socket(self):
        self.file("sagas/hello.yaml", GOOD)
        path = os.path.join(self.folder.name, "sagad.sock")
        process = subprocess.Popen([program("sagad"), "--database-url", world().cluster.url_of(world().database()), "--set",
                                    "sagas=sagas", "--listen", f"unix:{path}"], cwd=self.folder.name,
                                   stderr=subprocess.DEVNULL)
        try:
            until(lambda: self.get_unix(path).startswith(b"HTTP/1.1 200"), "ready")
        finally:
            process.terminate()
            self.assertEqual(process.wait(30), 0)

    def get_unix(self, path):
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(5)
                connection.connect(path)
                connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n")
                return connection.recv(100)
        except OSError:
            return b""

    # ---- migrate ----

    def test_migrate_twice_changes_nothing_the_second_time(self):
        world().cluster.query("create database migrated")
        first = world().migrate("migrated")
        self.assertIn("migration 0001", first.stderr)
        second = world().migrate("migrated")
        self.assertEqual(second.stderr, "")

    def test_migrate_from_many_at_once(self):
        world().cluster.query("create database migrated_at_once")
        url = world().cluster.url_of("migrated_at_once")
        many = [subprocess.Popen([program("sagad"), "migrate", "--database-url", url], stderr=subprocess.PIPE, text=True)
                for _ in range(4)]
        told = [process.communicate(timeout=30)[1] for process in many]
        self.assertEqual([process.returncode for process in many], [0] * 4, told)
        self.assertEqual(sum("migration 0001" in text for text in told), 1, told)

    def test_migrate_without_a_database_says_what_it_tried(self):
        began = time.monotonic()
        out = self.run_sagad("migrate", "--database-url", "host=/tmp/there-is-none dbname=x", seconds=60)
        self.assertEqual(out.returncode, 1)
        self.assertIn("/tmp/there-is-none", out.stderr)
        self.assertLess(time.monotonic() - began, 30)


class Audit(DaemonTest):
    """What sagactl audit finds when a byte of the journal was changed."""

    sagas = [GOOD]

    def test_one_flipped_byte_is_found_and_named(self):
        sagas = [self.api.start("hello", {"name": name}) for name in ("anna", "bert")]
        for saga in sagas:
            self.api.ended(saga)
        count = self.query("select count(*) from sagas")
        clean = self.world.audit(self.database)
        self.assertEqual((clean.returncode, clean.stdout), (0, f"audit: sagas={count} violations=0\n"))
        part = self.query(f"select tableoid::regclass from journal where saga_id = '{sagas[1]}' limit 1")
        self.query(f"create table kept as select * from journal where saga_id = '{sagas[1]}'")
        self.query(f"update {part} set entry = replace(entry, 'bert', 'berT') where saga_id = '{sagas[1]}' and number = 1")
        found = self.world.audit(self.database)
        self.assertEqual(found.returncode, 1)
        lines = found.stdout.splitlines()
        self.assertEqual(lines[-1], f"audit: sagas={count} violations=1")
        self.assertTrue(lines[0].startswith(f"I-1  {sagas[1]}  journal entry 1"), lines)
        self.assertNotIn(sagas[0], found.stdout)
        self.query(f"update {part} j set entry = k.entry from kept k where j.saga_id = k.saga_id and j.number = k.number")
        self.assertEqual(self.world.audit(self.database).returncode, 0)

    def test_a_missing_entry_a_changed_state_and_a_foreign_row_are_found(self):
        saga = self.api.start("hello", {"name": "carl"})
        self.api.ended(saga)
        part = self.query(f"select tableoid::regclass from journal where saga_id = '{saga}' limit 1")
        table = self.query(f"select tableoid::regclass from sagas where id = '{saga}'")
        for fault, mend, invariant in (
                (f"create table gone as select * from journal where saga_id = '{saga}' and number = 2; "
                 f"delete from {part} where saga_id = '{saga}' and number = 2",
                 "insert into journal select * from gone; drop table gone", "I-1"),
                (f"update {table} set state = set_byte(state, 3, get_byte(state, 3) # 1) where id = '{saga}'",
                 f"update {table} set state = set_byte(state, 3, get_byte(state, 3) # 1) where id = '{saga}'", "I-1"),
                ("insert into starts (definition, kind, key, saga_id, at) values ('hello', 0, 'k', "
                 f"'{new_saga_id()}', now())", "delete from starts where key = 'k'", "I-8")):
            self.query(fault)
            found = self.world.audit(self.database)
            self.assertEqual(found.returncode, 1, fault)
            self.assertIn(invariant, found.stdout)
            self.query(mend)
        self.assertEqual(self.world.audit(self.database).returncode, 0)

    def test_without_a_database_it_says_so(self):
        out = subprocess.run([program("sagactl"), "audit"], capture_output=True, text=True,
                             env={k: v for k, v in os.environ.items() if k != "SAGAD_DATABASE_URL"})
        self.assertEqual(out.returncode, 2)
        out = subprocess.run([program("sagactl"), "audit", "--database-url", "host=/tmp/there-is-none"],
                             capture_output=True, text=True)
        self.assertEqual(out.returncode, 1)
