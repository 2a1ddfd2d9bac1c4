/**
 * The policy that judges now, and which part of it judges a proposal. A new one holds from the ruling on that puts it in
 * force: whatever is judged after that ruling is judged by it.
 *
 * V1 What the ledger names is loaded before it judges; what cannot be loaded is not put in force.
 * V2 What was wanted and has been in force is not wanted any more: if another policy took its place, that was wanted later.
 */
import { AssentError } from '../../protocol/errors.ts';
import type { Digest } from '../../protocol/ids.ts';
import type { PolicySet, Proposal, RunDefinition } from '../../protocol/proposals.ts';
import type { Selection } from '../../protocol/rulings.ts';
import type { Court } from '../../rules/judge.ts';
import type { Workspace } from '../fold/workspace.ts';
import { plainPolicy, type JudgingPolicy, type Selectable } from '../policy/loaded-policy.ts';
import { PolicyProblem, unloadable } from '../policy/shape.ts';
import type { ArbiterParts } from './parts.ts';

/** Where policies are found besides the engine's own. */
export interface PolicyShelf {
  /** Those that are at hand. */
  loaded(digest: Digest): JudgingPolicy | undefined;
  /** Looks further; undefined if it is not to be had. @throws PolicyProblem if it is there and cannot be loaded. */
  find(digest: Digest): Promise<JudgingPolicy | undefined>;
}

export type Judging = { readonly court: Court; readonly policy: string; readonly selection: Selection | undefined };

/** What is to be in force, and who wants that. */
type Wanted = { readonly event: PolicySet; readonly by: string };

type Found = { readonly found: JudgingPolicy | undefined; readonly problem?: PolicyProblem };

const DIGITS = 16;

export class PolicyInForce {
  readonly core: JudgingPolicy;
  readonly #shelf: PolicyShelf | undefined;
  readonly #changed: (policy: JudgingPolicy) => void;
  #now: JudgingPolicy;
  #wanted: Wanted | undefined;
  #whole: Judging;

  constructor(
    core: JudgingPolicy,
    shelf: PolicyShelf | undefined,
    changed: (policy: JudgingPolicy) => void = () => undefined,
  ) {
    this.core = core;
    this.#changed = changed;
    this.#shelf = shelf;
    this.#now = core;
    this.#whole = judgingBy(core);
  }

  /** What an arbiter judges by until the ledger says otherwise. */
  static of({ policy, court, shelf, policyChanged }: ArbiterParts): PolicyInForce {
    return new PolicyInForce(plainPolicy(policy, court), shelf, policyChanged);
  }

  get now(): JudgingPolicy {
    return this.#now;
  }

  /** V1. What an event would put in force, if that is at hand. */
  of({ policy, core }: PolicySet): JudgingPolicy | undefined {
    if (core === true || policy === this.core.digest) return this.core;
    return policy === this.#now.digest ? this.#now : this.#shelf?.loaded(policy);
  }

  /** Notes what is to be in force as soon as that can be. */
  want(event: PolicySet, by: string): void {
    this.#wanted = { event, by };
  }

  /** What is to be in force and is not. */
  wanted(meta: Workspace['meta']): Wanted | undefined {
    const event = this.#wanted?.event;
    const isThere = event?.core === true ? !meta.isSet : meta.isSet && event?.policy === meta.policy;
    return isThere ? undefined : this.#wanted;
  }

  /** V2. What an arbiter that leads has to propose. One that does not lead may not have folded all that there is. */
  due(meta: Workspace['meta']): Wanted | undefined {
    this.#wanted = this.wanted(meta);
    return this.#wanted;
  }

  /**
   * V1. Judges by what the ledger says is in force. Where that is not to be had, what is wanted need not wait for it:
   * that is the answer then, and stands on the ledger with the new epoch.
   *
   * @throws AssentError POLICY_MISSING.
   */
  async seat(meta: Workspace['meta']): Promise<PolicySet | undefined> {
    const { found, problem } = await this.#find(meta);
    const wanted = found === undefined ? this.wanted(meta)?.event : undefined;
    const policy = found ?? (wanted === undefined ? undefined : this.of(wanted));
    if (policy === undefined) {
      const detail = `The ledger names the policy ${meta.policy}, and its source is not to be had.`;
      const cause = problem === undefined ? {} : { cause: problem };
      throw new AssentError('POLICY_MISSING', problem === undefined ? detail : unloadable(meta.policy, problem), cause);
    }
    this.#judgeBy(policy);
    return wanted;
  }

  /** One that cannot be loaded is not to be had. That the store does not answer is another matter. */
  async #find({ policy, isSet }: Workspace['meta']): Promise<Found> {
    if (!isSet || policy === '') return { found: this.core };
    try {
      return { found: this.of({ type: 'POLICY_SET', policy }) ?? (await this.#shelf?.find(policy)) };
    } catch (error) {
      if (!(error instanceof PolicyProblem)) throw error;
      return { found: undefined, problem: error };
    }
  }

  /** V2. What was ruled to be in force. */
  put(policy: JudgingPolicy): void {
    const event = this.#wanted?.event;
    if (event !== undefined && this.of(event) === policy) this.#wanted = undefined;
    this.#judgeBy(policy);
  }

  #judgeBy(policy: JudgingPolicy): void {
    if (policy === this.#now) return;
    this.#now = policy;
    this.#whole = judgingBy(policy);
    this.#changed(policy);
  }

  /** By what a proposal is judged. */
  judging(workspace: Workspace, proposal: Proposal): Judging {
    const { select } = this.#now;
    if (select === undefined || proposal.kind === 'workspace') return this.#whole;
    const selection = select(around(workspace, workspace.runs.get(proposal.run) ?? proposal.create));
    return selection === undefined ? this.#whole : judgingBy(this.#now, selection);
  }
}

function judgingBy(policy: JudgingPolicy, selection?: Selection): Judging {
  const court = policy.courtOf(selection) ?? policy.courtOf();
  if (court === undefined) throw new Error('a policy without a part for the workspace');
  return { court, policy: policy.digest.slice(0, DIGITS), selection };
}

type Named = Pick<RunDefinition, 'kind' | 'name' | 'tags' | 'parent'>;

/** A run, and the flow runs around it. */
function* around(workspace: Workspace, run: Named | undefined): Generator<Selectable, undefined> {
  for (let one = run; one !== undefined; one = one.parent === undefined ? undefined : workspace.runs.get(one.parent)) {
    yield { isFlow: one.kind === 'flow', name: one.name, tags: one.tags ?? [] };
  }
  return undefined;
}
