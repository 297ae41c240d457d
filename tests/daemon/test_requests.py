"""Requests that make no sense: each gets its problem, with the place and the remedy, and changes nothing."""

import json
import socket

from harness import DaemonTest, new_saga_id, until
from participant import answer, new_id

SAGAS = ["""saga: form
input:
  - {name: order_id, type: string}
  - {name: total, type: number}
  - {name: items, type: array, required: false}
defaults: {timeout: 10m}
steps:
  - {name: reserve, do: wire.stock.reserve, undo: wire.stock.release}
  - {name: last, do: wire.last.do}
""", """saga: open
key: .input.key // null
defaults: {timeout: 10m}
steps:
  - {name: reserve, do: wire.stock.reserve, undo: wire.stock.release}
  - {name: last, do: wire.last.do}
"""]
TABLES = ("sagas", "journal", "starts", "outbox", "requests", "dead_letters", "audit", "definitions")
JSON = {"Content-Type": "application/json"}
OF_THE_CALLER = (b"400", b"405", b"411", b"413", b"414", b"431", b"505")
GOOD = b'{"saga":"open","input":{}}'


class Requests(DaemonTest):
    sagas = SAGAS
    settings = {"limits": {"body_bytes": 20000, "json_depth": 16}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # one saga that waits, for actions
        cls.saga = new_saga_id()
        cls.participant.script(f"{cls.saga}/last/do", answer(202))
        cls.api.start("open", {"key": "the-one"}, id=cls.saga)
        until(lambda: cls.api.steps(cls.saga)["last"]["attempts"] and
              cls.api.steps(cls.saga)["last"]["attempts"][0].get("outcome") == "in_progress", "the last step")

    def counts(self):
        return self.query(" union all ".join(f"select '{t}', count(*) from {t}" for t in TABLES))

    def setUp(self):
        self.before = self.counts()

    def tearDown(self):
        self.assertEqual(self.counts(), self.before, "rows in the tables")

    def problem(self, got, status, slug, pointer=None, detail=None, code=None):
        self.assertEqual(got.status, status, got)
        self.assertEqual(got.headers["Content-Type"], "application/problem+json", got)
        problem = got.json
        self.assertEqual((problem["type"], problem["status"]), (f"/problems/{slug}", status), got)
        self.assertTrue(problem["title"] and problem["title"] != slug, got)
        self.assertEqual(problem["requestId"], got.headers["X-Request-Id"])
        page = self.api.get(problem["type"])
        self.assertEqual(page.status, 200, page)
        self.assertTrue(len(page.text.split("\n\n")[-1]) > 10, "a remedy")
        if pointer is not None:
            self.assertIn(pointer, [e["pointer"] for e in problem["errors"]], got)
        if code is not None:
            self.assertIn(code, [e.get("code") for e in problem["errors"]], got)
        if detail is not None:
            self.assertIn(detail, problem["detail"], got)
        return problem

    def start(self, body, headers=JSON):
        return self.api.call("POST", "/v1/sagas", body if isinstance(body, bytes) else json.dumps(body).encode(),
                             headers)

    def act(self, name, body=None, headers=None, saga=None):
        return self.api.call("POST", f"/v1/sagas/{saga or self.saga}{name}", json.dumps(body or {}).encode(),
                             {**JSON, **(headers or {})})

    # ---- JSON ----

    def test_what_is_no_json_is_told_with_line_and_column(self):
        for body, detail in ((b'{"saga":', "line 1"), (b'{\n "saga" "open"}', "line 2, column"), (b"saga=open", "line 1"),
                             (b'{"saga":"open"} x', "end of file"), (b"\xef\xbb\xbf{}", "line 1"), (b"'{}'", "line 1"),
                             (b'{"saga":"open",}', "line 1"), (b"{\"saga\":\"o\npen\"}", "line 1"), (b"nul", "line 1")):
            self.problem(self.start(body), 400, "invalid-request", detail=detail)

    def test_a_member_twice(self):
        self.problem(self.start(b'{"saga":"open","input":{"a":1,"a":2}}'), 400, "invalid-request", detail="duplicate")

    def test_nesting_over_the_limit(self):
        deep = lambda n: b'{"saga":"open","input":{"a":' + b"[" * n + b"]" * n + b"}}"
        self.problem(self.start(deep(15)), 400, "invalid-request", detail="deeper than 16")
        self.problem(self.start(deep(5000)), 400, "invalid-request", detail="deeper than 16")
        self.problem(self.api.call("POST", "/v1/events", b"[" * 17 + b"]" * 17, JSON), 400, "invalid-request")

    def test_nul(self):
        for body in (b'{"saga":"open\\u0000"}', b'{"saga":"open","input":{"a":"\\u0000"}}', b'{"saga":"open\x00"}',
                     b'{"saga":"open","key":"\\u0000"}', b'{"saga":"open","input":{"a\\u0000":1}}', GOOD + b"\x00"):
            self.problem(self.start(body), 400, "invalid-request")

    def test_bad_utf8(self):
        for text in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc3", b"\\ud800", b"\\udc00\\ud800"):
            self.problem(self.start(b'{"saga":"open","input":{"a":"' + text + b'"}}'), 400, "invalid-request")

    def test_huge_numbers(self):
        for number in (b"9223372036854775808", b"-9223372036854775809", b"1e999", b"-1e999", b"1" * 400, b"01", b"1.",
                       b"+1", b"NaN", b"Infinity", b"0x10"):
            self.problem(self.start(b'{"saga":"open","input":{"a":' + number + b"}}"), 400, "invalid-request")

    def test_other_things_than_an_object(self):
        for body in (b"[]", b"1", b'"open"', b"null", b"true"):
            self.problem(self.start(body), 400, "invalid-request", detail="object")

    # ---- members ----

    def test_unknown_members_are_named_and_a_near_one_is_suggested(self):
        problem = self.problem(self.start({"saga": "open", "inptu": {}}), 400, "unknown-member", "/inptu", "inptu")
        self.assertIn("input", problem["hint"])
        self.problem(self.act(":cancel", {"raeson": "x"}), 400, "unknown-member", "/raeson")
        self.problem(self.api.call("POST", "/v1/expressions:evaluate", b'{"expr":"1"}', JSON), 400, "unknown-member", "/expr")

    def test_members_of_the_wrong_kind(self):
        for body, pointer in (({}, "/saga"), ({"saga": 1}, "/saga"), ({"saga": "open", "key": 7}, "/key"),
                              ({"saga": "open", "key": "k" * 201}, "/key"), ({"saga": "open", "flowId": []}, "/flowId"),
                              ({"saga": "open", "userId": {}}, "/userId"), ({"saga": "open", "version": "1"}, "/version"),
                              ({"saga": "open", "version": 0}, "/version"), ({"saga": "open", "version": 1.5}, "/version"),
                              ({"saga": "open", "version": 1 << 40}, "/version"), ({"saga": "open", "delay": "soon"}, "/delay"),
                              ({"saga": "open", "delay": 10}, "/delay"), ({"saga": "open", "id": "x"}, "/id"),
                              ({"saga": "open", "id": new_id()}, "/id"), ({"saga": "open", "id": None}, "/id"),
                              ({"saga": "open", "id": "00000000-0000-7000-8000-000000000000"}, "/id"),
                              ({"saga": "s" * 500}, "/saga"), ({"saga": "open", "delay": "999999999d"}, "/delay")):
            self.problem(self.start(body), 400, "invalid-request", pointer)

    def test_actions_check_their_members(self):
        for body, pointer in (({"reason": 7}, "/reason"), ({"code": []}, "/code"), ({"message": {}}, "/message")):
            self.problem(self.act("/steps/last:fail", body), 400, "invalid-request", pointer)

    def test_an_input_that_does_not_fit_names_every_field(self):
        got = self.start({"saga": "form", "input": {"order_id": 7, "colour": "red"}})
        problem = self.problem(got, 422, "invalid-input", "/input/order_id")
        self.assertEqual({(e["pointer"], e["code"]) for e in problem["errors"]},
                         {("/input/order_id", "type"), ("/input/total", "required"), ("/input/colour", "unknown")})
        self.problem(self.start({"saga": "open", "input": []}), 422, "invalid-input", "/input")
        self.problem(self.start({"saga": "open", "input": {"key": []}}), 422, "invalid-input")

    # ---- what is not there ----

    def test_an_unknown_saga(self):
        id = new_saga_id()
        for path in ("", "/result", "/explain", "/steps", "/steps/last", "/events"):
            self.problem(self.api.get(f"/v1/sagas/{id}{path}"), 404, "saga-not-found")
        for action in (":cancel", ":pause", ":resume", ":retry", ":close", "/steps/last:retry", "/steps/last:skip"):
            self.problem(self.act(action, {"reason": "x"}, saga=id), 404, "saga-not-found")
        self.problem(self.api.get("/v1/sagas/open/no-such-key"), 404, "saga-not-found")
        self.problem(self.api.get("/v1/sagas/ffffffff"), 404, "saga-not-found")

    def test_an_unknown_definition_and_version(self):
        problem = self.problem(self.start({"saga": "opne"}), 404, "definition-not-found", detail="opne")
        self.assertIn("open", problem["hint"])
        problem = self.problem(self.start({"saga": "open", "version": 9}), 404, "definition-not-found", detail="9")
        self.problem(self.api.post("/v1/definitions/nothing:start", {}), 404, "definition-not-found")
        for path in ("/v1/definitions/nothing", "/v1/definitions/nothing/versions", "/v1/definitions/open/versions/9",
                     "/v1/definitions/nothing/versions/1", "/v1/definitions/open/versions/x"):
            self.problem(self.api.get(path), 404, "definition-not-found")

    def test_an_unknown_step_and_action(self):
        self.problem(self.api.get(f"/v1/sagas/{self.saga}/steps/nothing"), 404, "step-not-found")
        self.problem(self.act("/steps/nothing:retry"), 404, "step-not-found")
        self.problem(self.act(":explode"), 404, "not-found", detail="explode")
        self.problem(self.act("/steps/last:explode"), 404, "not-found", detail="explode")

    def test_an_unknown_path_and_method(self):
        self.problem(self.api.get("/v1/nothing"), 404, "not-found")
        self.problem(self.api.get("/v1/sagas/open/a/b/c/d/e/f/g/h/i/j/k"), 404, "not-found")
        self.problem(self.api.get("/problems/nothing"), 404, "not-found")
        for method, path, allow in (("DELETE", "/v1/sagas", "POST, GET"), ("PUT", "/v1/events", "POST"),
                                    ("GET", "/v1/events", "POST"), ("POST", "/livez", "GET"),
                                    ("PATCH", f"/v1/sagas/{self.saga}", "GET"), ("GET", f"/v1/sagas/{self.saga}:cancel", "POST"),
                                    ("DELETE", "/v1/definitions/open", "GET, PUT")):
            got = self.api.call(method, path)
            self.problem(got, 405, "method-not-allowed")
            self.assertEqual(set(got.headers["Allow"].split(", ")), set(allow.split(", ")), path)

    # ---- size and kind ----

    def test_a_body_over_the_limit(self):
        self.problem(self.start(b'{"saga":"open","input":{"a":"' + b"x" * 20000 + b'"}}'), 413, "payload-too-large", detail="20000")
        self.problem(self.start(b" " * 5000000), 413, "payload-too-large")
        self.problem(self.api.call("PUT", "/v1/definitions/open", b"#" * 30000, {"Content-Type": "application/yaml"}),
                     413, "payload-too-large")

    def test_too_many_events_at_once(self):
        self.problem(self.api.call("POST", "/v1/events", b"[" + b",".join([b"{}"] * 1001) + b"]", JSON), 413, "payload-too-large")

    def test_a_content_type_that_is_not_taken(self):
        for kind in ("text/plain", "application/xml", "multipart/form-data; boundary=x", "application/jsonx", "json",
                     "application/yaml", "text/json-ish"):
            problem = self.problem(self.start(GOOD, {"Content-Type": kind}), 415, "unsupported-media-type",
                                   detail=kind.partition(";")[0])
            self.assertIn("application/json", problem["hint"])
        for path in ("/v1/events", f"/v1/sagas/{self.saga}:cancel", "/v1/definitions/open:start", "/v1/expressions:evaluate"):
            self.problem(self.api.call("POST", path, b"{}", {"Content-Type": "text/plain"}), 415, "unsupported-media-type")
        problem = self.problem(self.api.call("PUT", "/v1/definitions/open", SAGAS[1].encode(),
                                             {"Content-Type": "application/xml"}), 415, "unsupported-media-type")
        self.assertIn("application/yaml", problem["hint"])

    def test_a_forms_type_is_taken_from_curl_but_not_from_a_browser(self):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self.problem(self.start(b'{"saga":"nothing"}', form), 404, "definition-not-found")
        self.problem(self.start(b'{"saga":"nothing"}', {**form, "Origin": "http://evil.test"}), 415, "unsupported-media-type")
        self.problem(self.start(b'{"saga":"nothing"}', {"Content-Type": "application/json; charset=utf-8"}), 404,
                     "definition-not-found")
        self.problem(self.start(b'{"saga":"nothing"}', {"Content-Type": "Application/JSON"}), 404, "definition-not-found")
        self.problem(self.start(b'{"saga":"nothing"}', {}), 404, "definition-not-found")

    # ---- keys, revisions ----

    def test_an_idempotency_key_used_for_another_input(self):
        key = {**JSON, "Idempotency-Key": f'"{new_id()}"'}
        first = self.start({"saga": "open", "input": {"a": 1}}, key)
        self.assertEqual(first.status, 201)
        again = self.start({"saga": "open", "input": {"a": 1}}, key)
        self.assertEqual((again.status, again.headers["Idempotency-Replayed"]), (200, "true"))
        self.api.ended(first.json["id"])
        self.before = self.counts()
        problem = self.problem(self.start({"saga": "open", "input": {"a": 2}}, key), 422, "idempotency-key-reused")
        self.assertIn("new key", problem["hint"])

    def test_an_idempotency_key_used_for_another_action(self):
        key = {"Idempotency-Key": new_id()}
        self.assertEqual(self.act(":pause", {"reason": "a"}, key).status, 200)
        again = self.act(":pause", {"reason": "a"}, key)
        self.assertEqual((again.status, again.headers["Idempotency-Replayed"]), (200, "true"))
        self.assertEqual(self.act(":resume").status, 202)
        self.before = self.counts()
        self.problem(self.act(":pause", {"reason": "b"}, key), 422, "idempotency-key-reused")
        self.problem(self.act(":resume", {}, key), 422, "idempotency-key-reused")

    def test_keys_that_can_not_be_kept(self):
        for key in ("k" * 300, "a\x80b", '""'):
            got = self.start(GOOD, {**JSON, "Idempotency-Key": key.encode("latin-1")})
            self.problem(got, 400, "invalid-request", detail="Idempotency-Key")
            self.problem(self.act(":pause", {}, {"Idempotency-Key": key.encode("latin-1")}), 400, "invalid-request")

    def test_an_actor_that_can_not_be_kept(self):
        for actor in (b"a\xff", b"a" * 300):
            self.problem(self.act(":pause", {}, {"X-Actor": actor}), 400, "invalid-request", detail="X-Actor")

    def test_a_traceparent_that_is_none_is_passed_over(self):
        """As W3C Trace Context asks: the start goes on without it."""
        for trace in (b"00-\xff", b"x", b"00-" + b"g" * 32 + b"-00f067aa0ba902b7-01", b"0" * 5000):
            got = self.start(GOOD, {**JSON, "traceparent": trace})
            self.assertEqual(got.status, 201, got)
            self.api.ended(got.json["id"])
            self.assertNotIn("traceparent", self.participant.calls(got.json["id"])[0].headers)
        self.before = self.counts()

    def test_a_revision_that_does_not_match(self):
        revision = self.api.saga(self.saga)["revision"]
        for match in (f'"{revision - 1}"', f'"{revision + 1}"', f'W/"{revision + 1}"'):
            self.problem(self.act(":pause", {}, {"If-Match": match}), 412, "precondition-failed")
        for match in ('"x"', "x", str(revision), '""', '"1"x', f'"{revision}", "{revision}"'):
            self.problem(self.act(":pause", {}, {"If-Match": match}), 400, "invalid-request", detail="If-Match")
        self.assertFalse(self.api.saga(self.saga)["paused"])

    def test_a_revision_that_matches(self):
        revision = self.api.saga(self.saga)["revision"]
        for match in (f'"{revision}"', "*", f'W/"{revision}"'):
            self.assertEqual(self.act(":pause?dryRun=true", {}, {"If-Match": match}).status, 200, match)

    def test_a_repeat_by_key_is_replayed_though_the_revision_moved_on(self):
        """The first one moved it: a caller that got no answer asks again with the same headers."""
        headers = {"If-Match": f'"{self.api.saga(self.saga)["revision"]}"', "Idempotency-Key": new_id()}
        self.assertEqual(self.act(":pause", {}, headers).status, 200)
        again = self.act(":pause", {}, headers)
        self.assertEqual((again.status, again.headers["Idempotency-Replayed"]), (200, "true"), again)
        self.problem(self.act(":resume", {}, {"If-Match": headers["If-Match"]}), 412, "precondition-failed")
        self.assertEqual(self.act(":resume").status, 202)
        self.before = self.counts()

    # ---- what the state forbids ----

    def test_an_action_that_is_not_allowed_lists_those_that_are(self):
        problem = self.problem(self.act("/steps/reserve:retry"), 409, "action-not-allowed")
        self.assertEqual(set(problem["allowedActions"]), set(self.api.explain(self.saga)["allowedActions"]))
        self.assertIn("cancel", problem["allowedActions"])
        self.assertTrue(problem["hint"])

    def test_an_action_without_its_reason(self):
        for action in (":close", "/steps/last:complete", "/steps/last:fail", "/steps/last:skip", "/steps/reserve:waive",
                       "/steps/reserve:undo-done"):
            self.problem(self.act(action), 400, "reason-missing")

    def test_a_start_whose_key_a_live_saga_has_returns_it(self):
        got = self.start({"saga": "open", "input": {"key": "the-one"}})
        self.assertEqual((got.status, got.json["id"]), (200, self.saga))

    # ---- queries ----

    def test_queries_that_make_no_sense(self):
        for query in ("cursor=zzz", "cursor=", "cursor=01a20f6e-33c6-7720-924c-f8af6638434", "limit=x", "limit=0", "limit=-1",
                      "limit=1x", "status=runing", "attention=bored", "sort=key", "sort=updatedAt", "startedAfter=yesterday",
                      "colour=red", "version=x", "version=", "version=-1", "q=%ff", "key=%00", "saga=%c3", "step=a%00b",
                      "label.x=%ff", "cursor=01a20f6e-33c6-7720-924c-f8af6638434c.x&sort=updatedAt&status=running",
                      "flowId=%ff", "errorCode=%00"):
            slug = "invalid-cursor" if query.startswith("cursor") else "invalid-request"
            self.problem(self.api.get(f"/v1/sagas?{query}"), 400, slug)
        for query in ("groupBy=colour", "groupBy=status,status,status,status,status,status,status"):
            self.problem(self.api.get(f"/v1/sagas:count?{query}"), 400, "invalid-request")
        for query in ("after=x", "limit=x", "after=-1"):
            self.problem(self.api.get(f"/v1/sagas/{self.saga}/events?{query}"), 400, "invalid-request")
        for query in ("wait=soon", "wait=-1", "wait=1x"):
            self.problem(self.api.get(f"/v1/sagas/{self.saga}?{query}"), 400, "invalid-request")

    def test_paths_that_no_text_can_be(self):
        for path in ("/v1/sagas/open/%00", "/v1/sagas/open/%ff", "/v1/sagas/open/a%00b", "/v1/sagas/%ff/x",
                     "/v1/sagas/ff%00f"):
            self.assertIn(self.api.get(path).status, (400, 404), path)
        for path in ("/v1/definitions/%00", "/v1/definitions/%ff", "/v1/definitions/open%00/versions",
                     "/v1/definitions/open/versions/%ff", f"/v1/sagas/{self.saga}/steps/%ff",
                     f"/v1/sagas/{self.saga}/steps/last%00"):
            self.assertIn(self.api.get(path).status, (400, 404), path)
        self.assertIn(self.api.call("POST", "/v1/definitions/open:start?key=%ff", b"{}", JSON).status, (400, 422))
        self.assertIn(self.api.call("POST", "/v1/definitions/open:start?key=%00", b"{}", JSON).status, (400, 422))
        self.assertIn(self.api.call("POST", "/v1/definitions/open:start?flowId=%ff", b"{}", JSON).status, (400, 422))
        self.problem(self.api.call("POST", "/v1/definitions/open:start?key=" + "k" * 300, b"{}", JSON), 400, "invalid-request")
        self.problem(self.api.call("POST", "/v1/definitions/open:start?flowId=" + "k" * 300, b"{}", JSON), 400,
                     "invalid-request")

    # ---- events ----

    def test_an_event_that_lacks_something_is_told_where(self):
        whole = {"eventId": new_id(), "eventType": "wire.last.do_succeeded", "eventVersion": "1.0",
                 "timestamp": "2025-01-09T10:00:00Z", "source": "/test", "correlationId": self.saga,
                 "causationId": new_id(), "data": {}, "metadata": {}}
        for member in ("eventId", "eventType", "eventVersion", "timestamp", "source", "correlationId", "data"):
            got = self.api.post("/v1/events", {k: v for k, v in whole.items() if k != member})
            self.problem(got, 400, "invalid-request", f"/{member}")
        for member, value in (("eventId", "x"), ("eventId", 7), ("timestamp", "today"), ("correlationId", "x"),
                              ("causationId", "x"), ("eventType", ""), ("source", None)):
            self.problem(self.api.post("/v1/events", {**whole, member: value}), 400, "invalid-request", f"/{member}")
        self.problem(self.api.post("/v1/events", {**whole, "eventType": "a.b.c_failed", "data": {}}), 400, "invalid-request",
                     "/data/code")

    def test_an_event_that_can_be_no_reply_is_told_why(self):
        whole = {"eventId": new_id(), "eventType": "wire.last.do_succeeded", "eventVersion": "1.0",
                 "timestamp": "2025-01-09T10:00:00Z", "source": "/test", "correlationId": self.saga,
                 "causationId": new_id(), "data": {}, "metadata": {}}
        for event, why in (({k: v for k, v in whole.items() if k != "causationId"}, "/causationId"),
                           ({**whole, "eventType": "wire.last.do"}, "no step of its saga names this type")):
            got = self.api.post("/v1/events", event)
            self.assertEqual(got.status, 200)
            item = got.json["items"][0]
            self.assertEqual(item["disposition"], "unmatched")
            self.assertIn(why, item["detail"])

    # ---- definitions ----

    def test_a_definition_with_errors_is_told_line_by_line(self):
        got = self.api.call("PUT", "/v1/definitions/bad", b"saga: bad\nsteps:\n  - {nmae: a, do: x.y.z}\n",
                            {"Content-Type": "application/yaml"})
        problem = self.problem(got, 422, "definition-invalid")
        self.assertEqual(problem["diagnostics"][0]["line"], 3)
        for body in (b"", b"\xff\xfe", b"saga: [", b"a: &x 1\nb: *x\n", b"saga: open\nsaga: open\n", b"\x00" * 10):
            self.problem(self.api.call("PUT", "/v1/definitions/bad", body, {"Content-Type": "application/yaml"}), 422,
                         "definition-invalid")

    def test_a_definition_under_another_name_or_with_other_content(self):
        self.problem(self.api.call("PUT", "/v1/definitions/other", SAGAS[1].encode(), {"Content-Type": "application/yaml"}),
                     422, "definition-invalid")
        pinned = SAGAS[1].replace("saga: open", "saga: open\nversion: 1").replace("10m", "9m")
        self.problem(self.api.call("PUT", "/v1/definitions/open", pinned.encode(), {"Content-Type": "application/yaml"}), 409,
                     "definition-exists")

    # ---- what is hardly HTTP ----

    def wire(self, data, wait=3):
        """What the server sends back for these bytes, until it hangs up or is silent."""
        with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=wait) as connection:
            connection.sendall(data)
            got = b""
            try:
                while (piece := connection.recv(65536)):
                    got += piece
                    if b"\r\n\r\n" in got:
                        break
            except (socket.timeout, ConnectionError):
                pass
            return got

    def test_malformed_http_is_answered_with_a_4xx_or_hung_up_on(self):
        body = b"Content-Type: application/json\r\n"
        size = b"Content-Length: %d\r\n" % len(GOOD)
        for text in (b"GARBAGE\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"GET\r\n\r\n",
                     b"GET /v1/sagas HTTP/9.9\r\nHost: a\r\n\r\n", b"GET /v1/sagas HTTP/1.1\r\n\r\n",
                     b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70000 + b"\r\n\r\n",
                     b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\n" + body + b"Content-Length: -1\r\n\r\n" + GOOD,
                     b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\n" + body + b"Content-Length: x\r\n\r\n" + GOOD,
                     b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\n" + body + b"Content-Length: 99999999999999999999\r\n\r\n" + GOOD,
                     b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\n" + body + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + GOOD,
                     b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\n" + body + size + size.replace(b"2", b"1") + b"\r\n" + GOOD,
                     b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\n" + body + size + b"Transfer-Encoding: chunked\r\n\r\n" + GOOD):
            got = self.wire(text)
            self.assertTrue(got == b"" or got.split(b" ")[1][:3] in OF_THE_CALLER, (text[:200], got[:200]))

    def test_a_body_that_ends_early_makes_nothing(self):
        head = b"POST /v1/sagas HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.daemon.port), timeout=3) as connection:
            connection.sendall(head + GOOD)
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(3)
            try:
                connection.recv(100)
            except (socket.timeout, ConnectionError):
                pass
        self.assertEqual(self.api.get("/livez").status, 200)

    def test_head_is_get_without_a_body(self):
        got = self.api.call("HEAD", "/v1/version")
        self.assertEqual((got.status, got.body), (200, b""))
