/**
 * Artifacts: what a run makes for people to look at. The newest of a run and key is the one that counts; the older ones
 * stay on the ledger.
 */
import { z } from 'zod';
import { AssentError } from '../protocol/errors.ts';
import type { RunId } from '../protocol/ids.ts';
import { LIMITS } from '../protocol/limits.ts';
import { ARTIFACT_KEY, type ArtifactKind, type ArtifactMade } from '../protocol/proposals.ts';
import { checkOptions } from './checked-options.ts';
import { Progress } from './progress.ts';
import { watched } from './recorded-call.ts';
import { redactionIn } from './redaction.ts';
import { scopes, type FlowScope, type TaskScope } from './scope.ts';
import { encodeText, recordedForPeople, type Recorded } from './values.ts';
import { happen } from './workspace-calls.ts';

/** What an artifact says besides its contents. */
export interface ArtifactOptions {
  /** One line for people, at most 1,000 characters. */
  readonly description?: string;
}

/** How a link is shown. */
export interface LinkOptions extends ArtifactOptions {
  /** Default: the address itself. */
  readonly text?: string;
}

/** What is known of the work before it begins. */
export interface ProgressOptions extends ArtifactOptions {
  /** How much there is to do. Default: nobody knows. */
  readonly total?: number;
}

/** Work that goes on; see {@link artifacts}. */
export interface ProgressArtifact {
  /** So much is done. Recorded at most four times a second; the last one always. @throws AssentError BAD_OPTION if it is no number. */
  update(done: number): void;
}

/**
 * Makes artifacts of the run in which this code runs: a flow's, or a task's. A key has letters, digits, `.`, `_` and `-`, at
 * most 200. In a flow, making one is a call, which happens once however often the flow runs again; in a task, each attempt
 * makes its own. Progress is only told, never a call. Look at them with `assent artifacts ls` and `assent artifacts show`.
 *
 * @throws AssentError OUTSIDE_RUN outside of a run; BAD_OPTION for a key that is none, or a wrong option; VALUE_NOT_SERIALIZABLE; REJECTED.
 * @example
 * import { artifacts, flow, task } from 'assent';
 *
 * const load = task({ name: 'load' }, (files: string[]) => {
 *   const progress = artifacts.progress('load', { total: files.length });
 *   files.forEach((_, index) => progress.update(index + 1));
 *   return files.length;
 * });
 * const nightly = flow({ name: 'nightly' }, async () => {
 *   const rows = await load(['a.csv', 'b.csv']);
 *   await artifacts.markdown('summary', `# Nightly\n\n${rows} files`, { description: 'What was loaded' });
 *   await artifacts.table('files', [{ file: 'a.csv', rows: 12 }, { file: 'b.csv', rows: 3 }]);
 *   await artifacts.link('dashboard', 'https://example.org/nightly', { text: 'Dashboard' });
 * });
 * await nightly();
 */
export const artifacts = {
  /** A text in Markdown. */
  markdown(key: string, text: string, options: ArtifactOptions = {}): Promise<void> {
    return watched(async () => {
      if (typeof text !== 'string') throw badArtifact(key, 'its text is no string');
      check(key, options);
      await make('markdown', key, text, options);
    });
  },

  /** Rows of one table; its columns are the names that occur. */
  table(key: string, rows: readonly object[], options: ArtifactOptions = {}): Promise<void> {
    return watched(async () => {
      if (!Array.isArray(rows) || !rows.every(isObject)) throw badArtifact(key, 'its rows are no list of objects');
      check(key, options);
      await make('table', key, rows, options);
    });
  },

  /** An address to follow. */
  link(key: string, url: string | URL, { text, ...options }: LinkOptions = {}): Promise<void> {
    return watched(async () => {
      check(key, { ...options, ...(text === undefined ? {} : { text }) }, { text: z.string().optional() });
      await make('link', key, { url: addressOf(key, url), ...(text === undefined ? {} : { text }) }, options);
    });
  },

  /** A picture, by its address. */
  image(key: string, url: string | URL, options: ArtifactOptions = {}): Promise<void> {
    return watched(async () => {
      check(key, options);
      await make('image', key, { url: addressOf(key, url) }, options);
    });
  },

  /** Work that goes on. */
  progress(key: string, progress: ProgressOptions = {}): ProgressArtifact {
    const scope = scopeOf(key);
    check(key, progress, { total: z.number().nonnegative().optional() });
    const { total, description } = progress;
    const flow = scope.type === 'flow' ? scope : scope.flow;
    const options = description === undefined ? {} : { description };
    return new Progress(flow, (done) => {
      const made = madeBy(scope, 'progress', {
        key,
        data: { done, ...(total === undefined ? {} : { total }) },
        options,
      });
      // It is small enough to stand inline: there is nothing to store.
      return made.event;
    });
  },
};

const isObject = (row: unknown): boolean => typeof row === 'object' && row !== null;

function addressOf(key: string, url: unknown): string {
  if (typeof url === 'string' || url instanceof URL) return String(url);
  throw badArtifact(key, 'its address is neither a text nor a URL');
}

const check = (key: string, options: object, more: z.ZodRawShape = {}): void => {
  checkOptions(`The artifact '${key}'`, options, {
    description: z.string().max(LIMITS.textMax).optional(),
    ...more,
  });
};

async function make(kind: ArtifactKind, key: string, data: unknown, options: ArtifactOptions): Promise<void> {
  const { text, event } = madeBy(scopeOf(key), kind, { key, data, options });
  await happen(text, {
    call: { name: `artifacts.${kind}`, inputs: [key, data, options] },
    event,
    whose: `The artifact '${key}'`,
  });
}

type Given = { readonly key: string; readonly data: unknown; readonly options: ArtifactOptions };
type Made = { readonly text: Recorded; readonly event: ArtifactMade };

function madeBy(scope: FlowScope | TaskScope, kind: ArtifactKind, { key, data, options }: Given): Made {
  const { description } = options;
  const whose = `The artifact '${key}'`;
  const shown = redactionIn(scope)?.ofData(data) ?? data;
  const text = recordedForPeople(encodeText(shown, whose), whose);
  const run: RunId = scope.type === 'flow' ? scope.owner.run : scope.run;
  const event: ArtifactMade = {
    type: 'ARTIFACT_MADE',
    run,
    key,
    kind,
    ...(description === undefined ? {} : { description }),
    data: text.value,
  };
  return { text, event };
}

function scopeOf(key: string): FlowScope | TaskScope {
  const most = LIMITS.artifactKeyMax;
  if (!ARTIFACT_KEY.test(key) || key.length > most) {
    throw badArtifact(key, `a key has letters, digits, '.', '_' and '-', at most ${String(most)}`);
  }
  const scope = scopes.getStore();
  if (scope !== undefined) return scope;
  throw new AssentError('OUTSIDE_RUN', `The artifact '${key}' was made outside of a flow or task that runs.`);
}

const badArtifact = (key: string, problem: string): AssentError =>
  new AssentError('BAD_OPTION', `The artifact '${key}' cannot be made: ${problem}.`);
