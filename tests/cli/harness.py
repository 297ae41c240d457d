"""Services for the tests of the command line, a way to run sagactl, and a runner that counts.

A test is a function with @test("a sentence"). Everything listens on free ports of loopback, and ends with
this program.
"""
import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("SAGAD_BIN", os.path.join(ROOT, "build", "bin"))
WAIT_S = 60
TESTS = []


def test(sentence):
    def keep(function):
        TESTS.append((sentence, function))
        return function
    return keep


class Skip(Exception):
    pass


def until(what, condition, limit_s=WAIT_S):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("did not come: " + what)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


# ---- participants ----

class Lab(http.server.BaseHTTPRequestHandler):
    """A plain participant: what it answers to `middle`, `left` and `inner` hangs on the mode."""
    protocol_version = "HTTP/1.1"
    down = set()  # modes whose fault lasts

    def answer(self, status, body=None, **headers):
        out = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/problem+json" if status >= 400 else "application/json")
        self.send_header("Content-Length", str(len(out)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(out)

    def do_POST(self):
        data = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"null") or {}
        step, mode = self.path.rsplit("/", 1)[-1], data.get("mode")
        if (step, mode) == ("ask", "no"):
            return self.answer(422, {"code": "no_thanks", "detail": "not today"})
        if (step, mode) == ("ask", "hang"):
            return self.answer(202)
        if (step, mode) in (("ask", "busy"), ("right", "stuck")) and mode in Lab.down:
            return self.answer(503, {"code": "busy"}, Retry_After="0")
        if (step, mode) == ("left", "lame"):
            return self.answer(422, {"code": "no_left"})
        return self.answer(200, {"step": step})

    def log_message(self, *_):
        pass


# ---- services ----

class Services:
    """A `sagad dev` with saga-demo and the lab."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="sagactl-tests-", dir="/tmp")
        os.chmod(self.folder, 0o755)
        self.processes = []
        self.port, self.demo_port = free_port(), free_port()
        self.server = f"http://127.0.0.1:{self.port}"
        self.demo = f"http://127.0.0.1:{self.demo_port}"
        self.lab = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lab)
        self.lab.daemon_threads = True
        threading.Thread(target=self.lab.serve_forever, daemon=True).start()
        self.data = os.path.join(self.folder, "pg")
        self.url = f"host={self.data} port=5432 user=sagad dbname=postgres"

    def spawn(self, *arguments, log, **options):
        with open(os.path.join(self.folder, log), "w", encoding="utf-8") as out:
            process = subprocess.Popen(arguments, stdout=out, stderr=subprocess.STDOUT, cwd=ROOT, **options)
        self.processes.append(process)
        return process

    def start(self):
        text = open(os.path.join(ROOT, "demo", "sagad.yaml"), encoding="utf-8").read()
        text = text.replace("127.0.0.1:8090", f"127.0.0.1:{self.demo_port}")
        text = text.replace("sagas: [sagas]", "sagas: [sagas, tests/cli/sagas]")
        text += (f"  - {{match: lab.*, format: plain, "
                 f"url: 'http://127.0.0.1:{self.lab.server_address[1]}/{{action}}'}}\n")
        config = os.path.join(self.folder, "sagad.yaml")
        open(config, "w", encoding="utf-8").write(text)
        self.spawn(f"{BIN}/saga-demo", "--listen", f"127.0.0.1:{self.demo_port}", log="demo.log")
        self.daemon = self.spawn(f"{BIN}/sagad", "dev", "--config", config, "--listen", f"127.0.0.1:{self.port}",
                                 "--data", self.data, log="sagad.log")
        until("a server that is ready", lambda: self.daemon.poll() is not None or
              subprocess.run([f"{BIN}/sagactl", "ping", "-q", "--server", self.server],
                             stderr=subprocess.DEVNULL, check=False).returncode == 0)
        if self.daemon.poll() is not None:
            raise RuntimeError(self.log("sagad.log"))

    def log(self, name):
        return open(os.path.join(self.folder, name), encoding="utf-8").read()

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(timeout=WAIT_S)
        self.lab.shutdown()
        shutil.rmtree(self.folder, ignore_errors=True)


SERVICES = Services()


# ---- sagactl ----

class Result:
    def __init__(self, process):
        self.code, self.out, self.err = process.returncode, process.stdout, process.stderr

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}---"


def environment(**changes):
    env = {name: value for name, value in os.environ.items() if not name.startswith("SAGA")}
    env.update({"SAGACTL_SERVER": SERVICES.server, "SAGACTL_DEMO": SERVICES.demo, "LC_ALL": "C.UTF-8",
                "TERM": "xterm", "TZ": "UTC", "PATH": BIN + ":" + os.environ["PATH"]})
    env.pop("NO_COLOR", None)
    env.update(changes)
    return env


def ctl(*arguments, code=0, stdin="", **env):
    result = Result(subprocess.run([f"{BIN}/sagactl", *arguments], input=stdin, capture_output=True, text=True,
                                   env=environment(**env), timeout=120, check=False))
    assert code is None or result.code == code, f"sagactl {' '.join(arguments)}: wanted {code}: {result}"
    return result


def start(mode="ok", name=None, *more, code=0):
    """A lab saga; its id."""
    pairs = [f"mode={mode}"] + ([f"name={name}"] if name else [f"name={fresh()}"])
    return ctl("start", "lab", *pairs, *more, "-o", "ids", code=code).out.strip()


NUMBER = [0]


def fresh():
    NUMBER[0] += 1
    return f"n-{os.getpid()}-{NUMBER[0]}"


def wait_status(saga, step, status):
    def look():
        answer = subprocess.run(["curl", "-s", f"{SERVICES.server}/v1/sagas/{saga}/steps/{step}"],
                                capture_output=True, text=True, check=True).stdout
        return json.loads(answer).get("status") == status
    until(f"{step} {status}", look)


def plain(text):
    """Without what differs from run to run: ids, durations, times of day."""
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<ID>", text)
    text = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}(…|\.\.\.)", r"<ID>\1", text)
    text = re.sub(r"\b\d\d:\d\d:\d\d\b", "<TIME>", text)
    return re.sub(r"(?<![\w.])(\d+ms|\d+\.\ds|\d+m \d+s|\d+h \d+m)( *)(?=\S|$)",
                  lambda m: "<T>" + ("  " if len(m.group(2)) > 1 else m.group(2)), text, flags=re.M)


def same(got, wanted):
    if got == wanted:
        return
    raise AssertionError("differs\n--- wanted\n" + wanted + "--- got\n" + got + "---")


@contextlib.contextmanager
def files(**contents):
    """A folder with these files; `name_yaml` is name.yaml."""
    folder = tempfile.mkdtemp(dir=SERVICES.folder)
    for name, text in contents.items():
        open(os.path.join(folder, name.replace("_", ".")), "w", encoding="utf-8").write(text)
    yield folder
    shutil.rmtree(folder)


def on_terminal(*arguments, **env):
    """Run on a pseudo-terminal; what it shows."""
    import pty
    main, side = pty.openpty()
    process = subprocess.Popen([f"{BIN}/sagactl", *arguments], stdin=side, stdout=side, stderr=subprocess.DEVNULL,
                               env=environment(**env))
    os.close(side)
    shown = b""
    with contextlib.suppress(OSError):
        while chunk := os.read(main, 65536):
            shown += chunk
    os.close(main)
    process.wait(timeout=WAIT_S)
    return shown.decode().replace("\r\n", "\n")


# ---- the runner ----

def run():
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    only = sys.argv[1:]
    try:
        SERVICES.start()
        for sentence, function in TESTS:
            if only and not any(word in sentence for word in only):
                continue
            began = time.monotonic()
            try:
                function()
                outcome, why = "passed", ""
            except Skip as reason:
                outcome, why = "skipped", str(reason)
            except Exception:  # a test may fail in any way
                outcome, why = "failed", traceback.format_exc()
            counts[outcome] += 1
            print(f"{outcome:8} {sentence} ({time.monotonic() - began:.1f} s)", flush=True)
            if why:
                print(why, flush=True)
        if counts["failed"]:
            print(SERVICES.log("sagad.log")[-4000:])
    finally:
        SERVICES.stop()
    if os.environ.get("TESTS_COUNT_FILE"):
        with open(os.environ["TESTS_COUNT_FILE"], "a", encoding="utf-8") as out:
            out.write("{passed} {failed} {skipped}\n".format(**counts))
    print("{passed} passed, {failed} failed, {skipped} skipped".format(**counts))
    return 1 if counts["failed"] else 0
