"""python3-grpcio (gRPC's C core) as a client of one target: `grpc_client.py <port>`. A line of JSON for each case."""
import json
import sys

import grpc

PATIENCE = 60
channel = grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}")


def path(method):
    return f"/conformance.Peer/{method}"


def text(metadata):
    return {key: repr(value) for key, value in metadata or () if key.startswith("x-")}


def failure_of(call):
    try:
        list(call())
    except grpc.RpcError as error:
        return {"code": error.code().name, "details": error.details(), "trailers": text(error.trailing_metadata())}
    raise AssertionError("it succeeded")


def unary():
    call = channel.unary_unary(path("Unary"))
    answer, info = call.with_call(b"hello", PATIENCE, metadata=(("x-ask", "this"), ("x-ask-bin", b"\x00\x01")))
    return {"answer": answer.decode(), "code": info.code().name, "head": text(info.initial_metadata()),
            "trailers": text(info.trailing_metadata())}


def large():
    body = b"0123456789" * 300_000
    return {"same": channel.unary_unary(path("Unary"))(body, PATIENCE) == body}


def empty():
    return {"bytes": len(channel.unary_unary(path("Unary"))(b"", PATIENCE))}


def at_once():
    call = channel.unary_unary(path("Unary"))
    calls = [call.future(str(number).encode(), PATIENCE) for number in range(200)]
    return {"answers": [int(one.result()) for one in calls] == list(range(200))}


def fail():
    return failure_of(lambda: [channel.unary_unary(path("Fail"))(b"", PATIENCE)])


def unknown():
    found = failure_of(lambda: [channel.unary_unary(path("Nothing"))(b"", PATIENCE)])
    return {"code": found["code"]}


def items():
    got = [len(item) for item in channel.unary_stream(path("List"))(b"500x1024", PATIENCE)]
    return {"messages": len(got), "bytes": sum(got)}


def fail_late():
    got = []
    found = failure_of(lambda: (got.append(item) for item in channel.unary_stream(path("FailLate"))(b"", PATIENCE)))
    return {"messages": len(got), **found}


def total():
    return {"answer": channel.stream_unary(path("Sum"))((b"x" * 1000 for _ in range(300)), PATIENCE).decode()}


def chat():
    got = [item.decode() for item in channel.stream_stream(path("Chat"))((str(n).encode() for n in range(50)), PATIENCE)]
    return {"messages": len(got), "last": got[-1]}


def deadline():
    return {"code": failure_of(lambda: channel.stream_stream(path("Hang"))(iter([b"x"]), 0.5))["code"]}


def cancelled():
    call = channel.unary_stream(path("List"))(b"100000x1024", PATIENCE)
    next(call)
    call.cancel()
    code = failure_of(lambda: call)["code"]
    return {"code": code, "after": channel.unary_unary(path("Unary"))(b"still here", PATIENCE).decode()}


CASES = {"unary with metadata": unary, "three megabytes": large, "an empty message": empty, "200 at once": at_once,
         "an error with trailers": fail, "a method that is not": unknown, "server streaming": items,
         "an error after a message": fail_late, "client streaming": total, "both ways": chat,
         "a deadline that passes": deadline, "cancelled in the middle": cancelled}

for name, case in CASES.items():
    try:
        line = {"name": name, "result": case()}
    except Exception as error:
        line = {"name": name, "failure": f"{type(error).__name__}: {error}"}
    print(json.dumps(line), flush=True)
