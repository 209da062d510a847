import type { CheckName } from "../check-names.ts";
import type { Check } from "../check.ts";
import { controlPlaneBack } from "./control-plane-back.ts";
import { controlPlaneLoss } from "./control-plane-loss.ts";
import { forbidden } from "./forbidden.ts";
import { interception } from "./interception.ts";
import { invalidEdit } from "./invalid-edit.ts";
import { mtls } from "./mtls.ts";
import { reload } from "./reload.ts";
import { renewal } from "./renewal.ts";
import { replicaLoss } from "./replica-loss.ts";
import { split } from "./split.ts";

export const allChecks: Readonly<Record<CheckName, Check>> = {
  mtls,
  split,
  forbidden,
  reload,
  "invalid-edit": invalidEdit,
  "control-plane-loss": controlPlaneLoss,
  "control-plane-back": controlPlaneBack,
  "replica-loss": replicaLoss,
  renewal,
  interception,
};
