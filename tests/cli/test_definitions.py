"""def lint, list, get, apply; expr."""
import json

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
