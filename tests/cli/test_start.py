"""start, wait."""
import json
import signal
import subprocess

from harness import (BIN, Lab, ctl, environment, files, fresh, start, test, until, wait_status)


@test("start prints the id and the status, and the saga is there")
def _():
    result = ctl("start", "lab", f"name={fresh()}")
    saga, symbol, status = result.out.split()
    assert (symbol, status) == ("▶", "running") or status == "completed", result
    assert ctl("get", saga, "-o", "json").json()["id"] == saga
    assert result.err == "", result


@test("a VALUE that is JSON stays JSON, anything else is text")
def _():
    for value, wanted in [("7", 7), ("true", True), ('{"a":[1]}', {"a": [1]}), ("hello", "hello"), ("", ""),
                          ("a=b", "a=b"), ('"7"', "7")]:
        saga = ctl("start", "lab", f"name={fresh()}", f"note={value}", "-o", "ids").out.strip()
        assert ctl("get", saga, "-o", "json").json()["input"]["note"] == wanted, value


@test("the input comes from -f FILE, from -f - and from -")
def _():
    name = fresh()
    with files(in_json=json.dumps({"name": name, "note": "file"})) as folder:
        saga = ctl("start", "lab", "-f", f"{folder}/in.json", "-o", "ids").out.strip()
    assert ctl("get", saga, "-o", "json").json()["input"]["note"] == "file"
    for arguments in (["-f", "-"], ["-"]):
        text = json.dumps({"name": fresh(), "note": "it's stdin"})
        saga = ctl("start", "lab", *arguments, "-o", "ids", stdin=text).out.strip()
        assert ctl("get", saga, "-o", "json").json()["input"]["note"] == "it's stdin"


@test("input that is no JSON is refused with its place, before anything is sent")
def _():
    with files(in_json='{"name": "x",\n oops}') as folder:
        result = ctl("start", "lab", "-f", f"{folder}/in.json", code=2, SAGACTL_SERVER="http://127.0.0.1:1")
        assert "in.json:2:5:" in result.err and result.out == "", result
    assert "not both" in ctl("start", "lab", "a=1", "-f", "x.json", code=2).err
    assert "KEY=VALUE" in ctl("start", "lab", "nonsense", code=2).err
    assert "No such file" in ctl("start", "lab", "-f", "/nowhere.json", code=2).err
    large = '"' + "x" * 1048576 + '"'
    assert "more than" in ctl("start", "lab", "-", stdin=large, code=2).err


@test("--key gives the key, and a second start while it runs returns the same saga")
def _():
    key = fresh()
    one = ctl("start", "lab", f"name={key}", "mode=hang", "--key", key, "-o", "ids").out.strip()
    two = ctl("start", "lab", f"name={key}", "mode=hang", "--key", key, "-o", "ids").out.strip()
    assert one == two
    assert ctl("get", f"lab/{key}", "-o", "ids").out.strip() == one
    ctl("close", one, "--reason", "test")


@test("start --wait ends with 0 for completed")
def _():
    result = ctl("start", "lab", f"name={fresh()}", "--wait")
    assert result.out.rstrip().endswith("✔ completed"), result


@test("start --wait ends with 6 for compensated")
def _():
    result = ctl("start", "lab", f"name={fresh()}", "mode=no", "--wait=30s", code=6)
    assert result.out.rstrip().endswith("↩ compensated"), result


@test("start --wait ends with 7 for failed")
def _():
    name = fresh()
    waiting = subprocess.Popen([f"{BIN}/sagactl", "start", "lab", f"name={name}", "mode=busy", "--wait"],
                               env=environment(), stdout=subprocess.PIPE, text=True)
    until("the pause", lambda: "next in" in ctl("get", f"lab/{name}", code=None).out)
    ctl("close", f"lab/{name}", "--reason", "test")
    out, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == 7 and out.rstrip().endswith("✖ failed"), out


@test("start --wait ends with 8 when the time is over, and the saga goes on")
def _():
    result = ctl("start", "lab", f"name={fresh()}", "mode=hang", "--wait=300ms", code=8)
    assert result.out.rstrip().endswith("▶ running"), result
    ctl("close", result.out.split()[0], "--reason", "test")


@test("Ctrl-C while waiting ends with 130, says that the saga goes on, and leaves it running")
def _():
    name = fresh()
    waiting = subprocess.Popen([f"{BIN}/sagactl", "start", "lab", f"name={name}", "mode=hang", "--wait"],
                               env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until("the saga", lambda: ctl("get", f"lab/{name}", code=None).code == 0)
    wait_status(ctl("get", f"lab/{name}", "-o", "ids").out.strip(), "middle", "sent")
    waiting.send_signal(signal.SIGINT)
    _, err = waiting.communicate(timeout=30)
    assert waiting.returncode == 130 and "the saga goes on" in err, err
    assert ctl("get", f"lab/{name}", "-o", "json").json()["status"] == "running"
    ctl("close", f"lab/{name}", "--reason", "test")


@test("wait has the same exit codes: 0, 6, 7, 8, and prints the saga")
def _():
    assert "completed" in ctl("wait", start(), "--timeout", "30s").out
    assert "compensated" in ctl("wait", start("no"), "--for", "terminal", code=6).out
    hanging = start("hang")
    assert "running" in ctl("wait", hanging, "--timeout", "100ms", code=8).out
    stuck = start("busy")
    wait_status(stuck, "middle", "backoff")
    ctl("close", stuck, "--reason", "test")
    assert ctl("wait", stuck, "-o", "json", code=7).json()["status"] == "failed"
    assert "duration" in ctl("wait", hanging, "--timeout", "soon", code=2).err
    assert "terminal" in ctl("wait", hanging, "--for", "ever", code=2).err


@test("start --version takes a number")
def _():
    name = fresh()
    assert "number" in ctl("start", "lab", f"name={name}", "--version", "new", code=2).err
    assert ctl("start", "lab", f"name={name}", "--version", "1", "-o", "json").json()["version"] == 1


@test("a saga that is not there is 3, with the nearest name")
def _():
    result = ctl("start", "lap", code=3)
    assert "lab" in result.err and result.out == "", result


@test("input that the definition refuses is 1, with every field that is wrong")
def _():
    result = ctl("start", "order-fulfilment", "order_id=o-9", "total=much", code=1)
    assert "/input/total" in result.err and "customer_id" in result.err, result


Lab.down.update({"busy", "stuck"})


@test("start --dry-run says what would be sent and starts nothing")
def _():
    run = ctl("start", "lab", "mode=ok", "--key", "dry-1", "--dry-run")
    assert run.out.startswith("(dry run) start "), run.out
    assert "send do" in run.out, run.out
    ctl("get", "lab/dry-1", code=3)
