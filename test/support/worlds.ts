/**
 * A desk: the pure core of an arbiter without its log. Proposals go through the real docket, decider and fold, one after
 * the other, into segments that are settled as soon as they are sealed. Everything that an incarnation does besides
 * (flight, answers, fates) is left to the simulation.
 */
import { Docket, type Matter } from '../../engine/arbiter/docket.ts';
import { decide, type Special } from '../../engine/arbiter/decide.ts';
import { TimerWatch } from '../../engine/arbiter/timers.ts';
import { evolve, evolveSegment, sealSegment } from '../../engine/fold/evolve.ts';
import { undo, type Journal } from '../../engine/fold/table.ts';
import { stateDigest, Workspace, type Run } from '../../engine/fold/workspace.ts';
import type { Digest, EpochMs, ProposalId, RunId } from '../../protocol/ids.ts';
import type { ProposalDraft } from '../../protocol/messages.ts';
import { ENGINE, proposalId, type Proposal } from '../../protocol/proposals.ts';
import type { Entry, Position, Ruling } from '../../protocol/rulings.ts';
import { decodeSegment, encodeEntry, encodeSegment, type Segment } from '../../protocol/segment.ts';
import { court, type Court } from '../../rules/judge.ts';
import { corePolicies } from '../../rules/policy.ts';

export const NO_DIGEST = '0'.repeat(64) as Digest;

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
export type DraftOfWish = DistributiveOmit<ProposalDraft, 'counter'>;

/** A ruling as it went into the ledger, with the run as it was before. */
export type Ruled = { readonly ruling: Ruling; readonly before: Run | undefined; readonly at: Position };

export type DeskOptions = {
  readonly chance?: () => number;
  readonly court?: Court;
  /** What the ledger calls the court's policy. Default: a digest of nothing. */
  readonly policy?: Digest;
  /** One that finds rows elsewhere; then `asleep` are those that are not in memory. */
  readonly workspace?: Workspace;
  readonly asleep?: () => Iterable<string>;
  /** Hears what each segment changed. */
  readonly sealed?: (journal: Journal, seq: number) => void;
};

export class Desk {
  readonly workspace: Workspace;
  readonly court: Court;
  readonly graceMs = 5000;
  /** Every ruling of the current history, in order. */
  readonly ruled: Ruled[] = [];
  /** The stored bytes of every sealed segment, and the digest of the state that it led to. */
  readonly segments: { readonly bytes: Uint8Array; readonly digest: Digest }[] = [];
  nowMs = 1_000_000;
  /** So many rulings from now, in the middle of whatever follows from what, the segment is full. */
  sealAfter = Number.POSITIVE_INFINITY;
  readonly #options: DeskOptions;
  #epoch = 0;
  readonly #chance: () => number;
  #docket!: Docket;
  #lines: string[] = [];
  #journal: Journal = [];
  #rulingsSealed = 0;
  readonly #next = new Map<string, number>();
  #asked = 0;

  constructor(options: DeskOptions = {}) {
    this.#options = options;
    this.#chance = options.chance ?? ((): number => 0.5);
    this.court = options.court ?? court(corePolicies);
    this.workspace = options.workspace ?? new Workspace();
    this.takeOver();
  }

  get #policy(): Digest {
    return this.#options.policy ?? NO_DIGEST;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get digest(): Digest {
    return stateDigest(this.workspace, this.#options.asleep?.());
  }

