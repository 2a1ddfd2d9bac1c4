/**
 * Secrets: values that code uses and nobody sees. What is recorded of one is where it comes from, never what it is.
 *
 * X1 However a secret is turned into text (a template, JSON, a log, an error's message, `inspect`), the text is `***`.
 * X2 What was revealed once is taken out of all that leaves the process from then on (scrubber.ts).
 */
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { AssentError } from '../protocol/errors.ts';
import { HIDDEN, hideEverywhere } from './scrubber.ts';

type Source =
  | { readonly type: 'ENV'; readonly name: string }
  | { readonly type: 'FILE'; readonly path: string }
  | { readonly type: 'LITERAL'; readonly value: string }
  /** It was given elsewhere, and not recorded. */
  | { readonly type: 'GONE' };

/** What is recorded of a secret. */
export type SecretReference = {
  readonly env?: string;
  readonly file?: string;
  /** The value itself: between a process and its own threads alone. */
  readonly literal?: string;
};

let literalsMayTravel = false;

/** What `act` encodes goes to a thread of this process and is not recorded: it takes the values of literals along. */
export function withLiterals<T>(act: () => T): T {
  const before = literalsMayTravel;
  literalsMayTravel = true;
  try {
    return act();
  } finally {
    literalsMayTravel = before;
  }
}

/**
 * A value that nobody sees: made by {@link secret}. It can be a parameter, an input or a part of them; as text it is `***`.
 *
 * @example
 * import { flow, secret, Secret, task } from 'assent';
 * import { z } from 'zod';
 *
 * const call = task({ name: 'call' }, (key: Secret) => key.reveal().length);
 * const nightly = flow({ name: 'nightly', parameters: z.object({ key: z.instanceof(Secret) }) }, ({ key }) => call(key));
 * console.log(await nightly({ key: secret.literal('hunter2!') })); // 8
 */
export class Secret {
  readonly #source: Source;
  /** As long as there is this secret, what it has revealed is looked for. */
  #token: object | undefined;

  /** @internal Not private: zod's `z.instanceof(Secret)` asks for a constructor that it could call. */
  constructor(source: Source) {
    this.#source = source;
  }

  /** @internal */
  static from(source: Source): Secret {
    return new Secret(source);
  }

  /**
   * The value itself. From now on it is replaced by `***` in everything that this process records or logs, if it has four
   * characters or more: as it is, escaped, in a URL, and, of eight bytes or more, in base64, in hexadecimal digits and in
   * bytes. In what else your code makes of it (a digest, a part of it) it is not recognised. Ten thousand values that no
   * secret of this process has any more are remembered.
   *
   * @throws AssentError SECRET_UNAVAILABLE if it is not to be had in this process.
   */
  reveal(): string {
    const source = this.#source;
    const value = valueOf(source);
    const isThere = source.type === 'ENV' ? () => process.env[source.name] === value : undefined;
    this.#token = hideEverywhere(value, isThere) ?? this.#token;
    return value;
  }

  /** @internal */
  get reference(): SecretReference {
    const source = this.#source;
    if (source.type === 'ENV') return { env: source.name };
    if (source.type === 'LITERAL' && literalsMayTravel) return { literal: source.value };
    return source.type === 'FILE' ? { file: source.path } : {};
  }

  /** @internal It was given to another process, or taken out of what was recorded. */
  get isGone(): boolean {
    return this.#source.type === 'GONE';
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [Symbol.toPrimitive](): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return `Secret(${HIDDEN})`;
  }
}

/**
 * Makes secrets. Of `env` and `file`, the name of the variable or the path is recorded, so every process that has it can
 * reveal the value; of `literal`, nothing is recorded: only the process that was given it can reveal it.
 *
 * @example
 * import { secret } from 'assent';
 *
 * process.env.API_KEY = 'hunter2!';
 * const key = secret.env('API_KEY');
 * console.log(`the key is ${key}`); // the key is ***
 * console.log(key.reveal().length); // 8
 */
export const secret = {
  /** The value of an environment variable, read when it is revealed. @throws AssentError BAD_OPTION if it has no name. */
  env(name: string): Secret {
    if (typeof name !== 'string' || name === '')
      throw new AssentError('BAD_OPTION', 'secret.env needs the name of an environment variable.');
    return Secret.from({ type: 'ENV', name });
  },

  /** The text of a file, read when it is revealed, without the line break at its end. @throws AssentError BAD_OPTION */
  file(path: string): Secret {
    if (typeof path !== 'string' || path === '')
      throw new AssentError('BAD_OPTION', 'secret.file needs the path of a file.');
    return Secret.from({ type: 'FILE', path });
  },

  /** The value itself, which is not recorded. @throws AssentError BAD_OPTION if it is no text. */
  literal(value: string): Secret {
    if (typeof value !== 'string') throw new AssentError('BAD_OPTION', 'secret.literal needs a text.');
    return Secret.from({ type: 'LITERAL', value });
  },
};

/** What stands for a value that was not recorded. */
export const goneSecret = (): Secret => Secret.from({ type: 'GONE' });

export function secretOf({ env, file, literal }: SecretReference): Secret {
  if (literal !== undefined) return secret.literal(literal);
  if (env !== undefined) return secret.env(env);
  return file === undefined ? goneSecret() : secret.file(file);
}

function valueOf(source: Source): string {
  switch (source.type) {
    case 'LITERAL':
      return source.value;
    case 'ENV': {
      const value = process.env[source.name];
      if (value !== undefined) return value;
      throw unavailable(`the environment variable ${source.name} is not set in this process`);
    }
    case 'FILE':
      try {
        return readFileSync(source.path, 'utf8').replace(/\r?\n$/, '');
      } catch (error) {
        throw unavailable(`the file ${source.path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? ''}`);
      }
    case 'GONE':
      throw unavailable('it was given to another process, and is not recorded');
  }
}

const unavailable = (why: string): AssentError =>
  new AssentError('SECRET_UNAVAILABLE', `A secret cannot be revealed: ${why}.`);
