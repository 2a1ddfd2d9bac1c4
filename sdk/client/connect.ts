/**
 * The one client of this process: made at the first use, and again after it was closed. The only state that the SDK keeps
 * for the process as a whole.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { AssentError } from '../../protocol/errors.ts';
import { Client } from './client.ts';
import { startEngine } from './engine-process.ts';
import { clientName, connectTo, NatsLink, type Connected, type Reopen } from './nats-link.ts';
import { ProcessFiles } from './process-files.ts';
import { engineOf, placeOf, type Place, type Target } from './target.ts';

let current: Promise<Client> | undefined;
let currentLink: NatsLink | undefined;

/**
 * @throws AssentError ENGINE_START_FAILED, NATS_UNREACHABLE, ENGINE_UNAVAILABLE, NODE_TOO_OLD
 */
export async function currentClient(): Promise<Client> {
  const own = clients.getStore();
  if (own !== undefined) {
    await own.refresh();
    return own;
  }
  current ??= openClient();
  const opening = current;
  try {
    const client = await opening;
    await client.refresh();
    return client;
  } catch (error) {
    if (current === opening) current = undefined;
    throw error;
  }
}

const clients = new AsyncLocalStorage<Client>();

/** Whatever `act` calls and awaits uses this client, and nobody else does: a workspace of its own, in `assent/testing`. */
export const withClient = <T>(client: Client, act: () => T): T => clients.run(client, act);

/** Uses this client from now on; for tests of what is above it. */
export function useClient(client: Client | undefined): void {
  current = client === undefined ? undefined : Promise.resolve(client);
}

/**
 * Closes this process's connection; the next run opens another. A script need not call it: an idle connection does not
 * keep it from exiting. A flow that still runs here is let go: whoever awaits it gets an AssentError FENCED, and it goes
 * on where it was in the process that takes it over, as after a crash.
 *
 * @example
 * import { disconnect, flow } from 'assent';
 *
 * const greet = flow({ name: 'greet' }, (who: { name: string }) => `Hello ${who.name}`);
 * console.log(await greet({ name: 'Ada' }));
 * await disconnect();
 */
export async function disconnect(): Promise<void> {
  const closing = current;
  current = undefined;
  const client = await closing?.catch(() => undefined);
  await client?.close();
}

async function openClient(): Promise<Client> {
  requireNode(process.versions.node);
  const place = placeOf();
  const link = new NatsLink(await openPlace(place), {
    reopen: reopenIn(place),
    onClosed: () => {
      if (currentLink === link) current = undefined;
    },
  });
  currentLink = link;
  try {
    return await Client.open(link, place.type === 'FOLDER' ? new ProcessFiles(place.dataDir) : undefined);
  } catch (error) {
    await link.close();
    throw error;
  }
}

export function requireNode(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 22 || (major === 22 && minor >= 13)) return;
  throw new AssentError('NODE_TOO_OLD', `This is Node.js ${version}.`);
}

function openPlace(place: Place): Promise<Connected> {
  return place.type === 'SERVER' ? openServer(place.target) : openFolder(place.dataDir);
}

async function openServer(target: Target): Promise<Connected> {
  try {
    return { target, connection: await connectTo(target, clientName()) };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    throw new AssentError('NATS_UNREACHABLE', `No connection to ${target.servers}: ${detail}.`, { cause: error });
  }
}

async function openFolder(dataDir: string): Promise<Connected> {
  const target = await engineOf(dataDir);
  return (target && (await tryConnecting(target))) ?? startEngine(dataDir, tryConnecting);
}

/** Undefined when nobody is there who knows us: then what the folder says is out of date. */
async function tryConnecting(target: Target): Promise<Connected | undefined> {
  const connection = await connectTo(target, clientName()).catch(() => undefined);
  return connection === undefined ? undefined : { target, connection };
}

function reopenIn(place: Place): Reopen {
  return async (old) => {
    if (place.type === 'SERVER') return old.connection.isClosed() ? openServer(place.target) : undefined;
    const target = await engineOf(place.dataDir);
    // The same engine starts its server again at the same address; the connection finds it by itself.
    if (target !== undefined && isSame(target, old.target) && !old.connection.isClosed()) return undefined;
    return openFolder(place.dataDir);
  };
}

const isSame = (one: Target, other: Target): boolean =>
  one.servers === other.servers && one.password === other.password && one.workspace === other.workspace;
