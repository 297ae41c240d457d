"""audit, last because it damages the database."""
import json

from harness import SERVICES, ctl, start, test
from test_first_run import psql


@test("audit folds every saga and is 0 on a sound database, by option and by variable")
def _():
    ctl("wait", start())
    result = ctl("audit", "--database-url", SERVICES.url)
    assert result.out.startswith("audit: sagas=") and result.out.endswith(" violations=0\n"), result
    assert ctl("audit", "-o", "json", SAGAD_DATABASE_URL=SERVICES.url).json()["violations"] == 0


@test("audit without a database is 2 and names the variable; one that does not answer is 1, without its password")
def _():
    assert "SAGAD_DATABASE_URL" in ctl("audit", code=2).err
    result = ctl("audit", "--database-url", "postgres://me:s3cret@127.0.0.1:1/sagas", code=1)
    assert "host=127.0.0.1" in result.err and "s3cret" not in result.err and result.out == "", result
    psql("CREATE DATABASE bare")
    result = ctl("audit", "--database-url", SERVICES.url.replace("dbname=postgres", "dbname=bare"), code=1)
    assert result.out == "", result


@test("audit is 1 where a row was changed by hand, and names the saga and the invariant")
def _():
    saga = start("no")
    ctl("wait", saga, code=6)
    psql(f"UPDATE sagas SET status = 'completed' WHERE id = '{saga}'")
    result = ctl("audit", "--database-url", SERVICES.url, code=1)
    assert saga in result.out and "I-" in result.out and "violations=0" not in result.out, result
    lines = [json.loads(line) for line in ctl("audit", "-o", "json", "--database-url", SERVICES.url, code=1)
             .out.splitlines()]
    assert any(line.get("saga") == saga for line in lines) and lines[-1]["violations"] > 0, lines
