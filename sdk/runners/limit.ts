/** The options of runners, checked where a runner is made. */
import { AssentError } from '../../protocol/errors.ts';

/** @throws AssentError BAD_OPTION */
export const checkedLimit = (limit: number | undefined): { readonly limit?: number } =>
  limit === undefined ? {} : { limit: wholeNumber('limit', limit) };

/** @throws AssentError BAD_OPTION */
export function wholeNumber(option: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new AssentError(
    'BAD_OPTION',
    `A task runner has a bad option: ${option}: ${String(value)} is no whole number above 0.`,
  );
}
