/**
 * Finding the run that an earlier process of the same script left unfinished, and making sure that it is nobody's.
 */
import { hash } from 'node:crypto';
import { hostname } from 'node:os';
import { relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { AssentError } from '../protocol/errors.ts';
import type { Digest, RunId } from '../protocol/ids.ts';
import type { RunView } from '../protocol/messages.ts';
import { isTerminal } from '../protocol/states.ts';
import { canonicalText } from './canonical.ts';
import type { Client } from './client/client.ts';
import type { Owner } from './client/process-files.ts';
import { isAlive, projectFolder, scriptFolder, whereabouts } from './client/target.ts';
import type { RecordedParameters } from './parameters.ts';
import { runLogger } from './run-logger.ts';
import { encodeError, recorded } from './values.ts';

/** A run that may be claimed. */
export type Found = {
  readonly run: RunId;
  readonly version: number;
  readonly began: RecordedParameters;
  /** It was named by the caller: there is nothing to fall back on. */
  readonly mustResume: boolean;
  /** What is said with the first claim. */
  readonly again?: Again;
  /** The run as its process left it, if that is known to have died. */
  readonly crashed?: RunView;
};

/** What a script that is started again recognises its run by; undefined if the parameters have no canonical text. */
export function identityOf(name: string, input: unknown): Digest | undefined {
  const parameters = canonicalText(input);
  if (parameters === undefined) return undefined;
  const here = whereabouts();
  const script = relative(projectFolder(scriptFolder(here)), here.script ?? '');
  return hash('sha256', JSON.stringify([name, parameters, script]), 'hex') as Digest;
}

/** Why a run that has ended goes on, and the call from which on it is done again. */
export type Again = { readonly redoFrom?: RunId; readonly reason?: string };
export type Named = { readonly run: RunId; readonly again: Again };

/**
 * The run that ASSENT_RESUME names; ASSENT_RESUME_FROM and ASSENT_RESUME_REASON say more. It names one; whatever else this
 * process calls begins anew.
 */
export function takeNamedRun(): Named | undefined {
  const run = process.env['ASSENT_RESUME'];
  const redoFrom = process.env['ASSENT_RESUME_FROM'];
  const reason = process.env['ASSENT_RESUME_REASON'];
  if (run === undefined || run === '') return undefined;
  delete process.env['ASSENT_RESUME'];
  delete process.env['ASSENT_RESUME_FROM'];
  delete process.env['ASSENT_RESUME_REASON'];
  return {
    run: run as RunId,
    again: {
      ...(redoFrom === undefined || redoFrom === '' ? {} : { redoFrom: redoFrom as RunId }),
      ...(reason === undefined || reason === '' ? {} : { reason }),
    },
  };
}

/** @throws AssentError RUN_NOT_FOUND, REJECTED if it cannot be claimed. */
export async function findNamed(client: Client, { run, again }: Named, flow: string): Promise<Found> {
  const view = await client.runView(run);
  if (view === undefined) throw new AssentError('RUN_NOT_FOUND', `There is no run ${run}.`);
  if (view.name !== flow) throw new AssentError('REJECTED', `Run ${run} is one of flow '${view.name}', not '${flow}'.`);
  const free = await untilNobodys(client, view);
  if (free === undefined)
    throw new AssentError('REJECTED', `Run ${run} is ${view.state.name} in a process that lives.`);
  const { type, name } = free.state;
  if ((type === 'COMPLETED' && again.redoFrom === undefined) || (type === 'CANCELLED' && again.reason === undefined)) {
    throw new AssentError('REJECTED', `Run ${run} is ${name}: there is nothing to resume.`);
  }
  return { ...foundIn(free, true), again };
}

/** The newest unfinished run of this identity that no process executes, of those that one process began. */
export async function findUnfinished(client: Client, identity: Digest | undefined): Promise<Found | undefined> {
  if (identity === undefined || process.env['ASSENT_FRESH'] === '1') return undefined;
  for (let before: RunId | undefined; ;) {
    const view = await client.unfinished(identity, before);
    if (view === undefined) return undefined;
    const free = await untilNobodys(client, view);
    if (free !== undefined) return foundIn(free, false);
    // A script that calls a flow twice with the same parameters goes on with both.
    before = view.run;
  }
}

const foundIn = (view: RunView, mustResume: boolean): Found => ({
  run: view.run,
  version: view.version,
  began: view,
  mustResume,
  ...(view.state.type === 'CRASHED' ? { crashed: view } : {}),
});

/** The run as it is when no process executes it any more; undefined if one does. */
async function untilNobodys(client: Client, first: RunView): Promise<RunView | undefined> {
  const untilMs = performance.now() + 2 * client.hello.heartbeatLimitMs;
  for (let view: RunView | undefined = first; view !== undefined; view = await client.runView(view.run)) {
    const owner = ownerOf(client, view);
    switch (owner.type) {
      case 'NOBODY':
        return view;
      case 'SOMEBODY':
        return undefined;
      case 'DEAD':
        await reportCrash(client, view, owner);
        break;
      case 'UNKNOWN':
        // Whoever executes it will be heard, or will be ruled crashed; if there is nobody, neither.
        if (view.process === undefined && performance.now() > untilMs) return undefined;
        if (view === first)
          runLogger().info(`run ${view.run} is unfinished: waiting until it is known whether its process lives`);
        await pause(Math.min(LOOK_AGAIN_MS, client.hello.heartbeatLimitMs / 4));
    }
  }
  return undefined;
}

const LOOK_AGAIN_MS = 500;

type Ownership = { readonly type: 'NOBODY' | 'SOMEBODY' | 'UNKNOWN' } | ({ readonly type: 'DEAD' } & Owner);

function ownerOf(client: Client, { state, process: known }: RunView): Ownership {
  if (isTerminal(state)) return { type: 'NOBODY' };
  if (known === undefined) return { type: 'UNKNOWN' };
  if (known.session === client.session.id) return { type: 'SOMEBODY' };
  const { pid, host } = { ...client.processes?.ownerOf(known.session), ...known };
  if (pid !== undefined && host === hostname()) {
    if (pid === process.pid) return { type: 'SOMEBODY' };
    if (!isAlive(pid)) return { type: 'DEAD', pid, host };
  }
  // Beats come every second; one that is late is no proof of anything. None at all: the arbiter is new itself.
  const beats = known.pid !== undefined && known.silentMs < client.hello.heartbeatLimitMs / 2;
  return { type: beats ? 'SOMEBODY' : 'UNKNOWN' };
}

/**
 * The process has ended on this very machine: there is no need to wait until its silence is long enough. The arbiter rules
 * all that it executed crashed, not only this run.
 */
async function reportCrash(client: Client, view: RunView, { pid, host }: Owner): Promise<void> {
  const reason = `process ${String(pid)} on ${host} is gone`;
  const error = recorded(encodeError(new Error(reason)), 'The error').value;
  await client.ask({
    kind: 'flow',
    run: view.run,
    to: { type: 'CRASHED', name: 'Crashed', message: reason, error },
    report: true,
    execution: view.execution,
    reason,
  });
}
