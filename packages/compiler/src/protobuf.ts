// The one door to the protobuf runtime.
export { create, type Message, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
