import { readFile, stat } from "node:fs/promises";
import { join, normalize } from "node:path";
import type { ParsedFile, ParsedResource, SetOptions } from "@heddle/api";
import { localMeshDefaults, parseFile, unreadableFile } from "@heddle/api";
import { scanFolder } from "@heddle/control-plane";
import { exitCodes } from "@heddle/core";
import { UserProblem } from "../user-problem.ts";

/**
 * Reads resource files: what is named itself, and every .yaml, .yml and .json below a folder. A file that cannot be read is a finding;
 * a path that does not exist is wrong usage.
 */
export async function readResourceFiles(paths: readonly string[]): Promise<ParsedFile[]> {
  const files = new Map<string, ParsedFile>();
  for (const path of paths) for (const file of await readPath(path)) files.set(file.file, file);
  return [...files.values()];
}

async function readPath(path: string): Promise<ParsedFile[]> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(path)).isDirectory();
  } catch (error) {
    throw missing(path, error as NodeJS.ErrnoException);
  }
  if (!isFolder) return [await readOne(normalize(path))];
  const { files, unreadable } = await scanFolder(path);
  if (files.length === 0 && unreadable.length === 0) {
    throw new UserProblem("there is no .yaml, .yml or .json file in this folder", {
      where: path,
      hint: "Name the folder that holds the resources.",
      exitCode: exitCodes.usage,
    });
  }
  return [
    ...files.map((file) => parseFile(file.text, join(path, file.path))),
    ...unreadable.map((file) => unreadableFile(join(path, file.path), file.reason)),
  ];
}

async function readOne(path: string): Promise<ParsedFile> {
  try {
    return parseFile(await readFile(path, "utf8"), path);
  } catch (error) {
    return unreadableFile(path, (error as Error).message);
  }
}

function missing(path: string, error: NodeJS.ErrnoException): UserProblem {
  const message = error.code === "ENOENT" ? "there is no such file or folder" : `it cannot be read: ${error.message}`;
  return new UserProblem(message, { where: path, hint: "Check the path.", exitCode: exitCodes.usage });
}

/** Trust domain and root namespace, as the LocalMesh among the resources says. */
export function settingsOf(resources: readonly ParsedResource[]): SetOptions {
  const mesh = resources.find((resource) => resource.kind === "LocalMesh");
  return {
    trustDomain: mesh?.spec.trustDomain ?? localMeshDefaults.trustDomain,
    rootNamespace: mesh?.spec.rootNamespace ?? localMeshDefaults.rootNamespace,
  };
}
