/** Tells an opinion from nonsense: what a rule returns is not trusted, because it goes onto the ledger. Not a rule. */
import { STATE_TYPES } from '../protocol/states.ts';
import { TIMER_KINDS, type Claim, type Waits } from '../protocol/rulings.ts';
import type { Opinion } from './rule.ts';

/** Characters of a name, a message or a reason; more is no line for people. */
const TEXT_MAX = 2000;
const MAILBOX_MAX = 3000;

/** `nowMs`: a wait until now or earlier is nonsense too, because it would be over, and begin again, for ever. */
export function isOpinion(value: unknown, nowMs: number): value is Opinion {
  const said = value as Partial<Record<string, unknown>> | null | undefined;
  switch (said?.['type']) {
    case 'PASS':
      return isOptional(said['why'], isText) && isOptional(said['claims'], areClaims);
    case 'REWRITE':
      return isText(said['why']) && isState(said['to']);
    case 'REJECT':
      return isText(said['why']) && isName(said['code']);
    case 'HOLD':
      return isText(said['why']) && isWait(said['waits'], nowMs);
    default:
      return false;
  }
}

const isOptional = (value: unknown, is: (value: unknown) => boolean): boolean => value === undefined || is(value);
const isText = (value: unknown): boolean => typeof value === 'string' && value.length <= TEXT_MAX;
const isName = (value: unknown): boolean => isText(value) && value !== '';
/** It begins with a run's id, which may be longer than a text. */
const isMailbox = (value: unknown): boolean => typeof value === 'string' && value !== '' && value.length <= MAILBOX_MAX;
const isTime = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value >= 0;

const STATE_FIELDS: ReadonlySet<string> = new Set([
  'type',
  'name',
  'message',
  'dueAtMs',
  'result',
  'error',
  'retriable',
  'key',
  'timeoutAtMs',
  'suspended',
  'wakeAtMs',
  'wakeOn',
  'input',
]);

function isState(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const state = value as Partial<Record<string, unknown>>;
  const { type, name, message, dueAtMs, result, error, retriable } = state;
  return (
    (STATE_TYPES as readonly unknown[]).includes(type) &&
    isName(name) &&
    (type === 'SCHEDULED'
      ? isTime(dueAtMs)
      : type === 'PENDING'
        ? isOptional(dueAtMs, isTime)
        : dueAtMs === undefined) &&
    isPause(state) &&
    isOptional(message, isText) &&
    isOptional(retriable, (flag) => typeof flag === 'boolean') &&
    isOptional(result, isValue) &&
    isOptional(error, isValue) &&
    Object.keys(value).every((field) => STATE_FIELDS.has(field))
  );
}

/** Whether what is said of a pause is said of one, and is what it has to be. */
function isPause({
  type,
  key,
  timeoutAtMs,
  suspended,
  wakeAtMs,
  wakeOn,
  input,
}: Partial<Record<string, unknown>>): boolean {
  return (
    (type === 'PAUSED' || (key ?? timeoutAtMs ?? suspended ?? wakeAtMs ?? wakeOn ?? input) === undefined) &&
    isOptional(key, isName) &&
    isOptional(timeoutAtMs, isTime) &&
    isOptional(suspended, (flag) => flag === true) &&
    isOptional(wakeAtMs, isTime) &&
    isOptional(wakeOn, (mailboxes) => Array.isArray(mailboxes) && mailboxes.every(isMailbox)) &&
    isOptional(input, isValue)
  );
}

/** As deep as needed: what a rule hands on, it was given by a proposal that was checked at the door. */
const isValue = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && typeof (value as { digest?: unknown }).digest === 'string';

function isWait(value: unknown, nowMs: number): boolean {
  const waits = value as Partial<Waits> | null | undefined;
  switch (waits?.type) {
    case 'TIME':
      return isTime(waits.dueAtMs) && Number(waits.dueAtMs) > nowMs;
    case 'SLOTS':
      return (
        areSlots(waits.limits) &&
        waits.limits?.length !== 0 &&
        isOptional(waits.untilMs, (at) => isTime(at) && Number(at) > nowMs) &&
        isOptional(waits.evict, (runs) => Array.isArray(runs) && runs.every(isName))
      );
    case 'FLOW':
      return true;
    case 'MESSAGE':
      return (
        isMailbox(waits.mailbox) &&
        isOptional(waits.topic, isName) &&
        isOptional(waits.untilMs, (at) => isTime(at) && Number(at) > nowMs)
      );
    case undefined:
    default:
      return false;
  }
}

const areClaims = (value: unknown): boolean => Array.isArray(value) && value.every(isClaim);

function isClaim(value: unknown): boolean {
  const claim = value as Partial<Claim> | null | undefined;
  switch (claim?.type) {
    case 'SLOTS':
      return areSlots(claim.slots);
    case 'TIMER':
      return (TIMER_KINDS as readonly unknown[]).includes(claim.timer) && isTime(claim.dueAtMs);
    case 'CACHE':
      return isName(claim.key) && isOptional(claim.expiresAtMs, isTime);
    case 'MESSAGE':
      return isMailbox(claim.mailbox) && isName(claim.id);
    case undefined:
    default:
      return false;
  }
}

const areSlots = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.every((wish: { limit?: unknown; slots?: unknown; by?: unknown } | null) => {
    const isCount = Number.isSafeInteger(wish?.slots) && Number(wish?.slots) > 0;
    return isName(wish?.limit) && isCount && isOptional(wish?.by, isName);
  });
