/** A start that cannot succeed by trying again: the message is for the operator. */
export class StartFailure extends Error {}
