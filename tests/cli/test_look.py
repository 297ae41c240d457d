"""list, get, explain, events."""
import re
import subprocess
import time

from harness import (BIN, SERVICES, ctl, environment, fresh, on_terminal, plain, same, start, test, until,
                     wait_status)

ORDER = ("order_id={}", "customer_id=c-7", 'items=[{{"sku":"mug","qty":2}}]', "total=129.9", "card_token=tok_1")


def order(key):
    return ctl("start", "order-fulfilment", *(pair.format(key) for pair in ORDER), "-o", "ids").out.strip()


def demo_control(body):
    subprocess.run(["curl", "-sf", f"{SERVICES.demo}/control", "-d", body], check=True, capture_output=True)


def tree(saga, **env):
    return plain(ctl("get", saga, **env).out)


@test("get shows a completed saga as a tree: pivot, parallel, and why a step was skipped")
def _():
    key = fresh()
    saga = order(key)
    ctl("wait", saga)
    assert ctl("get", saga).out.index("✔ completed") == 63, ctl("get", saga)
    same(tree(saga).replace(key, "o-1001").replace(" " * (63 - 37 - len(key)), " -- "), """\
order-fulfilment v1  o-1001  <ID>… -- ✔ completed  <T>
  ✔ reserve       inventory.stock.reserve          <T>
  – fraud_check   skipped: .input.total > 500 is false
  ✔ authorise     payments.payment.authorise       <T>
  ◆ capture       payments.payment.capture         <T>  pivot passed <TIME>
  ┬ fulfil
  ├ ✔ ship        shipping.parcel.dispatch         <T>
  └ ✔ notify      notifications.email.send         <T>
""")


@test("get shows a step that is tried again: attempt, failure, when next; and what to do next on stderr")
def _():
    key = fresh()
    demo_control('{"down":["shipping"]}')
    try:
        saga = order(key)
        until("a second try", lambda: re.search(r"attempt \d", ctl("get", saga).out))
        until("attention", lambda: ctl("get", saga, "-o", "json").json()["attention"])
        until("a pause between tries", lambda: "next in" in ctl("get", saga).out)
        result = ctl("get", f"order-fulfilment/{key}")
        assert re.search(r"▶ running  [\d.msh ]+   ! step_failing\n", result.out), result
        same(re.sub(r"attempt \d+", "attempt 7", plain(result.out)).split("\n", 1)[1], """\
  ✔ reserve       inventory.stock.reserve          <T>
  – fraud_check   skipped: .input.total > 500 is false
  ✔ authorise     payments.payment.authorise       <T>
  ◆ capture       payments.payment.capture         <T>  pivot passed <TIME>
  ┬ fulfil
  ├ ↻ ship        shipping.parcel.dispatch         attempt 7, HTTP 503, next in <T>
  └ ✔ notify      notifications.email.send         <T>
""")
        same(result.err, f"next: sagactl explain order-fulfilment/{key} | "
                         f"sagactl retry order-fulfilment/{key} --reason …\n")
    finally:
        demo_control('{"up":["shipping"]}')
    # while a try is under way there is none to be brought forward
    until("the retry is taken", lambda: ctl("retry", saga, "--reason", "it is up", code=None).code == 0)
    ctl("wait", saga)


@test("get shows a compensated saga: what was refused and what is undone")
def _():
    saga = ctl("start", "book-trip", "trip=t-no-car", "-o", "ids").out.strip()
    ctl("wait", saga, code=6)
    same(tree(saga), f"""\
book-trip v1  <ID>{' ' * (63 - 50)}↩ compensated  <T>
  ↩ book_seat     flights.seat.book                undone
  ↩ book_room     hotels.room.book                 undone
  ✖ book_car      cars.car.book                    rejected, no_car_left
""")


@test("get shows groups in groups with lines, and what was passed over")
def _():
    saga = start("lame")
    ctl("wait", saga)
    same(tree(saga).split("\n", 1)[1], """\
  ✔ first         lab.thing.make                   <T>
  – maybe         skipped: .input.mode == "extra" is false
  ✔ middle        lab.thing.ask                    <T>
  ◆ point         lab.thing.decide                 <T>  pivot passed <TIME>
  ┬ both
  ├ ✖ left        lab.thing.left                   rejected, no_left, passed over
  └ ┬ right
    ├ ✔ inner     lab.thing.right                  <T>
    └ ✔ last      lab.thing.last                   <T>
""")


