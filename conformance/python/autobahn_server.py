"""kosoku as a server: `autobahn_server.py <port> <results file> <case>…`. Serves the cases again to each client that has run them all."""
import asyncio
import json
import os
import sys

from kosoku import FailureError, run_fuzzingserver

PORT, RESULTS, CASES = int(sys.argv[1]), sys.argv[2], sys.argv[3:]


async def main():
    while True:
        async with run_fuzzingserver(CASES, port=PORT) as server:
            print("listening", flush=True)
            try:
                results = await server.get_result()
            except FailureError as failure:
                results = failure.results
        lines = [{"id": result.case_id, "behavior": str(getattr(result.behavior, "value", result.behavior)),
                  "behaviorClose": str(getattr(result.behavior_close, "value", result.behavior_close))}
                 for result in results]
        with open(f"{RESULTS}.new", "w", encoding="utf-8") as file:
            json.dump(lines, file)
        os.rename(f"{RESULTS}.new", RESULTS)


asyncio.run(main())
