/**
 * A call's identity within its flow run: what makes it meet its own earlier run when the flow function runs again.
 *
 * I1 It depends on nothing but the flow run, the task's key, the contents of the inputs, and how many calls with the
 *    same two came before in this execution; so calls that are made at once may be made in any order.
 * I2 Inputs without canonical text have no digest; such calls are told apart by their order alone.
 */
import { hash } from 'node:crypto';
import type { Digest, RunId } from '../protocol/ids.ts';
import type { RunDefinition } from '../protocol/proposals.ts';
import { canonicalText } from './canonical.ts';

export type CallIdentity = { readonly run: RunId; readonly call: NonNullable<RunDefinition['call']> };

/** The digest of a call's inputs, or undefined if they have no canonical text. */
export function digestOf(inputs: readonly unknown[]): Digest | undefined {
  const text = canonicalText(inputs);
  return text === undefined ? undefined : (hash('sha256', text, 'hex') as Digest);
}

/** Whether the inputs are no more what they were when the call was made. */
export const areChanged = ({ call }: CallIdentity, inputs: readonly unknown[]): boolean =>
  call.inputs !== undefined && digestOf(inputs) !== call.inputs;

/** Counts the calls of one flow run in one execution. */
export class CallCounter {
  readonly #parent: RunId;
  readonly #counts = new Map<string, number>();
  readonly #isStrict: boolean;
  #made = 0;
  /** Of a strict flow: what was made and is not proposed, in the order in which it was made. */
  readonly #unsaid = new Map<RunId, number>();

  constructor(parent: RunId, isStrict = false) {
    this.#parent = parent;
    this.#isStrict = isStrict;
  }

  /** `key`: the caller's own; absent, the call is known by the name and its inputs. */
  next(name: string, inputs: readonly unknown[], key?: string): CallIdentity {
    return this.nextOf(name, digestOf(inputs), key);
  }

  /** The call is proposed; says how many that were made before it are not. */
  said(run: RunId): number {
    const nth = this.#unsaid.get(run) ?? 0;
    this.#unsaid.delete(run);
    let behind = 0;
    for (const other of this.#unsaid.values()) {
      if (other > nth) break;
      behind += 1;
    }
    return behind;
  }

  /** As `next`, for inputs of which the digest is known. */
  nextOf(name: string, digest: Digest | undefined, key?: string): CallIdentity {
    // With a key of its own, a call may meet its earlier run with other inputs; they are recorded, but do not count.
    const counted = key === undefined ? (digest ?? null) : null;
    // The slug too, because it is all of the name that the id shows.
    const same = `${slug(name)}\n${key ?? name}\n${counted ?? ''}`;
    const ordinal = this.#counts.get(same) ?? 0;
    this.#counts.set(same, ordinal + 1);
    this.#made += 1;
    const id = hash('sha256', JSON.stringify([key ?? name, counted, ordinal]), 'hex').slice(0, 16);
    const run = `${this.#parent}.${slug(name)}-${id}` as RunId;
    if (this.#isStrict) this.#unsaid.set(run, this.#made);
    return {
      run,
      call: {
        key: key ?? name,
        ...(digest === undefined ? {} : { inputs: digest }),
        ordinal,
        ...(this.#isStrict ? { nth: this.#made } : {}),
      },
    };
  }
}

/** As it is recorded when it is proposed, which is now. */
export function saidCall(counter: CallCounter, { run, call }: CallIdentity): CallIdentity['call'] {
  const behind = counter.said(run);
  return behind === 0 ? call : { ...call, behind };
}

const SLUG_MAX = 40;
const SLUGS_MAX = 1000;
const slugs = new Map<string, string>();

/** A name as a part of an id: `a-z`, `0-9` and dashes, at most 40 characters. */
export function slug(name: string): string {
  const known = slugs.get(name);
  if (known !== undefined) return known;
  const spaced = name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase();
  const made =
    spaced
      .replace(/[^a-z0-9]+/g, '-')
      .slice(0, SLUG_MAX)
      .replace(/^-+|-+$/g, '') || 'call';
  // Names may be made for each run.
  if (slugs.size >= SLUGS_MAX) slugs.clear();
  slugs.set(name, made);
  return made;
}
