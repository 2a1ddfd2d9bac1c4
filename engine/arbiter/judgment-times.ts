/**
 * How long judgments take: a sample of them, in memory, bounded. Not on the ledger, because a time is true for one machine
 * only, and nothing may be decided on it.
 */
import type { Court, Governing } from '../../rules/judge.ts';
import type { Rule } from '../../rules/rule.ts';

/** One judgment in so many is timed; the clock costs more than most rules do. */
const JUDGMENTS_EACH = 16;
/** One hearing in so many has the rules timed that are asked in it. */
const HEARINGS_EACH = 8;
/** Times of whole judgments that are kept, the newest of them. */
const LATEST_MAX = 1024;

export type RuleTime = { samples: number; seconds: number; secondsMax: number };

export class JudgmentTimes {
  /** Seconds of whole judgments: sample `n` stands at `n % latest.length`. */
  readonly latest = new Float64Array(LATEST_MAX);
  /** How many judgments were timed. */
  samples = 0;
  readonly rules = new Map<string, RuleTime>();
  #judgments = 0;
  #hearings = 0;
  readonly #watched = new WeakMap<Court, Court>();
  readonly #timed = new WeakMap<Governing, Governing>();

  /** Judges, and takes the time of one judgment in so many. */
  of<T>(judge: () => T): T {
    this.#judgments += 1;
    if (this.#judgments % JUDGMENTS_EACH !== 0) return judge();
    const beganMs = performance.now();
    const ruling = judge();
    this.latest[this.samples % LATEST_MAX] = (performance.now() - beganMs) / 1000;
    this.samples += 1;
    return ruling;
  }

  /** The same court; in one hearing out of so many its rules are timed. */
  watch(court: Court): Court {
    const known = this.#watched.get(court);
    if (known !== undefined) return known;
    const outer: Court = {
      ...court,
      governing: (...asked) => {
        const governing = court.governing(...asked);
        this.#hearings += 1;
        return this.#hearings % HEARINGS_EACH === 0 ? this.#withTimes(governing) : governing;
      },
    };
    this.#watched.set(court, outer);
    return outer;
  }

  #withTimes(governing: Governing): Governing {
    let timed = this.#timed.get(governing);
    if (timed === undefined) {
      timed = { ...governing, rules: governing.rules.map((rule) => this.#ruleWithTimes(rule)) };
      this.#timed.set(governing, timed);
    }
    return timed;
  }

  #ruleWithTimes(rule: Rule): Rule {
    return {
      ...rule,
      judge: (transition, facts) => {
        const beganMs = performance.now();
        try {
          return rule.judge(transition, facts);
        } finally {
          this.#add(rule.name, (performance.now() - beganMs) / 1000);
        }
      },
    };
  }

  #add(rule: string, seconds: number): void {
    let time = this.rules.get(rule);
    if (time === undefined) this.rules.set(rule, (time = { samples: 0, seconds: 0, secondsMax: 0 }));
    time.samples += 1;
    time.seconds += seconds;
    time.secondsMax = Math.max(time.secondsMax, seconds);
  }
}
