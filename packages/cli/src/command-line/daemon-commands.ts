import { Command, Option } from "commander";
import { exampleText } from "./description.ts";

// main.ts hands these two to their own packages before the tree is built; here they stand for help and completions. A test
// compares the options with what the packages accept.

export function proxyCommand(): Command {
  return new Command("proxy")
    .description("run one proxy from an Envoy bootstrap")
    .usage("-c <bootstrap> [options], or --restart --state-dir <folder>")
    .option("-c, --config-path <file>", "Envoy bootstrap, YAML or JSON")
    .option("--config-yaml <text>", "the bootstrap itself, instead of a file")
    .addOption(
      new Option(
        "--mode <mode>",
        "validate: read the bootstrap, say what is wrong with it, exit; default serve",
      ).choices(["serve", "validate"]),
    )
    .option("--state-dir <folder>", "keep key, certificate and last good configuration there")
    .option("--ca-address <host:port>", "certificate authority to get a certificate from")
    .option("--ca-token-file <file>", "join token that proves the workload, for the first certificate")
    .option("--ca-trust-bundle <file>", "PEM file with the anchors of the authority")
    .option("--identity <uri>", "SPIFFE identity to ask for; default: made from the node's metadata")
    .option("--concurrency <n>", "traffic workers, default 1")
    .addOption(
      new Option("-l, --log-level <level>", "default info").choices([
        "trace",
        "debug",
        "info",
        "warning",
        "error",
        "critical",
        "off",
      ]),
    )
    .option("--drain-time-s <seconds>", "longest time that open requests get after SIGTERM, default 5")
    .option("--accept-time-s <seconds>", "for how much of that connections are still accepted, default 0")
    .option("--parent-shutdown-time-s <seconds>", "longest time that what is open gets after a hot restart, default 60")
    .option("--restart", "hand the running proxy of --state-dir over to a new one; SIGHUP does the same")
    .option("--start-time-s <seconds>", "longest time that a hot restart waits for the new proxy, default 60")
    .option("--tls-key-log <file>", "DEBUGGING ONLY: append the secrets of every traffic TLS session")
    .option("--service-node <id>", "wins over node.id of the bootstrap")
    .option("--service-cluster <name>", "wins over node.cluster of the bootstrap")
    .addHelpText("after", exampleText("heddle proxy -c envoy.yaml"));
}

export function controlPlaneCommand(): Command {
  return new Command("control-plane")
    .description("run the control plane of a folder of resources")
    .usage("--folder <folder> [options]")
    .requiredOption("--folder <folder>", "folder with the resources")
    .option("--state-dir <folder>", "folder for authority, accepted resources and tokens, default <folder>/.heddle")
    .option("--xds-address <host:port>", "where proxies connect, default 127.0.0.1 and the port of the last run")
    .option("--admin-address <host:port>", "where the admin API listens, default 127.0.0.1 and any free port")
    .option("--trust-domain <name>", "that of the running mesh; default: what the LocalMesh says at the start")
    .option("--root-namespace <name>", "that of the running mesh; default: what the LocalMesh says at the start")
    .addOption(new Option("--log-level <level>", "default info").choices(["debug", "info", "warn", "error", "off"]))
    .addHelpText("after", exampleText("heddle control-plane --folder mesh --xds-address 127.0.0.1:15012"));
}
