import { field, formatted, integer, list, map, object, oneOf, text } from "../../schema/field-table.ts";
import { dnsLabel, duration, labelKey, labelValue, urlPath } from "../../schema/formats.ts";
import { loopbackAddress } from "../../schema/ip-address.ts";
import { environmentName, serviceReference, trustDomainName } from "./formats.ts";
import * as rules from "./rules.ts";
import { localMeshDefaults } from "./spec.ts";
import type * as spec from "./spec.ts";

const edge = object<spec.LocalEdge>({
  fields: {
    port: field(integer(0, 65_535), "Port that takes plaintext requests from this machine; 0 lets the system choose.", {
      default: localMeshDefaults.edgePort,
    }),
    address: field(formatted(loopbackAddress), "Loopback address to listen on.", {
      default: localMeshDefaults.edgeAddress,
    }),
    service: field(formatted(dnsLabel), "Service that gets the requests.", { required: true }),
    namespace: field(formatted(dnsLabel), "Namespace of that service.", { default: localMeshDefaults.namespace }),
  },
});

const readiness = object<spec.LocalReadiness>({
  fields: {
    httpGet: field(
      object<spec.HttpProbe>({
        fields: {
          path: field(formatted(urlPath), "Path that answers with a status below 400 when the application is ready.", {
            required: true,
          }),
        },
      }),
      "Asks the application over HTTP.",
      { required: true },
    ),
    timeout: field(formatted(duration), "How long the application may take until it is ready.", {
      default: localMeshDefaults.readinessTimeout,
    }),
  },
});

const workload = object<spec.LocalWorkload>({
  fields: {
    name: field(formatted(dnsLabel), "Name of the workload, unique in the mesh; its replicas are numbered after it.", {
      required: true,
    }),
    service: field(formatted(dnsLabel), "Service that the workload provides.", { required: true }),
    namespace: field(formatted(dnsLabel), "Namespace of the workload and its service.", {
      default: localMeshDefaults.namespace,
    }),
    serviceAccount: field(formatted(dnsLabel), "Account in the workload's identity; the service's name when absent."),
    version: field(formatted(labelValue), "Value of the label version."),
    labels: field(
      map(labelKey, formatted(labelValue, { minLength: 0 })),
      "Labels beside app (the service) and version.",
    ),
    replicas: field(integer(0, 50), "How many processes are started.", { default: localMeshDefaults.replicas }),
    command: field(
      list(text(), { minItems: 1 }),
      "Program and arguments; no shell is involved. node is the one of your own PATH, heddle-node the one that runs Heddle and TypeScript.",
      { required: true },
    ),
    workingDir: field(text(), "Folder to start in, relative to the folder of the file; that folder when absent."),
    port: field(
      integer(1, 65_535),
      "Port of the service. The process itself listens on the port in its environment variable PORT.",
      { required: true },
    ),
    protocol: field(
      oneOf(["http", "http2", "grpc", "https", "tls", "tcp", "auto"], ["grpc-web", "mongo", "mysql", "redis", "udp"]),
      "What the service speaks. http is HTTP/1.1; http2 and grpc are HTTP/2 without TLS; https and tls, the application's own TLS, are relayed as tcp is; auto: the first bytes of each connection tell HTTP/1 from anything else, which is relayed as tcp.",
      { default: localMeshDefaults.protocol },
    ),
    env: field(map(environmentName, text({ minLength: 0 })), "Environment variables of the process."),
    calls: field(
      list(formatted(serviceReference)),
      "Services that the workload may call, as <service> or <service>.<namespace>; all when absent.",
    ),
    readiness: field(readiness, "How to tell that a process is ready; when absent, that its port accepts connections."),
  },
});

export const localMeshFields = object<spec.LocalMeshSpec>({
  fields: {
    trustDomain: field(formatted(trustDomainName), "Trust domain in every identity.", {
      default: localMeshDefaults.trustDomain,
    }),
    rootNamespace: field(formatted(dnsLabel), "Namespace whose policies hold for the whole mesh.", {
      default: localMeshDefaults.rootNamespace,
    }),
    mode: field(
      oneOf(["ports", "namespaces"]),
      "How traffic gets into the mesh; ports: an application calls its own proxy's ports; namespaces: each replica has a network of its own (Linux, root). When absent, the best that this machine can do.",
    ),
    edge: field(edge, "Entry for plaintext requests from this machine; absent means none."),
    workloads: field(
      list(workload, {
        minItems: 1,
        maxItems: 200,
        uniqueBy: (each: spec.LocalWorkload) => each.name,
      }),
      "What runs in the mesh.",
      { required: true },
    ),
  },
  checks: [rules.servicesAgree, rules.referencedServicesExist, rules.environmentIsFree],
});
