"""What holds for every command: help, options, streams, JSON, the curl line; and ping, version, demo."""
import json
import re
import shlex
import subprocess

from harness import ROOT, SERVICES, ctl, environment, files, fresh, start, test, wait_status


def commands():
    """From the program's own help."""
    text = ctl("help").out.split("\noptions of every command")[0]
    found = re.findall(r"^  ((?:(?:def|lock) )?[a-z]+) ?(.*?)  +\S", text, re.M)
    assert len(found) > 18, found
    return [name for name, _ in found]


@test("help, --help and -h list every command; without a command it is usage")
def _():
    text = ctl("help").out
    assert ctl("--help").out == text and ctl("-h").out == text
    assert ctl(code=2).out == text
    for name in ("start", "list", "get", "explain", "lineage", "events", "wait", "cancel", "pause", "resume", "retry",
                 "close", "step", "def lint", "def list", "def get", "def apply", "expr", "audit", "demo", "ping", "version"):
        assert name in commands(), name


@test("every command has help of the same shape, by --help, -h and help COMMAND")
def _():
    for name in commands():
        text = ctl(*name.split(), "--help").out
        assert re.match(rf"usage: sagactl {name}( [^\n]+)? \[options\]\n\n  [a-z][^\n]+\n\n(options\n|options of)",
                        text), text
        assert "\noptions of every command\n" in text
        assert ctl(*name.split(), "-h").out == text and ctl("help", *name.split()).out == text
        assert all(len(line) <= 100 for line in text.splitlines()), text


@test("an unknown command is 2 with the nearest one, an unknown option too")
def _():
    for words, wanted in [(["strat"], "start"), (["def", "aply"], "def apply"), (["explian"], "explain"),
                          (["evnts", "x"], "events"), (["hepl"], "help")]:
        result = ctl(*words, code=2)
        assert f'did you mean "{wanted}"?' in result.err and result.out == "", result
    assert "did you mean" not in ctl("xyzzy", code=2).err
    assert "def lint, def list" in ctl("def", code=2).err
    assert "did you mean --status?" in ctl("list", "--sttus", "x", code=2).err
    assert "ping --help" in ctl("ping", "--reason", "x", code=2).err
    assert "wants a value" in ctl("list", "--key", code=2).err
    assert "takes no value" in ctl("events", "x", "--follow=y", code=2).err
    assert "help nothing" not in ctl("help", "nothing", code=2).out


@test("too few and too many arguments are 2 with the usage")
def _():
    for words in (["get"], ["get", "a", "b"], ["start"], ["step", "retry", "x", "--reason", "x"], ["cancel"],
                  ["def", "get"], ["def", "lint"], ["expr"], ["ping", "x"], ["list", "a", "b"], ["wait"]):
        result = ctl(*words, code=2)
        assert result.err.startswith("usage: sagactl ") and result.out == "", result


@test("options may stand before the command too")
def _():
    assert ctl("--server", SERVICES.server, "-o", "json", "ping", SAGACTL_SERVER="http://127.0.0.1:1").json()["ready"]


@test("a server that can't be reached is 9 for every command that needs one, and says where it looked")
def _():
    nowhere = {"SAGACTL_SERVER": "http://127.0.0.1:1"}
    for words in (["start", "lab"], ["list"], ["get", "x"], ["explain", "x"], ["lineage", "x"], ["events", "x"], ["wait", "x"],
                  ["cancel", "x"], ["pause", "x"], ["resume", "x"], ["retry", "x", "y"], ["close", "x", "--reason", "x"],
                  ["step", "retry", "x", "y", "--reason", "x"], ["def", "list"], ["def", "get", "x"],
                  ["def", "apply", f"{ROOT}/sagas/book-trip.yaml"], ["expr", ".", "--saga", "x"], ["ping"]):
        result = ctl(*words, code=9, **nowhere)
        assert result.out == "" and "http://127.0.0.1:1" in result.err and "--server" in result.err, result
        assert result.err.count("no answer") == 1, result


@test("-o json always parses, and -o takes only what the command prints")
def _():
    saga = start("busy")
    wait_status(saga, "middle", "backoff")
    with files(small_yaml="saga: small\nsteps:\n  - do: lab.thing.make\n") as folder:
        for words in (["start", "lab", f"name={fresh()}"], ["list"], ["list", "--attention"], ["get", saga],
                      ["explain", saga], ["pause", saga], ["resume", saga], ["retry", saga], ["cancel", saga, "--dry-run"],
                      ["step", "fail", saga, "middle", "--reason", "x", "--dry-run"], ["def", "list"], ["def", "get", "lab"],
                      ["def", "apply", "--dry-run", f"{folder}/small.yaml"], ["expr", "1"], ["ping"], ["version"],
                      ["close", saga, "--reason", "test"], ["wait", saga]):
            result = ctl(*words, "-o", "json", code=7 if words[0] == "wait" else 0)
            json.loads(result.out)
    for words in (["explain", saga, "-o", "ids"], ["demo", "-o", "json"], ["list", "-o", "yaml"]):
        assert ctl(*words, code=2).out == ""


