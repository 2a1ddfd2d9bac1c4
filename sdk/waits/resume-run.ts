/** The word by which a paused run goes on. */
import { z } from 'zod';
import { AssentError } from '../../protocol/errors.ts';
import type { EpochMs, RunId } from '../../protocol/ids.ts';
import type { RunView } from '../../protocol/messages.ts';
import type { State } from '../../protocol/states.ts';
import type { Client } from '../client/client.ts';
import { refusedError } from '../outcomes.ts';
import { watched } from '../recorded-call.ts';
import { redactionIn } from '../redaction.ts';
import { scopes } from '../scope.ts';
import { deed, isDone, type DeedOf } from '../workspace-calls.ts';
import { stored } from './mail.ts';
import { problemsOf } from './received.ts';

type Paused = Extract<State, { readonly type: 'PAUSED' }>;

/**
 * Resumes a paused or suspended run, and says to it what it waits for. Resolves when that is ruled: what was said is then
 * kept until the run has it, whatever happens to processes. In a flow, of a run that is not its own or around it, it is
 * recorded, and done once.
 *
 * @throws AssentError RUN_NOT_FOUND; INPUT_REFUSED if the pause asks for something else; REJECTED if the run is not paused,
 *   or a rule refused; VALUE_TOO_LARGE, VALUE_NOT_SERIALIZABLE.
 * @example
 * import { flow, flowRun, pause, resumeRun, sleep } from 'assent';
 *
 * let id = '';
 * const patient = flow({ name: 'patient' }, () => {
 *   id = flowRun().id;
 *   return pause();
 * });
 * const over = patient();
 * const resumed = () => resumeRun(id, 'go on').then(() => true, () => false);
 * while (!(await resumed())) await sleep('50ms'); // in truth somebody, later
 * console.log(await over); // go on
 */
export function resumeRun(id: string, input?: unknown): Promise<void> {
  return watched(() =>
    deed({ name: 'resume-run', run: id, inputs: input === undefined ? [id] : [id, input] }, (client, deedOf) =>
      resume(client, { id, input, deedOf }),
    ),
  );
}

type Resuming = { readonly id: string; readonly input: unknown; readonly deedOf: DeedOf };

async function resume(client: Client, resuming: Resuming): Promise<void> {
  const { id, input } = resuming;
  client.beginWork();
  try {
    for (let first: Paused | undefined; ;) {
      const view = id === '' ? undefined : await client.runView(id as RunId);
      if (view === undefined) throw new AssentError('RUN_NOT_FOUND', `There is no run ${id}.`);
      const { state } = view;
      if (state.type !== 'PAUSED') throw new AssentError('REJECTED', `Run ${id} is ${state.name}, and not paused.`);
      // What is meant for one pause is not said to the next.
      if (first?.key !== undefined && first.key !== state.key) {
        throw new AssentError('REJECTED', `Run ${id} was resumed by somebody else, and has come to another pause.`);
      }
      first = state;
      await checkInput(client, id, state, input);
      if (await isResumed(client, view, state, resuming)) return;
    }
  } finally {
    client.endWork();
  }
}

/** False: it has moved since it was looked at. @throws AssentError REJECTED */
async function isResumed(
  client: Client,
  { run, version }: RunView,
  paused: Paused,
  { input, deedOf }: Resuming,
): Promise<boolean> {
  const said = await stored(client, input, 'The input', redactionIn(scopes.getStore()));
  const to: State =
    paused.suspended === true
      ? { type: 'SCHEDULED', name: 'Resuming', dueAtMs: Date.now() as EpochMs }
      : { type: 'RUNNING', name: 'Running' };
  const word = said.value === undefined ? {} : { input: said.value };
  const answer = await client.ask({ kind: 'flow', run, to, basedOn: version, ...word, ...deedOf });
  if (answer.code === 'STALE') return false;
  if (isDone(deedOf, answer)) return true;
  // A rule may make an end of it: its time was over.
  if (answer.outcome === 'rejected' || answer.state?.type === 'FAILED')
    throw refusedError(answer, `Resuming run ${run}`);
  return true;
}

/** By what the pause has recorded; the flow looks at it once more, by its own schema. */
async function checkInput(client: Client, id: string, { input: schema, key }: Paused, input: unknown): Promise<void> {
  if (schema === undefined) return;
  const known = (await client.read(schema)) as Parameters<typeof z.fromJSONSchema>[0];
  const problem = problemIn(known, input);
  if (problem === undefined) return;
  const pause = key === undefined ? 'its pause' : `its pause '${key}'`;
  throw new AssentError('INPUT_REFUSED', `Run ${id} goes on from ${pause} with something else: ${problem}.`);
}

/** Nothing is said against what cannot be read as a schema here. */
function problemIn(schema: Parameters<typeof z.fromJSONSchema>[0], input: unknown): string | undefined {
  try {
    const { success, error } = z.fromJSONSchema(schema).safeParse(input);
    return success ? undefined : problemsOf(error);
  } catch {
    return undefined;
  }
}
