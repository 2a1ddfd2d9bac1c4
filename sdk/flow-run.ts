/**
 * One flow run in this process, from the wish to run to the outcome that its caller sees; attempt after attempt, as the
 * rulings say. A flow run of its own claims each attempt and is handed an execution; a subflow lives in its root's.
 *
 * F1 The function runs only after its RUNNING was ruled on; its outcome is what was ruled, not what it returned.
 * F2 Two attempts of one run are not at work at once: the next one waits until the last one's functions have settled,
 *    for the grace at most.
 * F3 Once the run has ended, or went on elsewhere, nothing that belongs to it is proposed.
 * F4 The caller of a subflow hears of its end when it is its turn (handover.ts).
 */
import { AssentError } from '../protocol/errors.ts';
import type { Answer, Order } from '../protocol/messages.ts';
import { isTerminal, type State } from '../protocol/states.ts';
import type { Client } from './client/client.ts';
import { DISCONNECTED, type Wish } from './client/session.ts';
import { gaveOf } from './flow-function.ts';
import { reportOf, type Gave } from './flow-report.ts';
import { noteEnd } from './future.ts';
import { Turn } from './handover.ts';
import { flowHook } from './flow-hooks.ts';
import { isTakenBy, meaningOf, StartRefused, Suspended, type FlowRunPlan, type Ruled } from './flow-plan.ts';
import { cancelled, failedWith, isFence, isStart, NOBODY_WAITS, notAwaited, refusedError } from './outcomes.ts';
import { endedCalls } from './reuse.ts';
import { Execution, FlowScope, GRACE_MS, type Call } from './scope.ts';
import { inProcess } from './task-runner.ts';
import { Suspension } from './waits/suspension.ts';

