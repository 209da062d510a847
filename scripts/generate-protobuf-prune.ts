// Makes of a descriptor set what generated code needs.
import { create, isFieldSet } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  type EnumDescriptorProto,
  EnumValueDescriptorProtoSchema,
  EnumOptionsSchema,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FieldOptionsSchema,
  type FileDescriptorProto,
  MessageOptionsSchema,
} from "@bufbuild/protobuf/wkt";

/**
 * Returns the files that declare something and are reachable from a root file through field and
 * method types, in the given (topological) order, stripped of options and extensions.
 *
 * Kept of all options is only what changes the wire or the shape: `map_entry`, `packed`,
 * `allow_alias`. Annotations (udpa, xds, validate, google.api) and the imports they needed go.
 */
export function pruneDescriptors(
  files: readonly FileDescriptorProto[],
  isRoot: (name: string) => boolean,
): FileDescriptorProto[] {
  const declaredIn = new Map<string, string>();
  for (const file of files) {
    for (const name of declaredTypes(file)) {
      declaredIn.set(name, file.name);
    }
  }
  const byName = new Map(files.map((file) => [file.name, file]));
  for (const file of files) {
    stripFile(file);
    const used = new Set(usedTypes(file).map((type) => declaredIn.get(type)));
    used.delete(file.name);
    file.dependency = files.map((other) => other.name).filter((name) => used.has(name));
  }
  const reached = new Set<string>();
  const queue = files.map((file) => file.name).filter(isRoot);
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (!reached.has(name)) {
      reached.add(name);
      queue.push(...(byName.get(name)?.dependency ?? []));
    }
  }
  return files.filter((file) => reached.has(file.name) && declaredTypes(file).length + file.service.length > 0);
}

/**
 * Adds values to enums, which stand by their full names.
 *
 * @throws Error when an enum is not there, or has the value already: then the entry is to go
 */
export function addEnumValues(
  files: readonly FileDescriptorProto[],
  additions: Readonly<Record<string, Readonly<Record<string, number>>>>,
): void {
  const enums = new Map(files.flatMap((file) => enumsOf(file)));
  for (const [name, values] of Object.entries(additions)) {
    const type = enums.get(name);
    if (type === undefined) throw new Error(`there is no enum ${name}`);
    for (const [value, number] of Object.entries(values)) {
      if (type.value.some((known) => known.name === value)) throw new Error(`${name} has ${value} already`);
      type.value.push(create(EnumValueDescriptorProtoSchema, { name: value, number }));
    }
  }
}

/** A field that holds one message, or several of them. */
export interface AddedField {
  readonly name: string;
  readonly number: number;
  /** Full name of its message. */
  readonly message: string;
  readonly isRepeated: boolean;
}

/**
 * Adds fields to the messages of a file, which stand by their names within its package; a message that is not there is added whole.
 *
 * @throws Error when the file is not there, or a message has the field already: then the entry is to go
 */
export function addFields(
  files: readonly FileDescriptorProto[],
  additions: Readonly<Record<string, Readonly<Record<string, readonly AddedField[]>>>>,
): void {
  for (const [fileName, messages] of Object.entries(additions)) {
    const file = files.find(({ name }) => name === fileName);
    if (file === undefined) throw new Error(`there is no file ${fileName}`);
    for (const [path, fields] of Object.entries(messages)) {
      const message = messageAt(file, path);
      for (const { name, number, message: type, isRepeated } of fields) {
        if (message.field.some((known) => known.name === name)) throw new Error(`${path} has ${name} already`);
        message.field.push(
          create(FieldDescriptorProtoSchema, {
            name,
            number,
            label: isRepeated ? FieldDescriptorProto_Label.REPEATED : FieldDescriptorProto_Label.OPTIONAL,
            type: FieldDescriptorProto_Type.MESSAGE,
            typeName: `.${type}`,
            jsonName: name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
          }),
        );
      }
    }
  }
}

