/** Arbiters on logs in memory, in virtual time, and what they say: for tests that do one thing at a time. */
import type { Dispatch } from '../../engine/arbiter/effects.ts';
import { memoryLog, type AppendFate, type MemoryLog } from '../../engine/log/memory.ts';
import type { AnswerMessage, ProposalDraft } from '../../protocol/messages.ts';
import type { Position, Ruling } from '../../protocol/rulings.ts';
import { decodeEntry } from '../../protocol/segment.ts';
import { subjects } from '../../protocol/subjects.ts';
import { encodeBatch } from '../../protocol/wire.ts';
import { ArbiterProcess, Kernel, type ArbiterProcessOptions } from '../support/memory-arbiter.ts';
import { chanceOf } from '../support/worlds-random.ts';
import { segmentOf } from '../support/worlds.ts';

export class SmallWorld {
  readonly kernel = new Kernel(chanceOf(1));
  readonly ledger: MemoryLog = memoryLog('ledger', { fate: () => this.fate });
  readonly proposals: MemoryLog = memoryLog('proposals');
  readonly arbiters: ArbiterProcess[] = [];
  readonly told: { readonly session: string; readonly message: AnswerMessage }[] = [];
  readonly hints: Dispatch[] = [];
  readonly lines: string[] = [];
  fate: AppendFate = 'STORE';
  /** The ledger is damaged on purpose: nobody can read it to its end. */
  isBroken = false;
  latencyMs = 1;
  wallOffsetMs = 0;
  judging: (at: Position) => void = () => undefined;
  /** What becomes of a hint to workers. */
  stored: () => Promise<void> = () => Promise.resolve();

  begin(name = 'A', more: Partial<ArbiterProcessOptions> & { readonly alone?: boolean } = {}): ArbiterProcess {
    const { alone = true, ...options } = more;
    const arbiter: ArbiterProcess = new ArbiterProcess({
      name,
      kernel: this.kernel,
      around: {
        ledger: this.ledger,
        proposals: this.proposals,
        answer: (session, message) => this.told.push({ session, message }),
        dispatch: (hint) => {
          this.hints.push(hint);
          return this.stored();
        },
        beat: (from, lease) => {
          for (const other of this.arbiters) if (other !== from) other.hearLease(lease);
        },
        latencyMs: () => this.latencyMs,
        unreachable: () => false,
        judging: (at) => {
          this.judging(at);
        },
        folded: () => undefined,
        say: (line) => this.lines.push(line),
      },
      settings: { alone, sessionLimitMs: 100_000 },
      wallOffsetMs: () => this.wallOffsetMs,
      ...options,
    });
    this.arbiters.push(arbiter);
    arbiter.arbiter.start();
    return arbiter;
  }

  /** As one batch; returns its place in PROPOSALS. */
  propose(session: string, ...drafts: readonly object[]): number {
    const batch = encodeBatch({ v: 1, proposals: drafts as ProposalDraft[] });
    return this.proposals.storeForeign(batch, subjects.propose('w', 'sdk', session));
  }

  pass(ms: number): Promise<void> {
    return this.kernel.live(this.kernel.nowMs + ms);
  }

  answers(session: string): unknown[] {
    return this.told
      .filter((one) => one.session === session)
      .flatMap(({ message }) => message.answers.map(({ counter, outcome }) => [counter, outcome]));
  }

  async rulings(): Promise<Ruling[]> {
    const found: Ruling[] = [];
    for await (const { bytes } of this.ledger.read(1)) {
      for (const line of segmentOf(bytes).lines) {
        const entry = decodeEntry(line);
        if (entry.type === 'RULING') found.push(entry);
      }
    }
    return found;
  }
}
