"""Every reason for which a person is needed: how it comes, what `explain` says of it, and that each repair that is
offered works (S-16, S-18, S-19, S-20, S-31, S-34, S-35, S-36)."""

from harness import DaemonTest, new_saga_id, until
from participant import Gate, answer

HEAD = """saga: {name}
{more}defaults:
  timeout: 2s
  retry: {{attempts: 2, delay: 20ms, jitter: 0}}
  undo_timeout: 2s
  undo_retry: {{attempts: {undo_attempts}, delay: 20ms, max_delay: 100ms, jitter: 0}}
steps:
"""
RESERVE = "  - {name: reserve, do: wire.stock.reserve, undo: wire.stock.release}\n"
PAY = "  - {name: pay, do: wire.payment.take, pivot: true}\n"
NO, AWAY = answer(422, {"code": "no_way", "message": "it is forbidden"}), answer(500)


def definition(name, *steps, more="", undo_attempts="unlimited"):
    return HEAD.format(name=name, more=more, undo_attempts=undo_attempts) + "".join(steps)


class Attention(DaemonTest):
    settings = {"attention": {"failing_after": "300ms", "no_consumer_after": "400ms"}}
    sagas = [
        definition("forward", RESERVE, PAY,
                   "  - {name: ship, do: wire.parcel.ship, retry: {attempts: 2, delay: 20ms, jitter: 0}}\n",
                   "  - {name: tell, do: wire.mail.send}\n"),
        definition("patient", PAY,
                   "  - {name: ship, do: wire.parcel.ship, "
                   "retry: {attempts: unlimited, delay: 50ms, max_delay: 50ms, jitter: 0}}\n"),
        definition("back", RESERVE, "  - {name: hold, do: wire.card.hold, undo: wire.card.void}\n",
                   "  - {name: last, do: wire.last.do, undo: none}\n"),
        definition("back-twice", RESERVE, "  - {name: hold, do: wire.card.hold, undo: wire.card.void}\n",
                   "  - {name: last, do: wire.last.do, undo: none}\n", undo_attempts="2"),
        definition("late", PAY, "  - {name: ship, do: wire.parcel.ship, timeout: 30s}\n", more="timeout: 400ms\n"),
        definition("data", PAY, "  - {name: ship, do: wire.parcel.ship, data: '{n: (.input.n | tonumber)}'}\n"),
        definition("undo-data", "  - {name: reserve, do: wire.stock.reserve, undo: wire.stock.release, "
                   "undo_data: '{n: (.input.n | tonumber)}'}\n",
                   "  - {name: last, do: wire.last.do, undo: none}\n"),
        definition("nobody", "  - {name: ask, do: nobody.thing.ask, readonly: true}\n"),
        definition("unlistening", "  - {name: ask, do: refused.thing.ask, readonly: true, "
                   "retry: {attempts: unlimited, delay: 30ms, max_delay: 50ms, jitter: 0}}\n"),
    ]

    @classmethod
    def participants(cls):
        return [*super().participants(), {"match": "refused.*", "url": "http://127.0.0.1:1/"}]

    # ---- helpers ----

    def begin(self, saga, scripts, **input):
        id = new_saga_id()
        for operation, acts in scripts.items():
            self.participant.script(f"{id}/{operation}", *acts)
        self.api.start(saga, input, id=id)
        return id

    def stuck(self, saga, scripts, reason, step, **input):
        """A saga that needs a person for that reason; explained, listed and counted so."""
        id = self.begin(saga, scripts, **input)
        self.assertEqual(self.api.attention(id, reason)["step"], step)
        told = self.api.explain(id)
        self.assertEqual(told["attention"]["reason"], reason)
        self.assertIn(step, told["similar"]["query"])
        listed = self.api.get(told["similar"]["query"]).json["items"]
        self.assertEqual([s["attention"]["reason"] for s in listed if s["id"] == id], [reason], "in its list")
        return id, told

    def act(self, id, action, expect=202, **body):
        body.setdefault("reason", "by a test")
        answer = self.api.post(f"/v1/sagas/{id}{action}", body)
        self.assertEqual(answer.status, expect, answer)
        return answer.json

    def ends(self, id, status, **steps):
        self.assertEqual(self.api.ended(id)["status"], status)
        found = self.api.steps(id)
        self.assertEqual({name: found[name]["status"] for name in steps}, steps)
        self.assertIsNone(self.api.saga(id)["attention"])

    def offers(self, told, *actions):
        self.assertLessEqual(set(actions), set(told["allowedActions"]))

    def comes_to_offer(self, id, *actions):
        """While a try is on its way nothing of it can be decided: they are offered between two."""
        until(lambda: set(actions) <= set(self.api.explain(id)["allowedActions"]), f"{actions} of {id}")

    # ---- retries_exhausted ----

    def exhausted(self, **scripts):
        id, told = self.stuck("forward", scripts or {"ship/do": [AWAY, AWAY]}, "retries_exhausted", "ship")
        self.offers(told, "retry", "close", "steps/ship:retry", "steps/ship:complete", "steps/ship:skip",
                    "steps/ship:fail")
        self.assertIn("cancel", told["notAllowed"])
        self.assertIn('"ship"', told["summary"])
        self.assertEqual(told["waitingFor"]["kind"], "operator")
        return id

    def test_retries_exhausted_retry_sends_the_same_event_after_unknown(self):
        id = self.exhausted()
        self.act(id, ":retry")
        self.ends(id, "completed", ship="succeeded")
        self.assertEqual(len({c.json["eventId"] for c in self.participant.calls(f"{id}/ship/do")}), 1)

    def test_retries_exhausted_after_a_no_retry_is_a_new_operation(self):
        id = self.exhausted(**{"ship/do": [NO]})
        self.act(id, "/steps/ship:retry")
        self.ends(id, "completed", ship="succeeded")
        keys = [c.headers["idempotency-key"] for c in self.participant.calls(f"{id}/ship/do")]
        self.assertEqual(keys, [f"{id}/ship/do", f"{id}/ship/do/2"])

    def test_retries_exhausted_retry_with_other_data_after_a_no(self):
        id = self.exhausted(**{"ship/do": [NO]})
        self.act(id, "/steps/ship:retry", data={"to": "another street"})
        self.ends(id, "completed", ship="succeeded")
        self.assertEqual(self.participant.calls(f"{id}/ship/do")[1].json["data"], {"to": "another street"})

    def test_retries_exhausted_other_data_is_refused_after_unknown(self):
        id = self.exhausted()
        self.act(id, "/steps/ship:retry", 409, data={"to": "another street"})
        self.act(id, "/steps/ship:complete", data={"parcel": "p-1"})
        self.ends(id, "completed", ship="succeeded")

    def test_retries_exhausted_complete_gives_the_output(self):
        id = self.exhausted()
        self.act(id, "/steps/ship:complete", data={"parcel": "p-1"})
        self.ends(id, "completed", ship="succeeded")
        self.assertEqual(self.api.saga(id)["output"]["ship"], {"parcel": "p-1"})

    def test_retries_exhausted_skip_goes_on(self):
        id = self.exhausted()
        self.act(id, "/steps/ship:skip", output={"parcel": None})
        self.ends(id, "completed", ship="skipped", tell="succeeded")

    def test_retries_exhausted_fail_stays_so_with_its_code(self):
        id = self.exhausted()
        self.act(id, "/steps/ship:fail", code="lost", message="the parcel is lost")
        self.assertEqual(self.api.attention(id, "retries_exhausted")["step"], "ship")
        self.assertEqual(self.api.steps(id)["ship"]["attempts"][0]["code"], "lost")
        self.act(id, ":close", 200)
        self.ends(id, "failed")

    def test_retries_exhausted_close_ends_it_failed_with_effects_standing(self):
        id = self.exhausted()
        self.act(id, ":close", 200)
        self.ends(id, "failed")
        self.assertEqual(self.participant.calls(f"{id}/reserve/undo"), [])

    def test_retries_exhausted_a_late_ok_is_taken(self):
        id = self.exhausted()
        command = self.participant.calls(f"{id}/ship/do")[0]
        self.assertEqual(self.api.post("/v1/events", command.reply("_succeeded", {"parcel": 1})).json["items"][0]
                         ["disposition"], "applied")
        self.ends(id, "completed", ship="succeeded")

    # ---- step_failing ----

    def failing(self):
        id, _ = self.stuck("patient", {"ship/do": [answer(503, {"code": "closed"})] * 1000}, "step_failing", "ship")
        self.comes_to_offer(id, "retry", "steps/ship:retry", "steps/ship:complete", "steps/ship:skip")
        return id

    def test_step_failing_goes_away_by_itself(self):
        id = self.failing()
        self.participant.script(f"{id}/ship/do")
        self.ends(id, "completed", ship="succeeded")

    def test_step_failing_complete_and_skip(self):
        for action, status in (("complete", "succeeded"), ("skip", "skipped")):
            id = self.failing()
            # while a try is on its way the state says so; between two it is decided
            until(lambda: self.api.post(f"/v1/sagas/{id}/steps/ship:{action}", {"reason": "t"}).status == 202, action)
            self.ends(id, "completed", ship=status)

    def test_step_failing_retry_tries_at_once(self):
        id = self.failing()
        tries = len(self.participant.calls(f"{id}/ship/do"))
        self.participant.script(f"{id}/ship/do")
        until(lambda: self.api.post(f"/v1/sagas/{id}:retry", {}).status == 202 or
              self.api.saga(id)["status"] == "completed", "a retry between two tries")
        self.ends(id, "completed", ship="succeeded")
        self.assertGreater(len(self.participant.calls(f"{id}/ship/do")), tries)

    # ---- undo_failing ----

    def undo_failing(self):
        id, _ = self.stuck("back", {"last/do": [NO], "hold/undo": [AWAY] * 1000}, "undo_failing", "hold")
        self.comes_to_offer(id, "retry", "steps/hold:retry", "steps/hold:undo-done", "steps/hold:waive")
        self.assertEqual(self.participant.calls(f"{id}/reserve/undo"), [])
        return id

    def test_undo_failing_goes_away_by_itself(self):
        id = self.undo_failing()
        self.participant.script(f"{id}/hold/undo")
        self.ends(id, "compensated", hold="undone", reserve="undone")

    def test_undo_failing_undo_done_and_waive(self):
        for action, status, end in (("undo-done", "undone", "compensated"), ("waive", "undo_waived", "failed")):
            id = self.undo_failing()
            until(lambda: self.api.post(f"/v1/sagas/{id}/steps/hold:{action}", {"reason": "t"}).status == 202, action)
            self.ends(id, end, hold=status, reserve="undone")

    # ---- undo_parked ----

    def parked(self, saga="back", acts=(NO,)):
        id, told = self.stuck(saga, {"last/do": [NO], "hold/undo": list(acts)}, "undo_parked", "hold")
        self.offers(told, "retry", "close", "steps/hold:retry", "steps/hold:undo-done", "steps/hold:waive")
        self.assertIn('undo of "hold"', told["summary"])
        self.assertEqual(self.participant.calls(f"{id}/reserve/undo"), [])
        return id

    def test_undo_parked_retry_is_a_new_operation_after_a_no(self):
        id = self.parked()
        self.act(id, ":retry")
        self.ends(id, "compensated", hold="undone", reserve="undone")
        keys = [c.headers["idempotency-key"] for c in self.participant.calls(f"{id}/hold/undo")]
        self.assertEqual(keys, [f"{id}/hold/undo", f"{id}/hold/undo/2"])

    def test_undo_parked_retry_with_other_data(self):
        id = self.parked()
        self.act(id, "/steps/hold:retry", data={"ref": 1})
        self.ends(id, "compensated", hold="undone")
        call = self.participant.calls(f"{id}/hold/undo")[1]
        self.assertEqual((call.json["data"], call.json["metadata"]["undoes"]), ({"ref": 1}, f"{id}/hold/do"))

    def test_undo_parked_out_of_tries_retry_keeps_the_event(self):
        id = self.parked("back-twice", (AWAY, AWAY))
        self.act(id, "/steps/hold:retry")
        self.ends(id, "compensated", hold="undone")
        self.assertEqual(len({c.json["eventId"] for c in self.participant.calls(f"{id}/hold/undo")}), 1)

    def test_undo_parked_undo_done_with_evidence_is_compensated(self):
        id = self.parked()
        self.act(id, "/steps/hold:undo-done", evidence="ticket 7")
        self.ends(id, "compensated", hold="undone", reserve="undone")
        entry = next(e for e in self.api.journal(id) if e["type"] == "operator.undo_done")
        self.assertEqual((entry["data"], entry["reason"], entry["actor"]), ("ticket 7", "by a test", "anonymous"))

    def test_undo_parked_waive_ends_failed_but_undoes_the_rest(self):
        id = self.parked()
        self.act(id, "/steps/hold:waive")
        self.ends(id, "failed", hold="undo_waived", reserve="undone")

    def test_undo_parked_close_waives_what_is_left(self):
        id = self.parked()
        self.act(id, ":close", 200)
        self.ends(id, "failed", hold="undo_waived", reserve="undo_waived")

    # ---- pivot_unknown ----

    def pivot_unknown(self):
        id, told = self.stuck("forward", {"pay/do": [AWAY, AWAY]}, "pivot_unknown", "pay")
        self.offers(told, "retry", "steps/pay:retry", "steps/pay:complete", "steps/pay:fail")
        self.assertNotIn("steps/pay:skip", told["allowedActions"])
        self.assertEqual(self.participant.calls(f"{id}/reserve/undo"), [], "never guessed")
        return id

    def test_pivot_unknown_retry_asks_again_with_the_same_event(self):
        id = self.pivot_unknown()
        self.act(id, ":retry")
        self.ends(id, "completed", pay="succeeded")
        self.assertEqual(len({c.json["eventId"] for c in self.participant.calls(f"{id}/pay/do")}), 1)

    def test_pivot_unknown_complete_goes_forward(self):
        id = self.pivot_unknown()
        self.act(id, "/steps/pay:complete", data={"payment": 1})
        self.ends(id, "completed", pay="succeeded", ship="succeeded")

    def test_pivot_unknown_fail_turns_back(self):
        id = self.pivot_unknown()
        self.act(id, "/steps/pay:fail", code="not_booked", message="looked at the ledger")
        self.ends(id, "compensated", reserve="undone", pay="rejected")
        self.assertEqual(self.api.steps(id)["pay"]["effect"], "none")

    def test_pivot_unknown_cancel_is_noted_and_takes_hold_when_it_failed(self):
        id = self.pivot_unknown()
        self.assertTrue(self.act(id, ":cancel")["saga"]["cancelRequested"])
        self.act(id, "/steps/pay:fail", code="not_booked")
        self.ends(id, "compensated", reserve="undone")

    def test_pivot_unknown_a_definite_late_no_turns_back(self):
        id = self.pivot_unknown()
        command = self.participant.calls(f"{id}/pay/do")[0]
        self.api.post("/v1/events", command.reply("_failed", {"code": "declined", "message": ""}))
        self.ends(id, "compensated", reserve="undone")

    # ---- no_consumer ----

    def test_no_consumer_a_type_that_nobody_is_configured_for(self):
        """The row is free; a daemon that knows somebody takes it."""
        id, told = self.stuck("nobody", {}, "no_consumer", "ask")
        self.assertIn("nobody is configured", told["participant"]["problem"])
        self.assertEqual(self.query(f"select owner is null from outbox where saga_id = '{id}'"), "t")
        other = self.world.daemon("attention-other", self.database, self.sagas,
                                  [{"match": "nobody.*", "url": self.participant.url + "/commands"}]).start()
        self.ends(id, "completed", ask="succeeded")
        self.assertEqual(other.stop(), 0)

    def test_no_consumer_at_once_when_nobody_there_does_this(self):
        id = self.begin("patient", {"ship/do": [answer(404)] * 1000})
        since = self.api.attention(id, "no_consumer", 5)
        self.assertEqual(since["step"], "ship")
        self.assertIn("404", self.api.explain(id)["participant"]["lastProblem"])
        self.participant.script(f"{id}/ship/do")
        self.ends(id, "completed", ship="succeeded")

    def test_no_consumer_when_connections_are_refused_for_too_long(self):
        id, told = self.stuck("unlistening", {}, "no_consumer", "ask")
        self.assertIn("unreachable", told["participant"]["lastProblem"])
        self.act(id, ":cancel")
        self.ends(id, "compensated")

    def test_no_consumer_when_nobody_answers_for_too_long(self):
        gate = Gate(answer(200, {}))
        id, told = self.stuck("late", {"pay/do": [gate]}, "no_consumer", "pay")
        self.assertEqual(told["waitingFor"]["kind"], "reply")
        gate.open()
        self.ends(id, "completed")

    # ---- overdue ----

    def test_overdue_is_told_behind_the_pivot_and_passes_with_the_end(self):
        id = self.begin("late", {"ship/do": [answer(202)]})
        self.assertIsNone(self.api.attention(id, "overdue").get("step"))
        told = self.api.explain(id)
        self.assertEqual((told["attention"]["reason"], told["status"]), ("overdue", "running"))
        listed = self.api.get("/v1/sagas?attention=overdue").json["items"]
        self.assertEqual([s["attention"]["reason"] for s in listed if s["id"] == id], ["overdue"])
        self.act(id, ":cancel", 409)
        command = self.participant.calls(f"{id}/ship/do")[0]
        self.api.post("/v1/events", command.reply("_succeeded", {}))
        self.ends(id, "completed")

    # ---- bad_data ----

    def test_bad_data_behind_the_pivot_retry_with_data(self):
        id, told = self.stuck("data", {}, "bad_data", "ship", n="seven")
        self.assertIn("can't be made", told["summary"])
        self.assertEqual(self.participant.calls(f"{id}/ship/do"), [])
        self.act(id, "/steps/ship:retry", data={"n": 7})
        self.ends(id, "completed", ship="succeeded")
        self.assertEqual(self.participant.calls(f"{id}/ship/do")[0].json["data"], {"n": 7})

    def test_bad_data_retry_without_data_comes_back_to_it(self):
        id, _ = self.stuck("data", {}, "bad_data", "ship", n="seven")
        self.act(id, ":retry")
        self.assertEqual(self.api.attention(id, "bad_data")["step"], "ship")
        self.act(id, "/steps/ship:complete", data={})
        self.ends(id, "completed", ship="succeeded")

    def test_bad_data_before_the_pivot_is_a_failure_of_the_step(self):
        id = self.begin("undo-data", {"last/do": [NO]}, n="7")
        self.ends(id, "compensated", reserve="undone")

    def test_bad_data_of_an_undo_retry_with_data_and_undo_done(self):
        for action, body in (("retry", {"data": {"n": 7}}), ("undo-done", {"evidence": "seen"})):
            id, _ = self.stuck("undo-data", {"last/do": [NO]}, "bad_data", "reserve", n="seven")
            self.act(id, f"/steps/reserve:{action}", **body)
            self.ends(id, "compensated", reserve="undone")

    # ---- pause ----

    def test_a_paused_saga_says_so_and_takes_replies(self):
        gate = Gate(answer(200, {}))
        id = self.begin("forward", {"reserve/do": [gate]})
        until(lambda: self.participant.calls(f"{id}/reserve/do"), "the first command")
        self.act(id, ":pause", 200)
        gate.open()
        until(lambda: self.api.steps(id)["reserve"]["status"] == "succeeded", "the reply")
        told = self.api.explain(id)
        self.assertIn("aused", told["summary"])
        self.assertIn("resume", told["allowedActions"])
        self.assertEqual(self.participant.calls(f"{id}/pay/do"), [])
        self.act(id, ":resume")
        self.ends(id, "completed")

    # ---- what is offered is accepted, what is not is refused ----

    def test_every_offered_action_is_accepted_and_every_other_is_refused(self):
        steps = ("reserve", "pay", "ship", "tell")
        names = [":cancel", ":pause", ":resume", ":retry", ":close",
                 *(f"/steps/{s}:{a}" for s in steps for a in ("retry", "skip", "complete", "fail", "undo-done",
                                                              "waive"))]
        id = self.exhausted()
        offered = set(self.api.explain(id)["allowedActions"])
        for name in names:
            answer = self.api.post(f"/v1/sagas/{id}{name}?dryRun=true", {"reason": "a test"})
            if name.lstrip(":/") in offered:
                self.assertIn(answer.status, (200, 202), name)
            else:
                self.assertIn(answer.status, (200, 409), name)  # 200: it is so already
                if answer.status == 409:
                    self.assertEqual(set(answer.json["allowedActions"]), offered, name)
        self.act(id, "/steps/ship:skip")
        self.ends(id, "completed")


    def test_a_command_on_its_way_is_not_decided_by_hand(self):
        gate = Gate(answer(200, {}))
        id = self.begin("forward", {"reserve/do": [gate]})
        until(lambda: self.participant.calls(f"{id}/reserve/do"), "the command")
        refused = self.api.post(f"/v1/sagas/{id}/steps/reserve:complete", {"reason": "a test"})
        self.assertEqual((refused.status, refused.json["type"]), (409, "/problems/row-in-flight"), refused)
        offered = self.api.explain(id)["allowedActions"]
        self.assertNotIn("steps/reserve:complete", offered)
        self.assertEqual(refused.json["allowedActions"], offered)
        gate.open()
        self.ends(id, "completed")


