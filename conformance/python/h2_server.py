"""python3-h2 as a server: the answers of servers/origin.ts. Says its port as a line, and ends with its standard input."""
import hashlib
import json
import os
import socket
import sys
import threading
import time
from email.utils import formatdate
from urllib.parse import parse_qs, urlsplit

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings


class Request:
    def __init__(self, fields):
        pseudo = {name: value for name, value in fields if name.startswith(":")}
        self.method, self.path = pseudo[":method"], pseudo[":path"]
        self.authority = pseudo.get(":authority", "")
        self.fields = {}
        for name, value in fields:
            if name.startswith(":"):
                continue
            between = "; " if name == "cookie" else ", "
            self.fields[name] = self.fields[name] + between + value if name in self.fields else value
        self.trailers, self.hash, self.bytes, self.is_answered = {}, hashlib.sha256(), 0, False

    def echo(self):
        return json.dumps({"method": self.method, "url": self.path, "authority": self.authority,
                           "headers": dict(sorted(self.fields.items())), "trailers": self.trailers,
                           "bytes": self.bytes, "sha256": self.hash.hexdigest()[:16]}).encode()


class Connection:
    """One client. What its windows do not let through waits in `queued`: [bytes, whether the stream ends, trailers]."""

    def __init__(self, client):
        self.client = client
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values={
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 100,
            h2.settings.SettingCodes.MAX_HEADER_LIST_SIZE: 131072})
        self.requests, self.queued = {}, {}

    def serve(self):
        try:
            self.h2.initiate_connection()
            self.flush()
            while data := self.client.recv(65536):
                for event in self.h2.receive_data(data):
                    try:
                        self.take(event)
                    except (h2.exceptions.StreamClosedError, h2.exceptions.NoSuchStreamError):
                        # The client has reset it; the event was written before.
                        continue
                for stream in list(self.queued):
                    self.pump(stream)
                self.flush()
        except (OSError, h2.exceptions.ProtocolError):
            self.flush()
        finally:
            self.client.close()

    def flush(self):
        try:
            self.client.sendall(self.h2.data_to_send())
        except OSError:
            self.client.close()

    def take(self, event):
        stream = getattr(event, "stream_id", None)
        if isinstance(event, h2.events.RequestReceived):
            self.requests[stream] = request = Request(event.headers)
            if request.fields.get("expect") == "100-continue":
                self.h2.send_headers(stream, [(":status", "100")])
            if urlsplit(request.path).path in ("/back", "/early", "/cut-at-once"):
                self.answer(stream, request)
        elif isinstance(event, h2.events.StreamReset):
            self.requests.pop(stream, None)
            self.queued.pop(stream, None)
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, stream)
            request = self.requests.get(stream)
            if request is None:
                return
            request.hash.update(event.data)
            request.bytes += len(event.data)
            if request.path == "/back":
                self.send(stream, event.data, end=False)
        elif isinstance(event, h2.events.TrailersReceived):
            if (request := self.requests.get(stream)) is not None:
                request.trailers = dict(event.headers)
        elif isinstance(event, h2.events.StreamEnded):
            request = self.requests.pop(stream, None)
            if request is not None and request.path == "/back":
                self.send(stream, b"")
            elif request is not None and not request.is_answered:
                self.answer(stream, request)

    def head(self, stream, status="200", fields=(), end=False):
        self.h2.send_headers(stream, [(":status", status), ("date", formatdate(usegmt=True)), *fields], end_stream=end)

    def send(self, stream, body, end=True, trailers=()):
        entry = self.queued.setdefault(stream, [b"", False, ()])
        entry[0] += body
        entry[1], entry[2] = entry[1] or end, trailers or entry[2]
        self.pump(stream)

    def pump(self, stream):
        body, end, trailers = self.queued[stream]
        try:
            while body:
                room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size, len(body))
                if room <= 0:
                    break
                self.h2.send_data(stream, body[:room])
                body = body[room:]
                self.flush()
            self.queued[stream][0] = body
            if not body and end:
                if trailers:
                    self.h2.send_headers(stream, list(trailers), end_stream=True)
                else:
                    self.h2.end_stream(stream)
                del self.queued[stream]
        except (h2.exceptions.StreamClosedError, h2.exceptions.NoSuchStreamError):
            self.queued.pop(stream, None)

    def answer(self, stream, request):
        request.is_answered = True
        url = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        plain = [("content-type", "text/plain")]
        if request.method == "HEAD":
            length = query.get("n") if "length" in query else None
            return self.head(stream, fields=[("content-length", length)] if length else [], end=True)
        if url.path == "/":
            self.head(stream, fields=plain)
            self.send(stream, b"hello\n")
        elif url.path == "/echo":
            self.head(stream, fields=[("content-type", "application/json")])
            self.send(stream, request.echo())
        elif url.path == "/back":
            self.head(stream, fields=[("content-type", "application/octet-stream")])
        elif url.path == "/status":
            place = [("location", "/elsewhere")] if "location" in query else []
            self.head(stream, query["code"], place, end=True)
        elif url.path == "/trailers":
            self.head(stream, fields=[("trailer", "x-checksum, x-second")])
            self.send(stream, b"body before trailers\n", trailers=[("x-checksum", "abc"), ("x-second", "2")])
        elif url.path == "/early":
            self.head(stream, "403", plain)
            self.send(stream, b"not wanted\n")
            # RFC 9113, section 8.1: whole, and the rest of the request is not wanted.
            self.h2.reset_stream(stream, h2.errors.ErrorCodes.NO_ERROR)
        elif url.path == "/fields":
            value = "v" * int(query["bytes"])
            self.head(stream, fields=[(f"x-field-{n}", value) for n in range(int(query["count"]))])
            self.send(stream, b"fields\n")
        elif url.path == "/cookies":
            self.head(stream, fields=[("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2; HttpOnly")])
            self.send(stream, f'{request.fields.get("cookie", "none")}\n'.encode())
        elif url.path == "/chunks":
            self.head(stream)
            for chunk in (b"one ", b"two ", b"three\n"):
                self.send(stream, chunk, end=False)
            self.send(stream, b"")
        elif url.path == "/bytes":
            count = int(query["n"])
            length = [("content-length", str(count))] if "length" in query else []
            self.head(stream, fields=[("content-type", "application/octet-stream"), *length])
            self.send(stream, (b"0123456789abcdef" * (count // 16 + 1))[:count])
        elif url.path == "/hints":
            self.h2.send_headers(stream, [(":status", "103"), ("link", "</style.css>; rel=preload; as=style")])
            self.head(stream)
            self.send(stream, b"after the hints\n")
        elif url.path == "/cut":
            self.head(stream, fields=[("content-length", "1000")])
            self.h2.send_data(stream, b"not all of it")
            self.flush()
            # The head and the first bytes leave before the cut.
            time.sleep(0.05)
            self.h2.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
        elif url.path == "/cut-at-once":
            self.h2.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
        else:
            self.head(stream, "404", end=True)


def accept(listener):
    while True:
        client, _ = listener.accept()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=Connection(client).serve, daemon=True).start()


listener = socket.create_server(("127.0.0.1", 0), backlog=128)
threading.Thread(target=accept, args=(listener,), daemon=True).start()
print("port", listener.getsockname()[1], flush=True)
sys.stdin.read()
os._exit(0)
