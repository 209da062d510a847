"""gRPC's C core (Debian's python3-grpcio) as a server, or as a client that checks what it sees. Messages are bytes.

    grpc_peer.py serve                prints its port; serves until its standard input ends
    grpc_peer.py call HOST:PORT       prints one line for each check, and ends with status 1 where one did not hold
"""
import sys
import threading
from concurrent import futures

import grpc

SERVICE = "shop.Books"


def same(value):
    return value


def serve():
    cancelled = threading.Event()

    def echo(request, context):
        context.send_initial_metadata((("x-head", "of the application"),))
        context.set_trailing_metadata((("x-trailer", "of the application"),))
        return request

    def fail(request, context):
        context.abort(grpc.StatusCode.NOT_FOUND, "not today: 100 %, \u00e4")

    def numbers(request, context):
        for number in range(int(request)):
            yield str(number).encode()

    def total(requests, context):
        return str(sum(len(request) for request in requests)).encode()

    def chat(requests, context):
        for request in requests:
            yield b"re: " + request

    def hang(request, context):
        cancelled.clear()
        context.add_callback(cancelled.set)
        cancelled.wait(30)
        return b""

    def was_cancelled(request, context):
        return b"yes" if cancelled.wait(20) else b"no"

    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Fail": grpc.unary_unary_rpc_method_handler(fail),
        "Numbers": grpc.unary_stream_rpc_method_handler(numbers),
        "Total": grpc.stream_unary_rpc_method_handler(total),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
        "Hang": grpc.unary_unary_rpc_method_handler(hang),
        "WasCancelled": grpc.unary_unary_rpc_method_handler(was_cancelled),
    }
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    sys.stdin.read()
    server.stop(0)


def call(target):
    held = True

    def check(name, actual, expected):
        nonlocal held
        fine = actual == expected
        held = held and fine
        print(f"{'ok' if fine else 'not ok'}: {name}" + ("" if fine else f": {actual!r}, expected {expected!r}"))

    options = (("grpc.max_receive_message_length", -1),)
    with grpc.insecure_channel(target, options) as channel:
        path = f"/{SERVICE}/"
        large = b"large message " * 250_000
        answer, state = channel.unary_unary(path + "Echo").with_call(large, timeout=30)
        check("a large message comes back", answer == large, True)
        check("head", dict(state.initial_metadata()).get("x-head"), "of the application")
        check("trailers", dict(state.trailing_metadata()).get("x-trailer"), "of the application")
        try:
            channel.unary_unary(path + "Fail")(b"", timeout=30)
            check("an error", "none", "NOT_FOUND")
        except grpc.RpcError as error:
            check("an error", (error.code(), error.details()), (grpc.StatusCode.NOT_FOUND, "not today: 100 %, \u00e4"))
        numbers = [int(item) for item in channel.unary_stream(path + "Numbers")(b"500", timeout=30)]
        check("a stream of answers", numbers, list(range(500)))
        total = channel.stream_unary(path + "Total")((b"m" * 1000 for _ in range(500)), timeout=30)
        check("a stream of requests", total, b"500000")
        words = [b"a", b"b", b"c"]
        check(
            "a conversation",
            list(channel.stream_stream(path + "Chat")(iter(words), timeout=30)),
            [b"re: " + word for word in words],
        )
        try:
            channel.unary_unary(path + "Hang")(b"", timeout=0.5)
            check("a deadline", "none", "DEADLINE_EXCEEDED")
        except grpc.RpcError as error:
            check("a deadline", error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
        check("the end of its call at the server", channel.unary_unary(path + "WasCancelled")(b"", timeout=30), b"yes")
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    serve() if sys.argv[1] == "serve" else call(sys.argv[2])
