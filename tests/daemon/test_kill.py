"""Killed in the middle of each feature and started again: every effect once, and an end (S-21 to S-29, S-32)."""

import threading

from harness import DaemonTest, new_saga_id, until
from participant import Gate, answer, new_id

DEFAULTS = """defaults:
  timeout: 20s
  retry: {attempts: 20, delay: 50ms, max_delay: 200ms}
  undo_timeout: 20s
  undo_retry: {attempts: unlimited, delay: 50ms, max_delay: 200ms}
"""
SAGAS = [DEFAULTS + text for text in ("""saga: each
steps:
  - name: reserve
    for_each: .input.items
    max_parallel: 3
    do: wire.item.reserve
    data: '{sku: .item, line: .index}'
    undo: wire.item.release
  - {name: ship, do: wire.parcel.send, data: '{skus: [.steps.reserve[].sku]}'}
output: .steps.ship.skus
""", """saga: transfer
steps:
  - {name: limit, do: wire.limit.take, undo: wire.limit.give}
  - name: move
    two_phase:
      timeout: 20s
      participants:
        - {name: from, prepare: wire.debit.prepare, commit: wire.debit.commit, abort: wire.debit.abort}
        - {name: to, prepare: wire.credit.prepare, commit: wire.credit.commit, abort: wire.credit.abort}
  - {name: note, do: wire.note.send, data: .steps.move}
output: .steps.note
""", """saga: payment
steps:
  - {name: block, do: wire.card.block, undo: wire.card.free}
  - {name: charge, do: wire.card.charge, undo: wire.card.refund}
output: '{charged: .steps.charge.total}'
""", """saga: purchase
steps:
  - {name: reserve, do: wire.item.reserve, undo: wire.item.release}
  - {name: pay, run: payment, data: '{total: .input.total}'}
  - {name: ship, do: wire.parcel.send, data: .steps.pay, pivot: true}
output: .steps.ship
""", """saga: change
lock: {key: '"order/" + .input.order'}
steps:
  - {name: change, do: wire.order.change, undo: wire.order.revert}
  - {name: tell, do: wire.note.send}
""", """saga: loan
steps:
  - {name: assess, do: wire.loan.assess, readonly: true}
  - {name: approval, await: bank.loan.approved, match: .event.data.loan == .input.loan}
  - {name: pay, do: wire.loan.pay, data: '{by: .steps.approval.by}'}
output: .steps.pay
""", """saga: fulfil
triggers: [{event: sales.order.placed, input: '{order: .event.data.id}'}]
steps:
  - {name: pack, do: wire.item.reserve, undo: wire.item.release}
  - {name: ship, do: wire.parcel.send}
output: .steps.ship
""", """saga: announce
emit: {completed: wire.order.fulfilled}
steps:
  - {name: reserve, do: wire.item.reserve, undo: wire.item.release}
  - {name: tell, emit: wire.order.accepted, data: '{sku: .steps.reserve.sku}'}
  - {name: ship, do: wire.parcel.send}
""")]


