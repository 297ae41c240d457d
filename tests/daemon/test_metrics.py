"""What the daemon tells of itself: counts that agree with what was done, log lines that hold no payload."""

import json
import re

from harness import DaemonTest, new_saga_id, until
from participant import answer, new_id

SAGA = """saga: told
defaults:
  timeout: 5s
  retry: {attempts: 3, delay: 20ms, jitter: 0}
  undo_timeout: 5s
  undo_retry: {attempts: unlimited, delay: 20ms, jitter: 0}
steps:
  - {name: first, do: wire.seat.book, undo: wire.seat.cancel}
  - {name: second, do: wire.room.book, undo: wire.room.cancel}
"""
STUCK = """saga: stuck
defaults: {timeout: 5s, retry: {attempts: 1}}
steps:
  - {name: pay, do: wire.payment.take, pivot: true}
  - {name: bad, do: wire.mail.send, data: '{n: (.input.secret | tonumber)}'}
"""
CANARY = "canary-7f3a"


class Metrics(DaemonTest):
    sagas = [SAGA, STUCK]
    settings = {"log": {"level": "debug"}}

    def value(self, name, **labels):
        text = ",".join(f'{key}="{value}"' for key, value in labels.items())
        return self.api.metrics().get(f"{name}{{{text}}}" if text else name, 0.0)

    def run_sagas(self):
        """Two that complete, one of them after a 500; one refused; one that stands."""
        sagas = [new_saga_id() for _ in range(4)]
        self.participant.script(f"{sagas[1]}/first/do", answer(500, {"code": CANARY, "message": CANARY}))
        self.participant.script(f"{sagas[2]}/second/do", answer(422, {"code": "no", "message": CANARY}))
        for saga in sagas[:3]:
            self.api.start("told", {"secret": CANARY}, id=saga, key=saga)
        self.api.start("stuck", {"secret": CANARY}, id=sagas[3])
        for saga in sagas[:3]:
            self.api.ended(saga)
        self.api.attention(sagas[3], "bad_data")
        return sagas

    def test_counts_agree_with_what_was_done(self):
        names = {
            "published first": ("events_published_total", dict(event_type="wire.seat.book", service="sagad"), 4),
            "published second": ("events_published_total", dict(event_type="wire.room.book", service="sagad"), 3),
            "published undo": ("events_published_total", dict(event_type="wire.seat.cancel", service="sagad"), 1),
            "processed first": ("event_processing_duration_seconds_count",
                                dict(event_type="wire.seat.book", handler="engine"), 4),
            "processed starts": ("event_processing_duration_seconds_count",
                                 dict(event_type="saga.start", handler="engine"), 4),
            "started": ("saga_started_total", dict(saga="told"), 3),
            "completed": ("saga_finished_total", dict(saga="told", status="completed"), 2),
            "compensated": ("saga_finished_total", dict(saga="told", status="compensated"), 1),
            "duration": ("saga_duration_seconds_count", dict(saga="told", status="completed"), 2),
            "ok": ("saga_step_attempts_total", dict(saga="told", step="first", outcome="ok"), 4),  # with the undo
            "unknown": ("saga_step_attempts_total", dict(saga="told", step="first", outcome="unknown"), 1),
            "rejected": ("saga_step_attempts_total", dict(saga="told", step="second", outcome="rejected"), 1),
            "undone": ("saga_compensations_total", dict(saga="told", outcome="ok"), 1),
            "expression": ("saga_expression_errors_total", dict(saga="stuck", step="bad"), 1),
        }
        before = {key: self.value(name, **labels) for key, (name, labels, _) in names.items()}
        sagas = self.run_sagas()
        after = {key: self.value(name, **labels) - before[key] for key, (name, labels, _) in names.items()}
        self.assertEqual(after, {key: float(count) for key, (_, _, count) in names.items()})
        until(lambda: self.value("saga_attention", saga="stuck", reason="bad_data") >= 1, "the gauge of attention")
        self.assertGreaterEqual(self.value("saga_active", saga="stuck", status="running"), 1)
        self.assertEqual(self.value("saga_outbox_pending"), 0)
        self.api.post(f"/v1/sagas/{sagas[3]}:close", {"reason": "a test"})

    def test_dead_letters_and_requests_are_counted(self):
        letters = self.value("saga_dead_letters_total", direction="in", reason="unmatched")
        event = {"eventId": new_id(), "eventType": "a.b.c_succeeded", "eventVersion": "1.0", "source": "/t",
                 "timestamp": "2025-01-09T10:00:00Z", "correlationId": new_saga_id(), "causationId": new_id(), "data": {}}
        self.api.post("/v1/events", event)
        self.assertEqual(self.value("saga_dead_letters_total", direction="in", reason="unmatched") - letters, 1)
        route = dict(method="GET", route="v1/sagas/{id}", status_code="404")
        before = self.value("http_server_request_duration_seconds_count", **route)
        for _ in range(3):
            self.api.get(f"/v1/sagas/{new_saga_id()}")
        until(lambda: self.value("http_server_request_duration_seconds_count", **route) - before == 3, "three requests")

    def test_an_unreadable_answer_is_a_dead_letter_that_is_counted(self):
        before = self.value("saga_dead_letters_total", direction="in", reason="unreadable")
        saga = new_saga_id()
        self.participant.script(f"{saga}/first/do", answer(200, b"nonsense"))
        self.api.start("told", {}, id=saga)
        self.api.ended(saga)
        self.assertEqual(self.value("saga_dead_letters_total", direction="in", reason="unreadable") - before, 1)

    def test_the_format_is_as_prometheus_wants_it(self):
        text = self.api.get("/metrics").text
        families = {}
        for line in text.splitlines():
            if line.startswith("# TYPE"):
                _, _, name, kind = line.split()
                self.assertNotIn(name, families, "one TYPE a metric")
                families[name] = kind
        self.assertEqual(families["events_published_total"], "counter")
        self.assertEqual(families["event_processing_duration_seconds"], "histogram")
        seen = set()
        for line in text.splitlines():
            if line.startswith("#") or not line:
                continue
            self.assertRegex(line, r'^[a-z_]+(\{([a-z_]+="[^"\n]*",?)*(le="[^"]+")?\})? [-+0-9.eEInfNa]+$')
            series = line.rpartition(" ")[0]
            self.assertNotIn(series, seen, "one line a series")
            seen.add(series)
            name = re.sub(r"_(bucket|sum|count)$", "", series.partition("{")[0])
            self.assertTrue(name in families or series.partition("{")[0] in families, line)
        open_metrics = self.api.get("/metrics", headers={"Accept": "application/openmetrics-text"})
        self.assertTrue(open_metrics.headers["Content-Type"].startswith("application/openmetrics-text"))
        self.assertTrue(open_metrics.text.endswith("# EOF\n"))

    def test_buckets_rise_to_the_count(self):
        self.run_sagas()
        metrics = self.api.metrics()
        labels = 'event_type="saga.start",handler="engine"'
        buckets = [value for name, value in metrics.items()
                   if name.startswith(f"event_processing_duration_seconds_bucket{{{labels}")]
        self.assertEqual(buckets, sorted(buckets))
        self.assertEqual(buckets[-1], metrics[f"event_processing_duration_seconds_count{{{labels}}}"])

    def test_labels_hold_no_ids_keys_or_values(self):
        sagas = self.run_sagas()
        text = self.api.get("/metrics").text
        self.assertNotIn(CANARY, text)
        for saga in sagas:
            self.assertNotIn(saga, text)

    def test_the_log_is_json_lines_without_payloads(self):
        self.run_sagas()
        self.api.post("/v1/events", {"eventId": CANARY})
        self.api.call("POST", "/v1/sagas", b'{"saga":"told","input":{"a":"' + CANARY.encode() + b'"', {})
        lines = self.daemon.log_text().splitlines()
        self.assertGreater(len(lines), 10)
        for line in lines:
            entry = json.loads(line)
            self.assertLessEqual({"@timestamp", "log.level", "message", "service.name", "event.action"}, set(entry), line)
            self.assertIn(entry["log.level"], ("debug", "info", "warn", "error"))
        self.assertNotIn(CANARY, self.daemon.log_text())
        moved = [entry["saga.transition"] for entry in map(json.loads, lines) if "saga.transition" in entry]
        self.assertTrue(any("compensating" in line for line in moved), moved)
