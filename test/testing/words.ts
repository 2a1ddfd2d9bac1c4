/** Rulings and trails in words: which rule said what, for messages that a rule's author reads. */
import { mailboxParts } from '../../protocol/proposals.ts';
import type { Ruling, TrailEntry, Waits } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';

/** A state as it is spoken of: `RUNNING`, or `SCHEDULED (AwaitingRetry)` if its name says more than its type. */
export function stateWords(state: State | undefined): string {
  if (state === undefined) return 'NONE';
  return state.name.toUpperCase() === state.type ? state.type : `${state.type} (${state.name})`;
}

/** One line for each rule that was asked. */
export function trailWords(trail: readonly TrailEntry[]): string[] {
  if (trail.length === 0) return ['no rule was asked'];
  return trail.map((entry, index) => `${String(index + 1)}. ${entryWords(entry)}`);
}

function entryWords(entry: TrailEntry): string {
  if (typeof entry === 'string') return `${entry} had nothing against it`;
  const { rule, opinion, why, code } = entry;
  switch (opinion) {
    case 'pass':
      return `${rule} let it pass: ${why}`;
    case 'rewrite':
      return `${rule} rewrote it: ${why}`;
    case 'reject':
      return `${rule} rejected it${code === undefined ? '' : ` (${code})`}: ${why}`;
    case 'hold':
      return `${rule} held it: ${why}`;
    case 'error':
      return `${rule} is in error, which rejects (${code ?? 'RULE_ERROR'}): ${why}`;
  }
}

export function waitsWords(waits: Waits): string {
  switch (waits.type) {
    case 'TIME':
      return `the time ${new Date(waits.dueAtMs).toISOString()}`;
    case 'SLOTS':
      return `slots of ${waits.limits.map(({ limit }) => `'${limit}'`).join(', ')}`;
    case 'FLOW':
      return 'its flow run';
    case 'MESSAGE': {
      const { kind, name } = mailboxParts(waits.mailbox);
      return kind === 'message' ? `the message '${name}'` : kind === 'pause' ? `the input of '${name}'` : 'an event';
    }
  }
}

type Ruled = Pick<Ruling, 'outcome' | 'state' | 'waits' | 'trail'>;

/** What was ruled, as the end of a sentence: `held until it has slots of 'db'`. */
export function outcomeWords({ outcome, state, waits, trail }: Ruled): string {
  switch (outcome) {
    case 'accepted':
      return 'accepted';
    case 'rewritten':
      return `rewritten to ${stateWords(state)}`;
    case 'held':
      return waits === undefined ? 'held' : `held, and waits for ${waitsWords(waits)}`;
    case 'rejected': {
      const last = trail.at(-1);
      return typeof last === 'object' && last.code !== undefined ? `rejected (${last.code})` : 'rejected';
    }
  }
}

/** A ruling in one line, and under it the rules that had something to say. */
export function rulingWords(ruling: Ruling): string[] {
  const { proposal, atMs } = ruling;
  const at = new Date(atMs).toISOString();
  const who = proposal.onBehalfOf ?? proposal.by;
  const asked = proposal.kind === 'workspace' ? proposal.event.type : stateWords(proposal.to);
  const said = ruling.trail.filter((entry) => typeof entry === 'object').map((entry) => `    ${entryWords(entry)}`);
  const because = proposal.reason === undefined ? '' : ` because of “${proposal.reason}”`;
  return [`${at}  ${asked}, asked by ${who}${because}: ${outcomeWords(ruling)}`, ...said];
}
