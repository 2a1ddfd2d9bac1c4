/**
 * The end of a task's call, from the ruling to its caller: the hooks, the transaction that it belongs to, then the caller when
 * it is its turn (handover.ts).
 *
 * Z1 It is handed over once.
 */
import type { State } from '../protocol/states.ts';
import type { Hook } from '../protocol/proposals.ts';
import type { Position } from '../protocol/rulings.ts';
import { noteFailure } from './attempt-notes.ts';
import type { CallIdentity } from './call.ts';
import { noteEnd, type EndDetails } from './future.ts';
import { stateOfError, FinalState } from './final-state.ts';
import { HOOK_OF, runHooks, shownState, type HookContext } from './hooks.ts';
import { both } from './redaction.ts';
import type { Ended } from './reuse.ts';
import { logOfRun } from './run-logger.ts';
import { scopes, type FlowScope } from './scope.ts';
import type { TaskDefinition } from './task-definition.ts';

export type Caller = { readonly resolve: (value: unknown) => void; readonly reject: (error: unknown) => void };

/** A task's call. */
export type CallParts = {
  readonly flow: FlowScope;
  readonly task: TaskDefinition;
  readonly inputs: readonly unknown[];
  readonly identity: CallIdentity;
  readonly caller: Caller;
  readonly details: EndDetails;
  /** Where the code calls it, of a call that may turn out to be another one than was recorded. */
  readonly place: string | undefined;
};

type Parts = Omit<CallParts, 'place'> & {
  /** The call is over: it is told so right before its caller is. */
  readonly over: () => boolean;
};

const ignore = (): void => undefined;

export class CallEnd {
  readonly #parts: Parts;
  #handed = false;
  /** The hooks that were called last. */
  #hooking: Promise<void> | undefined;
  /** Whether all that there will be have ended. */
  #hooksEnded: PromiseWithResolvers<undefined> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    parts.details.runId = parts.identity.run;
  }

  /** It has its end, and its caller will hear of it. */
  get isHanded(): boolean {
    return this.#handed;
  }

  /** When it is its turn. What has to be fetched keeps those after it waiting; hooks do not. */
  inTurn(how: keyof Caller, known: unknown, { state, attempt }: { state?: State; attempt?: number } = {}): void {
    this.#handed = true;
    const { flow, task, details } = this.#parts;
    if (state !== undefined) noteEnd(details, state);
    if (known instanceof Promise) known.catch(ignore);
    if (task.settings.hooks !== undefined && attempt !== undefined) flow.follow(this.#endHooks(how, known, attempt));
    else this.#hooksEnded?.resolve(undefined);
    this.#handOver(how, known);
  }

  /** At once: its flow run has stopped. */
  now(how: keyof Caller, known: unknown, ended?: Ended): void {
    this.#handed = true;
    if (ended !== undefined) noteEnd(this.#parts.details, ended.state);
    this.#hooksEnded?.resolve(undefined);
    this.#tell(how, known, ended?.at);
  }

  onRunning(attempt: number): void {
    const { flow, task } = this.#parts;
    if (task.settings.hooks === undefined) return;
    if (this.#hooksEnded === undefined) {
      this.#hooksEnded = Promise.withResolvers();
      flow.expectHooks(this.#hooksEnded.promise);
    }
    const state = { type: 'RUNNING', name: attempt === 1 ? 'Running' : 'Retrying' } as const;
    flow.follow(this.#hook('onRunning', state, attempt));
  }

  async #endHooks(how: keyof Caller, known: unknown, attempt: number): Promise<void> {
    const { details } = this.#parts;
    let state: FinalState;
    try {
      const value = await known;
      if (how === 'reject') throw value;
      state = new FinalState('COMPLETED', { ...details, value });
    } catch (error) {
      state = stateOfError(error, details);
    }
    await this.#hook(HOOK_OF[state.type], shownState(state, state), attempt);
    this.#hooksEnded?.resolve(undefined);
  }

  /** `message`: of its report; `stands`: what that came to. */
  attemptFailed(attempt: number, message: string | undefined, stands: State | undefined): void {
    noteFailure(this.#parts, { attempt, message }, stands);
  }

  #hook(hook: Hook, state: HookContext['state'], attempt: number): Promise<void> | undefined {
    const { flow, task, identity, inputs } = this.#parts;
    const hooks = task.settings.hooks?.[hook];
    if (hooks === undefined) return undefined;
    const occasion = {
      client: flow.client,
      hooks,
      hook,
      redact: both(task.settings.redact, flow.redactAll),
      context: {
        kind: 'task',
        name: task.settings.name,
        runId: identity.run,
        flowRunId: flow.owner.run,
        attempt,
        inputs,
        state,
      },
      warn: (error: unknown, words: string) => {
        scopes.run(flow, () => {
          logOfRun(flow).error({ err: error, taskRun: identity.run }, words);
        });
      },
    } as const;
    this.#hooking = this.#hooking === undefined ? runHooks(occasion) : this.#hooking.then(() => runHooks(occasion));
    return this.#hooking;
  }

  #handOver(how: keyof Caller, known: unknown): void {
    this.#parts.flow.execution.handover.live(() => {
      if (known instanceof Promise) {
        return known.then(
          (value: unknown) => {
            this.#tell(how, value);
          },
          (error: unknown) => {
            this.#tell('reject', error);
          },
        );
      }
      this.#tell(how, known);
      return undefined;
    });
  }

  #tell(how: keyof Caller, known: unknown, at?: Position): void {
    const { over, caller } = this.#parts;
    if (!over()) return;
    if (how === 'resolve') this.#completed(known, at);
    caller[how](known);
  }

  /** A transaction has to know what there is to undo. What the cache answered was done by another call, and not in it. */
  #completed(result: unknown, at: Position | undefined): void {
    const { flow, task, identity, inputs, details } = this.#parts;
    const { transaction: hooks, settings } = task;
    if (hooks === undefined || details.name === CACHED) return;
    flow.transactionAround?.completed({ runId: identity.run, name: settings.name, inputs, result, hooks, at });
  }
}

/** As the rule retrieve-cached-result calls it. */
const CACHED = 'Cached';
