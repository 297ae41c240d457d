"""What a participant does over HTTP, in both directions, and what becomes of the saga (docs/participants.md).

One test an answer: the table below says what came over the wire and what the journal must say of each try.
"""

from harness import DaemonTest, new_saga_id
from participant import answer, drip, endless, http_bytes, new_id, raw, reply, reset, reset_after, silent

OK = answer(200, {"fine": True})
PROBLEM = (422, {"type": "https://example.test/problems/sold-out", "title": "Sold out", "code": "sold_out"})
ENDLESS_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"

# the first and the third step are only there to be undone and to fail
SAGA = """saga: {name}
defaults:
  timeout: 1s
  retry: {{attempts: 3, delay: 20ms, jitter: 0}}
  undo_timeout: 1s
  undo_retry: {{attempts: 6, delay: 20ms, jitter: 0}}
steps:
  - {{name: first, do: {domain}.seat.book, undo: {domain}.seat.cancel}}
  - {{name: second, do: {domain}.room.book, undo: {domain}.room.cancel}}
  - {{name: third, do: {domain}.car.book, undo: {domain}.car.cancel}}
"""
REFUSED = """saga: refused
defaults: {timeout: 1s, retry: {attempts: 2, delay: 20ms, jitter: 0}}
steps:
  - {name: first, do: wire.seat.book, undo: wire.seat.cancel}
  - {name: second, do: nobody.room.book, undo: nobody.room.cancel}
"""


def redirect(status):
    return answer(status, b"", "Location: /elsewhere")


class Case:
    """Acts of the participant for one operation, and what the journal says of each try.

    tries    (outcome, code) of each answer
    copies   numbers of the requests, from 1, that carry the event id of the one before
    letters  dead letters that it leaves
    plain    the participant is of level 0
    more     a check of the requests
    """

    def __init__(self, name, acts, tries, copies=(), letters=0, plain=False, more=None):
        self.name, self.acts, self.tries = name, acts, tries
        self.copies, self.letters, self.plain, self.more = copies, letters, plain, more


def refusals():
    """Answers that are a definite no."""
    yield Case("422_with_a_code_is_a_no", [answer(*PROBLEM)], [("rejected", "sold_out")])
    yield Case("400_with_a_type_only_has_its_last_part_as_code",
               [answer(400, {"type": "https://example.test/problems/sold-out"})], [("rejected", "sold-out")])
    yield Case("403_without_a_body_is_rejected", [answer(403)], [("rejected", "rejected")])
    yield Case("409_to_the_first_sending_is_a_no", [answer(409, {"code": "taken"})], [("rejected", "taken")])
    yield Case("a_failed_event_is_a_no", [reply("_failed", {"code": "out_of_stock", "message": "none left"})],
               [("rejected", "out_of_stock")])
    for status in (301, 302, 303, 307, 308):
        yield Case(f"a_redirect_{status}_is_a_no_and_never_followed", [redirect(status)], [("rejected", "rejected")])
    for status in (404, 410):
        yield Case(f"{status}_of_a_plain_service_is_a_no", [answer(status)], [("rejected", "rejected")], plain=True)


