"""python3-grpcio (gRPC's C core) as a server. Says its port as a line, and ends with its standard input."""
import sys
import time
from concurrent import futures

import grpc


def unary(request, context):
    asked = dict(context.invocation_metadata())
    context.send_initial_metadata((("x-head", asked.get("x-ask", "none")), ("x-bytes-bin", b"\x00\xff")))
    context.set_trailing_metadata((("x-trailer", "of the server"),))
    return request


def fail(request, context):
    context.set_trailing_metadata((("x-trailer", "of the server"),))
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: 100 %, ä")


def items(request, context):
    count, size = map(int, request.decode().split("x"))
    for _ in range(count):
        yield b"m" * size


def fail_late(request, context):
    yield b"first"
    context.abort(grpc.StatusCode.DATA_LOSS, "no second")


def total(requests, context):
    return str(sum(len(request) for request in requests)).encode()


def chat(requests, context):
    for request in requests:
        yield b"re: " + request


def hang(requests, context):
    for _ in requests:
        pass
    while context.is_active():
        time.sleep(0.05)
    return
    yield b""


HANDLERS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Fail": grpc.unary_unary_rpc_method_handler(fail),
    "List": grpc.unary_stream_rpc_method_handler(items),
    "FailLate": grpc.unary_stream_rpc_method_handler(fail_late),
    "Sum": grpc.stream_unary_rpc_method_handler(total),
    "Chat": grpc.stream_stream_rpc_method_handler(chat),
    "Hang": grpc.stream_stream_rpc_method_handler(hang),
}

server = grpc.server(futures.ThreadPoolExecutor(max_workers=32))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("conformance.Peer", HANDLERS),))
print("port", server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
sys.stdin.read()
