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
import type { Value } from '../protocol/values.ts';
import { canonicalText } from './canonical.ts';
import type { Client } from './client/client.ts';
import { isAlive, projectFolder } from './client/target.ts';
import { encodeError, recorded } from './values.ts';

/** A run that may be claimed. */
export type Found = {
  readonly run: RunId;
  readonly version: number;
  readonly parameters: Value | undefined;
  /** It was named by the caller: there is nothing to fall back on. */
  readonly mustResume: boolean;
};

/** What a script that is started again recognises its run by; undefined if the parameters have no canonical text. */
export function identityOf(name: string, input: unknown): Digest | undefined {
  const parameters = canonicalText(input);
  if (parameters === undefined) return undefined;
  const folder = process.cwd();
  const script = relative(projectFolder(folder), process.argv[1] ?? '');
  return hash('sha256', JSON.stringify([name, parameters, script]), 'hex') as Digest;
}

/** @throws AssentError RUN_NOT_FOUND, REJECTED if the run that ASSENT_RESUME names cannot be claimed. */
export async function findUnfinished(client: Client, identity: Digest | undefined): Promise<Found | undefined> {
  const named = process.env['ASSENT_RESUME'];
  if (named !== undefined && named !== '') {
    // It names one run; whatever else this process calls begins anew.
    delete process.env['ASSENT_RESUME'];
    return claimNamed(client, named as RunId);
  }
  if (identity === undefined || process.env['ASSENT_FRESH'] === '1') return undefined;
  const view = await client.unfinished(identity);
  const free = view && (await untilNobodys(client, view));
  return free && foundIn(free, false);
}

async function claimNamed(client: Client, run: RunId): Promise<Found> {
  const view = await client.runView(run);
  if (view === undefined) throw new AssentError('RUN_NOT_FOUND', `There is no run ${run}.`);
  const free = await untilNobodys(client, view);
  if (free === undefined) throw new AssentError('REJECTED', `Run ${run} is ${view.state.name} in a process that lives.`);
  if (free.state.type === 'COMPLETED' || free.state.type === 'CANCELLED') {
    throw new AssentError('REJECTED', `Run ${run} is ${free.state.name}: there is nothing to resume.`);
  }
  return foundIn(free, true);
}

const foundIn = ({ run, version, parameters }: RunView, mustResume: boolean): Found => ({
  run,
  version,
  parameters: parameters as Value | undefined,
  mustResume,
});

/** The run as it is when no process executes it any more; undefined if one does. */
async function untilNobodys(client: Client, first: RunView): Promise<RunView | undefined> {
  const untilMs = performance.now() + 2 * client.hello.heartbeatLimitMs;
  for (let view: RunView | undefined = first; view !== undefined; view = await client.runView(view.run)) {
    switch (ownerOf(client, view)) {
      case 'NOBODY':
        return view;
      case 'SOMEBODY':
        return undefined;
      case 'DEAD':
        await reportCrash(client, view);
        break;
      case 'UNKNOWN':
        if (performance.now() > untilMs) return undefined;
        await pause(Math.min(1000, client.hello.heartbeatLimitMs / 4));
    }
  }
  return undefined;
}

function ownerOf(client: Client, { state, process: owner }: RunView): 'NOBODY' | 'SOMEBODY' | 'DEAD' | 'UNKNOWN' {
  if (isTerminal(state)) return 'NOBODY';
  // Without a beat, nobody knows who executes it: the arbiter is new itself.
  if (owner?.pid === undefined) return 'UNKNOWN';
  if (owner.session === client.session.id) return 'SOMEBODY';
  if (owner.host === hostname()) {
    if (owner.pid === process.pid) return 'SOMEBODY';
    if (!isAlive(owner.pid)) return 'DEAD';
  }
  // Beats come every second; one that is late is no proof of anything.
  return owner.silentMs < client.hello.heartbeatLimitMs / 2 ? 'SOMEBODY' : 'UNKNOWN';
}

/** The process has ended on this very machine: there is no need to wait until its silence is long enough. */
async function reportCrash(client: Client, { run, execution, process: owner }: RunView): Promise<void> {
  const reason = `process ${String(owner?.pid)} on ${String(owner?.host)} is gone`;
  const error = recorded(encodeError(new Error(reason)), 'The error').value;
  await client.session.ask({
    kind: 'flow',
    run,
    to: { type: 'CRASHED', name: 'Crashed', message: reason, error },
    report: true,
    execution,
    reason,
  });
}