def later():
    """Answers after which the command is sent again, and the second is an ok."""
    unknown = {
        "500": (answer(500), "server_error"), "502_with_html": (answer(502, b"<html>"), "server_error"),
        "503_bare": (answer(503), "server_error"), "408": (answer(408), "server_error"),
        "a_reset_before_the_first_byte": (reset, "timeout"),
        "a_reset_within_the_head": (reset_after(b"HTTP/1.1 200 O"), "timeout"),
        "a_reset_within_the_body": (reset_after(http_bytes(200, b'{"a": 1}')[:-4]), "timeout"),
        "a_hang_up_without_an_answer": (raw(b""), "timeout"),
        "half_an_answer": (raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":"), "timeout"),
        "bad_chunking": (raw(ENDLESS_HEAD + b"zz\r\n{}\r\n0\r\n\r\n"), "timeout"),
        "a_chunked_answer_without_its_end": (raw(ENDLESS_HEAD + b"2\r\n{}\r\n"), "timeout"),
        "no_http_at_all": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "timeout"),
        "endless_headers": (endless(b"HTTP/1.1 200 OK\r\n", b"Content-Type: " + b"a" * 16000 + b"\r\n"), "timeout"),
        "silence": (silent, "timeout"), "a_slow_drip": (drip, "timeout"),
        "an_event_that_says_unknown": (reply("_failed", {"code": "unknown", "message": "?"}), "unknown"),
    }
    for name, (act, code) in unknown.items():
        yield Case(f"after_{name}_the_same_command_goes_out_again", [act, OK], [("unknown", code), ("ok", None)],
                   copies=[2])
    unreadable = {
        "a_body_that_is_no_json": answer(200, b"certainly, sir"),
        "a_body_with_a_member_twice": answer(200, b'{"a":1,"a":2}'),
        "a_body_with_nul": answer(200, b'{"a":"\\u0000"}'),
        "a_body_that_is_no_utf8": answer(200, b'{"a":"\xff\xfe"}'),
        "a_body_nested_too_deep": answer(200, b"[" * 70 + b"]" * 70),
        "a_reply_to_another_command": reply("_succeeded", {}, causationId=new_id()),
        "a_reply_without_timestamp": reply("_succeeded", {}, timestamp=None),
        "a_failure_without_code": reply("_failed", {"message": "no"}),
        "an_endless_body": endless(ENDLESS_HEAD, b"10000\r\n" + b" " * 65536 + b"\r\n"),
    }
    for name, act in unreadable.items():
        yield Case(f"{name}_is_unknown_and_kept_as_a_dead_letter", [act, OK], [("unknown", "bad_reply"), ("ok", None)],
                   copies=[2], letters=1)
    transient = {
        "429": (answer(429), "throttled"), "503_with_a_code": (answer(503, {"code": "closed"}), "throttled"),
        "a_retryable_failure": (reply("_failed", {"code": "busy", "message": "soon", "retryable": True}), "busy"),
        "405": (answer(405), "unreachable"), "415": (answer(415), "unreachable"), "501": (answer(501), "unreachable"),
        "404": (answer(404), "unreachable"), "410": (answer(410), "unreachable"), "425": (answer(425), "unreachable"),
    }
    for name, (act, code) in transient.items():
        yield Case(f"after_{name}_a_new_command_goes_out", [act, OK], [("transient", code), ("ok", None)])
    for status in (409, 425):
        yield Case(f"{status}_to_a_copy_is_unknown", [answer(500), answer(status), OK],
                   [("unknown", "server_error"), ("unknown", "conflict"), ("ok", None)], copies=[2, 3])
    for status in (429, 503):
        yield Case(f"retry_after_of_{status}_is_a_lower_bound", [answer(status, b"", "Retry-After: 1"), OK],
                   [("transient", "throttled"), ("ok", None)],
                   more=lambda test, calls: test.assertGreater(calls[1].at - calls[0].at, 0.95))


def taken():
    """Answers that end the operation well."""
    yield Case("bare_json_is_the_output", [answer(200, {"id": 7})], [("ok", None)])
    yield Case("a_succeeded_event_is_taken", [reply("_succeeded", {"id": 7})], [("ok", None)])
    yield Case("interim_answers_are_passed_over",
               [raw(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + http_bytes(200, b"{}"), keep=True)],
               [("ok", None)])
    yield Case("an_empty_answer_of_a_plain_service_is_ok", [answer(204)], [("ok", None)], plain=True)
    yield Case("a_201_of_a_plain_service_is_ok", [answer(201, {"id": 7})], [("ok", None)], plain=True)
    for status in (202, 204, 200):
        yield Case(f"an_empty_{status}_starts_the_timeout_anew_and_then_the_command_goes_out_again",
                   [answer(status), OK], [("in_progress", None), ("ok", None)], copies=[2])


def tries_of(journal, step, phase):
    """(outcome, code) of each answer that the journal has."""
    prefix = "step." if phase == "do" else "undo."
    return [(entry["type"].removeprefix(prefix), entry.get("code")) for entry in journal
            if entry["type"].startswith(prefix) and entry.get("step") == step]


