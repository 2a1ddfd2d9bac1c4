/**
 * The names of things: branded strings and numbers, so that a run's id cannot stand where a session's is wanted.
 * A brand costs nothing at run time.
 */
declare const brand: unique symbol;
type Brand<T, Name extends string> = T & { readonly [brand]: Name };

/** A flow run: 16 characters of `a-z0-9`. A task run or a subflow run: its parent's id, `.`, and its call's identity. */
export type RunId = Brand<string, 'RunId'>;
/** What a run's id looks like. */
export const RUN_ID = /^[a-z0-9]{16}(\.[a-z0-9-]{1,64}){0,24}$/;
/** One connection of one client process to one workspace: 16 random characters of `a-z0-9`. */
export type SessionId = Brand<string, 'SessionId'>;
/** `<session>:<counter>` for a client; `clock/…`, `cascade/…`, `liveness/…` for the engine's own proposers. */
export type ProposalId = Brand<string, 'ProposalId'>;
/** Milliseconds since 1970-01-01 UTC, on the ledger's own clock. */
export type EpochMs = Brand<number, 'EpochMs'>;
/** SHA-256 as 64 lower-case hexadecimal digits. */
export type Digest = Brand<string, 'Digest'>;
/** A sequence of a stream, from 1; 0 says "before the first". */
export type Sequence = number;

export const later = (at: EpochMs, delayMs: number): EpochMs => (at + delayMs) as EpochMs;

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Sixteen characters drawn from `bytes` (at least 16 of them), about 82 bits when the bytes are random. */
export function idFrom(bytes: Uint8Array): string {
  let id = '';
  for (let i = 0; i < 16; i += 1) id += ALPHABET[(bytes[i] ?? 0) % ALPHABET.length] ?? '';
  return id;
}
