"""def lint, test, list, get, apply; expr."""
import json
import re
from xml.etree import ElementTree

from harness import ROOT, ctl, files, start, test

SMALL = """saga: small
steps:
  - do: lab.thing.make
    undo: lab.thing.unmake
"""
WRONG = SMALL.replace("steps", "stepz")


@test("def lint says that a file is fine on stderr, and needs no server")
def _():
    result = ctl("def", "lint", f"{ROOT}/sagas/order-fulfilment.yaml", SAGACTL_SERVER="http://127.0.0.1:1")
    assert result.out == "" and "fine: order-fulfilment" in result.err, result
    assert ctl("def", "lint", "-q", f"{ROOT}/sagas/order-fulfilment.yaml").err == ""


@test("def lint shows file, line, column and the nearest name, and is 1")
def _():
    with files(wrong_yaml=WRONG, small_yaml=SMALL) as folder:
        result = ctl("def", "lint", f"{folder}/small.yaml", f"{folder}/wrong.yaml", code=1)
        assert "wrong.yaml:2:1" in result.out and 'did you mean "steps"' in result.out, result
        lines = ctl("def", "lint", f"{folder}/wrong.yaml", "-o", "json", code=1).out.splitlines()
        assert {"file", "line", "column", "severity", "code", "message"} <= set(json.loads(lines[0])), lines
    assert "No such file" in ctl("def", "lint", "/nowhere.yaml", code=1).err
    assert "fine: small" in ctl("def", "lint", "-", stdin=SMALL).err


NOWHERE = {"SAGACTL_SERVER": "http://127.0.0.1:1"}
TESTS = """test: small
cases:
  - name: it is made & kept
    expect: {status: completed, sent: [lab.thing.make]}
  - name: it is not made
    given: [{step: make_thing, fail: no}]
    expect: {status: compensated, undone: []}
"""


def tested(folder, tests, *words, code=0, saga=SMALL):
    """`def test` on a folder with this saga and these tests."""
    for name, text in ("small.yaml", saga), ("small.test.yaml", tests):
        open(f"{folder}/{name}", "w", encoding="utf-8").write(text)
    return ctl("def", "test", folder, *words, code=code, **NOWHERE)


@test("def test runs every case of a folder without a server, and is 0 if all pass")
def _():
    with files() as folder:
        lines = tested(folder, TESTS).out.splitlines()
        assert re.fullmatch(rf"{folder}/small.test.yaml  \S it is made & kept  \d+\.\d ms", lines[0]), lines
        assert lines[0].index("it is made") == lines[1].index("it is not made") and lines[2:] == ["2 passed, 0 failed"], lines
        assert "2 passed" in ctl("def", "test", f"{folder}/small.test.yaml", **NOWHERE).out
        cases = [json.loads(line) for line in tested(folder, TESTS, "-o", "json").out.splitlines()]
        assert [(case["case"], case["passed"]) for case in cases] == [("it is made & kept", True), ("it is not made", True)]


@test("def test is 1 for a wrong expectation, with what was expected, what was sent and the way")
def _():
    with files() as folder:
        wrong = TESTS.replace("undone: []", "undone: [make_thing]")
        out = tested(folder, wrong, code=1).out
        for line in ("expected undone: make_thing; got: nothing", "sent: lab.thing.make",
                     "make_thing/1 do:rejected | running -> compensated | turn_back step, end",
                     "1 passed, 1 failed"):
            assert line in out, (line, out)
        assert "do:rejected" not in tested(folder, wrong, "-q", code=1).out
        case = json.loads(tested(folder, wrong, "-o", "json", code=1).out.splitlines()[1])
        assert not case["passed"] and case["problems"] == ["expected undone: make_thing; got: nothing"], case


@test("def test --chaos plays each case again with each fault")
def _():
    with files() as folder:
        assert "12 runs with a fault\n2 passed, 0 failed\n" in tested(folder, TESTS, "--chaos").out


@test("def test --junit writes what CI reads, also of what failed and of what could not be read")
def _():
    with files() as folder:
        path = f"{folder}/all.xml"
        tested(folder, TESTS.replace("status: compensated", "status: failed"), "--junit", path, code=1)
        suite = ElementTree.parse(path).getroot().find("testsuite")
        assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "1", "0"), suite.attrib
        good, bad = suite.findall("testcase")
        assert good.get("name") == "it is made & kept" and float(good.get("time")) < 5 and good.find("failure") is None
        assert bad.find("failure").get("message") == "expected status failed, got compensated"
        tested(folder, TESTS.replace("cases", "case"), "--junit", path, code=1)
        assert ElementTree.parse(path).getroot().find("testsuite").get("errors") == "1"
        assert "/nowhere/all.xml" in tested(folder, TESTS, "--junit", "/nowhere/all.xml", code=1).err


