import type { ExplainOptions } from "../command-line/explain-command.ts";
import { exitCodes } from "@heddle/core";
import { formatData } from "../output/data.ts";
import { formatInShort } from "../output/findings.ts";
import { paintFor } from "../output/terminal.ts";
import type { Explanation } from "./explanation.ts";
import { MeshOnPaper } from "./mesh-on-paper.ts";
import { readQuestion } from "./question.ts";
import { explainSource } from "./source-side.ts";
import { formatExplanation } from "./text.ts";

/**
 * Says what would happen to a request, with the compiler of the control plane and the engine of the proxy, from files alone.
 * Exit code 0 when it is forwarded, or answered as a resource asks for; 1 when the mesh refuses or fails it on any of its ways.
 */
export async function explain(method: string, url: string, options: ExplainOptions): Promise<number> {
  const mesh = await MeshOnPaper.read(options.folder);
  // What is wrong with the question comes first, and alone: below hundreds of lines about files it would not be found.
  const question = readQuestion(mesh, { method, url, from: options.from, headers: options.header });
  const errors = mesh.findings.filter(({ severity }) => severity === "error");
  if (errors.length > 0)
    process.stderr.write(
      `${formatInShort(errors, paintFor(process.stderr), options.folder)}Resources with errors are left out, as the control plane does.\n\n`,
    );
  const side = explainSource(mesh, question);
  const ways = side.destinations.flatMap(({ answer, inbound }) => [answer, ...inbound.map((one) => one.answer)]);
  const answers = [side.answer, ...ways].filter((answer) => answer !== null);
  const forwarded =
    answers.length === 0 &&
    side.destinations.length > 0 &&
    side.destinations.every(({ inbound }) => inbound.length > 0);
  const explanation: Explanation = {
    request: {
      method: question.method,
      url,
      headers: question.headers,
      from: question.source.workload,
      identity: mesh.identityOf(question.source),
    },
    notes: question.notes,
    forwarded,
    refused: !forwarded && !(answers.length > 0 && answers.every(({ intended }) => intended)),
    ...side,
  };
  process.stdout.write(
    await formatData(options.output, explanation, () => formatExplanation(explanation, paintFor(process.stdout))),
  );
  return explanation.refused ? exitCodes.negative : exitCodes.fine;
}
