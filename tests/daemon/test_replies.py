"""Replies that come by POST /v1/events: later, twice, against each other, too late, to nobody (S-4, S-6, S-7, S-14)."""

from harness import DaemonTest, new_saga_id, until
from participant import Gate, answer, new_id, silent

LATER = answer(202)
SAGAS = ["""saga: later
defaults:
  timeout: 30s
  retry: {attempts: 3, delay: 20ms, jitter: 0}
  undo_timeout: 30s
  undo_retry: {attempts: 3, delay: 20ms, jitter: 0}
steps:
  - {name: first, do: wire.seat.book, undo: wire.seat.cancel}
  - {name: second, do: wire.room.book, undo: wire.room.cancel}
  - {name: third, do: wire.car.book, undo: wire.car.cancel}
""", """saga: slow
defaults:
  timeout: 400ms
  retry: {attempts: 3, delay: 20ms, jitter: 0}
  undo_timeout: 400ms
  undo_retry: {attempts: 9, delay: 20ms, jitter: 0}
steps:
  - {name: first, do: wire.seat.book, undo: wire.seat.cancel}
  - {name: second, do: wire.room.book, undo: wire.room.cancel}
"""]


class Replies(DaemonTest):
    sagas = SAGAS

    def command(self, operation, number=1):
        """The request of an operation once it has come."""
        return until(lambda: (calls := self.participant.calls(operation))[number - 1:number] and calls[number - 1],
                     f"request {number} of {operation}")

    def sent(self, step="second", phase="do", saga="later", act=LATER, copies=1):
        """A saga that stands at the operation, and its command."""
        id = new_saga_id()
        self.participant.script(f"{id}/{step}/{phase}", *[act] * copies)
        if phase == "undo":
            self.participant.script(f"{id}/third/do", answer(422))
        self.api.start(saga, {}, id=id)
        return id, self.command(f"{id}/{step}/{phase}")

    def send(self, event):
        answer = self.api.post("/v1/events", event)
        self.assertEqual(answer.status, 200, answer)
        return answer.json["items"][0]["disposition"]

    def status(self, saga, step="second"):
        return self.api.steps(saga)[step]["status"]

    # ---- one answer, later ----

    def test_a_later_ok_moves_the_saga_on(self):
        saga, command = self.sent()
        self.assertEqual(self.send(command.reply("_succeeded", {"room": 7})), "applied")
        end = self.api.ended(saga)
        self.assertEqual(end["status"], "completed")
        self.assertEqual(end["output"]["second"], {"room": 7})

    def test_a_later_no_turns_it_back(self):
        saga, command = self.sent()
        self.assertEqual(self.send(command.reply("_failed", {"code": "full", "message": "no"})), "applied")
        end = self.api.ended(saga)
        self.assertEqual((end["status"], end["error"]["code"]), ("compensated", "full"))

    def test_a_later_retryable_failure_leads_to_a_new_command(self):
        saga, command = self.sent()
        self.send(command.reply("_failed", {"code": "busy", "message": "", "retryable": True}))
        self.assertEqual(self.api.ended(saga)["status"], "completed")
        first, second = self.participant.calls(f"{saga}/second/do")
        self.assertNotEqual(first.json["eventId"], second.json["eventId"])
        self.assertEqual(second.json["metadata"]["retryCount"], 1)

    def test_in_progress_moves_the_deadline_on(self):
        saga, command = self.sent(saga="slow")
        for _ in range(4):  # together longer than the timeout, each one in time
            until(lambda: (self.api.steps(saga)["second"]["attempts"][0]["tries"]) == 1, "still the first try")
            self.assertEqual(self.send(command.reply("_in_progress", {})), "applied")
        before = self.api.steps(saga)["second"]["attempts"][0]["dueAt"]
        self.assertEqual(self.send(command.reply("_in_progress", {})), "applied")
        self.assertGreater(self.api.steps(saga)["second"]["attempts"][0]["dueAt"], before)
        self.send(command.reply("_succeeded", {}))
        self.assertEqual(self.api.ended(saga)["status"], "completed")
        self.assertEqual(len(self.participant.calls(f"{saga}/second/do")), 1)

    def test_a_later_ok_of_an_undo_ends_it(self):
        saga, command = self.sent(phase="undo")
        self.assertEqual(self.send(command.reply("_succeeded", None)), "applied")
        self.assertEqual(self.api.ended(saga)["status"], "compensated")

    def test_a_later_no_of_an_undo_parks_it(self):
        saga, command = self.sent(phase="undo")
        self.send(command.reply("_failed", {"code": "never", "message": ""}))
        self.assertEqual(self.api.attention(saga, "undo_parked")["step"], "second")
        self.api.post(f"/v1/sagas/{saga}/steps/second:waive", {"reason": "test"})
        self.assertEqual(self.api.ended(saga)["status"], "failed")

    def test_a_reply_while_the_request_is_still_open_settles_it(self):
        gate = Gate(answer(200, {"by": "the slow answer"}))
        saga, command = self.sent(act=gate)
        self.assertEqual(self.send(command.reply("_succeeded", {"by": "the event"})), "applied")
        end = self.api.ended(saga)
        gate.open()
        self.assertEqual(end["output"]["second"], {"by": "the event"})

    # ---- twice ----

    def test_a_second_copy_of_a_reply_changes_nothing(self):
        saga, command = self.sent()
        event = command.reply("_succeeded", {"n": 1})
        self.send(event)
        revision = self.api.ended(saga)["revision"]
        for _ in range(3):
            self.assertEqual(self.send(event), "late")
        self.assertEqual(self.api.saga(saga)["revision"], revision)
        self.assertEqual(self.dead_letters(saga, "contradiction"), 0)

    def test_the_first_of_two_different_oks_wins(self):
        saga, command = self.sent()
        self.participant.script(f"{saga}/third/do", LATER)
        self.send(command.reply("_succeeded", {"n": 1}))
        self.assertEqual(self.send(command.reply("_succeeded", {"n": 2})), "applied", "journalled as late, once")
        self.assertEqual(self.send(command.reply("_succeeded", {"n": 3})), "late")
        self.send(self.command(f"{saga}/third/do").reply("_succeeded", {}))
        self.assertEqual(self.api.ended(saga)["output"]["second"], {"n": 1})
        self.assertEqual([e["type"] for e in self.api.journal(saga)].count("reply.late"), 1)

    def test_many_copies_at_once_are_applied_once(self):
        saga, command = self.sent()
        items = self.api.post("/v1/events", [command.reply("_succeeded", {"n": n}) for n in range(50)]).json["items"]
        self.assertEqual(items[0]["disposition"], "applied")
        self.assertEqual(self.api.ended(saga)["output"]["second"], {"n": 0})
        self.assertEqual(len(self.participant.calls(f"{saga}/third/do")), 1)

    # ---- against each other ----

    def test_a_no_after_an_ok_is_late(self):
        saga, command = self.sent()
        self.participant.script(f"{saga}/third/do", LATER)
        self.send(command.reply("_succeeded", {"n": 1}))
        self.send(command.reply("_failed", {"code": "full", "message": ""}))
        self.assertEqual(self.status(saga), "succeeded")
        self.send(self.command(f"{saga}/third/do").reply("_succeeded", {}))
        self.assertEqual(self.api.ended(saga)["status"], "completed")
        self.assertEqual(self.dead_letters(saga, "contradiction"), 0)

    def test_an_ok_after_a_no_is_a_dead_letter_once(self):
        saga = new_saga_id()
        self.participant.script(f"{saga}/second/do", LATER)
        self.participant.script(f"{saga}/first/undo", LATER)
        self.api.start("later", {}, id=saga)
        command = self.command(f"{saga}/second/do")
        self.send(command.reply("_failed", {"code": "full", "message": ""}))
        undo = self.command(f"{saga}/first/undo")
        self.send(command.reply("_succeeded", {"n": 1}))
        self.send(command.reply("_succeeded", {"n": 1}))
        self.assertEqual(self.dead_letters(saga, "contradiction"), 1)
        self.assertEqual([e["type"] for e in self.api.journal(saga)].count("reply.contradiction"), 1)
        self.send(undo.reply("_succeeded", None))
        self.assertEqual(self.api.ended(saga)["status"], "compensated")
        self.assertEqual(self.participant.calls(f"{saga}/second/undo"), [], "a definite no is not undone")

    def test_an_ok_after_a_no_of_an_ended_saga_is_a_dead_letter_once(self):
        """S-7: once per operation, whatever the saga's status."""
        saga, command = self.sent()
        self.send(command.reply("_failed", {"code": "full", "message": ""}))
        self.api.ended(saga)
        for _ in range(3):
            self.assertEqual(self.send(command.reply("_succeeded", {"n": 1})), "late")
        self.assertEqual(self.dead_letters(saga, "contradiction"), 1)

    # ---- too late ----

    def test_after_the_timeout_it_is_asked_again_with_the_same_id_and_key(self):
        saga, command = self.sent(saga="slow", act=silent)
        again = self.command(f"{saga}/second/do", 2)
        self.assertEqual(again.json["eventId"], command.json["eventId"])
        self.assertEqual(again.headers["idempotency-key"], command.headers["idempotency-key"])
        self.assertEqual(again.data_bytes, command.data_bytes)
        self.assertEqual([c.json["metadata"]["retryCount"] for c in (command, again)], [0, 1])
        self.assertGreater(again.json["metadata"]["deadline"], command.json["metadata"]["deadline"])
        unchanged = {k: v for k, v in command.json.items() if k != "metadata"}
        self.assertEqual({k: v for k, v in again.json.items() if k != "metadata"}, unchanged)
        self.assertEqual(self.api.ended(saga)["status"], "completed")

    def test_a_late_ok_before_its_undo_lends_its_output_to_it(self):
        """S-14: certain now, and the undo may use the output."""
        saga = new_saga_id()
        third = Gate(answer(422))
        self.participant.script(f"{saga}/third/do", third)
        self.participant.script(f"{saga}/third/undo", LATER)
        self.participant.script(f"{saga}/second/do", answer(200, {"room": 1}))
        self.participant.script(f"{saga}/third/do", silent)
        self.api.start("later", {}, id=saga)
        command = self.command(f"{saga}/third/do")
        self.api.post(f"/v1/sagas/{saga}:cancel", {"reason": "test"})
        self.send(command.reply("_succeeded", {"car": 9}))
        undo = self.command(f"{saga}/third/undo")
        self.assertEqual(undo.json["data"]["output"], {"car": 9})
        self.assertNotIn("inDoubt", undo.json["metadata"])
        self.send(undo.reply("_succeeded", None))
        self.assertEqual(self.api.ended(saga)["status"], "compensated")

    def test_an_ok_behind_the_undo_is_late_and_undone_once(self):
        saga = new_saga_id()
        self.participant.script(f"{saga}/second/do", *[silent] * 3)
        self.participant.script(f"{saga}/first/undo", Gate(answer(200, {})), *[answer(200, {})] * 8)
        self.api.start("slow", {}, id=saga)
        command = self.command(f"{saga}/second/do")
        self.assertEqual(self.api.ended(saga)["status"], "compensated")
        self.assertEqual(self.send(command.reply("_succeeded", {})), "late")
        self.assertEqual(len(self.participant.calls(f"{saga}/second/undo")), 1)
        self.assertEqual(self.dead_letters(saga, "contradiction"), 0, "its effect was possible, not none")

    # ---- to nobody ----

    def test_a_reply_to_an_unknown_saga_is_unmatched_and_kept(self):
        saga, command = self.sent()
        other = new_saga_id()
        self.assertEqual(self.send(command.reply("_succeeded", {}, correlationId=other)), "unmatched")
        self.assertEqual(self.dead_letters(other, "unmatched"), 1)
        self.send(command.reply("_succeeded", {}))
        self.api.ended(saga)

    def test_a_reply_to_a_command_that_was_never_sent_is_unmatched_and_kept(self):
        saga, command = self.sent()
        self.assertEqual(self.send(command.reply("_succeeded", {}, causationId=new_id())), "unmatched")
        self.assertEqual(self.dead_letters(saga, "unmatched"), 1)
        self.assertEqual(self.status(saga), "sent")
        self.send(command.reply("_succeeded", {}))
        self.api.ended(saga)

    def test_in_a_list_each_event_has_its_own_disposition(self):
        saga, command = self.sent()
        items = self.api.post("/v1/events", [{"eventId": "no"}, command.reply("_succeeded", {}, causationId=new_id()),
                                             command.reply("_succeeded", {})]).json["items"]
        self.assertEqual([item["disposition"] for item in items], ["invalid", "unmatched", "applied"])
        self.assertEqual(self.api.ended(saga)["status"], "completed")
