"""A participant that answers with bytes.

It listens on loopback and reads each request whole. What it does then is a script: a list of acts for one
operation ("SAGA-ID/STEP/do"), one act a request; without a script, or behind its end, it answers 200 with
{"by": STEP}. Every request is kept as it came.

An act is a function of a Call. It may answer in order (`answer`, `reply`), in pieces, wrongly or not at all.
"""

import json
import socket
import struct
import threading
import time

HEAD_BYTES_MAX = 65536


class Request:
    """One request as it came over the wire."""

    def __init__(self, head, body):
        lines = head.decode("latin-1").split("\r\n")
        self.at = time.monotonic()
        self.method, self.path = lines[0].split(" ")[:2]
        self.header_names = [line.partition(":")[0] for line in lines[1:] if line]
        self.headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        self.body = body
        self.json = json.loads(body) if body else None

    @property
    def operation(self):
        """SAGA-ID/STEP/PHASE, without the number of an operation that was started anew."""
        return "/".join(self.headers.get("idempotency-key", "").split("/")[:3])

    @property
    def step(self):
        return (self.operation.split("/") + ["", ""])[1]

    @property
    def data_bytes(self):
        """The bytes of `data` in an envelope, not parsed and printed again."""
        text = self.body.decode()
        return text[text.index('"data":') + len('"data":'):text.rindex(',"metadata":')]

    def reply(self, suffix, data, **changes):
        """The reply event to this command."""
        event = {"eventId": changes.pop("event_id", None) or new_id(), "eventType": self.json["eventType"] + suffix,
                 "eventVersion": "1.0", "timestamp": "2025-01-09T10:00:00.500Z", "source": "/participants/scripted",
                 "correlationId": self.json["correlationId"], "causationId": self.json["eventId"], "data": data,
                 "metadata": {"userId": None, "traceId": None, "retryCount": 0}}
        event.update(changes)
        return event


def new_id():
    import uuid
    return str(uuid.uuid4())


class Call:
    """A request and the connection it came on."""

    def __init__(self, participant, connection, request):
        self.participant, self.connection, self.request = participant, connection, request

    def send(self, data):
        self.connection.sendall(data)

    def hold(self, seconds=60):
        """Say nothing until the other side hangs up, or the participant stops."""
        self.connection.settimeout(0.1)
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.participant.stopping.is_set():
            try:
                if self.connection.recv(1024) == b"":
                    return
            except socket.timeout:
                continue
            except OSError:
                return

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


# ---- acts; True keeps the connection ----

def raw(data, keep=False):
    def act(call):
        call.send(data)
        return keep
    return act


def http_bytes(status, body=b"", headers=()):
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def answer(status, body=b"", *headers):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
        headers = (*headers, "Content-Type: application/json")
    return raw(http_bytes(status, body, headers), keep=True)


def reply(suffix, data, **changes):
    """Answer 200 with a reply event."""
    return lambda call: answer(200, call.request.reply(suffix, data, **changes))(call)


def silent(call):
    call.hold()


def reset(call):
    call.reset()


def reset_after(data):
    def act(call):
        call.send(data)
        time.sleep(0.02)  # lets the bytes arrive before the reset throws them away; nothing depends on it
        call.reset()
    return act


def drip(call):
    """A byte now and then, for ever."""
    call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    try:
        while not call.participant.stopping.wait(0.05):
            call.send(b" ")
    except OSError:
        pass


def endless(head, piece):
    """As many pieces as the other side takes."""
    def act(call):
        try:
            call.send(head)
            while not call.participant.stopping.is_set():
                call.send(piece)
                call.participant.endless_bytes += len(piece)
        except OSError:
            pass
    return act


class Gate:
    """Holds each call until it is opened, then does the act behind it."""

    def __init__(self, act=None):
        self.act, self.opened = act or answer(200, {}), threading.Event()

    def open(self):
        self.opened.set()

    def __call__(self, call):
        while not self.opened.wait(0.05):
            if call.participant.stopping.is_set():
                return False
        return self.act(call)


class Participant:
    def __init__(self):
        self.lock = threading.Lock()
        self.scripts, self.requests = {}, []
        self.otherwise = None
        self.stopping = threading.Event()
        self.endless_bytes = 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def script(self, operation, *acts):
        with self.lock:
            self.scripts[operation] = list(acts)

    def calls(self, operation):
        """Requests of one operation ("ID/STEP/do"), or of a saga ("ID"), in the order they came."""
        with self.lock:
            return [r for r in self.requests if r.operation == operation or r.operation.startswith(operation + "/")]

    def stop(self):
        self.stopping.set()
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while (request := self._read(connection)) is not None:
                    if not self._act_for(request)(Call(self, connection, request)):
                        return
        except OSError:
            pass

    def _read(self, connection):
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if piece == b"" or len(data) > HEAD_BYTES_MAX:
                return None
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                       if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            piece = connection.recv(65536)
            if piece == b"":
                return None
            body += piece
        return Request(head, body)

    def _act_for(self, request):
        with self.lock:
            self.requests.append(request)
            script = self.scripts.get(request.operation)
            if script:
                return script.pop(0)
            return self.otherwise or answer(200, {"by": request.step})