@test("get without UTF-8 is ASCII, the same tree")
def _():
    saga = start("lame")
    ctl("wait", saga)
    result = ctl("get", saga, LC_ALL="C")
    assert result.out.isascii(), result
    same(plain(result.out).split("\n", 1)[1], """\
  + first         lab.thing.make                   <T>
  - maybe         skipped: .input.mode == "extra" is false
  + middle        lab.thing.ask                    <T>
  * point         lab.thing.decide                 <T>  pivot passed <TIME>
  + both
  | x left        lab.thing.left                   rejected, no_left, passed over
  ` + right
    | + inner     lab.thing.right                  <T>
    ` + last      lab.thing.last                   <T>
""")


@test("get shows a step that waits for its reply, and a paused saga")
def _():
    saga = start("hang")
    wait_status(saga, "middle", "sent")
    ctl("pause", saga)
    out = plain(ctl("get", saga).out)
    assert "▶ running  <T>  paused" in out, out
    assert re.search(r"↻ middle +lab.thing.ask +sent <T> ago\n", out), out
    assert re.search(r"· point +lab.thing.decide\n", out), out
    ctl("close", saga, "--reason", "test")


@test("colours only on a terminal, and neither with NO_COLOR nor with TERM=dumb; --color says otherwise")
def _():
    saga = start()
    ctl("wait", saga)
    assert "\033" not in ctl("get", saga).out
    assert "\033[32m" in on_terminal("get", saga)
    assert "\033" not in on_terminal("get", saga, NO_COLOR="1")
    assert "\033" not in on_terminal("get", saga, TERM="dumb")
    assert "\033" not in on_terminal("get", saga, "--color", "never")
    assert "\033[32m" in ctl("get", saga, "--color", "always").out
    assert "auto, always or never" in ctl("get", saga, "--color", "sometimes", code=2).err


@test("list shows the newest first, with tabs between columns off a terminal and aligned on one")
def _():
    one, two = start(), start()
    lines = ctl("list", "lab").out.splitlines()
    assert lines[0].split("\t") == ["SAGA", "KEY", "STATUS", "STEP", "ATTENTION", "AGE", "ID"], lines[0]
    assert [line.split("\t")[6] for line in lines[1:3]] == [two, one], lines[:3]
    shown = on_terminal("list", "lab", "--limit", "3").splitlines()
    assert "\t" not in shown[0] and len({line.index(line.split()[-1]) for line in shown}) == 1, shown


@test("list filters by saga, status, step, key, label, error code, age, and counts with --limit")
def _():
    hanging, completed, refused = start("hang"), start(), start("no")
    wait_status(hanging, "middle", "sent")
    ctl("wait", completed)
    ctl("wait", refused, code=6)
    key = ctl("get", hanging, "-o", "json").json()["key"]

    def ids(*arguments):
        return ctl("list", *arguments, "-o", "ids").out.split()
    assert hanging in ids("lab", "--status", "running") and completed not in ids("--status", "running")
    assert completed in ids("--status", "completed,compensated") and refused in ids("--status", "!running")
    assert ids("--key", key) == [hanging]
    assert hanging in ids("--step", "middle") and completed not in ids("--step", "middle")
    assert refused in ids("--error-code", "no_thanks") and completed not in ids("--error-code", "no_thanks")
    assert hanging in ids("-l", "tier=1") and ids("--label", "tier=9") == []
    assert hanging in ids("-a", "mode=hang") and refused not in ids("--attr", "mode=hang")
    assert ids("-a", "mode=hang", "-a", "name=x") == []
    assert hanging in ids("--since", "1h")
    time.sleep(0.01)
    assert ids("--since", "1ms", "--key", key) == []
    assert len(ids("lab", "--limit", "2")) == 2
    assert "more" in ctl("list", "lab", "--limit", "2").err
    assert ids("no-such-saga") == [] and ctl("list", "no-such-saga").err == "none\n"
    for wrong in (["--status", "asleep"], ["--attention=bored"], ["--since", "yore"], ["--limit", "none"],
                  ["-l", "tier"]):
        assert ctl("list", *wrong, code=None).code in (1, 2), wrong
    ctl("close", hanging, "--reason", "test")