@test("def test shows problems of the files at their place, and is 1 if there is nothing to run")
def _():
    with files(empty_yaml=SMALL) as folder:
        assert "no such file in this folder" in ctl("def", "test", folder, code=1).err
        result = tested(folder, TESTS.replace("make_thing", "make_thong"), code=1)
        assert "small.test.yaml:6:20: error E141" in result.out and 'did you mean "make_thing"' in result.out, result
        assert "1 file not read\n0 passed, 0 failed\n" in result.out, result
        assert "small.yaml:2:1: error E101" in tested(folder, TESTS, saga=WRONG, code=1).out
        assert "No such file" in ctl("def", "test", "/nowhere.test.yaml", code=1).err
        assert "is called NAME.test.yaml" in ctl("def", "test", f"{folder}/empty.yaml", code=1).err


@test("files with tests are linted as such; verify and apply pass them over")
def _():
    with files() as folder:
        tested(folder, TESTS)
        both = [f"{folder}/small.test.yaml", f"{folder}/small.yaml"]
        result = ctl("def", "lint", folder, **NOWHERE)
        assert "small.yaml: fine: small" in result.err and "small.test.yaml: fine: 2 cases" in result.err, result
        result = ctl("verify", *both, **NOWHERE)
        assert result.out.startswith(f"verify: {folder}/small.yaml states=") and "passed over" in result.err, result
        result = ctl("def", "apply", "--dry-run", *both)
        assert result.out.startswith("(dry run) small v") and "passed over" in result.err, result
        open(both[0], "a", encoding="utf-8").write("more: 1\n")
        assert 'unknown key "more"' in ctl("def", "lint", folder, code=1, **NOWHERE).out


@test("def apply uploads, says created and unchanged, and --dry-run does nothing")
def _():
    with files(small_yaml=SMALL, wrong_yaml=WRONG) as folder:
        assert ctl("def", "apply", "--dry-run", f"{folder}/small.yaml").out == "(dry run) small v1 created\n"
        ctl("def", "get", "small", code=3)
        assert ctl("def", "apply", f"{folder}/small.yaml").out == "small v1 created\n"
        assert ctl("def", "apply", f"{folder}/small.yaml").out == "small v1 unchanged\n"
        open(f"{folder}/small.yaml", "a", encoding="utf-8").write("  - do: lab.thing.add\n")
        assert ctl("def", "apply", f"{folder}/small.yaml", "-o", "json").json()["version"] == 2
        result = ctl("def", "apply", f"{folder}/wrong.yaml", code=1)
        assert "wrong.yaml:2:1" in result.err and result.out == "", result


@test("def get prints the file as it was uploaded, also an older version; -o json parses")
def _():
    assert ctl("def", "get", "small", "--version", "1").out == SMALL
    assert ctl("def", "get", "small").out == SMALL + "  - do: lab.thing.add\n"
    assert ctl("def", "get", "small", "-o", "json").json()["name"] == "small"
    ctl("def", "get", "small", "--version", "9", code=3)
    assert "lab" in ctl("def", "get", "lap", code=3).err


@test("def list shows names, versions and owners; -o ids the names")
def _():
    lines = [line.split("\t") for line in ctl("def", "list").out.splitlines()]
    assert lines[0] == ["SAGA", "VERSION", "OWNER", "DESCRIPTION"] and ["small", "2", "", ""] in lines, lines
    assert "lab" in ctl("def", "list", "-o", "ids").out.split()
    assert {item["name"] for item in ctl("def", "list", "-o", "json").json()["items"]} >= {"lab", "small"}


@test("expr evaluates here: without data, on --data, on a file")
def _():
    here = {"SAGACTL_SERVER": "http://127.0.0.1:1"}
    assert ctl("expr", "1 + 2", **here).out == "3\n"
    assert ctl("expr", ".a | length", "--data", '{"a":[1,2]}', **here).out == "2\n"
    with files(ctx_json='{"a": "b"}') as folder:
        assert ctl("expr", ".a", "-f", f"{folder}/ctx.json", **here).out == '"b"\n'
    assert ctl("expr", ".a", "-f", "-", stdin='{"a":5}', **here).out == "5\n"


@test("expr points at what it can't read, and is 1; data that is no JSON is 2")
def _():
    result = ctl("expr", ".a +", code=1)
    assert result.out == "" and "^" in result.err, result
    assert ctl("expr", '"a" - 1', code=1).out == ""
    assert "--data:1:" in ctl("expr", ".", "--data", "{", code=2).err


@test("expr --saga evaluates on what the saga's steps see, by any name of it")
def _():
    saga = start("ok", None, "note=hello")
    ctl("wait", saga)
    assert ctl("expr", ".input.note", "--saga", saga).out == '"hello"\n'
    assert ctl("expr", ".steps.middle.step", "--saga", saga[:30]).out == '"ask"\n'
    assert ctl("expr", ".nothing |", "--saga", saga, code=1).out == ""
    ctl("expr", ".", "--saga", "ffffffff", code=3)
