import type { Suite } from "../suite.ts";
import { autobahnClient, autobahnServer } from "./autobahn.ts";
import { curl } from "./curl.ts";
import { grpcSuites } from "./grpc.ts";
import { h2spec } from "./h2spec.ts";
import { h2loadAgainstNode, nghttpAgainstNghttpd } from "./nghttp2.ts";
import { pythonH2 } from "./python-h2.ts";
import { webSockets } from "./ws.ts";

/** In the order in which they run and stand on the page. */
export const suites: readonly Suite[] = [
  h2spec,
  autobahnClient,
  autobahnServer,
  curl,
  ...pythonH2,
  h2loadAgainstNode,
  nghttpAgainstNghttpd,
  webSockets,
  ...grpcSuites,
];
