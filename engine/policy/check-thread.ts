/** The thread in which a policy is loaded and tried for the first time: it may never come back. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Digest } from '../../protocol/ids.ts';
import { corePolicy, policiesOf } from './loaded-policy.ts';
import { loadBundle } from './load-bundle.ts';
import { PolicyProblem } from './shape.ts';
import { differences, listChanges, tryRules, type Difference, type ListChange, type RuleTrial } from './trial.ts';

export type CheckData = { readonly source: string; readonly compare: boolean };

/** What is thrown in a thread, as far as it can leave it. */
export type Thrown = { readonly message: string; readonly stack: string };

export type CheckMessage =
  | { readonly type: 'ASKING'; readonly rule: string }
  | { readonly type: 'INVALID'; readonly error: Thrown }
  | {
      readonly type: 'TRIED';
      readonly faults: readonly { readonly rule: string; readonly about: string; readonly error: Thrown }[];
      readonly report: TrialReport;
    };

export type TrialReport = {
  readonly rules: readonly RuleTrial[];
  readonly changes: readonly ListChange[];
  readonly differences: readonly (Difference & { readonly part: string })[];
};

const { source, compare } = workerData as CheckData;
const tell = (message: CheckMessage): void => parentPort?.postMessage(message);

function thrownOf(error: unknown): Thrown {
  // The place is in what the module threw.
  const thrown = error instanceof PolicyProblem && error.cause !== undefined ? error.cause : error;
  const { name, message, stack } = (thrown ?? {}) as { name?: unknown; message?: unknown; stack?: unknown };
  const said = typeof message === 'string' ? message : String(thrown);
  const isPlain = typeof name !== 'string' || name === 'Error' || name === 'PolicyProblem';
  return { message: isPlain ? said : `${name}: ${said}`, stack: typeof stack === 'string' ? stack : '' };
}

function check(): CheckMessage {
  let names: readonly string[] = [];
  let last = -1;
  const policy = loadBundle(source, {
    trusted: true,
    alwaysTwice: true,
    withPlaces: true,
    asking: (rule) => {
      if (rule < 0 || rule === last) return;
      last = rule;
      tell({ type: 'ASKING', rule: names[rule] ?? '' });
    },
  });
  names = policy.rules ?? [];
  const { faults, rules } = tryRules(policy);
  const core = corePolicy('' as Digest);
  const usual = core.courtOf();
  const compared = compare && usual !== undefined && faults.length === 0;
  const parts = new Map([...policiesOf(policy.sets)].map(({ part, selection }) => [part, policy.courtOf(selection)]));
  return {
    type: 'TRIED',
    faults: faults.map(({ error, ...fault }) => ({ ...fault, error: thrownOf(error) })),
    report: {
      rules,
      changes: listChanges(core, policy),
      differences: compared
        ? [...parts].flatMap(([part, court]) =>
            court === undefined ? [] : differences(usual, court).map((difference) => ({ part, ...difference })),
          )
        : [],
    },
  };
}

try {
  tell(check());
} catch (error) {
  tell({ type: 'INVALID', error: thrownOf(error) });
}