export class FlowRun implements Call {
  readonly name: string;
  readonly #plan: FlowRunPlan;
  readonly #client: Client;
  readonly #turn: Turn;
  readonly #heed = (order: Order): void => {
    this.#ordered(order);
  };
  #execution: Execution | undefined;
  #scope: FlowScope | undefined;
  #version: number;
  #cancelled: AssentError | undefined;
  #grace: NodeJS.Timeout | undefined;
  /** Ends the round at hand with what somebody else has ruled. */
  #overrule: (ruled: Ruled) => void = () => undefined;
  /** Ends the function's part in the attempt at hand. */
  #giveUp: (outcome: Gave) => void = () => undefined;
  #left = false;
  /** The answer to the wish to run is still to come; what is heard of the run may be that very wish's effect. */
  #claiming = false;
  #heardMeanwhile: Order | undefined;

  constructor(plan: FlowRunPlan) {
    this.#plan = plan;
    this.name = plan.flow.settings.name;
    this.#client = plan.client;
    this.#turn = new Turn(plan.parent?.execution.handover);
    this.#version = plan.version ?? 0;
  }

  get scope(): FlowScope | undefined {
    return this.#scope;
  }

  get settled(): Promise<void> {
    return this.#scope === undefined ? Promise.resolve() : this.#scope.quiet(GRACE_MS);
  }

  /** Resolves or rejects with what the run's end means to its caller. */
  async outcome(): Promise<unknown> {
    const { run, parent } = this.#plan;
    parent?.enter(this);
    this.#client.watch(run, parent === undefined, this.#heed);
    const deaf = this.#client.whenLeft(() => {
      if (parent === undefined) this.#fence(DISCONNECTED);
    });
    try {
      for (let basedOn = this.#plan.version; ;) {
        const ruled = await this.#round(basedOn);
        if (ruled.type === 'REFUSED') throw ruled.error;
        if (ruled.state.type !== 'SCHEDULED' || this.#left) return await this.#ended(ruled);
        basedOn = ruled.version;
        await this.#scope?.quiet(GRACE_MS);
        // Whatever the last attempt has left to say is void; it would only be told that another execution is current.
        if (parent === undefined) this.#scope?.silence();
      }
    } finally {
      deaf();
      await this.#turn.comes();
      this.#turn.over();
      this.#end();
    }
  }

  interrupt(reason: AssentError): void {
    if (reason.kind === 'FENCED' || this.#scope === undefined) {
      this.#left = true;
      this.#scope?.stop(reason);
      this.#overrule({ type: 'REFUSED', error: reason });
    } else {
      this.#cancel(reason);
    }
  }

  abandon(reason: AssentError): void {
    this.#scope?.abandon(reason);
    this.#end();
  }

  #end(): void {
    clearTimeout(this.#grace);
    this.#left = true;
    this.#plan.parent?.leave(this);
    this.#client.unwatch(this.#plan.run, this.#heed);
    this.#scope?.silence();
    if (this.#plan.parent === undefined) this.#execution?.end();
  }

  /** One attempt; over as soon as somebody else has ruled that it is. */
  #round(basedOn: number | undefined): Promise<Ruled> {
    return new Promise((resolve, reject) => {
      let open = true;
      this.#overrule = (ruled) => {
        open = false;
        resolve(ruled);
      };
      this.#try(basedOn, () => open).then(resolve, reject);
    });
  }

  async #try(basedOn: number | undefined, isOpen: () => boolean): Promise<Ruled> {
    // It may be granted, and ruled timed out, before this process hears of either.
    if (this.#plan.flow.settings.timeoutMs !== undefined) this.#turn.doubt();
    this.#claiming = true;
    const answer = await this.#ask(this.#plan.start(basedOn), (heard) => !isStart(heard) || undefined);
    this.#claiming = false;
    this.#hear(answer.version);
    if (!isStart(answer)) return this.#notStarted(answer);
    const heard = this.#heardMeanwhile;
    if (isTakenBy(heard, answer)) this.#fence('another process executes it');
    if (heard !== undefined && this.#plan.parent !== undefined) this.#ordered(heard);
    if (!isOpen()) {
      this.#giveBack();
      return { type: 'REFUSED', error: cancelled(this.#named(), undefined) };
    }
    const scope = await this.#open(answer);
    this.#plan.onAttempt?.(scope, answer);
    const outcome = await this.#runFunction(scope);
    clearTimeout(this.#grace);
    scope.stop(this.#cancelled ?? notAwaited(this.name));
    await scope.undone();
    if (!isOpen() || scope.mute || outcome === undefined) return { type: 'REFUSED', error: scope.stopped };
    return this.#report(scope, outcome);
  }

  #notStarted(answer: Answer): Ruled {
    if (answer.outcome === 'rewritten' && answer.state !== undefined) {
      this.#announce(answer);
      return { type: 'STATE', state: answer.state, version: answer.version };
    }
    if (isFence(answer)) this.#plan.parent?.execution.fence(answer.why ?? 'another execution is current');
    const { state, version } = answer;
    // While it waited to be tried again, it went on elsewhere: what it came to there is what counts.
    if (this.#execution !== undefined && state !== undefined) {
      if (isTerminal(state) && state.type !== 'CRASHED') return { type: 'STATE', state, version };
      return { type: 'REFUSED', error: this.#fencedError('another process executes it') };
    }
    return { type: 'REFUSED', error: new StartRefused(answer, this.#whose()) };
  }

  /** A subflow's start was granted when nobody waited for it any more. */
  #giveBack(): void {
    const { parent, run } = this.#plan;
    if (parent === undefined || parent.mute) return;
    const wish = { kind: 'flow', run, to: NOBODY_WAITS, report: true, execution: parent.execution.number } as const;
    this.#client.session.propose(wish, () => undefined, parent);
  }

  async #open(answer: Answer): Promise<FlowScope> {
    const { run, flow, parent } = this.#plan;
    const execution = parent?.execution ?? this.#handOver(answer.execution ?? 0);
    const attempt = answer.attempt ?? 1;
    // What its parent was told is older than its own last attempt.
    const again = this.#scope !== undefined || (parent === undefined && execution.number > 1);
    const recorded = again ? await endedCalls(this.#client, run, () => this.#left) : parent?.recorded;
    const scope = new FlowScope({
      client: this.#client,
      run,
      name: flow.settings.name,
      attempt,
      execution,
      ...(parent === undefined ? {} : { parent }),
      ...(recorded === undefined ? {} : { recorded }),
      runner: flow.settings.runner ?? parent?.runner ?? inProcess,
      strict: flow.settings.strict,
      fail: (error) => {
        this.#giveUp({ error });
      },
    });
    scope.redact = flow.settings.redact;
    this.#scope = scope;
    if (this.#plan.byWorker === true)
      execution.suspension = new Suspension(scope, this.#plan, this.#suspended.bind(this));
    // A cancel may have been ordered while the calls were read.
    if (this.#cancelled !== undefined) scope.stop(this.#cancelled);
    return scope;
  }

  #handOver(number: number): Execution {
    this.#execution?.end();
    this.#client.session.dropMute();
    this.#execution = new Execution(this.#plan.run, number, (why) => {
      this.#fence(why);
    });
    return this.#execution;
  }

  /** Turns are taken in the order of the answers; `ends` says of one whether it ends the run, or the attempt. */
  #ask(wish: Wish, ends: (answer: Answer) => boolean | undefined): Promise<Answer> {
    return new Promise((resolve) => {
      const settle = (answer: Answer): void => {
        const isLast = ends(answer);
        if (isLast !== undefined) this.#turn.known(isLast);
        resolve(answer);
      };
      this.#client.session.propose(wish, settle, this.#plan.parent);
    });
  }

  async #runFunction(scope: FlowScope): Promise<Gave | undefined> {
    const givenUp = new Promise<Gave>((resolve) => {
      this.#giveUp = resolve;
    });
    const ran = (async (): Promise<Gave> => {
      try {
        const parameters = await this.#plan.parameters();
        scope.parameters = parameters;
        scope.follow(
          flowHook(this.#plan, scope, { type: 'RUNNING', name: scope.attempt === 1 ? 'Running' : 'Retrying' }),
        );
        return await gaveOf(scope, this.#plan.flow.fn, parameters);
      } catch (error) {
        return { error };
      }
    })();
    const gave = await Promise.race([ran, givenUp]);
    return this.#plan.conclude === undefined ? gave : this.#plan.conclude(scope, gave);
  }

  async #report(scope: FlowScope, gave: Gave): Promise<Ruled> {
    const { settings } = this.#plan.flow;
    const { client, attempt } = scope;
    for (const say of scope.lastWords) say();
    const { redactAll } = scope;
    const ending = { client, settings, attempt, redactAll, whose: this.#whose(), cancelled: this.#cancelled };
    const { report, own: reported } = await reportOf(ending, gave);
    this.#turn.doubt();
    const answer = await this.#ask(this.#endWish(scope, report.state), ({ state }) => state?.type !== 'SCHEDULED');
    if (isFence(answer)) {
      const error = refusedError(answer, this.#whose());
      scope.execution.fence(error.message);
      return { type: 'REFUSED', error };
    }
    this.#hear(answer.version);
    const { state, version } = answer;
    this.#announce(answer);
    if (answer.outcome === 'accepted') return { type: 'STATE', state: report.state, version, own: reported };
    if (state !== undefined && state.type !== 'RUNNING')
      return { type: 'STATE', state, version, ...(state.type === report.state.type ? { own: reported } : {}) };
    // A rule refused the end itself. The run must not stay at work for ever.
    const error = refusedError(answer, `The end of ${this.#whose()}`);
    await this.#client.session.ask(this.#endWish(scope, failedWith(this.#client, error, false).state), scope.parent);
    return { type: 'REFUSED', error };
  }

  #announce({ state, version, execution = 0 }: Answer): void {
    if (this.#plan.parent !== undefined || state === undefined) return;
    this.#client.announce({ run: this.#plan.run, state, version, execution, by: 'sdk', seq: 0, index: 0 });
  }

  #endWish(scope: FlowScope, to: State): Wish {
    const { kind = 'flow', run } = this.#plan;
    return { kind, run, to, report: true, execution: scope.execution.number };
  }

  /** What the end means to the caller, who hears of it when the hooks are done. */
  async #ended(ruled: Extract<Ruled, { type: 'STATE' }>): Promise<unknown> {
    const meaning = meaningOf(this.#client, ruled, this.#named());
    meaning.catch(() => undefined); // It is waited for further down; until then it must not end the process.
    const scope = this.#scope;
    if (this.#plan.details !== undefined) noteEnd(this.#plan.details, ruled.state);
    if (scope !== undefined && isTerminal(ruled.state)) {
      await scope.undone();
      await flowHook(this.#plan, scope, ruled.state, meaning);
      await scope.hooksDone(GRACE_MS);
    }
    return meaning;
  }

  #hear(version: number): void {
    this.#version = Math.max(this.#version, version);
    this.#client.heard(this.#heed);
  }

  /** What was ruled though this process did not ask for it. */
  #ordered(order: Order): void {
    if (order.version <= this.#version) return;
    if (this.#claiming && order.version > (this.#heardMeanwhile?.version ?? 0)) this.#heardMeanwhile = order;
    // What a subflow came to before is no news: only what is later than the answer is.
    if (this.#claiming && this.#scope === undefined && this.#plan.parent !== undefined) return;
    this.#hear(order.version);
    const { state, reason } = order;
    switch (state.type) {
      case 'PAUSED':
        if (!this.#isTaken(order)) return;
        // Its own wish, of which the answer is late.
        if (this.#execution?.suspension?.isAsked === true) this.#suspended(state);
        else this.#fence('it is suspended, and goes on in another process');
        return;
      case 'CANCELLING':
        this.#cancel(cancelled(this.#named(), reason ?? state.message));
        return;
      case 'PENDING':
        this.#fence('it waits for another process');
        return;
      case 'RUNNING':
        if (this.#isTaken(order)) this.#fence('another process executes it');
        return;
      case 'CRASHED':
        this.#fence(
          `it was ruled crashed (${reason ?? state.message ?? 'by the engine'}), and nobody goes on with it yet`,
        );
        return;
      case 'SCHEDULED':
        // A retry is this process's own; a resumption is another's.
        if (this.#isTaken(order)) this.#fence(reason ?? state.message ?? 'another process will go on with it');
        else this.#endAttempt(order);
        return;
      case 'FAILED':
      case 'CANCELLED':
      case 'COMPLETED':
        this.#endAttempt(order);
    }
  }

  /** The run was taken from this process: another number is the current one. */
  #isTaken({ execution }: Order): boolean {
    return this.#plan.parent === undefined && !this.#claiming && execution !== this.#execution?.number;
  }

  /** The engine ended the attempt: it is over, whether or not its function notices. */
  #endAttempt({ state, version, reason }: Order): void {
    const timedOut = new AssentError('TIMED_OUT', `${this.#named()} was not done in time.`);
    this.#scope?.stop(state.type === 'CANCELLED' ? cancelled(this.#named(), undefined) : timedOut);
    if (state.type !== 'SCHEDULED') this.#scope?.silence();
    // Whatever its function still does, what it has done is seen to.
    if (this.#plan.conclude !== undefined) this.#giveUp({ error: this.#scope?.stopped });
    this.#turn.known(state.type !== 'SCHEDULED');
    this.#overrule({ type: 'STATE', state, version, reason });
  }

  #cancel(reason: AssentError): void {
    if (this.#cancelled !== undefined) return;
    this.#cancelled = reason;
    this.#scope?.stop(reason);
    this.#grace = setTimeout(() => {
      this.#giveUp({ error: reason });
    }, GRACE_MS);
  }

  #fence(why: string): void {
    if (this.#plan.parent !== undefined) {
      this.#plan.parent.execution.fence(why);
      return;
    }
    const error = this.#fencedError(why);
    this.#execution?.end();
    this.#left = true;
    this.#scope?.stop(error);
    this.#client.session.dropMute();
    this.#overrule({ type: 'REFUSED', error });
  }

  /** What waits here waits for ever; the worker is told that the run is not its own any more. */
  #suspended(state: State): void {
    if (this.#left) return;
    this.#execution?.end();
    this.#left = true;
    this.#scope?.abandon(this.#fencedError(`it is ${state.name}, and goes on in whichever process is free then`));
    this.#overrule({ type: 'REFUSED', error: new Suspended(state) });
  }

  #fencedError(why: string): AssentError {
    return new AssentError('FENCED', `${this.#named()} is not this process’s any more: ${why}.`);
  }

  /** In errors after which somebody asks why. */
  readonly #named = (): string => `${this.#whose()} (run ${this.#plan.run})`;

  readonly #whose = (): string => `${this.#plan.kind === 'task' ? 'Task' : 'Flow'} '${this.name}'`;
}