class DefinitionMissing(DaemonTest):
    """The pinned version is gone from the table: told, and mended by putting it back."""

    sagas = [definition("missing", RESERVE, "  - {name: last, do: wire.last.do, timeout: 30s}\n")]

    def test_definition_missing_is_told_and_ends_with_its_upload(self):
        id = new_saga_id()
        self.participant.script(f"{id}/last/do", answer(202))
        self.api.start("missing", {}, id=id)
        command = until(lambda: self.participant.calls(f"{id}/last/do"), "the command")[0]
        source = self.sagas[0]
        newer = source.replace("timeout: 2s", "timeout: 3s")
        self.assertEqual(self.api.call("PUT", "/v1/definitions/missing", newer.encode(),
                                       {"Content-Type": "application/yaml"}).json["version"], 2)
        self.assertEqual(self.daemon.stop(), 0)
        self.query("delete from definitions where version = 1")
        with open(self.daemon.config["sagas"][0] + "/000.yaml", "w") as file:
            file.write(newer)
        self.daemon.start()
        self.assertEqual(self.api.attention(id, "definition_missing").get("step"), None)
        told = self.api.explain(id)
        self.assertEqual(told["attention"]["reason"], "definition_missing")
        self.assertIn("Version 1 of missing", told["summary"])
        self.assertEqual(told["allowedActions"], [])
        for refused in (self.api.get(f"/v1/sagas/{id}/steps"), self.api.post(f"/v1/sagas/{id}:cancel", {}),
                        self.api.post("/v1/events", command.reply("_succeeded", {}))):
            self.assertEqual((refused.status, refused.json["type"]), (503, "/problems/definition-missing"), refused)
        listed = self.api.get("/v1/sagas?attention=definition_missing").json["items"]
        self.assertEqual([s["id"] for s in listed], [id])
        self.query("insert into definitions (name, version, hash, source, active, created_at) values "
                   f"('missing', 1, sha256($src${source}$src$::bytea), $src${source}$src$, false, now())")
        put = self.api.call("PUT", "/v1/definitions/missing", newer.encode(), {"Content-Type": "application/yaml"})
        self.assertEqual(put.status, 200, "unchanged, and its versions are read again")
        event = self.api.post("/v1/events", command.reply("_succeeded", {})).json["items"][0]
        self.assertEqual(event["disposition"], "applied")
        self.assertEqual(self.api.ended(id)["status"], "completed")
