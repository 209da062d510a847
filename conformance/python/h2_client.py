"""python3-h2 as a client of one target: `h2_client.py <port>`. Writes each case's events as a line of JSON."""
import hashlib
import json
import socket
import sys

import h2.config
import h2.connection
import h2.events
import h2.settings

PORT = int(sys.argv[1])


class Client:
    def __init__(self):
        self.socket = socket.create_connection(("127.0.0.1", PORT), timeout=30)
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
        self.h2.initiate_connection()
        self.flush()
        self.streams = {}

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def open(self, path, method="GET", fields=(), end=True):
        stream = self.h2.get_next_available_stream_id()
        head = [(":method", method), (":scheme", "http"), (":authority", "conformance.test"), (":path", path)]
        self.h2.send_headers(stream, head + list(fields), end_stream=end)
        self.streams[stream] = {"status": None, "fields": {}, "informational": [], "bytes": 0,
                                "hash": hashlib.sha256(), "trailers": {}, "end": None, "text": b""}
        self.flush()
        return stream

    def receive(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the connection ended")
        for event in self.h2.receive_data(data):
            got = self.streams.get(getattr(event, "stream_id", None))
            if isinstance(event, h2.events.ConnectionTerminated):
                raise ConnectionError(f"GOAWAY {event.error_code}")
            if got is None:
                continue
            if isinstance(event, h2.events.InformationalResponseReceived):
                got["informational"].append(dict(event.headers)[":status"])
            elif isinstance(event, h2.events.ResponseReceived):
                got["fields"] = dict(event.headers)
                got["status"] = got["fields"].pop(":status")
            elif isinstance(event, h2.events.DataReceived):
                got["bytes"] += len(event.data)
                got["hash"].update(event.data)
                got["text"] += event.data[:64000]
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.TrailersReceived):
                got["trailers"] = dict(event.headers)
            elif isinstance(event, h2.events.StreamEnded):
                got["end"] = got["end"] or "ended"
            elif isinstance(event, h2.events.StreamReset):
                # An answer that is whole stays whole, whatever NO_ERROR says of the rest of the request.
                got["end"] = got["end"] or f"reset {int(event.error_code)}"
        self.flush()

    def send_body(self, stream, body, end=True):
        """Within the windows, and no further once the answer has ended."""
        while body and self.streams[stream]["end"] is None:
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
            if room == 0:
                self.receive()
                continue
            self.h2.send_data(stream, body[:room])
            body = body[room:]
            self.flush()
        if end and self.streams[stream]["end"] is None:
            self.h2.end_stream(stream)
            self.flush()

    def finish(self, *streams):
        while any(self.streams[stream]["end"] is None for stream in streams):
            self.receive()
        return [self.result(stream) for stream in streams]

    def result(self, stream):
        got = self.streams[stream]
        text = got["text"].decode("utf-8", "replace")
        return {"status": got["status"], "fields": got["fields"], "informational": got["informational"],
                "bytes": got["bytes"], "hash": got["hash"].hexdigest()[:12], "trailers": got["trailers"],
                "end": got["end"], "text": text if got["bytes"] < 64000 else ""}


def simple(path, method="GET", fields=()):
    def case(client):
        return client.finish(client.open(path, method, fields))[0]
    return case


def posted(path, body, fields=(), trailers=None):
    def case(client):
        stream = client.open(path, "POST", fields, end=False)
        client.send_body(stream, body, end=trailers is None)
        if trailers is not None:
            client.h2.send_headers(stream, trailers, end_stream=True)
            client.flush()
        return client.finish(stream)[0]
    return case


def expecting(client):
    stream = client.open("/echo", "POST", [("expect", "100-continue"), ("content-length", "5")], end=False)
    while not client.streams[stream]["informational"]:
        client.receive()
    client.send_body(stream, b"hello")
    result = client.finish(stream)[0]
    result["informational"] = ["100"]
    return result


def many(client):
    """As many at once as the peer allows, 300 in all, on one connection."""
    results, waiting = [], []
    for number in range(300):
        limit = int(client.h2.remote_settings.max_concurrent_streams)
        while len(waiting) >= min(limit, 100):
            client.receive()
            waiting = [stream for stream in waiting if client.streams[stream]["end"] is None]
        stream = client.open(f"/bytes?n={number}")
        waiting.append(stream)
        results.append(stream)
    return {"all": sorted(f'{got["status"]} {got["bytes"]} {got["end"]}' for got in client.finish(*results))}


def reset_some(client):
    """Every second stream is reset by the client; the others, and the connection, live on."""
    streams = [client.open("/bytes?n=300000") for _ in range(10)]
    for stream in streams[::2]:
        client.h2.reset_stream(stream, 8)
        client.streams[stream]["end"] = "reset by us"
    client.flush()
    left = client.finish(*streams[1::2])
    return {"left": [f'{got["status"]} {got["bytes"]} {got["end"]}' for got in left]}


def small_window(client):
    """A client that takes 1,000 bytes at a time still gets all of them."""
    client.h2.update_settings({h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    client.flush()
    return simple("/bytes?n=50000")(client)


def early(client):
    stream = client.open("/early", "POST", end=False)
    client.send_body(stream, b"x" * 300000)
    got = client.finish(stream)[0]
    return {"status": got["status"], "bytes": got["bytes"]}


def padded(client):
    stream = client.open("/echo", "POST", end=False)
    for _ in range(20):
        client.h2.send_data(stream, b"padded", pad_length=200)
    client.h2.end_stream(stream)
    client.flush()
    return client.finish(stream)[0]


CASES = {
    "GET": simple("/"),
    "HEAD": simple("/bytes?n=5000&length", "HEAD"),
    "request fields": simple("/echo?q=%2F", fields=[("x-a", "1"), ("x-a", "2"), ("x-empty", ""), ("te", "trailers")]),
    "cookie crumbs": simple("/cookies", fields=[("cookie", "a=1"), ("cookie", "b=2")]),
    "a head in CONTINUATION frames": simple("/echo", fields=[(f"x-long-{n}", "v" * 1500) for n in range(20)]),
    "POST": posted("/echo", b"hello"),
    "POST of a megabyte": posted("/echo", b"0123456789" * 100000),
    "POST with content-length": posted("/echo", b"hello", [("content-length", "5")]),
    "POST with trailers": posted("/echo", b"hello", [("trailer", "x-sum")], [("x-sum", "abc")]),
    "a megabyte there and back": posted("/back", b"0123456789" * 100000),
    "padded DATA": padded,
    "100-continue": expecting,
    "103": simple("/hints"),
    "trailers": simple("/trailers", fields=[("te", "trailers")]),
    "large answer head": simple("/fields?count=10&bytes=3000"),
    "204": simple("/status?code=204"),
    "304": simple("/status?code=304"),
    "small window": small_window,
    "300 streams": many,
    "resets by the client": reset_some,
    "answer cut off": simple("/cut"),
    "answer before the body has come": early,
}

for name, case in CASES.items():
    try:
        line = {"name": name, "result": case(Client())}
    except Exception as error:
        line = {"name": name, "failure": f"{type(error).__name__}: {error}"}
    print(json.dumps(line), flush=True)
