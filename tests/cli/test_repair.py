"""cancel, pause, resume, retry, close, step."""
from harness import Lab, ctl, start, test, wait_status


def stuck(mode, step):
    saga = start(mode)
    wait_status(saga, step, "backoff" if mode != "hang" else "sent")
    return saga


def status(saga):
    return ctl("get", saga, "-o", "json").json()["status"]


@test("cancel turns back and undoes")
def _():
    saga = stuck("busy", "middle")
    result = ctl("cancel", saga, "--reason", "no longer wanted")
    assert result.out.startswith(f"cancel {saga}  ") and "undo" in result.out, result
    ctl("wait", saga, code=6)
    assert "no longer wanted" in ctl("events", saga).out


@test("--dry-run says what would happen and does nothing")
def _():
    saga = stuck("busy", "middle")
    for action in ("cancel", "pause", "retry", "close"):
        reason = ["--reason", "x"] if action == "close" else []
        result = ctl(action, saga, "--dry-run", *reason)
        assert result.out.startswith(f"(dry run) {action} {saga}"), result
        assert status(saga) == "running"
        assert ctl(action, saga, "--dry-run", *reason, "-o", "json").json()["dryRun"] is True
    ctl("close", saga, "--reason", "test")


@test("pause holds the saga, resume lets it go on")
def _():
    saga = stuck("busy", "middle")
    ctl("pause", saga)
    assert ctl("get", saga, "-o", "json").json()["paused"] is True
    ctl("pause", saga)
    ctl("resume", saga)
    assert ctl("get", saga, "-o", "json").json()["paused"] is False
    ctl("close", saga, "--reason", "test")


@test("retry tries at once what waits")
def _():
    saga = stuck("busy", "middle")
    Lab.down.discard("busy")
    try:
        ctl("retry", saga, "--reason", "it is up again")
        ctl("wait", saga)
    finally:
        Lab.down.add("busy")


@test("several ids at once: a line each, the first code that is not fine, JSON is an array")
def _():
    one, two = stuck("busy", "middle"), stuck("busy", "middle")
    result = ctl("pause", one, "ffffffff", two, code=3)
    assert [line.split()[1] for line in result.out.splitlines() if line.startswith("pause")] == [one, two], result
    answers = ctl("resume", one, two, "-o", "json").json()
    assert [answer["saga"]["id"] for answer in answers] == [one, two]
    assert ctl("close", one, two, "--reason", "test", "-o", "ids").out.split() == [one, two]


@test("close needs a reason, ends the saga as failed, and is 5 when it has ended")
def _():
    saga = stuck("busy", "middle")
    assert "--reason" in ctl("close", saga, code=2).err
    ctl("close", saga, "--reason", "test")
    assert status(saga) == "failed"
    result = ctl("retry", saga, code=5)
    assert result.out == "" and result.err.startswith("sagactl: "), result


@test("cancel behind the pivot is 5 and says what is allowed")
def _():
    saga = stuck("stuck", "inner")
    ctl("step", "complete", saga, "inner", "--data", '{"step":"right"}', "--reason", "seen", "--dry-run")
    result = ctl("cancel", saga, code=5)
    assert result.out == "" and "allowed now: " in result.err, result
    ctl("close", saga, "--reason", "test")


@test("step complete takes what happened for done, with its data")
def _():
    saga = stuck("busy", "middle")
    result = ctl("step", "complete", saga, "middle", "--data", '{"from":"me"}', "--reason", "seen")
    assert result.out.startswith(f"complete middle of {saga}"), result
    ctl("wait", saga)
    assert '"from"' in ctl("events", saga, "--payloads").out
    assert "by an operator" in ctl("get", saga).out


@test("step skip goes on without it")
def _():
    saga = stuck("busy", "middle")
    ctl("step", "skip", saga, "middle", "--reason", "not needed")
    ctl("wait", saga)
    assert "skipped by an operator" in ctl("get", saga).out


@test("step fail turns the saga back")
def _():
    saga = stuck("busy", "middle")
    ctl("step", "fail", saga, "middle", "--code", "gone", "--message", "it is gone", "--reason", "seen")
    ctl("wait", saga, code=6)
    assert ctl("get", saga, "-o", "json").json()["error"]["code"] == "gone"


@test("step retry tries one step at once")
def _():
    saga = stuck("busy", "middle")
    Lab.down.discard("busy")
    try:
        ctl("step", "retry", saga, "middle", "--reason", "it is up again")
        ctl("wait", saga)
    finally:
        Lab.down.add("busy")


@test("step undo-done and waive are 5 where there is nothing to undo")
def _():
    saga = stuck("busy", "middle")
    ctl("step", "undo-done", saga, "middle", "--evidence", '{"n":1}', "--reason", "x", code=5)
    ctl("step", "waive", saga, "middle", "--reason", "x", code=5)
    ctl("close", saga, "--reason", "test")


@test("step says what is wrong: the action, the step, the data, a missing reason")
def _():
    saga = stuck("busy", "middle")
    assert "did you mean skip?" in ctl("step", "skp", saga, "middle", "--reason", "x", code=2).err
    assert ctl("step", "skip", saga, "nothing", "--reason", "x", code=None).code in (1, 3, 5)
    assert "--data" in ctl("step", "complete", saga, "middle", "--data", "{", "--reason", "x", code=2).err
    assert "--reason" in ctl("step", "skip", saga, "middle", code=2).err
    ctl("step", "skip", saga, "point", "--reason", "x", code=5)
    ctl("close", saga, "--reason", "test")
