import type { Finding, LocalMeshResource, ParsedFile } from "@heddle/api";
import { parseFile } from "@heddle/api";
import type { FolderScan } from "@heddle/control-plane";
import { scanFolder } from "@heddle/control-plane";

/** The one `LocalMesh` of a folder, or why there is none. */
export type MeshFolder =
  | { readonly kind: "found"; readonly mesh: LocalMeshResource }
  | {
      readonly kind: "refused";
      /** What is wrong with the folder. */
      readonly problems: readonly string[];
      /** What is wrong with the `LocalMesh` itself, and with documents that may be it. */
      readonly findings: readonly Finding[];
    };

/** Reads a folder's resource files and picks its `LocalMesh`. Rejects when the folder itself cannot be read. */
export async function readMeshFolder(folder: string): Promise<MeshFolder> {
  return pickMesh(folder, await scanFolder(folder));
}

/** Picks the `LocalMesh` out of files that have been read. */
export function pickMesh(folder: string, { files, unreadable }: Pick<FolderScan, "files" | "unreadable">): MeshFolder {
  const parsed: ParsedFile[] = files.map(({ path, text }) => parseFile(text, path));
  const meshes = parsed.flatMap(({ resources }) => resources).filter((resource) => resource.kind === "LocalMesh");
  const [mesh, second] = meshes;
  if (mesh !== undefined && second === undefined) return { kind: "found", mesh };
  const findings = parsed
    .flatMap((file) => file.findings)
    .filter(
      ({ severity, resource }) => severity === "error" && (resource === undefined || resource.kind === "LocalMesh"),
    );
  const problems = unreadable.map(({ path, reason }) => `${path} cannot be read: ${reason}`);
  if (second !== undefined) {
    const places = meshes.map(({ source }) => `${source.file}:${source.line}`).join(", ");
    problems.push(`${folder} holds ${meshes.length} LocalMesh resources (${places}): keep one`);
  } else if (findings.length === 0) {
    problems.push(`${folder} holds no LocalMesh resource, which says what programs to run (see docs/tutorials)`);
  }
  return { kind: "refused", problems, findings };
}
