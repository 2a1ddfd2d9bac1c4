/**
 * The words that a condition may use: what each is read from, and the fact that must be gathered and recorded for it. The
 * table in docs/guides/rules-without-code.md is compared with this one by a test.
 */
import { STATE_TYPES } from '../../protocol/states.ts';
import { RUN_KINDS, type Facts, type Need, type Transition } from '../../rules/rule.ts';
import { FROM_ANY } from '../../rules/state-sets.ts';
import { localTime, type LocalTime } from './zones.ts';

/** What CEL calculates with: its `int` is a bigint. */
type CelValue = string | bigint | boolean | number | readonly string[] | Moment;

export type Word = {
  readonly type: 'string' | 'int' | 'bool' | 'double' | 'list<string>' | 'Moment';
  readonly need?: Need;
  readonly read: (transition: Transition, facts: Facts) => CelValue;
  readonly means: string;
  /** Every text that it can be: another one would be a mistake. */
  readonly values?: readonly string[];
};

/**
 * The time of the ruling. A type of its own: the library's timestamps are read with the help of the machine's time zone,
 * so that two machines could disagree.
 */
export class Moment {
  readonly ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }
}

/** CEL's own names, with its own beginnings: a Sunday, a January and the first of a month are 0; `getDate` counts from 1. */
export const MOMENT_METHODS: Readonly<Record<string, (time: LocalTime) => number>> = {
  getFullYear: ({ year }) => year,
  getMonth: ({ month }) => month - 1,
  getDate: ({ day }) => day,
  getDayOfMonth: ({ day }) => day - 1,
  getDayOfWeek: ({ weekday }) => weekday,
  getHours: ({ hour }) => hour,
  getMinutes: ({ minute }) => minute,
};

export const momentPart = (method: string, { ms }: Moment, zone: string): bigint =>
  BigInt(MOMENT_METHODS[method]?.(localTime(ms, zone)) ?? 0);

export const WORDS: Readonly<Record<string, Word>> = {
  now: { type: 'Moment', read: (_, { nowMs }) => new Moment(nowMs), means: 'the time of the ruling' },
  kind: {
    type: 'string',
    read: ({ kind }) => kind,
    means: '`flow`, `subflow`, `task` or `background`',
    values: RUN_KINDS,
  },
  'run.name': { type: 'string', need: 'run', read: (_, { run }) => run.name, means: 'the flow’s or task’s name' },
  'run.tags': { type: 'list<string>', need: 'run', read: (_, { run }) => run.tags, means: 'its tags' },
  'run.deployment': {
    type: 'string',
    need: 'run',
    read: (_, { run }) => run.deployment ?? '',
    means: 'the deployment that it is a run of, or `""`',
  },
  'run.attempt': {
    type: 'int',
    need: 'attempt',
    read: (_, { attempt }) => BigInt(attempt),
    means: 'how often it has begun to run',
  },
  'run.retriesUsed': {
    type: 'int',
    need: 'retry',
    read: (_, { retry }) => BigInt(retry.used),
    means: 'the retries that were granted',
  },
  'run.retriesMax': {
    type: 'int',
    need: 'retry',
    read: (_, { retry }) => BigInt(retry.retriesMax),
    means: 'the retries that its author allows',
  },
  'run.resumes': {
    type: 'int',
    need: 'resume',
    read: (_, { resume }) => BigInt(resume.used),
    means: 'how often it went on elsewhere after a crash',
  },
  'from.type': {
    type: 'string',
    read: ({ from }) => from?.type ?? 'NONE',
    means: 'the type of its state, or `NONE` when it does not exist yet',
    values: FROM_ANY,
  },
  'from.name': { type: 'string', read: ({ from }) => from?.name ?? '', means: 'the name of its state' },
  'to.type': {
    type: 'string',
    read: ({ to }) => to.type,
    means: 'the type of the state that is asked for',
    values: STATE_TYPES,
  },
  'to.name': { type: 'string', read: ({ to }) => to.name, means: 'its name' },
  'to.message': { type: 'string', read: ({ to }) => to.message ?? '', means: 'its message, or `""`' },
  'flow.type': {
    type: 'string',
    need: 'flow',
    read: (_, { flow }) => flow?.type ?? 'NONE',
    means: 'the state’s type of the flow run that encloses it, or `NONE`',
    values: FROM_ANY,
  },
  by: { type: 'string', read: ({ by }) => by, means: 'the user that asks; `engine` for the engine itself' },
  onBehalfOf: {
    type: 'string',
    read: ({ onBehalfOf }) => onBehalfOf ?? '',
    means: 'for whom the asker says that it asks, or `""`',
  },
  reason: { type: 'string', read: ({ reason }) => reason ?? '', means: 'why, in the asker’s words, or `""`' },
  report: {
    type: 'bool',
    read: ({ report }) => report,
    means: 'it says what has happened, rather than what is wanted',
  },
  chance: {
    type: 'double',
    need: 'chance',
    read: (_, { chance }) => chance,
    means: 'a number in [0, 1), drawn for this ruling',
  },
};