class Participants(DaemonTest):
    sagas = [SAGA.format(name="told", domain="wire"), SAGA.format(name="plain", domain="plain"), REFUSED]

    @classmethod
    def participants(cls):
        return [{"match": "wire.*", "url": cls.participant.url + "/commands"},
                {"match": "plain.*", "url": cls.participant.url + "/{domain}/{entity}/{action}", "format": "plain"},
                {"match": "nobody.*", "url": "http://127.0.0.1:1/commands"}]

    def run_saga(self, case, phase):
        """Start a saga whose second step meets the case in that direction; True once it has ended or parked."""
        saga = new_saga_id()
        self.participant.script(f"{saga}/second/{phase}", *case.acts)
        if phase == "undo":
            self.participant.script(f"{saga}/third/do", answer(422, {"code": "no_car"}))
        # numbers that a parse and print would change must come through as they are in every copy
        self.api.start("plain" if case.plain else "told", {"case": case.name, "n": 1e-7, "u": "ü/\"\\"}, id=saga)
        return saga

    def check_wire(self, saga, case, phase):
        calls = self.participant.calls(f"{saga}/second/{phase}")
        self.assertEqual(len(case.acts), len(calls), "requests on the wire")
        for number, call in enumerate(calls, 1):
            self.assertEqual(call.headers["idempotency-key"], f"{saga}/second/{phase}")
            if case.plain:
                self.assertEqual(call.path, f"/plain/room/{'book' if phase == 'do' else 'cancel'}")
                self.assertEqual(call.headers.get("saga-undoes"), None if phase == "do" else f"{saga}/second/do")
                self.assertNotIn("saga-in-doubt", call.headers)
                continue
            self.assertEqual(call.path, "/commands")
            self.assertEqual(call.json["metadata"]["retryCount"], number - 1)
            if number == 1:
                continue
            before = calls[number - 2]
            same_id = call.json["eventId"] == before.json["eventId"]
            self.assertEqual(same_id, number in case.copies, f"event id of request {number}")
            self.assertEqual(call.data_bytes, before.data_bytes, "frozen data")
        if case.more:
            case.more(self, calls)
        self.assertEqual([r for r in self.participant.calls(saga) if r.path == "/elsewhere"], [])

    def check_journal(self, saga, case, phase):
        self.assertEqual(tries_of(self.api.journal(saga), "second", phase), case.tries)
        self.assertEqual(self.dead_letters(saga, "unreadable"), case.letters)

    def check_do(self, case):
        saga = self.run_saga(case, "do")
        refused = case.tries[-1][0] == "rejected"
        end = self.api.ended(saga)
        self.assertEqual(end["status"], "compensated" if refused else "completed")
        self.check_wire(saga, case, "do")
        self.check_journal(saga, case, "do")
        step = self.api.steps(saga)["second"]
        self.assertEqual(step["status"], "rejected" if refused else "succeeded")
        self.assertEqual(step["effect"], "none" if refused else "certain")
        if refused:
            self.assertEqual((end["error"]["step"], end["error"]["code"]), ("second", case.tries[-1][1]))
            self.assertEqual(step["attempts"][0]["outcome"], "rejected")
        undone = [call.step for call in self.participant.calls(saga) if call.operation.endswith("/undo")]
        self.assertEqual(undone, ["first"] if refused else [], "undone")

    def check_undo(self, case):
        saga = self.run_saga(case, "undo")
        if case.tries[-1][0] == "rejected":
            self.api.attention(saga, "undo_parked")
            step = self.api.steps(saga)["second"]
            self.assertEqual((step["status"], step["effect"]), ("undo_parked", "certain"))
            self.assertEqual(step["attempts"][1]["code"], case.tries[-1][1])
            self.assertEqual(self.participant.calls(f"{saga}/first/undo"), [], "it must wait for what is parked")
            self.api.post(f"/v1/sagas/{saga}/steps/second:undo-done", {"reason": "seen to", "evidence": "ticket"})
        self.assertEqual(self.api.ended(saga)["status"], "compensated")
        self.check_wire(saga, case, "undo")
        self.check_journal(saga, case, "undo")
        self.assertEqual({s["status"] for n, s in self.api.steps(saga).items() if n != "third"}, {"undone"})
        order = [call.step for call in self.participant.calls(saga) if call.operation.endswith("/undo")]
        self.assertEqual(order, ["second"] * len(case.acts) + ["first"])

    # ---- what no table says ----

    def test_a_refused_connection_has_no_effect_and_nothing_is_undone_for_it(self):
        saga = self.api.start("refused")
        end = self.api.ended(saga)
        self.assertEqual((end["status"], end["error"]["code"]), ("compensated", "unreachable"))
        step = self.api.steps(saga)["second"]
        self.assertEqual((step["status"], step["effect"], step["attempts"][0]["tries"]), ("rejected", "none", 2))
        self.assertEqual(tries_of(self.api.journal(saga), "second", "do"), [("transient", "unreachable")] * 2)

    def test_after_unknown_to_the_end_it_is_undone_in_doubt(self):
        """S-13: the undo says so and names its do."""
        saga = new_saga_id()
        self.participant.script(f"{saga}/second/do", answer(500), reset, answer(500))
        self.api.start("told", {}, id=saga)
        self.assertEqual(self.api.ended(saga)["status"], "compensated")
        step = self.api.steps(saga)["second"]
        self.assertEqual((step["status"], step["attempts"][0]["tries"]), ("undone", 3))
        first, second = (self.participant.calls(f"{saga}/{s}/undo")[0] for s in ("first", "second"))
        self.assertEqual(second.json["metadata"]["inDoubt"], True)
        self.assertEqual(second.json["metadata"]["undoes"], f"{saga}/second/do")
        self.assertNotIn("inDoubt", first.json["metadata"])
        self.assertEqual(first.json["data"], {"input": {}, "output": {"by": "first"}})
        self.assertEqual(second.json["data"], {"input": {}, "output": None})

    def test_a_plain_service_sees_doubt_in_a_header(self):
        saga = new_saga_id()
        self.participant.script(f"{saga}/second/do", answer(500), answer(500), answer(500))
        self.api.start("plain", {"id": 1}, id=saga)
        self.assertEqual(self.api.ended(saga)["status"], "compensated")
        do, undo = (self.participant.calls(f"{saga}/second/{p}")[-1] for p in ("do", "undo"))
        self.assertEqual(do.json, {"id": 1})
        self.assertEqual(undo.headers["saga-in-doubt"], "true")
        self.assertEqual(undo.headers["saga-undoes"], f"{saga}/second/do")

    def test_the_envelope_has_every_member_and_the_callers_trace(self):
        saga, trace = new_saga_id(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        self.participant.script(f"{saga}/second/do", answer(422))
        self.api.post("/v1/sagas", {"saga": "told", "id": saga, "input": {"a": [1, {"b": None}]}, "userId": "u-7",
                                    "flowId": "f-1"}, headers={"traceparent": trace})
        self.api.ended(saga)
        do, undo = self.participant.calls(f"{saga}/first/do")[0], self.participant.calls(f"{saga}/first/undo")[0]
        for call, phase in ((do, "do"), (undo, "undo")):
            self.assertEqual(call.headers["traceparent"], trace)
            self.assertEqual(call.headers["content-type"], "application/json")
            self.assertEqual(set(call.json), {"eventId", "eventType", "eventVersion", "timestamp", "source",
                                              "correlationId", "causationId", "data", "metadata"})
            expected = {"userId": "u-7", "traceId": trace[3:35], "retryCount": 0, "saga": "told", "step": "first",
                        "idempotencyKey": f"{saga}/first/{phase}", "phase": phase, "flowId": "f-1",
                        "traceparent": trace, "replyTo": f"http://127.0.0.1:{self.daemon.port}/v1/events"}
            metadata = dict(call.json["metadata"])
            self.assertEqual(metadata.pop("deadline", None) is not None, phase == "do", "an undo has no deadline")
            self.assertEqual(metadata.pop("undoes", None), None if phase == "do" else f"{saga}/first/do")
            self.assertEqual(metadata, expected)
            self.assertEqual(call.json["correlationId"], saga)
            self.assertEqual(call.json["source"], "/sagas/told")
        self.assertEqual(do.json["eventType"], "wire.seat.book")
        self.assertEqual(undo.json["eventType"], "wire.seat.cancel")

    def test_what_a_reply_causes_names_the_reply(self):
        saga, event = new_saga_id(), new_id()
        self.participant.script(f"{saga}/first/do", reply("_succeeded", {}, event_id=event))
        self.api.start("told", {}, id=saga)
        self.api.ended(saga)
        self.assertEqual(self.participant.calls(f"{saga}/second/do")[0].json["causationId"], event)

    def test_an_endless_body_is_cut_off(self):
        before = self.participant.endless_bytes
        self.check_do(Case("again", [endless(ENDLESS_HEAD, b"10000\r\n" + b"x" * 65536 + b"\r\n"), OK],
                           [("unknown", "bad_reply"), ("ok", None)], copies=[2], letters=1))
        self.assertLess(self.participant.endless_bytes - before, 32 * 1024 * 1024)
        self.assertLessEqual(int(self.query("select max(octet_length(body)) from dead_letters")), 1048576)

    def test_the_daemon_is_well_after_all_of_it(self):
        self.assertEqual(self.api.get("/readyz").status, 200)


def add_tests():
    for cases in (refusals(), later(), taken()):
        for case in cases:
            for phase, check in (("do", Participants.check_do), ("undo", Participants.check_undo)):
                name = f"test_{phase}_{case.name}"
                setattr(Participants, name, lambda self, check=check, case=case: check(self, case))


add_tests()
