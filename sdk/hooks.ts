/**
 * Functions of the user's that are called when a run has entered a state. What they do changes no state: the ruling came
 * first. That they were called, and what they threw, is recorded (HOOK_RAN), and logged.
 *
 * H1 They are called outside of every run: a task that they call is a plain function.
 * H2 The hooks of one run are called one after the other, in the order of its states.
 * H3 Whoever waits for the run hears of its end when they have ended, and the process does not exit before that is
 *    recorded; one that takes longer than LIMITS.hookMsMax is not waited for any more.
 */
import { AssentError } from '../protocol/errors.ts';
import type { Hook, HookRan } from '../protocol/proposals.ts';
import type { RunId } from '../protocol/ids.ts';
import type { StateType, TerminalType } from '../protocol/states.ts';
import { LIMITS } from '../protocol/limits.ts';
import type { Client } from './client/client.ts';
import { errorText } from './outcomes.ts';
import type { Redaction } from './redaction.ts';
import { scopes } from './scope.ts';

/** What a hook is told. */
export interface HookContext {
  readonly kind: 'flow' | 'task';
  /** The flow's or task's name. */
  readonly name: string;
  readonly runId: string;
  /** The flow run that it belongs to; of a flow run, itself. */
  readonly flowRunId: string;
  /** From 1. */
  readonly attempt: number;
  /**
   * As the function got them; the parameters of a flow, as a list of one. What `redact` takes out of the record is in them: a
   * hook that tells others of a run chooses what. Of a run that ended in nobody's hands, as they are recorded.
   */
  readonly inputs: readonly unknown[];
  /** The state that the run has entered. */
  readonly state: {
    readonly type: StateType;
    readonly name: string;
    readonly message?: string;
    /** What the run gave, if it completed. */
    readonly value?: unknown;
    /** What it threw, if it did not. */
    readonly error?: unknown;
  };
}

/**
 * A function that is called when a run has entered a state. A promise is waited for, a minute at most. It is called in the
 * process that executes the run, once, or not at all if that dies right then; of a run that ended in nobody's hands, by a
 * worker, once at least. What it throws is logged and recorded, and changes nothing.
 */
export type HookFunction = (context: HookContext) => unknown;
/** One hook, or several, called one after the other. */
export type Hooks = HookFunction | readonly HookFunction[];

export type HookTable = Readonly<Partial<Record<Hook, readonly HookFunction[]>>>;

/** Which hook belongs to an end. */
export const HOOK_OF: Readonly<Record<TerminalType, Hook>> = {
  COMPLETED: 'onCompletion',
  FAILED: 'onFailure',
  CANCELLED: 'onCancellation',
  CRASHED: 'onCrashed',
};

/** A run's state as its hooks see it, with what the end meant. */
export const shownState = (
  { type, name, message }: { readonly type: StateType; readonly name: string; readonly message?: string | undefined },
  { value, error }: { readonly value?: unknown; readonly error?: unknown } = {},
): HookContext['state'] => ({
  type,
  name,
  ...(message === undefined ? {} : { message }),
  ...(value === undefined ? {} : { value }),
  ...(error === undefined ? {} : { error }),
});

/** The inputs of a run, as its hooks see them, from what is recorded as its parameters. */
export function inputsOf(kind: HookContext['kind'], parameters: unknown): readonly unknown[] {
  if (kind === 'task') return (parameters ?? []) as readonly unknown[];
  return parameters === undefined ? [] : [parameters];
}

type Occasion = {
  readonly client: Client;
  readonly hooks: readonly HookFunction[] | undefined;
  readonly hook: HookRan['hook'];
  readonly context: HookContext;
  /** What nobody shall see of what a hook throws. */
  readonly redact: Redaction | undefined;
  /** Hears of what a hook threw, for the run's log. */
  readonly warn: (error: unknown, words: string) => void;
};

/** Calls the hooks one after the other; undefined if there are none. Never rejects. */
export function runHooks({ client, hooks, hook, context, redact, warn }: Occasion): Promise<void> | undefined {
  if (hooks === undefined || hooks.length === 0) return undefined;
  return (async () => {
    for (const each of hooks) {
      let thrown: { readonly error: unknown } | undefined;
      try {
        await inTime(scopes.exit(() => each(context)));
      } catch (error) {
        thrown = { error };
        warn(error, `the hook ${hook} of ${context.kind} '${context.name}' failed`);
      }
      recordHook(client, { run: context.runId as RunId, hook, name: each.name, thrown, redact });
    }
  })();
}

/** H3. */
async function inTime(called: unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new AssentError('TIMED_OUT', `The hook did not end within ${String(LIMITS.hookMsMax / 1000)} s.`));
    }, LIMITS.hookMsMax);
  });
  try {
    await Promise.race([called, late]);
  } finally {
    clearTimeout(timer);
  }
}

type Called = Pick<Occasion, 'hook' | 'redact'> & {
  readonly run: RunId;
  /** The function's. */
  readonly name: string;
  readonly thrown: { readonly error: unknown } | undefined;
};

/** That a hook was called stands on the ledger; nobody waits for it, but the process does not exit before. */
export function recordHook(client: Client, { run, hook, name, thrown, redact }: Called): void {
  const text = thrown === undefined ? undefined : errorText(thrown.error, redact);
  const stored = text === undefined ? undefined : client.store(text);
  const propose = (): void => {
    const event: HookRan = {
      type: 'HOOK_RAN',
      run,
      hook,
      // One that was written where it is given is called as its place is.
      ...(name === '' || name === hook ? {} : { function: name.slice(0, LIMITS.nameMax) }),
      ...(text === undefined ? {} : { error: text.value }),
    };
    client.session.propose({ kind: 'workspace', event }, () => {
      client.link.release();
    });
  };
  client.link.hold();
  if (stored === undefined) propose();
  else
    stored.then(propose, () => {
      client.link.release();
    });
}