class Books:
    """The books of participants that keep the rules: what is in force, by idempotency key, and what came how often.

    A command has its effect when it comes, before it is held or answered, so a kill loses answers and never effects.
    It is answered with its own data.
    """

    def __init__(self):
        self.lock, self.rules = threading.Lock(), []
        self.came, self.first, self.in_force, self.undone, self.wrong = {}, {}, set(), set(), []

    def hold(self, type, where=None):
        """Answers to these wait until the gate is open."""
        return self._rule(type, where, self._answer, True)

    def refuse(self, type, where=None):
        """These have no effect; the no is held, too."""
        return self._rule(type, where, answer(422, {"code": "refused"}), False)

    def count(self, key):
        with self.lock:
            return self.came.get(key, 0)

    def keys(self, saga, of="came"):
        """The keys of a saga, without its id: all that `came`, or those `in_force` or `undone`."""
        with self.lock:
            return sorted(k[len(saga):].lstrip("/") for k in getattr(self, of) if k.startswith(saga))

    def __call__(self, call):
        command, key = call.request.json, call.request.headers["idempotency-key"]
        with self.lock:
            act, effect = next(((act, effect) for type, where, act, effect in self.rules
                                if type == command["eventType"] and (where is None or where(command["data"]))),
                               (self._answer, True))
            self.came[key] = self.came.get(key, 0) + 1
            frozen = (command["eventType"], command["eventId"], call.request.data_bytes, command["timestamp"])
            if self.first.setdefault(key, frozen) != frozen:
                self.wrong.append(f"{key} came as {self.first[key]} and as {frozen}")
            if effect:
                self._book(key, command["metadata"])
        return act(call)

    def _book(self, key, metadata):
        if "undoes" in metadata:
            self.in_force.discard(metadata["undoes"])
            self.undone.add(metadata["undoes"])
        elif key in self.undone:
            self.wrong.append(f"{key} came after its undo")
        else:
            self.in_force.add(key)

    def _rule(self, type, where, act, effect):
        gate = Gate(act)
        with self.lock:
            self.rules.append((type, where, gate, effect))
        return gate

    @staticmethod
    def _answer(call):
        return answer(200, call.request.json["data"])(call)


def event(type, data):
    return {"eventId": new_id(), "eventType": type, "eventVersion": "1.0", "timestamp": "2025-01-09T10:00:00.500Z",
            "source": "/shop", "correlationId": new_id(), "causationId": None, "data": data, "metadata": {}}


