#!/usr/bin/env python3
"""Break the service on purpose and see that nothing is lost and nothing is doubled.

Two daemons share one PostgreSQL; participants log every effect before they answer and send some of
their replies late, to either daemon. While sagas are started, daemons are killed (SIGKILL), stopped for
longer than their heartbeat (SIGSTOP), and PostgreSQL is crashed (immediate stop) and started again.
Then the faults end, everything must end, and three things are checked:

  violations     what `sagactl audit` finds (I-1 to I-8)
  wrong_effects  sagas where some step's net effect in the participants' log is not 1 (completed) or 0
                 (compensated) (I-9)
  unended        sagas that did not end

The last line is for other programs: chaos: kills=... violations=... wrong_effects=... unended=...
"""

import argparse
import collections
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cluster import Cluster, Process, free_port, wait_ready  # noqa: E402

HEARTBEAT = {"interval": "200ms", "timeout": "1s"}
PAUSE_SECONDS = 1.6  # longer than the heartbeat lives
START_THREADS = 8
END_WAIT_SECONDS = 180
STUCK_SECONDS = 30  # without one more end: the longest delay of the saga below is 2 s

SAGA = """saga: chaos
timeout: 10m
defaults:
  timeout: 2s
  retry: {attempts: 6, delay: 100ms, max_delay: 1s, jitter: 0.5}
  undo_timeout: 2s
  undo_retry: {attempts: unlimited, delay: 100ms, max_delay: 1s}
steps:
  - name: reserve
    do: inventory.stock.reserve
    undo: inventory.stock.release
  - name: both
    parallel:
      - name: seat
        do: flights.seat.book
        undo: flights.seat.cancel
      - name: room
        do: hotels.room.book
        undo: hotels.room.cancel
  - name: authorise
    do: payments.payment.authorise
    undo: payments.payment.void
    data: '{total: .input.total}'
"""
STEPS = ("reserve", "seat", "room", "authorise")


class Load:
    """Starts sagas until told to stop; every start is repeated with its key until it is definite."""

    def __init__(self, ports, rate):
        self.ports, self.rate, self.lock = ports, rate, threading.Lock()
        self.started, self.ids, self.refused = 0, [], 0
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(START_THREADS)]

    def start(self):
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _run(self, number):
        dice = random.Random(number)
        connections = {}
        sequence = 0
        pause = START_THREADS / self.rate
        while not self.stopping.is_set():
            began = time.monotonic()
            sequence += 1
            # one in ten is over the limit of the payment service and is undone
            total = 5000 if dice.random() < 0.1 else 10
            body = json.dumps({"saga": "chaos", "input": {"n": f"{number}-{sequence}", "total": total}})
            self._start_one(connections, dice, f'"chaos-{number}-{sequence}"', body)
            time.sleep(max(0.0, pause - (time.monotonic() - began)))

    def _start_one(self, connections, dice, key, body):
        while True:
            port = dice.choice(self.ports)
            try:
                connection = connections.get(port)
                if connection is None:
                    connection = connections[port] = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("POST", "/v1/sagas", body,
                                   {"Content-Type": "application/json", "Idempotency-Key": key})
                response = connection.getresponse()
                answer = response.read()
                if response.status in (200, 201):
                    with self.lock:
                        self.started += 1
                        self.ids.append(json.loads(answer)["id"])
                    return
                if 400 <= response.status < 500 and response.status not in (409, 429):
                    with self.lock:
                        self.refused += 1
                    print(f"chaos: a start was refused: {response.status} {answer[:300]!r}", flush=True)
                    return
            except (OSError, http.client.HTTPException, ValueError):
                connections.pop(port, None)
            time.sleep(0.02)