/** @param path names from the outermost message inwards, with dots between */
function messageAt(file: FileDescriptorProto, path: string): DescriptorProto {
  const [outer = "", ...inner] = path.split(".");
  let message = file.messageType.find(({ name }) => name === outer);
  if (message === undefined) {
    message = create(DescriptorProtoSchema, { name: outer });
    file.messageType.push(message);
  }
  for (const step of inner) {
    const nested: DescriptorProto | undefined = message.nestedType.find(({ name }) => name === step);
    if (nested === undefined) throw new Error(`${file.name} has no ${path}`);
    message = nested;
  }
  return message;
}

/** All enums of a file, by their full names. */
function enumsOf(file: FileDescriptorProto): [string, EnumDescriptorProto][] {
  const within = (prefix: string, types: readonly EnumDescriptorProto[]): [string, EnumDescriptorProto][] =>
    types.map((type) => [`${prefix}.${type.name}`, type]);
  const inMessage = (prefix: string, message: DescriptorProto): [string, EnumDescriptorProto][] => {
    const name = `${prefix}.${message.name}`;
    return [...within(name, message.enumType), ...message.nestedType.flatMap((nested) => inMessage(name, nested))];
  };
  return [...within(file.package, file.enumType), ...file.messageType.flatMap((type) => inMessage(file.package, type))];
}

function stripFile(file: FileDescriptorProto): void {
  delete file.options;
  delete file.sourceCodeInfo;
  file.publicDependency = [];
  file.weakDependency = [];
  file.extension = [];
  file.messageType.forEach(stripMessage);
  file.enumType.forEach(stripEnum);
  for (const service of file.service) {
    delete service.options;
    for (const method of service.method) {
      delete method.options;
    }
  }
}

function stripMessage(message: DescriptorProto): void {
  const isMapEntry = message.options?.mapEntry === true;
  delete message.options;
  if (isMapEntry) {
    message.options = create(MessageOptionsSchema, { mapEntry: true });
  }
  message.extension = [];
  message.extensionRange = [];
  message.reservedRange = [];
  message.reservedName = [];
  for (const oneof of message.oneofDecl) {
    delete oneof.options;
  }
  message.field.forEach(stripField);
  message.nestedType.forEach(stripMessage);
  message.enumType.forEach(stripEnum);
}

function stripField(field: FieldDescriptorProto): void {
  const options = field.options;
  delete field.options;
  if (options !== undefined && isFieldSet(options, FieldOptionsSchema.field.packed)) {
    field.options = create(FieldOptionsSchema, { packed: options.packed });
  }
}

function stripEnum(type: EnumDescriptorProto): void {
  const allowAlias = type.options?.allowAlias === true;
  delete type.options;
  if (allowAlias) {
    type.options = create(EnumOptionsSchema, { allowAlias });
  }
  type.reservedRange = [];
  type.reservedName = [];
  for (const value of type.value) {
    delete value.options;
  }
}

/** Fully qualified names, with the leading dot that `type_name` has. */
function declaredTypes(file: FileDescriptorProto): string[] {
  const prefix = file.package === "" ? "" : `.${file.package}`;
  return [
    ...file.enumType.map((type) => `${prefix}.${type.name}`),
    ...file.messageType.flatMap((message) => declaredInMessage(message, prefix)),
  ];
}

function declaredInMessage(message: DescriptorProto, prefix: string): string[] {
  const name = `${prefix}.${message.name}`;
  return [
    name,
    ...message.enumType.map((type) => `${name}.${type.name}`),
    ...message.nestedType.flatMap((nested) => declaredInMessage(nested, name)),
  ];
}

function usedTypes(file: FileDescriptorProto): string[] {
  return [
    ...file.messageType.flatMap(usedInMessage),
    ...file.service.flatMap((service) => service.method.flatMap((method) => [method.inputType, method.outputType])),
  ];
}

function usedInMessage(message: DescriptorProto): string[] {
  return [
    ...message.field.map((field) => field.typeName).filter((name) => name !== ""),
    ...message.nestedType.flatMap(usedInMessage),
  ];
}