class Kill(DaemonTest):
    sagas = SAGAS
    settings = {"heartbeat": {"interval": "100ms", "timeout": "1s"}}

    def setUp(self):
        self.books = self.participant.otherwise = Books()

    def start(self, saga, input):
        return self.api.start(saga, input, id=new_saga_id())

    def came(self, saga, *operations):
        until(lambda: all(self.books.count(f"{saga}/{o}") for o in operations), f"{operations} of {saga}")

    def kill(self):
        """Killed with -9, and another process on the same database."""
        self.daemon.kill()
        self.daemon.start()

    def send(self, event):
        got = self.api.post("/v1/events", event)
        self.assertEqual(got.status, 200, got)
        return got.json["items"][0]

    def once(self, saga, *operations):
        """These came, each answered before the kill, and were not sent again."""
        for operation in operations:
            self.assertEqual(self.books.count(f"{saga}/{operation}"), 1, operation)

    def again(self, saga, *operations):
        """These were on their way when the daemon was killed."""
        for operation in operations:
            self.assertEqual(self.books.count(f"{saga}/{operation}"), 2, operation)

    def audited(self):
        self.assertEqual(self.books.wrong, [])
        audit = self.world.audit(self.database)
        self.assertEqual(audit.returncode, 0, audit.stdout + audit.stderr)
        self.assertIn("violations=0\n", audit.stdout)

    def completed(self, saga, output, *in_force):
        end = self.api.ended(saga)
        self.assertEqual((end["status"], end["output"]), ("completed", output))
        self.assertEqual(self.books.keys(saga, "in_force"), sorted(in_force))
        self.assertEqual(self.books.keys(saga, "undone"), [])

    def compensated(self, saga, *undone):
        self.assertEqual(self.api.ended(saga)["status"], "compensated")
        self.assertEqual(self.books.keys(saga, "undone"), sorted(undone))
        self.assertEqual(self.books.keys(saga, "in_force"), [])

    # ---- for_each (S-26) ----

    def test_in_a_for_each_the_rest_of_the_elements_is_done_once(self):
        gate = self.books.hold("wire.item.reserve", lambda data: data["line"] >= 2)
        saga = self.start("each", {"items": ["a", "b", "c", "d", "e", "f"]})
        self.came(saga, "reserve/2/do", "reserve/3/do", "reserve/4/do")
        self.kill()
        gate.open()
        self.completed(saga, ["a", "b", "c", "d", "e", "f"], *[f"reserve/{n}/do" for n in range(6)], "ship/do")
        self.once(saga, "reserve/0/do", "reserve/1/do", "reserve/5/do", "ship/do")
        self.again(saga, "reserve/2/do", "reserve/3/do", "reserve/4/do")
        self.audited()

    def test_a_for_each_killed_while_it_is_undone_is_undone_once(self):
        self.books.refuse("wire.parcel.send").open()
        gate = self.books.hold("wire.item.release", lambda data: data["input"]["line"] < 2)
        saga = self.start("each", {"items": ["a", "b", "c", "d"]})
        self.came(saga, "reserve/3/undo", "reserve/2/undo", "reserve/1/undo", "reserve/0/undo")
        self.kill()
        gate.open()
        self.compensated(saga, *[f"reserve/{n}/do" for n in range(4)])
        self.once(saga, *[f"reserve/{n}/do" for n in range(4)], "ship/do")
        self.again(saga, "reserve/0/undo", "reserve/1/undo")
        self.audited()

    def test_an_element_that_is_refused_after_the_kill_turns_the_others_back(self):
        no = self.books.refuse("wire.item.reserve", lambda data: data["sku"] == "bad")
        gate = self.books.hold("wire.item.reserve", lambda data: data["line"] > 0)
        saga = self.start("each", {"items": ["a", "b", "bad", "c", "d"]})
        self.came(saga, "reserve/1/do", "reserve/2/do", "reserve/3/do")
        self.kill()
        no.open()
        until(lambda: self.api.saga(saga)["status"] == "compensating", "the no")
        gate.open()
        # the no came to a second copy, so nobody knows of the first, and "bad" is undone as well
        self.compensated(saga, *[f"reserve/{n}/do" for n in range(4)])
        self.assertNotIn("reserve/4/do", self.books.keys(saga), "none is begun after the no")
        self.audited()

    # ---- two_phase (S-25) ----

    def test_a_decision_to_commit_outlives_the_kill_and_all_are_told(self):
        gate = self.books.hold("wire.credit.commit")
        saga = self.start("transfer", {"amount": 5})
        self.came(saga, "move/from/commit", "move/to/commit")
        self.kill()
        gate.open()
        prepared = {"from": {"amount": 5}, "to": {"amount": 5}}
        self.completed(saga, prepared, "limit/do", "move/from/prepare", "move/from/commit", "move/to/prepare",
                       "move/to/commit", "note/do")
        self.once(saga, "move/from/prepare", "move/to/prepare")
        self.again(saga, "move/to/commit")
        self.audited()

    def test_killed_before_the_decision_it_asks_again_and_decides_once(self):
        gate = self.books.hold("wire.credit.prepare")
        saga = self.start("transfer", {"amount": 5})
        self.came(saga, "move/from/prepare", "move/to/prepare")
        until(lambda: [e for e in self.api.journal(saga) if (e["type"], e.get("step")) == ("step.ok", "move/from")],
              "one is prepared")
        self.kill()
        self.assertNotIn("move/from/commit", self.books.keys(saga))
        gate.open()
        prepared = {"from": {"amount": 5}, "to": {"amount": 5}}
        self.completed(saga, prepared, "limit/do", "move/from/prepare", "move/from/commit", "move/to/prepare",
                       "move/to/commit", "note/do")
        self.once(saga, "move/from/prepare", "move/from/commit", "move/to/commit")
        self.again(saga, "move/to/prepare")
        self.audited()

    def test_a_decision_to_abort_outlives_the_kill_and_all_are_told(self):
        self.books.refuse("wire.credit.prepare").open()
        gate = self.books.hold("wire.debit.abort")
        saga = self.start("transfer", {"amount": 5})
        self.came(saga, "move/from/abort")
        self.kill()
        gate.open()
        self.compensated(saga, "limit/do", "move/from/prepare")
        self.once(saga, "move/from/prepare", "move/to/prepare", "limit/undo")
        self.again(saga, "move/from/abort")
        self.audited()

    # ---- run (S-24) ----

    def child_of(self, saga):
        return until(lambda: self.api.steps(saga)["pay"].get("childId"), "a child")

    def test_killed_in_the_middle_of_a_child_both_complete(self):
        gate = self.books.hold("wire.card.charge")
        saga = self.start("purchase", {"total": 5})
        child = self.child_of(saga)
        self.came(child, "charge/do")
        self.kill()
        gate.open()
        self.completed(saga, {"charged": 5}, "reserve/do", "ship/do")
        self.completed(child, {"charged": 5}, "block/do", "charge/do")
        self.assertEqual(self.child_of(saga), child)
        self.once(saga, "reserve/do", "ship/do")
        self.once(child, "block/do")
        self.again(child, "charge/do")
        self.audited()

    def test_killed_while_a_child_is_turned_back_all_of_both_is_undone(self):
        self.books.refuse("wire.parcel.send").open()
        gate = self.books.hold("wire.card.refund")
        saga = self.start("purchase", {"total": 5})
        child = self.child_of(saga)
        self.came(child, "charge/undo")
        self.kill()
        gate.open()
        self.compensated(saga, "reserve/do")
        self.compensated(child, "block/do", "charge/do")
        self.once(saga, "reserve/do", "reserve/undo", "ship/do")
        self.once(child, "block/do", "charge/do", "block/undo")
        self.again(child, "charge/undo")
        self.audited()

    # ---- lock (S-28) ----

    def test_who_waited_for_a_lock_when_the_daemon_was_killed_has_it_when_the_other_ends(self):
        gate = self.books.hold("wire.order.change", lambda data: data["n"] == 1)
        first = self.start("change", {"order": "o-1", "n": 1})
        self.came(first, "change/do")
        second = self.start("change", {"order": "o-1", "n": 2})
        other = self.start("change", {"order": "o-2", "n": 3})
        self.completed(other, {"change": {"order": "o-2", "n": 3}, "tell": {"order": "o-2", "n": 3}},
                       "change/do", "tell/do")
        self.assertEqual(self.api.saga(second)["status"], "pending")
        self.kill()
        until(lambda: self.books.count(f"{first}/change/do") == 2, "the first goes on")
        self.assertEqual(self.api.saga(second)["status"], "pending")
        self.assertEqual(self.books.keys(second), [])
        gate.open()
        for saga, n in ((first, 1), (second, 2)):
            data = {"order": "o-1", "n": n}
            self.completed(saga, {"change": data, "tell": data}, "change/do", "tell/do")
        order = [k.split("/")[0] for k in self.books.first if k.split("/")[0] in (first, second)]
        self.assertEqual(order, [first, first, second, second])
        self.once(second, "change/do", "tell/do")
        self.assertEqual(self.query("select count(*) from locks"), "0")
        self.audited()

    # ---- await (S-23) ----

    def waiting(self, loan):
        saga = self.start("loan", {"loan": loan})
        until(lambda: self.api.steps(saga)["approval"]["status"] == "sent", "it waits for the event")
        return saga

    def test_an_event_reaches_the_saga_that_awaited_it_before_the_kill(self):
        saga, other = self.waiting("l-1"), self.waiting("l-2")
        self.kill()
        approved = event("bank.loan.approved", {"loan": "l-1", "by": "ann"})
        self.assertEqual(self.send(approved)["disposition"], "applied")
        self.assertIn(self.send(approved)["disposition"], ("duplicate", "late"))
        self.completed(saga, {"by": "ann"}, "assess/do", "pay/do")
        self.once(saga, "assess/do", "pay/do")
        self.assertEqual(self.api.saga(other)["status"], "running")
        self.send(event("bank.loan.approved", {"loan": "l-2", "by": "bob"}))
        self.completed(other, {"by": "bob"}, "assess/do", "pay/do")
        self.audited()

    def test_an_event_that_came_before_its_await_is_there_after_the_kill(self):
        gate = self.books.hold("wire.loan.assess")
        saga = self.start("loan", {"loan": "l-3"})
        self.came(saga, "assess/do")
        approved = event("bank.loan.approved", {"loan": "l-3", "by": "ann"})
        self.assertEqual(self.send(approved)["disposition"], "applied")
        self.kill()
        gate.open()
        self.completed(saga, {"by": "ann"}, "assess/do", "pay/do")
        self.once(saga, "pay/do")
        self.again(saga, "assess/do")
        self.audited()

    def test_an_event_that_came_before_the_start_is_there_after_the_kill_for_one_saga(self):
        self.assertEqual(self.send(event("bank.loan.approved", {"loan": "l-4", "by": "ann"}))["disposition"], "kept")
        self.kill()
        saga = self.start("loan", {"loan": "l-4"})
        self.completed(saga, {"by": "ann"}, "assess/do", "pay/do")
        later = self.waiting("l-4")
        self.send(event("bank.loan.approved", {"loan": "l-4", "by": "bob"}))
        self.completed(later, {"by": "bob"}, "assess/do", "pay/do")
        self.audited()

    # ---- triggers (S-29) ----

    def test_the_same_event_before_and_after_the_kill_starts_one_saga(self):
        gate = self.books.hold("wire.item.reserve")
        placed = event("sales.order.placed", {"id": "o-1"})
        before = self.send(placed)
        self.assertEqual(before["disposition"], "started")
        saga = before["sagaId"]
        self.came(saga, "pack/do")
        self.kill()
        after = self.send(placed)
        self.assertEqual((after["disposition"], after["sagaId"]), ("duplicate", saga))
        gate.open()
        self.completed(saga, {"order": "o-1"}, "pack/do", "ship/do")
        self.assertEqual([item["id"] for item in self.api.get("/v1/sagas?saga=fulfil").json["items"]], [saga])
        self.once(saga, "ship/do")
        self.again(saga, "pack/do")
        self.audited()

    # ---- emit (S-21) ----

    def told(self, saga):
        """The keys under which the participant was told of its end."""
        return [saga + key for key in self.books.keys(saga) if key.endswith("/emit/completed")]

    def test_events_that_nobody_had_accepted_at_the_kill_are_published_after_it(self):
        gates = [self.books.hold(type) for type in ("wire.order.accepted", "wire.order.fulfilled")]
        saga = self.start("announce", {"sku": "mug"})
        self.assertEqual(self.api.ended(saga)["status"], "completed")
        self.came(saga, "tell/emit")
        end = until(lambda: self.told(saga), "its end is told")
        self.kill()
        for gate in gates:
            gate.open()
        until(lambda: self.query("select count(*) from outbox") == "0", "all is accepted")
        self.assertEqual(self.told(saga), end)
        self.assertEqual([self.books.count(key) for key in (f"{saga}/tell/emit", *end)], [2, 2])
        self.once(saga, "reserve/do", "ship/do")
        self.audited()

    def test_an_event_that_was_accepted_is_not_published_again_and_the_end_is_told_after_the_kill(self):
        gate = self.books.hold("wire.parcel.send")
        saga = self.start("announce", {"sku": "mug"})
        self.came(saga, "tell/emit", "ship/do")
        until(lambda: self.query("select count(*) from outbox") == "1", "the event is accepted, the command is not")
        self.kill()
        gate.open()
        self.assertEqual(self.api.ended(saga)["status"], "completed")
        until(lambda: self.query("select count(*) from outbox") == "0", "all is accepted")
        self.once(saga, "reserve/do", "tell/emit")
        self.assertEqual([self.books.count(key) for key in self.told(saga)], [1])
        self.again(saga, "ship/do")
        self.audited()