class World:
    def __init__(self, arguments):
        self.arguments = arguments
        settings = ["fsync=on", "shared_buffers=256MB"]
        self.cluster = Cluster(settings)
        self.folder = self.cluster.folder + ".run"
        os.makedirs(os.path.join(self.folder, "sagas"))
        with open(os.path.join(self.folder, "sagas", "chaos.yaml"), "w") as file:
            file.write(SAGA)
        self.ports = [free_port(), free_port()]
        self.demo_port = free_port()
        self.effects = os.path.join(self.folder, "effects.log")
        self.daemons = [Process([os.path.join(arguments.bin, "sagad"), "--config", self._config(n)],
                                os.path.join(self.folder, f"sagad-{n}.log")) for n in (0, 1)]
        replies = ",".join(f"http://127.0.0.1:{p}/v1/events" for p in self.ports)
        self.participants = Process(
            [os.path.join(arguments.bin, "saga-demo"), "--listen", f"127.0.0.1:{self.demo_port}",
             "--log", self.effects, "--late-percent", "20", "--reply-to", replies],
            os.path.join(self.folder, "saga-demo.log"))

    def _config(self, number):
        path = os.path.join(self.folder, f"sagad-{number}.yaml")
        url = f"http://127.0.0.1:{self.demo_port}/commands"
        with open(path, "w") as file:
            file.write(f"""database_url: '{self.cluster.url}'
listen: 127.0.0.1:{self.ports[number]}
sagas: ['{self.folder}/sagas']
heartbeat: {{interval: {HEARTBEAT['interval']}, timeout: {HEARTBEAT['timeout']}}}
log: {{level: warn}}
participants:
""")
            for domain in ("inventory", "flights", "hotels", "payments"):
                file.write(f"  - {{match: {domain}.*, transport: http, url: '{url}'}}\n")
        return path

    def start(self):
        self.cluster.start()
        subprocess.run([os.path.join(self.arguments.bin, "sagad"), "migrate", "--database-url", self.cluster.url],
                       check=True, stderr=subprocess.DEVNULL)
        self.participants.start()
        for daemon in self.daemons:
            daemon.start()
        for port in self.ports:
            if not wait_ready(port):
                raise RuntimeError(f"a daemon did not get ready; see {self.folder}")

    def stop(self):
        codes = [daemon.terminate() for daemon in self.daemons]
        self.participants.terminate()
        return codes

    def remove(self):
        for process in (*self.daemons, self.participants):
            process.kill()
        self.cluster.remove()

    # ---- faults ----

    def kill_daemon(self, number):
        self.daemons[number].kill()
        time.sleep(random.random() * 0.3)
        self.daemons[number].start()

    def pause_daemon(self, number):
        self.daemons[number].signal(signal.SIGSTOP)
        time.sleep(PAUSE_SECONDS)
        self.daemons[number].signal(signal.SIGCONT)

    def crash_database(self):
        self.cluster.stop(signal.SIGQUIT)
        time.sleep(random.random() * 0.5)
        self.cluster.start()

    # ---- checks ----

    def unended(self):
        return int(self.cluster.query("select count(*) from sagas where ended_at is null"))

    def wait_ended(self):
        left, looked = self.unended(), time.monotonic()
        deadline, ended_at = looked + END_WAIT_SECONDS, looked
        while left and looked < min(deadline, ended_at + STUCK_SECONDS):
            time.sleep(0.5)
            before, left, looked = left, self.unended(), time.monotonic()
            ended_at = looked if left < before else ended_at
        return left

    def audit(self):
        out = subprocess.run([os.path.join(self.arguments.bin, "sagactl"), "audit", "--database-url", self.cluster.url],
                             capture_output=True, text=True)
        lines = out.stdout.strip().splitlines()
        for line in lines[-15:]:
            print("chaos:", line, flush=True)
        last = lines[-1] if lines else ""
        if not last.startswith("audit: "):
            print("chaos: the audit did not end:", out.stderr[-500:], flush=True)
            return 1
        return int(last.split("violations=")[1].split()[0])

    def effects_by_step(self):
        """Net effect of every (saga, step): +1 for a do that took effect, -1 for its undo."""
        net = collections.Counter()
        with open(self.effects) as file:
            for line in file:
                kind, key = line.split()[:2]
                saga, step = key.split("/")[:2]
                net[saga, step] += {"do": 1, "undo": -1}.get(kind, 0)
        return net

    def wrong_effects(self, started):
        net = self.effects_by_step()
        wrong = 0
        status = dict(line.split("|") for line in
                      self.cluster.query("select id, status from sagas").splitlines())
        for saga in set(started) - set(status):
            print(f"chaos: saga {saga} was acknowledged and is not there", flush=True)
            wrong += 1
        for saga, end in status.items():
            expected = {"completed": 1, "compensated": 0}.get(end)
            off = {step: net[saga, step] for step in STEPS if net[saga, step] != expected}
            if off:
                wrong += 1
                if wrong <= 10:
                    print(f"chaos: saga {saga} ended {end}, net effects {off}", flush=True)
        return wrong


def schedule(arguments):
    """The faults in a random order, the kills most of them."""
    faults = ["kill"] * arguments.kills + ["stop"] * arguments.stops + ["restart"] * arguments.restarts
    random.shuffle(faults)
    return faults


def run(arguments):
    world = World(arguments)
    counts = collections.Counter()
    try:
        world.start()
        load = Load(world.ports, arguments.rate)
        load.start()
        faults = schedule(arguments)
        print(f"chaos: {len(faults)} faults, at least {arguments.sagas} sagas; logs in {world.folder}", flush=True)
        for done, fault in enumerate(faults, 1):
            time.sleep(0.2 + random.random() * 0.5)
            number = random.randrange(2)
            if fault == "kill":
                world.kill_daemon(number)
            elif fault == "stop":
                world.pause_daemon(number)
            else:
                world.crash_database()
            counts[fault] += 1
            if done % 20 == 0 or done == len(faults):
                print(f"chaos: {done}/{len(faults)} faults, {load.started} sagas started", flush=True)
        while load.started < arguments.sagas:
            time.sleep(0.5)
        load.stop()
        for port in world.ports:
            wait_ready(port)
        unended = world.wait_ended()
        codes = world.stop()
        if any(code != 0 for code in codes):
            print(f"chaos: the daemons ended with {codes} on SIGTERM", flush=True)
        violations = world.audit() + load.refused + sum(1 for code in codes if code != 0)
        wrong = world.wrong_effects(load.ids)
        total = int(world.cluster.query("select count(*) from sagas"))
        print(f"chaos: kills={counts['kill']} stops={counts['stop']} restarts={counts['restart']} sagas={total} "
              f"violations={violations} wrong_effects={wrong} unended={unended}", flush=True)
        return 0 if violations == wrong == unended == 0 else 1
    finally:
        world.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default=".", help="folder of sagad, sagactl and saga-demo")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--restarts", type=int, default=20)
    parser.add_argument("--sagas", type=int, default=50000)
    parser.add_argument("--rate", type=float, default=400, help="starts a second")
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)
    print(f"chaos: seed {seed}", flush=True)
    random.seed(seed)
    sys.exit(run(arguments))


if __name__ == "__main__":
    main()
