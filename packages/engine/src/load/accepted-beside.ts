/** `envoy.extensions.filters.http.lua.v3.Lua`: a category, an extension, a version and a message. */
const extension = /^(envoy\.extensions\.(?:[a-z0-9_]+\.)*)([a-z0-9_]+)\.v\d\w*\.\w+$/;

/** Names of the extensions of the same category that are supported, for a hint: beside an HTTP filter `fault`, `rbac`, `router` … */
export function acceptedBeside(type: string, accepted: Readonly<Record<string, unknown>>): string[] {
  const category = extension.exec(type)?.[1];
  if (category === undefined) return [];
  const names = Object.keys(accepted).flatMap((name) => {
    const found = extension.exec(name);
    return found?.[1] === category ? [found[2] ?? ""] : [];
  });
  return [...new Set(names)].sort();
}
