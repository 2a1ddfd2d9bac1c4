/**
 * What comes from elsewhere, for a flow that waits for it: looked at by the flow's own schema, and where it does not fit,
 * refused, and the next one waited for. What has come is recorded, so the same is refused whenever the function runs again.
 */
import type { z } from 'zod';
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import type { Receives } from '../../protocol/proposals.ts';
import { AssentError } from '../../protocol/errors.ts';
import { LIMITS } from '../../protocol/limits.ts';
import { recordedCall } from '../recorded-call.ts';
import { logOfRun } from '../run-logger.ts';
import type { FlowScope } from '../scope.ts';
import { recordedUntil } from './call-wait.ts';

type Reception = {
  /** The call's name, and what it is known by. */
  readonly name: string;
  readonly inputs: readonly unknown[];
  readonly receives: Receives;
  readonly lastsMs?: number;
  /** What comes, for people. */
  readonly what: string;
  readonly schema: z.ZodType | undefined;
};

/** The first that fits. @throws AssentError TIMED_OUT */
export async function received(flow: FlowScope, reception: Reception): Promise<unknown> {
  const { name, inputs, receives, lastsMs, what, schema } = reception;
  // Of the first call; those after it wait no longer than that one would have.
  let untilMs: EpochMs | undefined;
  for (;;) {
    const leftMs = untilMs === undefined ? lastsMs : Math.max(0, untilMs - Date.now());
    const lasts = leftMs === undefined ? {} : { lastsMs: leftMs };
    const call = recordedCall(flow, { name, inputs, builtIn: { receives, waits: true, ...lasts } }, () => undefined);
    const value = await call.catch((error: unknown) => {
      throw isTimeOut(error) && flow.stopped === undefined
        ? new AssentError('TIMED_OUT', `${what} did not come in time.`)
        : error;
    });
    const parsed = await checked(schema, value);
    if (parsed.ok) return parsed.value;
    const run = call.ended?.runId as RunId;
    if (flow.recorded?.has(run) !== true)
      logOfRun(flow).warn(`${what} does not fit, and is left out: ${parsed.problem}`);
    if (lastsMs !== undefined) untilMs ??= await recordedUntil(flow, run, () => flow.stopped !== undefined);
  }
}

export const isTimeOut = (error: unknown): boolean => error instanceof AssentError && error.kind === 'TIMED_OUT';

export type Checked = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly problem: string };

export async function checked(schema: z.ZodType | undefined, value: unknown): Promise<Checked> {
  if (schema === undefined) return { ok: true, value };
  const { success, data, error } = await schema.safeParseAsync(value);
  if (success) return { ok: true, value: data };
  return { ok: false, problem: problemsOf(error).slice(0, LIMITS.textMax / 2) };
}

export const problemsOf = ({ issues }: z.ZodError): string =>
  issues.map(({ path, message }) => `${path.map(String).join('.') || 'value'}: ${message}`).join('; ');
