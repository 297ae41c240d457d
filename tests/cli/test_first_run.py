"""What a newcomer meets when something is not there: each says what was tried and what to do."""
import os
import socket
import subprocess

from harness import BIN, ROOT, SERVICES, Result, environment, free_port, files, test, until


def sagad(*arguments, code=1, **env):
    result = Result(subprocess.run([f"{BIN}/sagad", *arguments], capture_output=True, text=True, timeout=60, cwd=ROOT,
                                   env=environment(**env), check=False))
    assert result.code == code, f"sagad {' '.join(arguments)}: wanted {code}: {result}"
    return result


def psql(sql, database="postgres"):
    return subprocess.run(["psql", "-qAtX", SERVICES.url.replace("dbname=postgres", f"dbname={database}"), "-c", sql],
                          capture_output=True, text=True, check=True).stdout


@test("no database set: the option, the variable, the key, and what works without one")
def _():
    for arguments in ([], ["migrate"]):
        err = sagad(*arguments).err
        for word in ("--database-url", "SAGAD_DATABASE_URL", "database_url", "sagad dev",
                     "docker compose up -d --wait"):
            assert word in err, (word, err)


@test("a database that does not answer: what was tried, without the password, and what sets it")
def _():
    url = f"postgres://me:s3cret@127.0.0.1:{free_port()}/sagas?application_name=x"
    shown = "user=me "
    err = sagad("migrate", SAGAD_DATABASE_URL=url).err
    for word in (shown, "host=127.0.0.1", "dbname=sagas", "SAGAD_DATABASE_URL", "--database-url", "refused"):
        assert word in err, (word, err)
    assert "s3cret" not in err, err
    log = os.path.join(SERVICES.folder, "away.log")
    with open(log, "w", encoding="utf-8") as out:
        process = subprocess.Popen([f"{BIN}/sagad", "--database-url", url, "--listen", f"127.0.0.1:{free_port()}"],
                                   stderr=out, cwd=ROOT, env=environment())
    try:
        until("a line in the log", lambda: "database.away" in open(log, encoding="utf-8").read())
    finally:
        process.terminate()
        process.wait(timeout=30)
    err = open(log, encoding="utf-8").read()
    for word in (shown, "host=127.0.0.1", "dbname=sagas", "SAGAD_DATABASE_URL", "--database-url", "refused"):
        assert word in err, (word, err)
    assert "s3cret" not in err, err


@test("a connection string that is none is told at once")
def _():
    for command in ([], ["migrate"], ["dev"]):
        err = sagad(*command, "--database-url", "postgres:/db").err
        assert "no connection string" in err and "postgres://user@host:5432/name" in err, err


@test("a database without the schema: sagad migrate, and then it is there")
def _():
    psql("CREATE DATABASE empty")
    url = SERVICES.url.replace("dbname=postgres", "dbname=empty")
    err = sagad("--database-url", url, "--listen", f"127.0.0.1:{free_port()}").err
    assert "sagad migrate" in err and "dbname=empty" in err, err
    assert "migration 0001" in sagad("migrate", "--database-url", url, code=0).err
    assert sagad("migrate", "--database-url", url, code=0).err == ""
    psql("UPDATE schema_migrations SET version = version + 100 WHERE version = 1", "empty")
    err = sagad("--database-url", url, "--listen", f"127.0.0.1:{free_port()}").err
    assert "newer" in err, err


@test("a port that is taken: who holds it, and --listen")
def _():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for arguments in ([f"{BIN}/sagad", "--database-url", SERVICES.url, "--listen", f"127.0.0.1:{port}"],
                          [f"{BIN}/saga-demo", "--listen", f"127.0.0.1:{port}"]):
            result = Result(subprocess.run(arguments, capture_output=True, text=True, timeout=60, cwd=ROOT,
                                           env=environment(), check=False))
            assert result.code == 1, result
            assert f"(process {os.getpid()})" in result.err and "--listen" in result.err, result
            assert f"127.0.0.1:{port}" in result.err, result


@test("an address that can't be is told as such")
def _():
    result = Result(subprocess.run([f"{BIN}/saga-demo", "--listen", "nowhere"], capture_output=True, text=True,
                                   timeout=60, check=False))
    assert result.code == 2 and "HOST:PORT" in result.err, result
    result = Result(subprocess.run([f"{BIN}/saga-demo", "--late-percent", "many"], capture_output=True, text=True,
                                   timeout=60, check=False))
    assert result.code == 2, result


@test("a folder of sagas that is not there is told with the setting that names it")
def _():
    with files() as folder:
        result = Result(subprocess.run([f"{BIN}/sagad", "--check-config"], capture_output=True, text=True, cwd=folder,
                                       env=environment(), timeout=60, check=False))
        assert result.code == 1 and "sagas" in result.err and "--set sagas=" in result.err, result


@test("the helps of sagad and saga-demo are data on stdout; wrong words are 2 with the nearest one")
def _():
    for program in ("sagad", "saga-demo"):
        for word in ("--help", "-h"):
            result = Result(subprocess.run([f"{BIN}/{program}", word], capture_output=True, text=True, check=False))
            assert result.code == 0 and result.err == "" and program in result.out, result
    assert "sagad --help" in sagad("--lissten", "x", code=2).err
    assert "dev and migrate" in sagad("serve", code=2).err
