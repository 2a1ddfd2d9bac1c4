/**
 * Watches, from outside the arbiter's thread, that judgments end, and knows afterwards which rule was asked last.
 *
 * A judgment takes microseconds. It is over its budget only if the process did work in that time: a machine that is
 * overloaded or was asleep is no endless rule. A rule that users wrote is known by its number and gets a short budget.
 */
import type { Digest } from '../../protocol/ids.ts';
import { JudgmentMark, markBuffer } from './judgment-mark.ts';
import { mutedKey, type NumberedRule } from './thread-words.ts';
import { NO_ANSWER, type Endless } from './unjudged.ts';
import type { Position } from '../../protocol/rulings.ts';

/** What is known of the judgment that a thread ended in. */
export type LastJudgment = { readonly at?: Position; readonly endless?: Endless };

const LOOK_MS = 50;
const RULE_BUDGET_MS = 200;
/** Of that, the time that the process must have been at work; a thread that others keep waiting has more. */
const RULE_WORK_MS = 100;
const RULE_LIMIT_MS = 400;
const BUDGET_MS = 1000;
/** A rule that had to be ended so often in so long is not asked for as long again. */
const STRIKES_MAX = 10;
const STRIKES_MS = 60_000;

type Seen = { readonly changes: number; readonly sinceMs: number; readonly workMs: number; readonly looks: number };

export class JudgmentWatch {
  readonly buffer: SharedArrayBuffer = markBuffer();
  readonly #mark = new JudgmentMark(this.buffer);
  readonly #timer: NodeJS.Timeout;
  #rules: readonly NumberedRule[] = [];
  #policy = '';
  #seen: Seen = { changes: -1, sinceMs: 0, workMs: 0, looks: 0 };
  #endless: Endless | undefined;
  /** When each rule had to be ended, in wall-clock milliseconds. */
  readonly #strikes = new Map<string, readonly number[]>();
  readonly #muted = new Map<string, number>();

  /** `end` is called for a judgment that does not end by itself. */
  constructor(end: (why: string) => void) {
    this.#mark.clear();
    this.#timer = setInterval(() => {
      this.#look(end);
    }, LOOK_MS);
    this.#timer.unref();
  }

  /** The policy that judges, and the rules that the numbers in the mark stand for. */
  know(policy: Digest, rules: readonly NumberedRule[]): void {
    this.#policy = policy;
    this.#rules = rules;
  }

  /** Rules that are not to be asked, by mutedKey, until when. */
  get muted(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#muted);
  }

  /** What the thread ended in; from here on, the mark is the next thread's. */
  take(): LastJudgment {
    const mark = this.#mark.read();
    const endless = this.#endless;
    this.#endless = undefined;
    this.#mark.clear();
    return {
      ...(mark?.at === undefined ? {} : { at: mark.at }),
      ...(endless === undefined ? {} : { endless }),
    };
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(end: (why: string) => void): void {
    const mark = this.#mark.read();
    const nowMs = performance.now();
    const { user, system } = process.cpuUsage();
    const workMs = (user + system) / 1000;
    const seen = this.#seen;
    if (mark === undefined || mark.changes !== seen.changes) {
      this.#seen = { changes: mark?.changes ?? -1, sinceMs: nowMs, workMs, looks: 0 };
      return;
    }
    this.#seen = { ...seen, looks: seen.looks + 1 };
    const tookMs = nowMs - seen.sinceMs;
    const rule = mark.rule === undefined ? undefined : this.#rules[mark.rule];
    const isOver =
      rule === undefined
        ? tookMs > BUDGET_MS
        : tookMs > RULE_LIMIT_MS || (tookMs >= RULE_BUDGET_MS && workMs - seen.workMs >= RULE_WORK_MS);
    // After a pause of the whole process, the first look is too early to tell.
    if (!isOver || seen.looks < RULE_BUDGET_MS / LOOK_MS - 1) return;
    this.#seen = { changes: -1, sinceMs: nowMs, workMs, looks: 0 };
    if (rule !== undefined) this.#strike(rule, mark);
    const what = rule === undefined ? 'a judgment' : `the rule ${rule.name}`;
    end(`${what} ${NO_ANSWER} within ${String(Math.round(tookMs))} ms and is ended`);
  }

  #strike(rule: NumberedRule, { at, proposal }: Omit<Endless, 'rule' | 'why'>): void {
    const nowMs = Date.now();
    const key = mutedKey(this.#policy, rule.name);
    const strikes = [...(this.#strikes.get(key) ?? []), nowMs].filter((ms) => nowMs - ms < STRIKES_MS);
    this.#strikes.set(key, strikes);
    // One that is not enforced is not worth a single second of waiting proposal.
    if (strikes.length >= STRIKES_MAX || !rule.isEnforced) this.#muted.set(key, nowMs + STRIKES_MS);
    if (!rule.isEnforced) return;
    this.#endless = {
      rule: rule.name,
      why: `it ${NO_ANSWER} within ${String(RULE_BUDGET_MS)} ms`,
      ...(at === undefined ? {} : { at }),
      ...(proposal === undefined ? {} : { proposal }),
    };
  }
}