@test("list --attention shows who needs a person: since when, when it is tried again, whose it is")
def _():
    saga = start("stuck")
    wait_status(saga, "inner", "backoff")
    until("attention", lambda: ctl("get", saga, "-o", "json").json()["attention"])
    reason = ctl("get", saga, "-o", "json").json()["attention"]["reason"]
    key = ctl("get", saga, "-o", "json").json()["key"]
    result = ctl("list", "--attention")
    lines = [line.split("\t") for line in result.out.splitlines()]
    assert lines[0] == ["SAGA", "KEY", "STATUS", "STEP", "ATTENTION", "SINCE", "NEXT RETRY", "OWNER", "ID"], lines
    mine = next(line for line in lines if line[8] == saga)
    assert mine[:5] == ["lab", key, "▶ running", "inner", reason] and mine[7] == "team-lab", mine
    assert re.fullmatch(r"in \d+m \d+s", mine[6]), mine
    assert re.search(r"^\d+ of \d+ need attention · \d+ more running normally +explain one: sagactl explain lab/",
                     result.err), result
    assert saga in ctl("list", f"--attention={reason}", "-o", "ids").out
    assert saga not in ctl("list", "--attention=pivot_unknown", "-o", "ids").out
    ctl("close", saga, "--reason", "test")


@test("explain says why in a sentence, and what is allowed")
def _():
    saga = start("busy")
    wait_status(saga, "middle", "backoff")
    result = ctl("explain", saga)
    assert result.out.startswith("Will try lab.thing.ask again in "), result
    assert re.search(r"^next attempt: in ", result.out, re.M), result
    assert re.search(r"^allowed: .*cancel.*retry", result.out, re.M), result
    assert ctl("explain", saga, "-o", "json").json()["waitingFor"]["kind"] == "retry"
    ctl("cancel", saga)
    ctl("wait", saga, code=6)
    assert ctl("explain", saga).out.startswith("Ended compensated after "), result


@test("events prints a line a transition, --payloads the data, -o json an object a line")
def _():
    import json
    saga = start("ok", None, "note=hello")
    ctl("wait", saga)
    lines = ctl("events", saga).out.splitlines()
    assert re.match(r"   1  \d{4}-\d\d-\d\dT[\d:.]+Z  start \| none -> running \| do first/1, attributes$", lines[0]), lines[0]
    assert "completed" in lines[-1], lines[-1]
    assert '"note":"hello"' in ctl("events", saga, "--payloads").out.replace(": ", ":")
    entries = [json.loads(line) for line in ctl("events", saga, "-o", "json").out.splitlines()]
    assert [entry["seq"] for entry in entries] == list(range(1, len(lines) + 1))


@test("events --follow goes on until the saga has ended")
def _():
    saga = start("hang")
    wait_status(saga, "middle", "sent")
    following = subprocess.Popen([f"{BIN}/sagactl", "events", saga, "--follow"], env=environment(),
                                 stdout=subprocess.PIPE, text=True)
    assert "start" in following.stdout.readline()
    ctl("cancel", saga, "--reason", "enough")
    ctl("step", "fail", saga, "middle", "--reason", "it did not happen", code=None)
    rest, _ = following.communicate(timeout=60)
    assert following.returncode == 0 and "compensated" in rest.splitlines()[-1], rest
    assert "  -- enough" in rest, rest


@test("a saga is found by id, by an unambiguous beginning, by SAGA/KEY and by a key alone")
def _():
    key = fresh() + "/a b:c"
    saga = start("ok", key)
    ctl("wait", saga)
    for name in (saga, saga[:30], saga.upper(), f"lab/{key}", key.replace("/", "/") if "/" not in key else saga):
        assert ctl("get", name, "-o", "ids").out.strip() == saga, name
    plain_key = fresh() + "-alone"
    saga = start("ok", plain_key)
    assert ctl("get", plain_key, "-o", "ids").out.strip() == saga
    longer = start("ok", plain_key + "-2")
    assert ctl("get", plain_key, "-o", "ids").out.strip() == saga, "an exact key goes before a longer one"
    assert ctl("get", plain_key + "-2", "-o", "ids").out.strip() == longer
    result = ctl("get", saga[:3], code=2)
    assert "more than one" in result.err and result.out == "", result
    for none in ("ffffffff", "no-such-key", "lab/no-such-key", "01890000-0000-7000-8000-000000000000", "a/b/c"):
        assert ctl("get", none, code=3).out == "", none
