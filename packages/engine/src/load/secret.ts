import { type Secret, SecretSchema } from "@heddle/xds/api";
import type { SecretConfig } from "../config/secret.ts";
import { acceptedFields } from "./accepted-fields.ts";
import { unsupportedFields } from "./field-walker.ts";
import { Loading, type Loaded, type LoadOptions, Path } from "./loading.ts";
import { loadTlsCertificate, loadValidation } from "./tls.ts";

export function loadSecret(message: Secret, options: LoadOptions = {}): Loaded<SecretConfig> {
  const loading = new Loading(options);
  const at = new Path(options.path ?? "");
  loading.problems.push(...unsupportedFields(SecretSchema, message, acceptedFields, at));
  const name = loading.required(message.name, at.field("name"));
  const config = loadMaterial(message, name, at, loading);
  return loading.finish(config as SecretConfig);
}

/** undefined after a problem. */
function loadMaterial(message: Secret, name: string, at: Path, loading: Loading): SecretConfig | undefined {
  const { type } = message;
  switch (type.case) {
    case "tlsCertificate": {
      const material = loadTlsCertificate(type.value, at.field("tls_certificate"), loading);
      return material === undefined ? undefined : { kind: "certificate", name, ...material };
    }
    case "validationContext":
      return {
        kind: "validation",
        name,
        validation: loadValidation(type.value, at.field("validation_context"), loading),
      };
    default:
      if (type.case === undefined)
        loading.problem(at, "the secret is empty", "give tls_certificate or validation_context");
      return undefined;
  }
}