@test("the curl lines of -v work when they are pasted into a shell")
def _():
    saga = start("busy")
    wait_status(saga, "middle", "backoff")
    with files(quoted_yaml="saga: quoted\ndescription: it's \"quoted\" $HOME\nsteps:\n  - do: lab.thing.make\n") as folder:
        tried = [["start", "lab", f"name={fresh()}", "note=it's $(false) `false` \"quoted\"\\"], ["list", "-l", "tier=1"],
                 ["get", saga], ["explain", saga[:30]], ["events", saga], ["pause", saga, "--reason", "it's lunch"],
                 ["retry", saga, "--dry-run"], ["def", "apply", f"{folder}/quoted.yaml"], ["def", "list"],
                 ["def", "get", "lab", "-o", "json"], ["expr", ".input.name", "--saga", saga]]
        for words in tried:
            lines = [line for line in re.split(r"^(?=curl )", ctl("-v", "-q", *words).err, flags=re.M)
                     if line.startswith("curl ")]
            assert lines, words
            for line in lines:
                assert SERVICES.server in line, line
                pasted = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True,
                                        env=environment())
                answer = json.loads(pasted.stdout)
                assert answer.get("status", 0) not in range(400, 600), (line, answer)
    assert ctl("def", "get", "quoted").out.startswith("saga: quoted\ndescription: it's \"quoted\" $HOME\n")
    text = [line for line in ctl("-v", "def", "get", "lab").err.splitlines() if line.startswith("curl")][0]
    assert subprocess.run(["bash", "-c", text], capture_output=True, text=True, check=True,
                          env=environment()).stdout == ctl("def", "get", "lab").out
    assert shlex.split(text)[0] == "curl"
    ctl("close", saga, "--reason", "test")


@test("data goes to stdout and messages to stderr; -q leaves only data")
def _():
    assert ctl("list", "no-such").out.count("\n") == 1 and ctl("list", "no-such", "-q").err == ""
    assert ctl("get", "ffffffff", code=3).out == ""
    assert ctl("ping", "-q").out == "" and ctl("ping").out == f"{SERVICES.server} is ready\n"


@test("the curl-only participant of docs/participants.md works as it stands")
def _():
    text = open(f"{ROOT}/docs/participants.md", encoding="utf-8").read()
    block = re.search(r"```sh\n(saga=.*?)```", text, re.S).group(1).replace("127.0.0.1:8080", SERVICES.server[7:])
    with files(letter_yaml="saga: letter\nsteps:\n  - do: post.letter.send\n") as folder:
        ctl("def", "apply", f"{folder}/letter.yaml")
    done = subprocess.run(["bash", "-euc", block], capture_output=True, text=True, env=environment(), check=True)
    assert '"applied"' in done.stdout and "completed" in done.stdout, done
    saga = ctl("start", "letter", "to=eve", "-o", "ids").out.strip()
    wait_status(saga, "send_letter", "sent")
    assert "nobody is configured" in ctl("explain", saga).out


@test("ping --wait gives the server time to start, and is 9 when it never does")
def _():
    assert ctl("ping", "--wait=10s").out == f"{SERVICES.server} is ready\n"
    ctl("ping", "--wait=300ms", code=9, SAGACTL_SERVER="http://127.0.0.1:1")
    assert "duration" in ctl("ping", "--wait=soon", code=2).err


@test("version says both versions, and only its own without a server")
def _():
    both = ctl("version").out.splitlines()
    assert re.match(r"sagactl \d+\.\d+\.\d+ \(\w+\)$", both[0]) and both[1].startswith("sagad "), both
    assert ctl("--version").out == ctl("version").out
    assert len(ctl("version", SAGACTL_SERVER="http://127.0.0.1:1").out.splitlines()) == 1
    assert ctl("version", "-o", "json", SAGACTL_SERVER="http://127.0.0.1:1").json()["sagad"] is None


@test("a full disk behind stdout is an error")
def _():
    with open("/dev/full", "w", encoding="utf-8") as full:
        code = subprocess.run([environment()["PATH"].split(":")[0] + "/sagactl", "list"], stdout=full,
                              stderr=subprocess.DEVNULL, env=environment(), check=False).returncode
    assert code == 1, code


@test("demo shows three sagas with exact closing lines")
def _():
    result = ctl("demo")
    assert re.findall(r"^demo: .*$", result.out, re.M) == [
        "demo: order-fulfilment completed", "demo: book-trip compensated",
        "demo: order-fulfilment completed after retry"], result
    assert "sagactl explain " in result.out and "--reason demo" in result.out
    ctl("demo", code=9, SAGACTL_SERVER="http://127.0.0.1:1")
    result = ctl("demo", code=1, SAGACTL_DEMO="http://127.0.0.1:1")
    assert "make run" in result.err and "SAGACTL_DEMO" in result.err, result
