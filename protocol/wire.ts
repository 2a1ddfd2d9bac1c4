/**
 * The door: the only file of protocol/ that knows zod. Parsers never throw; what they return is ours.
 * Unknown fields are refused, so that a newer SDK cannot be half understood.
 */
import { z } from 'zod';
import { RUN_ID, type Digest, type EpochMs, type RunId } from './ids.ts';
import { LIMITS } from './limits.ts';
import type { Ask, Batch, Heartbeat, ProposalDraft } from './messages.ts';
import {
  ARTIFACT_KEY,
  ARTIFACT_KINDS,
  HOOKS,
  isSettable,
  ON_FULL,
  VARIABLE_NAME,
  type RunDefinition,
} from './proposals.ts';
import type { State } from './states.ts';
import type { Value } from './values.ts';

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: string };

const text = z.string().max(LIMITS.textMax);
/** Of what the engine finds things by: half a character would be another one once it is stored. */
const isWhole = (found: string): boolean => found.isWellFormed();
const NOT_WHOLE = 'half of a character stands alone in it';
const name = z.string().min(1).max(LIMITS.nameMax).refine(isWhole, NOT_WHOLE);
/** Of a limit that is set or removed: the engine's own are what they are. */
const limitName = name.refine(isSettable, 'this limit is the engine’s own');
const count = z.int().nonnegative();
const runId = z.string().max(LIMITS.runIdMax).regex(RUN_ID) as unknown as z.ZodType<RunId>;
const digest = z.string().regex(/^[0-9a-f]{64}$/) as unknown as z.ZodType<Digest>;
const epochMs = count as unknown as z.ZodType<EpochMs>;
const durationMs = z.number().nonnegative().max(LIMITS.durationMsMax);
const token = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);

const value: z.ZodType<Value> = z.strictObject({
  digest,
  size: count.max(LIMITS.valueBytesMax),
  inline: z.string().max(LIMITS.inlineBytesMax).exactOptional(),
  cipher: z.strictObject({ key: name, box: z.string().max(2 * LIMITS.inlineBytesMax) }).exactOptional(),
});

/** Each character of the name may be escaped (topicOf). */
const TOPIC_MAX = 3 * LIMITS.nameMax + 2;
const topic = z.string().min(1).max(TOPIC_MAX).refine(isWhole, NOT_WHOLE);
const mailbox = z
  .string()
  .min(1)
  .max(LIMITS.runIdMax + TOPIC_MAX + ' message:'.length)
  .refine(isWhole, NOT_WHOLE);

const variable = z.string().max(LIMITS.variableNameMax).regex(VARIABLE_NAME);
const artifact = z.string().max(LIMITS.artifactKeyMax).regex(ARTIFACT_KEY);

const named = { name, message: text.exactOptional() };
const error = value.exactOptional();
const result = value.exactOptional();

export const stateSchema: z.ZodType<State> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('SCHEDULED'), ...named, dueAtMs: epochMs, error }),
  z.strictObject({ type: z.literal('PENDING'), ...named, dueAtMs: epochMs.exactOptional() }),
  z.strictObject({ type: z.literal('RUNNING'), ...named }),
  z.strictObject({
    type: z.literal('PAUSED'),
    ...named,
    key: name.exactOptional(),
    timeoutAtMs: epochMs.exactOptional(),
    suspended: z.literal(true).exactOptional(),
    wakeAtMs: epochMs.exactOptional(),
    wakeOn: z.array(mailbox).max(LIMITS.wakeOnMax).exactOptional(),
    input: value.exactOptional(),
  }),
  z.strictObject({ type: z.literal('CANCELLING'), ...named }),
  z.strictObject({ type: z.literal('COMPLETED'), ...named, result }),
  z.strictObject({ type: z.literal('FAILED'), ...named, error, retriable: z.boolean().exactOptional() }),
  z.strictObject({ type: z.literal('CRASHED'), ...named, error }),
  z.strictObject({ type: z.literal('CANCELLED'), ...named, result, error }),
]);

