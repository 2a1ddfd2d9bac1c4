/**
 * Which calls each execution of a flow run made, and what came of them there: read from the rulings, which are the only
 * record of it. A run itself only shows how it is now.
 */
import type { Digest, RunId } from '../../protocol/ids.ts';
import { parentId, type RunDefinition, type TransitionProposal } from '../../protocol/proposals.ts';
import { decidingEntry, stateAfter, type Ruling } from '../../protocol/rulings.ts';
import { isTerminal, type StateType } from '../../protocol/states.ts';
import type { Value } from '../../protocol/values.ts';
import type { Client } from './client.ts';
import { rulingsOf } from './events.ts';

/** A call as one execution made it. */
export type MadeCall = {
  readonly run: RunId;
  /** Its id without that of the flow run at the top: the same for the same call of another run. */
  readonly path: string;
  readonly name: string;
  readonly key: string;
  readonly ordinal: number;
  readonly inputs?: Digest;
  readonly parameters?: Value;
  /** Its place among the calls of its execution, from 1. */
  readonly order: number;
  /** `reused`: it was answered from the record. `waited`: it was held, and never began. */
  readonly how: 'ran' | 'reused' | 'waited' | 'refused';
  /** Of a refusal. */
  readonly code?: string;
  readonly why?: string;
  /** How it stood when the execution was over. */
  readonly type?: StateType;
  readonly state?: string;
  readonly startedMs?: number;
  readonly endedMs?: number;
};

export type ExecutionCalls = {
  readonly execution: number;
  readonly calls: readonly MadeCall[];
};

/** The oldest first; those that made no call are left out. */
export async function executionsOf(client: Client, run: RunId): Promise<readonly ExecutionCalls[]> {
  const reading = new Reading(run);
  for await (const { line } of rulingsOf(client, run)) reading.take(JSON.parse(line ?? '') as Ruling);
  return reading.executions;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Calls = Map<RunId, Writable<MadeCall>>;

const BEGINNINGS: readonly StateType[] = ['SCHEDULED', 'PENDING', 'RUNNING'];

/** The rulings of one flow run, in the ledger's order. */
export class Reading {
  readonly #flow: RunId;
  readonly #definitions = new Map<RunId, RunDefinition>();
  readonly #executions = new Map<number, Calls>();
  /** The execution that made a call last. */
  readonly #latest = new Map<RunId, number>();

  constructor(flow: RunId) {
    this.#flow = flow;
  }

  get executions(): readonly ExecutionCalls[] {
    return [...this.#executions]
      .sort(([one], [other]) => one - other)
      .map(([execution, calls]) => ({ execution, calls: [...calls.values()] }));
  }

  take(ruling: Ruling): void {
    const { proposal } = ruling;
    if (proposal.kind === 'workspace' || !proposal.run.startsWith(`${this.#flow}.`)) return;
    const { run, create } = proposal;
    if (create !== undefined && !this.#definitions.has(run)) this.#definitions.set(run, create);
    const isMade =
      proposal.report !== true && proposal.execution !== undefined && BEGINNINGS.includes(proposal.to.type);
    const call = isMade ? this.#made(proposal, proposal.execution) : this.#known(run);
    if (call === undefined) return;
    if (isMade) begin(call, ruling);
    if (proposal.inputs?.value !== undefined) call.parameters ??= proposal.inputs.value;
    settle(call, ruling);
  }

  #known(run: RunId): Writable<MadeCall> | undefined {
    return this.#executions.get(this.#latest.get(run) ?? 0)?.get(run);
  }

  #made({ run, create }: TransitionProposal, execution: number): Writable<MadeCall> {
    this.#latest.set(run, execution);
    const calls: Calls = this.#executions.get(execution) ?? new Map<RunId, Writable<MadeCall>>();
    this.#executions.set(execution, calls);
    const known = calls.get(run);
    if (known !== undefined) return known;
    // What it is made with now counts, and not what its run was created with.
    const { name = '', call, parameters } = create ?? this.#definitions.get(run) ?? {};
    const made: Writable<MadeCall> = {
      run,
      path: run.slice(this.#flow.length + 1),
      name,
      key: call?.key ?? name,
      ordinal: call?.ordinal ?? 0,
      ...(call?.inputs === undefined ? {} : { inputs: call.inputs }),
      ...(parameters === undefined ? {} : { parameters }),
      order: calls.size + 1,
      how: 'waited',
    };
    calls.set(run, made);
    return made;
  }
}

function begin(call: Writable<MadeCall>, { outcome, trail, atMs, state, proposal }: Ruling): void {
  const deciding = decidingEntry(trail);
  if (outcome === 'rejected' && call.how === 'waited') {
    call.how = 'refused';
    if (deciding?.code !== undefined) call.code = deciding.code;
    if (deciding !== undefined) call.why = deciding.why;
  }
  if (outcome !== 'accepted' && outcome !== 'rewritten') return;
  call.how = outcome === 'rewritten' && deciding?.rule === REUSE && call.how !== 'ran' ? 'reused' : 'ran';
  const to = state ?? (proposal.kind === 'workspace' ? undefined : proposal.to);
  if (to?.type === 'RUNNING') call.startedMs ??= atMs;
}

/** The rule that answers from the record. */
const REUSE = 'reuse-completed-task';

function settle(call: Writable<MadeCall>, ruling: Ruling): void {
  const state = stateAfter(ruling);
  if (state === undefined) return;
  call.type = state.type;
  call.state = state.name;
  if (isTerminal(state)) call.endedMs = ruling.atMs;
  else delete call.endedMs;
}

/** The path of the call that encloses it; empty for one of the flow run's own. */
export const parentPath = ({ path }: Pick<MadeCall, 'path'>): string => parentId(path as RunId);
