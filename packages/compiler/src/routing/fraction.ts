import { FractionalPercent_DenominatorType } from "@heddle/xds/api";

/** `envoy.type.v3.FractionalPercent` of a percentage from 0 to 100, to a ten-thousandth of a percent. */
export function fractionOf(percent: number) {
  return { numerator: Math.round(percent * 10_000), denominator: FractionalPercent_DenominatorType.MILLION };
}