const definition: z.ZodType<RunDefinition> = z.strictObject({
  kind: z.enum(['flow', 'task']),
  name,
  parent: runId.exactOptional(),
  call: z
    .strictObject({
      key: text,
      inputs: digest.exactOptional(),
      ordinal: count,
      nth: count.exactOptional(),
      behind: count.exactOptional(),
    })
    .exactOptional(),
  parameters: value.exactOptional(),
  parsed: z.strictObject({ schema: digest.exactOptional(), input: value.exactOptional() }).exactOptional(),
  retry: z
    .strictObject({
      retriesMax: count.max(LIMITS.retriesMax),
      delaysMs: z.array(durationMs).max(LIMITS.retryDelaysMax),
      jitter: z.number().min(0).max(1),
    })
    .exactOptional(),
  timeoutMs: durationMs.positive().exactOptional(),
  limits: z
    .array(z.strictObject({ limit: name, slots: z.int().positive(), by: name.exactOptional() }))
    .max(LIMITS.limitsOfRunMax)
    .exactOptional(),
  priority: z.int().exactOptional(),
  tags: z.array(name).max(LIMITS.tagsOfRunMax).exactOptional(),
  cache: z
    .strictObject({
      key: z.string().min(1).max(LIMITS.cacheKeyMax).refine(isWhole, NOT_WHOLE),
      ttlMs: durationMs.exactOptional(),
      refresh: z.literal(true).exactOptional(),
      once: z.literal(true).exactOptional(),
    })
    .exactOptional(),
  deployment: name.exactOptional(),
  work: z.strictObject({ pool: token, queue: token }).exactOptional(),
  identity: digest.exactOptional(),
  title: text.exactOptional(),
  startedBy: runId.exactOptional(),
  hooks: z.array(z.enum(HOOKS)).max(HOOKS.length).exactOptional(),
  cleanup: z.literal(true).exactOptional(),
  strict: z.literal(true).exactOptional(),
  receives: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('MESSAGE'), mailbox, untilMs: epochMs.exactOptional() }),
      z.strictObject({ type: z.literal('EVENT'), topic, untilMs: epochMs.exactOptional() }),
    ])
    .exactOptional(),
});

const carried = [
  z.strictObject({
    type: z.literal('MESSAGE_SENT'),
    to: runId,
    name,
    value: value.exactOptional(),
    from: runId.exactOptional(),
  }),
  z.strictObject({
    type: z.literal('EVENT_EMITTED'),
    name,
    key: name.exactOptional(),
    value: value.exactOptional(),
    from: runId.exactOptional(),
  }),
  z.strictObject({
    type: z.literal('ARTIFACT_MADE'),
    run: runId,
    key: artifact,
    kind: z.enum(ARTIFACT_KINDS),
    description: text.exactOptional(),
    data: value,
  }),
  z.strictObject({
    type: z.literal('VARIABLE_SET'),
    name: variable,
    value,
    tags: z.array(name).max(LIMITS.tagsOfRunMax).exactOptional(),
  }),
] as const;

const asked = {
  counter: count,
  onBehalfOf: text.exactOptional(),
  reason: text.exactOptional(),
  done: count.exactOptional(),
};

/** Of a call that failed; for people. */
const givenInputs = z.strictObject({
  value: value.refine(({ size }) => size <= LIMITS.failureInputsBytesMax, 'too large for inputs').exactOptional(),
  preview: text.exactOptional(),
  note: text.exactOptional(),
});

const transition = {
  ...asked,
  run: runId,
  to: stateSchema,
  basedOn: count.exactOptional(),
  report: z.literal(true).exactOptional(),
  execution: count.exactOptional(),
  claim: z.literal(true).exactOptional(),
  force: z.literal(true).exactOptional(),
  create: definition.exactOptional(),
  input: value.exactOptional(),
  deedOf: runId.exactOptional(),
  redoFrom: runId.exactOptional(),
  carries: z.discriminatedUnion('type', carried).exactOptional(),
  inputs: givenInputs.exactOptional(),
};

const draft: z.ZodType<ProposalDraft> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('flow'), ...transition }),
  z.strictObject({ kind: z.literal('task'), ...transition }),
  z.strictObject({
    kind: z.literal('workspace'),
    ...asked,
    event: z.discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('LIMIT_SET'),
        limit: limitName,
        slotsMax: count,
        // Less often than once in the longest duration is no rate: `slotsMax: 0` closes a limit.
        slotsPerSecond: z
          .number()
          .min(1000 / LIMITS.durationMsMax)
          .max(LIMITS.slotsPerSecondMax)
          .exactOptional(),
        onFull: z.enum(ON_FULL).exactOptional(),
      }),
      z.strictObject({ type: z.literal('LIMIT_REMOVED'), limit: limitName }),
      ...carried,
      z.strictObject({ type: z.literal('VARIABLE_REMOVED'), name: variable }),
      z.strictObject({
        type: z.literal('HOOK_RAN'),
        run: runId,
        hook: z.enum([...HOOKS, 'onCommit', 'onRollback']),
        function: name.exactOptional(),
        error: value.exactOptional(),
      }),
    ]),
  }),
]);

