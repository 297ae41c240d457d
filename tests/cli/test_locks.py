"""lock list, lock release."""
import os

from harness import SERVICES, ctl, test, until

SAGA = """saga: locked
lock: {key: '"order/" + .input.id'}
steps:
  - {name: ask, do: lab.thing.ask, data: '{mode: "hang"}', timeout: 10m}
"""


def start(key):
    return ctl("start", "locked", f'id="{key}"', "-o", "ids").out.strip()


def reaches(saga, status):
    until(f"{saga} {status}", lambda: ctl("get", saga, "-o", "json").json()["status"] == status)


@test("lock list has holder and next, lock release lets the next go on, explain says for whom a saga waits")
def _():
    path = os.path.join(SERVICES.folder, "locked.yaml")
    with open(path, "w", encoding="utf-8") as out:
        out.write(SAGA)
    ctl("def", "apply", path)
    assert "no locks are held" in ctl("lock", "list").err
    first = start("17")
    reaches(first, "running")
    second = start("17")
    rows = [line.split("\t") for line in ctl("lock", "list").out.splitlines()]
    assert rows[0][:2] == ["LOCK", "HOLDER"], rows
    assert (rows[1][0], rows[1][1], rows[1][3:]) == ("order/17", f"locked {first}", ["1", second]), rows
    assert ctl("lock", "list", "-o", "ids").out == "order/17\n"
    assert first in ctl("explain", second).out.splitlines()[0]
    assert "needs --reason" in ctl("lock", "release", "order/17", code=2).err
    assert ctl("lock", "release", "order/17", "--reason", "x", "--dry-run").out.startswith("(dry run) release order/17")
    result = ctl("lock", "release", "order/17", "--reason", "it hangs")
    assert result.out == f"release order/17  locked {first} goes on without it\n", result
    reaches(second, "running")
    assert "it hangs" in ctl("events", first).out
    ctl("lock", "release", "nobody", "--reason", "x", code=5)
    for saga in first, second:
        ctl("close", saga, "--reason", "test")
