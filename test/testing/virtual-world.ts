/**
 * A workspace in virtual time: the real arbiter, fold and rules over logs in memory, one client process with the real
 * SDK, and a worker in it. To be made and used within `inVirtualTime`.
 */
import { Arbiter } from '../../engine/arbiter/arbiter.ts';
import { answerAsk } from '../../engine/arbiter/asks.ts';
import { ARBITER_DEFAULTS } from '../../engine/arbiter/parts.ts';
import { memoryLog, type MemoryLog } from '../../engine/log/memory.ts';
import type { StoredMessage } from '../../engine/log/port.ts';
import { loadedPolicy, policiesOf, type LoadedPolicy } from '../../engine/policy/loaded-policy.ts';
import type { EpochMs, RunId, SessionId } from '../../protocol/ids.ts';
import type { WorkHint } from '../../protocol/messages.ts';
import { ENGINE } from '../../protocol/proposals.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { sha256 } from '../../protocol/segment.ts';
import type { State } from '../../protocol/states.ts';
import { completePolicies, type CompletePolicies } from '../../rules/compose.ts';
import { court } from '../../rules/judge.ts';
import { Client } from '../../sdk/client/client.ts';
import { executed } from '../../sdk/flow-call.ts';
import { StartRefused } from '../../sdk/flow-plan.ts';
import { isHookHint, runHooksOf } from '../../sdk/owed-hooks.ts';
import { planFor, settingsFor, type Served } from '../../sdk/served.ts';
import type { Seeded } from '../support/seeded.ts';
import { MemoryLink } from './memory-link.ts';
import type { VirtualClock } from './virtual-clock.ts';

/** Nobody here dies unnoticed, so nobody's silence is a death: a process that sleeps for a month is alive. */
const FOR_EVER_MS = 100 * 365 * 86_400_000;

export type WorldParts = {
  readonly clock: VirtualClock;
  readonly chance: Seeded;
  /** Put in force before anything else; left out, those of the core judge. */
  readonly policies: CompletePolicies | undefined;
  /** Runs of these that were started for a worker are executed here. */
  readonly served: Served;
  readonly ruled: (ruling: Ruling) => void;
};

export class VirtualWorld {
  readonly arbiter: Arbiter;
  readonly client: Client;
  /** Lines of the runs' logs. */
  readonly logged: readonly string[];
  readonly #ledger: MemoryLog;

  private constructor(world: Pick<VirtualWorld, 'arbiter' | 'client' | 'logged'>, ledger: MemoryLog) {
    this.arbiter = world.arbiter;
    this.client = world.client;
    this.logged = world.logged;
    this.#ledger = ledger;
  }

  static async begin(parts: WorldParts): Promise<VirtualWorld> {
    const { clock } = parts;
    const ledger = memoryLog();
    const proposals = memoryLog();
    const logged: string[] = [];
    let client: Client | undefined = undefined as Client | undefined;
    const arbiter = arbiterOf(
      parts,
      { ledger, proposals },
      {
        answer: (session, message) => {
          link.deliver(session as SessionId, message);
        },
        dispatch: (hint) => {
          if (client !== undefined) void execute(client, parts.served, { v: 1, ...hint });
          return Promise.resolve();
        },
      },
    );
    const about = aboutOf(parts);
    const link: MemoryLink = new MemoryLink({
      store: (subject, bytes) => proposals.storeForeign(bytes, subject),
      ask: (ask) => answerAsk(arbiter, ask, about),
      beat: (session, heartbeat) => {
        arbiter.beat(session, heartbeat);
      },
      log: (_, lines) => {
        logged.push(...Buffer.from(lines).toString().split('\n').filter(Boolean));
      },
      soon: (run) => clock.soon(run),
    });
    await new Promise<void>((resolve) => {
      arbiter.start((role) => {
        if (role === 'ACTIVE') resolve();
      });
    });
    client = await Client.open(link);
    return new VirtualWorld({ arbiter, client, logged }, ledger);
  }

  /** The ledger, as it is stored. */
  async segments(): Promise<StoredMessage[]> {
    const stored: StoredMessage[] = [];
    for await (const message of this.#ledger.read(1)) stored.push(message);
    return stored;
  }

  async end(): Promise<void> {
    await this.client.close();
    await this.arbiter.stop();
  }
}

type Outside = Pick<ConstructorParameters<typeof Arbiter>[0]['outbox'], 'answer' | 'dispatch'>;

function arbiterOf(
  { clock, chance, policies, ruled }: WorldParts,
  logs: { readonly ledger: MemoryLog; readonly proposals: MemoryLog },
  { answer, dispatch }: Outside,
): Arbiter {
  const own = policies === undefined ? undefined : knownPolicy(policies);
  const arbiter = new Arbiter({
    ...logs,
    outbox: { answer, dispatch, ruled, beat: () => undefined },
    leases: { last: () => undefined },
    court: court(CORE.sets.workspace),
    policy: CORE.digest,
    shelf: { loaded: (digest) => (digest === own?.digest ? own : undefined), find: () => Promise.resolve(undefined) },
    clock: { wallMs: () => clock.nowMs(), monotonicMs: () => clock.elapsedMs() },
    chance,
    scheduler: clock,
    settings: { ...ARBITER_DEFAULTS, alone: true, heartbeatLimitMs: FOR_EVER_MS, sessionLimitMs: FOR_EVER_MS },
    say: () => undefined,
  });
  if (own !== undefined) arbiter.putInForce({ type: 'POLICY_SET', policy: own.digest }, ENGINE);
  return arbiter;
}

/** Known by what its rules are; in the engine it is the source that counts, which a test need not have as a file. */
function knownPolicy(sets: CompletePolicies): LoadedPolicy {
  const described = [...policiesOf(sets)].map(({ part, name, policy }) => [
    part,
    name,
    policy.rules.map(({ name: rule, on, from, to, needs, may, judge }) => [
      rule,
      on,
      from,
      to,
      needs,
      may,
      String(judge),
    ]),
  ]);
  return loadedPolicy(sha256(JSON.stringify(described)), sets);
}

const CORE = knownPolicy(completePolicies({}));

const aboutOf = ({ clock, policies }: WorldParts): Parameters<typeof answerAsk>[2] => {
  const { digest, completesEarly } = policies === undefined ? CORE : knownPolicy(policies);
  return { policy: digest, completesEarly, heartbeatLimitMs: FOR_EVER_MS, monotonicMs: () => clock.elapsedMs() };
};

/** As a worker does: the claim decides, and the run's own failure stands on the ledger. */
async function execute(client: Client, served: Served, hint: WorkHint): Promise<void> {
  const settings = settingsFor(served, hint);
  const plan = planFor(client, served, hint);
  if (settings === undefined || plan === undefined) return;
  client.beginWork();
  try {
    await client.refresh();
    if (isHookHint(hint)) await runHooksOf(client, settings, hint);
    else await executed(plan);
  } catch (error) {
    if (error instanceof StartRefused) return;
  } finally {
    client.endWork();
  }
}

/** A run as the fold has it in the end. */
export type RunAtEnd = {
  readonly id: RunId;
  readonly name: string;
  readonly kind: 'flow' | 'task';
  readonly state: State;
  /** Times that it ran. */
  readonly attempt: number;
  readonly endedMs?: EpochMs;
};