const envelope = z.strictObject({
  v: z.literal(1),
  proposals: z.array(z.unknown()).min(1).max(LIMITS.batchProposalsMax),
});

export type ParsedBatch = {
  /** In the batch's order: each proposal, or why it is none (with its counter, when that much can be read). */
  readonly proposals: readonly (
    | { readonly ok: true; readonly value: ProposalDraft }
    | { readonly ok: false; readonly problem: string; readonly counter: number | undefined }
  )[];
};

/** A batch whose envelope is sound; one bad proposal does not spoil its neighbours. */
export function parseBatch(bytes: Uint8Array): Parsed<ParsedBatch> {
  if (bytes.byteLength > LIMITS.batchBytesMax) return { ok: false, problem: tooLarge('batch', LIMITS.batchBytesMax) };
  const json = parseJson(bytes);
  if (!json.ok) return json;
  const outer = envelope.safeParse(json.value);
  if (!outer.success) return { ok: false, problem: z.prettifyError(outer.error) };
  const mayBeLarge = bytes.byteLength > LIMITS.proposalBytesMax;
  return { ok: true, value: { proposals: outer.data.proposals.map((raw) => parseDraft(raw, mayBeLarge)) } };
}

function parseDraft(raw: unknown, mayBeLarge: boolean): ParsedBatch['proposals'][number] {
  const size = mayBeLarge ? sizeOf(raw) : 0;
  if (size > LIMITS.proposalBytesMax) return noDraft(raw, tooLarge('proposal', LIMITS.proposalBytesMax));
  const parsed = draft.safeParse(raw);
  return parsed.success ? { ok: true, value: parsed.data } : noDraft(raw, z.prettifyError(parsed.error));
}

function noDraft(raw: unknown, problem: string): ParsedBatch['proposals'][number] {
  const counter = count.safeParse((raw as { counter?: unknown } | null)?.counter);
  return { ok: false, problem, counter: counter.success ? counter.data : undefined };
}

/** What is nested too deeply to be written down again is too large in any case. */
function sizeOf(raw: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(raw));
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

const tooLarge = (what: string, bytesMax: number): string => `the ${what} has more than ${String(bytesMax)} bytes`;

export const encodeBatch = (batch: Batch): Uint8Array => Buffer.from(JSON.stringify(batch));

const heartbeat: z.ZodType<Heartbeat> = z.strictObject({ v: z.literal(1), pid: count, host: text });

const ask: z.ZodType<Ask> = z.discriminatedUnion('type', [
  z.strictObject({ v: z.literal(1), type: z.literal('HELLO') }),
  z.strictObject({ v: z.literal(1), type: z.literal('RUN'), run: runId }),
  z.strictObject({ v: z.literal(1), type: z.literal('UNFINISHED'), identity: digest, before: runId.exactOptional() }),
  z.strictObject({ v: z.literal(1), type: z.literal('OUTCOMES'), run: runId, after: runId.exactOptional() }),
  z.strictObject({ v: z.literal(1), type: z.literal('RULE_TIMES') }),
  z.strictObject({ v: z.literal(1), type: z.literal('POLICY') }),
  z.strictObject({ v: z.literal(1), type: z.literal('VARIABLE'), name: variable }),
  z.strictObject({ v: z.literal(1), type: z.literal('MAIL'), run: runId }),
  z.strictObject({ v: z.literal(1), type: z.literal('LISTENERS'), name, key: name.exactOptional() }),
]);

export const parseHeartbeat = (bytes: Uint8Array): Parsed<Heartbeat> => parseWith(heartbeat, bytes);
export const parseAsk = (bytes: Uint8Array): Parsed<Ask> => parseWith(ask, bytes);

function parseWith<T>(schema: z.ZodType<T>, bytes: Uint8Array): Parsed<T> {
  const json = parseJson(bytes);
  if (!json.ok) return json;
  const parsed = schema.safeParse(json.value);
  return parsed.success ? { ok: true, value: parsed.data } : { ok: false, problem: z.prettifyError(parsed.error) };
}

/** Fatal, because the character that replaces a wrong byte is three bytes long: what is stored would outgrow what came. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function parseJson(bytes: Uint8Array): Parsed<unknown> {
  try {
    return { ok: true, value: JSON.parse(utf8.decode(bytes)) };
  } catch {
    return { ok: false, problem: 'not JSON in UTF-8' };
  }
}
