/**
 * How a parameter, a result or an error stands in the ledger: by digest and size, with at most one of the text itself,
 * the text encrypted, or neither (then it is a blob of the object store `assent_<ws>_values`, named by its digest).
 */
import type { Digest } from './ids.ts';

export type Value = {
  /** SHA-256 of the UTF-8 text. */
  readonly digest: Digest;
  /** Bytes of the UTF-8 text. */
  readonly size: number;
  /** The text, in the notation of the npm package devalue (JSON that knows Date, Map, Set, BigInt, cycles …). */
  readonly inline?: string;
  /** AES-256-GCM under a key of the flow run that is kept outside the ledger: nonce, tag and text, base64. */
  readonly cipher?: { readonly key: string; readonly box: string };
};

/** What an error is in its value's text. `cause` is an error again, or any other value. */
export type ErrorRecord = {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly code?: string | number;
  readonly cause?: unknown;
  /** Of an AggregateError that has a cause: its errors. Those of one that has none are its `cause`. */
  readonly errors?: unknown;
  /** What else it says of itself in texts, numbers and truth values: `status`, `path`. */
  readonly fields?: Readonly<Record<string, string | number | bigint | boolean | null>>;
};