  /** A new incarnation: what was not sealed is undone, as if its segment had been lost, and asked again. */
  takeOver(): void {
    const lost = this.ruled.slice(this.#rulingsSealed).map(({ ruling }) => ruling.proposal);
    this.abandon();
    this.#epoch += 1;
    this.#docket = new Docket(this.workspace, this.#timers(), this.#epoch);
    const entry: Entry = { type: 'EPOCH', epoch: this.#epoch, atMs: this.nowMs as EpochMs, policy: this.#policy };
    this.#record(entry);
    this.seal();
    this.drain();
    for (const proposal of lost) if (proposal.by !== ENGINE) this.hear(proposal);
  }

  #timers(): TimerWatch {
    const timers = new TimerWatch();
    timers.reset(this.workspace);
    return timers;
  }

  /** Undoes what was not sealed; the state must then be that of the last seal. */
  abandon(): void {
    undo(this.#journal);
    const sealed = this.segments.at(-1)?.digest;
    if (sealed !== undefined && this.digest !== sealed) throw new Error('an undo did not restore the state');
    this.#lines = [];
    this.ruled.length = this.#rulingsSealed;
    this.workspace.recorder.journal = this.#journal;
  }

  /** Stores what was ruled since the last seal as a segment. */
  seal(): void {
    this.sealAfter = Number.POSITIVE_INFINITY;
    if (this.#lines.length === 0) return;
    const { head, position, effects } = this.workspace.meta;
    const header = {
      epoch: this.#epoch,
      writer: 'desk',
      number: this.segments.length,
      parent: head,
      position,
      effects,
    };
    const { bytes, hash } = encodeSegment(header, this.#lines);
    sealSegment(this.workspace, header, { seq: this.#seq, hash });
    this.segments.push({ bytes, digest: this.digest });
    this.#options.sealed?.(this.#journal, this.segments.length);
    this.#lines = [];
    this.#journal = [];
    this.#rulingsSealed = this.ruled.length;
    this.workspace.recorder.journal = this.#journal;
  }

  get #seq(): number {
    return this.segments.length + 1;
  }

  /** Hears what a session asks, and all that follows from it. Returns the first ruling on it; none if it was known. */
  ask(session: string, draft: DraftOfWish, done?: number): Ruling | undefined {
    const counter = this.#next.get(session) ?? 0;
    this.#next.set(session, counter + 1);
    return this.hear({
      ...draft,
      id: proposalId(session, counter),
      by: 'sdk',
      ...(done === undefined ? {} : { done }),
    });
  }

  nextCounter(session: string): number {
    return this.#next.get(session) ?? 0;
  }

  hear(proposal: Proposal): Ruling | undefined {
    const from = this.ruled.length;
    this.#asked += 1;
    if (proposal.by === ENGINE) this.#docket.addOwn(proposal);
    else if (!this.#isKnown(proposal.id)) {
      this.#docket.add({ seq: this.#asked, id: proposal.id, proposals: [proposal] });
    }
    this.drain();
    return this.ruled.slice(from).find(({ ruling }) => ruling.proposal.id === proposal.id)?.ruling;
  }

  /** The engine's own word on a run, as its proposers would say it. */
  engineProposal(run: Run, to: Ruling['state'] & object, proposer = 'liveness'): Proposal {
    return {
      id: `${proposer}/${run.id}/${String(run.version)}` as ProposalId,
      kind: run.kind,
      run: run.id,
      by: ENGINE,
      onBehalfOf: proposer,
      epoch: this.#epoch,
      basedOn: run.version,
      to,
    };
  }

  #isKnown(id: ProposalId): boolean {
    const [session = '', counter = ''] = id.split(':');
    const known = this.workspace.sessions.get(session);
    return known !== undefined && (Number(counter) < known.low || this.workspace.answered.get(id) !== undefined);
  }

  /** Time passes, and what is due happens. */
  pass(ms: number): void {
    this.nowMs += ms;
    this.drain();
  }

  /** Rules on everything that can be ruled on now. */
  drain(): void {
    this.#docket.notice();
    for (let rulings = 0; ; rulings += 1) {
      const matter = this.#docket.next(this.nowMs as EpochMs);
      if (matter === undefined) return;
      if (rulings > 5000) throw new Error(`the core goes round in circles, at ${JSON.stringify(this.ruled.at(-1))}`);
      this.rule(matter);
    }
  }

  rule({ proposal, heldAt }: Pick<Matter, 'proposal' | 'heldAt'>, special: Special = {}): Ruling {
    const before = proposal.kind === 'workspace' ? undefined : this.workspace.runs.get(proposal.run);
    const context = {
      nowMs: this.nowMs as EpochMs,
      chance: this.#chance,
      graceMs: this.graceMs,
      court: this.court,
      policy: this.#policy.slice(0, 16),
      epoch: this.#epoch,
    };
    const ruling = decide(this.workspace, proposal, context, {
      ...special,
      ...(heldAt === undefined ? {} : { heldAt }),
    });
    const at = this.#record(ruling);
    this.ruled.push({ ruling, before, at });
    if (ruling.outcome === 'rejected' && proposal.id.startsWith('cascade/') && proposal.kind !== 'workspace') {
      this.#docket.refuseEnd(proposal.run);
    }
    this.#docket.notice();
    this.sealAfter -= 1;
    if (this.sealAfter <= 0) this.seal();
    return ruling;
  }

  #record(entry: Entry): Position {
    const line = encodeEntry(entry);
    const at = { seq: this.#seq, index: this.#lines.length };
    this.#lines.push(line);
    evolve(this.workspace, entry, line, at);
    return at;
  }

  /** The runs that somebody has overridden, and all under them. */
  overridden(): ReadonlySet<string> {
    const forced = this.ruled.flatMap(({ ruling: { proposal, outcome } }) =>
      proposal.kind !== 'workspace' && proposal.force === true && outcome !== 'rejected' ? [proposal.run] : [],
    );
    return new Set(this.runs().flatMap(({ id }) => (forced.some((run) => isWithin(id, run)) ? [id] : [])));
  }

  run(id: string): Run | undefined {
    return this.workspace.runs.get(id);
  }

  runs(): Run[] {
    return [...this.workspace.runs.entries()].map(([, run]) => run);
  }
}

const isWithin = (id: string, run: string): boolean => id === run || id.startsWith(`${run}.`);

/** Folds stored segments anew; `each` sees the state after each. */
export function foldAnew(
  segments: readonly { readonly bytes: Uint8Array }[],
  each: (workspace: Workspace, seq: number) => void = () => undefined,
): Workspace {
  const workspace = new Workspace();
  segments.forEach(({ bytes }, index) => {
    evolveSegment(workspace, segmentOf(bytes), index + 1);
    each(workspace, index + 1);
  });
  return workspace;
}

export function segmentOf(bytes: Uint8Array): Segment {
  const decoded = decodeSegment(bytes);
  if (!decoded.ok) throw new Error(decoded.problem);
  return decoded.segment;
}

export const runId = (name: string): RunId => name.padEnd(16, '0') as RunId;
