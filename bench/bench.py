#!/usr/bin/env python3
"""Run the benchmark: floor, engine, http; one line a case, ratios against the floor of the same run.

Everything is on this machine and at full durability: fsync, synchronous_commit and full_page_writes are on.
"""

import argparse
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "lib"))
from cluster import Cluster, Process, free_port, wait_ready  # noqa: E402

SETTINGS = ["fsync=on", "synchronous_commit=on", "full_page_writes=on", "shared_buffers=1GB", "max_wal_size=4GB",
            "min_wal_size=1GB", "checkpoint_timeout=15min", "wal_buffers=64MB"]
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    """CPU of one process so far; 0 if it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS
    except OSError:
        return 0.0


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


def rss_mb(pid):
    """Anonymous memory at its peak; shared libraries and buffers left out."""
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    return 0.0


class Cpu:
    """CPU of PostgreSQL (its living processes) and of one of ours, between two looks."""

    def __init__(self, postmaster, ours):
        self.postmaster, self.ours = postmaster, ours
        self.before = self._look()

    def _look(self):
        look = {pid: cpu_seconds(pid) for pid in [self.postmaster, *children(self.postmaster)]}
        return look, cpu_seconds(self.ours)

    def cores(self, seconds):
        before, ours_before = self.before
        after, ours_after = self._look()
        postgres = sum(value - before.get(pid, 0.0) for pid, value in after.items())
        return postgres / seconds, (ours_after - ours_before) / seconds


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.floor = None

    def line(self, case, figures, cores, memory_mb):
        rate = float(figures["sagas"]) / float(figures["seconds"])
        if case == "floor":
            self.floor = rate
        ratio = rate / self.floor if self.floor else 0.0
        print(f"bench: {case} sagas_per_s={rate:.0f} ratio={ratio:.3f} p50_ms={figures['p50_ms']} "
              f"p99_ms={figures['p99_ms']} cpu_pg={cores[0]:.2f} cpu_sagad={cores[1]:.2f} rss_mb={memory_mb:.0f}",
              flush=True)

    def measure(self, case, postmaster, command, ours=None):
        """Run the load; sample CPU and memory of `ours` (the load itself if not given) over its life."""
        load = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        pid = ours or load.pid
        cpu, memory = Cpu(postmaster, pid), 0.0
        elapsed = 0.0
        cores = (0.0, 0.0)
        while load.poll() is None:
            try:
                load.wait(0.25)
            except subprocess.TimeoutExpired:
                elapsed += 0.25
                memory = max(memory, rss_mb(pid))
                cores = cpu.cores(elapsed)
        out = load.stdout.read()
        if load.returncode != 0 or "sagas=" not in out:
            raise RuntimeError(f"bench: {case} failed with {load.returncode}: {out}")
        figures = dict(item.split("=") for item in out.strip().splitlines()[-1].split())
        self.line(case, figures, cores, memory)

    def program(self, name):
        return os.path.join(self.arguments.bin, name)

    def load(self, case, *more):
        return [self.program("bench"), case, "--seconds", str(self.arguments.seconds), "--warmup", "1",
                "--concurrency", str(self.arguments.concurrency), *more]

    def with_cluster(self, run):
        cluster = Cluster(SETTINGS)
        try:
            cluster.start()
            subprocess.run([self.program("sagad"), "migrate", "--database-url", cluster.url], check=True,
                           stderr=subprocess.DEVNULL)
            run(cluster)
        finally:
            cluster.remove()

    def run_direct(self, case):
        self.with_cluster(lambda cluster: self.measure(
            case, cluster.process.pid, self.load(case, "--database-url", cluster.url)))

    def run_http(self):
        self.with_cluster(self._run_http)

    def _run_http(self, cluster):
        port, demo_port = free_port(), free_port()
        with tempfile.TemporaryDirectory() as folder:
            config = os.path.join(folder, "sagad.yaml")
            with open(config, "w") as file:
                file.write(f"database_url: '{cluster.url}'\nlisten: 127.0.0.1:{port}\n"
                           "sagas: [bench/bench.yaml]\nlog: {level: warn}\nparticipants:\n"
                           f"  - {{match: bench.*, transport: http, url: 'http://127.0.0.1:{demo_port}/commands'}}\n")
            demo = Process([self.program("saga-demo"), "--listen", f"127.0.0.1:{demo_port}"],
                           os.path.join(folder, "saga-demo.log"))
            daemon = Process([self.program("sagad"), "--config", config], os.path.join(folder, "sagad.log"))
            try:
                demo.start()
                daemon.start()
                if not wait_ready(port):
                    raise RuntimeError(open(daemon.log).read())
                self.measure("http", cluster.process.pid, self.load("http", "--server", f"127.0.0.1:{port}"),
                             daemon.process.pid)
            finally:
                daemon.terminate()
                demo.kill()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/bin")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--concurrency", type=int, default=256)
    parser.add_argument("--cases", default="floor,engine,http")
    arguments = parser.parse_args()
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
    print(f"bench: machine {os.cpu_count()} cores, {model}; fsync=on synchronous_commit=on; "
          f"{arguments.concurrency} sagas in flight", flush=True)
    bench = Bench(arguments)
    for case in arguments.cases.split(","):
        if case == "http":
            bench.run_http()
        else:
            bench.run_direct(case)


if __name__ == "__main__":
    main()
