import type { Finding, LocalMeshResource } from "@heddle/api";
import { parseFile } from "@heddle/api";
import { scanFolder } from "@heddle/control-plane";

/** The one `LocalMesh` of a folder, or why there is none. */
export type MeshFolder =
  | { readonly kind: "found"; readonly mesh: LocalMeshResource }
  | { readonly kind: "refused"; readonly problems: readonly string[]; readonly findings: readonly Finding[] };

/** Reads a folder's resource files and picks its `LocalMesh`. Rejects when the folder itself cannot be read. */
export async function readMeshFolder(folder: string): Promise<MeshFolder> {
  const { files, unreadable } = await scanFolder(folder);
  const parsed = files.map(({ path, text }) => parseFile(text, path));
  const meshes = parsed.flatMap(({ resources }) => resources).filter((resource) => resource.kind === "LocalMesh");
  const findings = parsed
    .flatMap((file) => file.findings)
    .filter(({ severity, resource }) => severity === "error" && (resource === undefined || resource.kind === "LocalMesh"));
  const problems = unreadable.map(({ path, reason }) => `${path} cannot be read: ${reason}`);
  const [mesh, second] = meshes;
  if (mesh !== undefined && second === undefined) return { kind: "found", mesh };
  if (second !== undefined) {
    problems.push(`${folder} holds ${meshes.length} LocalMesh resources (${meshes.map(({ source }) => `${source.file}:${source.line}`).join(", ")}): keep one`);
  } else if (findings.length === 0) {
    problems.push(`${folder} holds no LocalMesh resource: it says which programs to run (see docs/tutorials)`);
  }
  return { kind: "refused", problems, findings };
}
