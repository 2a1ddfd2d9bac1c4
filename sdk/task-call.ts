/**
 * One call of a task by a flow: from the wish to start to the outcome that the flow sees.
 *
 * T1 The function runs only after the start was ruled on, and never when the call is answered from the record.
 * T2 The caller sees what was ruled, not what happened here: a failure that was turned into a retry is no failure, and
 *    an attempt that was ruled timed out is over even if its function goes on.
 * T3 A completion is handed over before it is ruled on only where no rule can alter it; it is proposed first, in order,
 *    and if it is refused all the same, the attempt of the flow is failed.
 * T4 A start that is granted when nobody waits for it any more is given back.
 * T5 The caller hears of the outcome when it is its turn (handover.ts).
 */
import { AssentError } from '../protocol/errors.ts';
import type { Answer, Order } from '../protocol/messages.ts';
import { isTerminal, type State } from '../protocol/states.ts';
import type { RunId } from '../protocol/ids.ts';
import { noteChangedInputs } from './attempt-notes.ts';
import type { CallIdentity } from './call.ts';
import { CallEnd, type Caller, type CallParts } from './call-end.ts';
import type { Wish } from './client/session.ts';
import { divergence } from './divergence.ts';
import type { GatePass } from './gate.ts';
import {
  cancelled,
  errorOf,
  failedWith,
  isFence,
  isStart,
  NOBODY_WAITS,
  refusedError,
  RETRYING,
  RUNNING,
  type Report,
} from './outcomes.ts';
import { reuse, type Ended } from './reuse.ts';
import { TaskScope, type Call, type FlowScope, type Waiting } from './scope.ts';
import { inProcess } from './task-runner.ts';
import type { TaskDefinition } from './task-definition.ts';
import { kept, outcomeOf, reportedBy, type Own } from './task-report.ts';
import { isCompared, settingsFor, shownIdentity, TaskWishes, type CallSettings } from './task-start.ts';
import { waitOf, type CallWait } from './waits/call-wait.ts';
import { mayBegin } from './waits/suspension.ts';

const ignore = (): void => undefined;

/** A start that is not answered: what is ordered meanwhile may be older than the answer, or later. */
type Asking = { later: Order | undefined };

export class TaskCall implements Call {
  readonly name: string;
  readonly run: RunId;
  readonly isWait: boolean;
  readonly #flow: FlowScope;
  readonly #task: TaskDefinition;
  readonly #inputs: readonly unknown[];
  readonly #settings: CallSettings;
  readonly #identity: CallIdentity;
  /** What it is known by, for the error that says that it is not what was recorded. */
  readonly #known: Omit<Parameters<typeof divergence>[1], 'answer'>;
  readonly #ending: CallEnd;
  readonly #wishes: TaskWishes;
  readonly #heed = (order: Order): void => {
    this.#ordered(order);
  };
  /** The attempt whose function runs; undefined before, between and after attempts. */
  #running: TaskScope | undefined;
  /** Its function has settled, and what it gave is being stored. */
  #storing = false;
  /** The run's version as it was last heard of. */
  #version = 0;
  /** Starts that were proposed; what is answered to the report of an earlier attempt is out of date. */
  #starts = 0;
  #reported = -1;
  #attempt = 1;
  #asking: Asking | undefined;
  /** Of a call that does nothing but wait. */
  readonly #wait: CallWait | undefined;
  /** The caller has its outcome; and it may have it before it is ruled on. */
  #done = false;
  #isEarly = false;
  #pass: GatePass | undefined;
  /** Why the function was told to stop. */
  #stopped: AssentError | undefined;
  #settle: (() => void) | undefined;
  /** Its end may be ruled at any time, and not as this process says. */
  #endDoubt: (() => void) | undefined;

  constructor({ flow, task, inputs, identity, caller, details, place }: CallParts) {
    this.name = task.settings.name;
    this.run = identity.run;
    this.isWait = task.builtIn?.waits === true;
    this.#flow = flow;
    this.#task = task;
    this.#inputs = inputs;
    this.#settings = settingsFor(flow, task, inputs);
    const { name, redactAll } = this.#settings;
    this.#known = { name, identity, inputs: redactAll?.ofInputs(inputs) ?? inputs, place };
    this.#identity = identity;
    const shown = shownIdentity(identity, redactAll, inputs);
    const { builtIn } = task;
    this.#wishes = new TaskWishes({ flow, identity: shown, settings: this.#settings, builtIn, inputs });
    this.#wait = waitOf({ flow, run: identity.run, wishes: this.#wishes, isOver: () => this.#done }, task.builtIn);
    this.#ending = new CallEnd({ flow, task, identity, inputs, caller, details, over: () => this.#over() });
  }

  get isAtWork(): boolean {
    return this.#running !== undefined || this.#storing;
  }

  /** As far as the flow may let go of its process meanwhile. */
  get waits(): Waiting | undefined {
    return this.isAtWork ? undefined : this.#wait?.waiting;
  }

  get settled(): Promise<void> {
    if (!this.isAtWork) return Promise.resolve();
    return new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  begin(): void {
    const ended = this.#flow.recorded?.get(this.run);
    if (ended !== undefined) {
      this.#reuse(ended);
      return;
    }
    this.#flow.enter(this);
    const { client } = this.#flow;
    // A time-out is ruled while this process is silent, so the order may be lost; then it is asked for.
    if (this.#task.settings.timeoutMs === undefined) client.session.follow(this.run, this.#heed);
    else client.watch(this.run, false, this.#heed);
    if (this.#task.builtIn !== undefined) this.#first();
    else {
      const first = this.#first.bind(this);
      this.#pass = this.#flow.gateOf(this.#settings.runner).enter(first, () => mayBegin(this.#flow));
    }
  }

  #first(): void {
    const { recordedInputs } = this.#settings;
    const stored = recordedInputs === undefined ? undefined : this.#flow.client.store(recordedInputs);
    this.#flow.begin(stored, this.#opens.bind(this), this.#fail.bind(this));
  }

  #opens(): void {
    if (this.#done) return;
    const opened = this.#wait?.open((wish, settle) => {
      this.#propose(wish, settle);
    });
    const begin = (): void => {
      if (!this.#done) this.#proposeStart();
    };
    if (opened === undefined) begin();
    else opened.then(begin, this.#fail.bind(this));
  }

  /** The caller is about to be told; false if it was told before. */
  #over(): boolean {
    if (this.#done) return false;
    this.#done = true;
    this.#endDoubt?.();
    this.#pass?.leave();
    this.#flow.leave(this);
    if (this.#task.settings.timeoutMs === undefined) this.#flow.client.session.unfollow(this.run, this.#heed);
    else this.#flow.client.unwatch(this.run, this.#heed);
    return true;
  }

  abandon(): void {
    this.#over();
  }

  interrupt(reason: AssentError): void {
    const fenced = reason.kind === 'FENCED';
    this.#stopped = reason;
    this.#running?.abort(reason);
    // What runs may still end well; what waits to run has nothing to wait for.
    if (fenced || (this.#running === undefined && !this.#storing && this.#reported !== this.#starts)) {
      this.#running = undefined;
      this.#fail(reason);
    }
  }

  #reuse(ended: Ended): void {
    const report = (to: State): Wish => this.#wishes.report(to);
    const tell = (how: keyof Caller, known: unknown): void => {
      this.#ending.now(how, known, ended);
    };
    reuse({
      flow: this.#flow,
      ended,
      start: this.#wishes.start(RUNNING),
      report,
      whose: this.#whose(),
      diverged: isCompared(this.#flow, this.#task)
        ? (answer) => {
            this.#diverged(answer);
          }
        : undefined,
    }).then(tell.bind(undefined, 'resolve'), tell.bind(undefined, 'reject'));
  }

  #propose(wish: Wish, settle: (answer: Answer) => void, held?: () => void): void {
    if (this.#flow.mute) {
      this.#fail(this.#flow.stopped ?? cancelled(this.#whose(), 'its flow run has ended'));
      return;
    }
    this.#flow.client.session.propose(wish, settle, this.#flow, held);
  }

  #proposeStart(): void {
    const asking: Asking = { later: undefined };
    this.#asking = asking;
    this.#starts += 1;
    const isTimed = this.#task.settings.timeoutMs !== undefined;
    // It may be granted, and ruled timed out, before this process hears of either; or be answered with an end.
    if (isTimed || this.#settings.cache !== undefined || this.#task.builtIn?.receives !== undefined) this.#beInDoubt();
    const settle = (answer: Answer): void => {
      this.#asking = undefined;
      if (isStart(answer) && !isTimed) this.#endDoubt?.();
      if (isFence(answer)) this.#flow.execution.fence(answer.why ?? 'another execution is current');
      const { later } = asking;
      // The attempt may be over before its start is heard of: the answer was lost, and came again.
      const isOver = later !== undefined && later.version > answer.version && later.state.type !== 'CANCELLING';
      if (!isOver) this.#started(answer);
      if (later !== undefined) this.#ordered(later);
    };
    this.#propose(this.#wishes.start(this.#starts === 1 ? RUNNING : RETRYING), settle, this.#wait?.held);
  }

  #started(answer: Answer): void {
    if (this.#done) {
      // T4.
      if (isStart(answer)) this.#propose(this.#wishes.report(NOBODY_WAITS), ignore);
      return;
    }
    this.#version = answer.version;
    if (isStart(answer)) this.#runFunction(answer.attempt ?? 1);
    else if (answer.outcome === 'rewritten' && answer.state !== undefined) this.#follow(answer.state);
    else if (answer.code === 'DIVERGED') this.#diverged(answer);
    else this.#ending.inTurn('reject', refusedError(answer, this.#whose()));
  }

  /** It is another call than was recorded: nothing of the flow run may go on. */
  #diverged(answer: Answer): void {
    void divergence(this.#flow, { ...this.#known, answer }).then((error) => {
      this.#fail(error);
      this.#flow.fail(error);
    });
  }

  #runFunction(attempt: number): void {
    const scope = new TaskScope(this.#flow, this.run, this.#task.settings.name, attempt);
    scope.redact = this.#task.settings.redact;
    this.#running = scope;
    this.#attempt = attempt;
    this.#ending.onRunning(attempt);
    const runner = this.#task.builtIn === undefined ? (this.#settings.runner ?? this.#flow.runner) : inProcess;
    outcomeOf(
      () => runner.run(scope, this.#task, this.#inputs),
      (outcome) => {
        // It may have been ruled over before its function settled.
        if (this.#running !== scope) return;
        this.#running = undefined;
        this.#storing = true;
        if (runner === inProcess) noteChangedInputs(scope, this.#task, this.#identity, this.#inputs);
        const { report, own } = reportedBy(this.#flow.client, outcome, {
          settings: this.#settings,
          attempt: scope.attempt,
          stopped: this.#stopped,
        });
        this.#report(report, own);
      },
    );
  }

  #report({ state, stored }: Report, own: Own): void {
    const prepared = this.#wishes.prepareEnd(state);
    if (stored === undefined && prepared === undefined) {
      this.#proposeEnd(state, own);
      return;
    }
    const reported = { report: { state, stored }, own };
    const how = { settings: this.#settings, attempt: this.#attempt };
    void Promise.all([kept(this.#flow.client, reported, how), prepared]).then(([{ report, own: gave }]) => {
      this.#proposeEnd(report.state, gave);
    });
  }

  /** Its next attempt may begin: what there is to say of this one is said first. */
  #isOver(): void {
    this.#storing = false;
    this.#settle?.();
  }

  #proposeEnd(state: State, own: Own): void {
    this.#isOver();
    const start = this.#starts;
    this.#reported = start;
    this.#propose(this.#wishes.end(state), (answer) => {
      this.#ended(answer, state, { ...own, isCurrent: start === this.#starts });
    });
    const { settings, awaitsRuling } = this.#task;
    const { client, execution } = this.#flow;
    const mayBeEarly = client.hello.completesEarly && !awaitsRuling && settings.timeoutMs === undefined;
    if (mayBeEarly && state.type === 'COMPLETED' && this.#stopped === undefined && execution.handover.isCertain) {
      this.#isEarly = true;
      this.#ending.inTurn('resolve', own.value, this.#how(state));
    } else if (!this.#done) {
      this.#beInDoubt();
    }
  }

  #ended(answer: Answer, reported: State, own: Own & { readonly isCurrent: boolean }): void {
    if (isFence(answer)) {
      this.#flow.execution.fence(answer.why ?? 'another execution is current');
      return;
    }
    this.#endDoubt?.();
    const stands = answer.outcome === 'accepted' ? reported : answer.state;
    if (this.#isEarly) {
      const fits = stands?.type === reported.type || stands?.type === 'CANCELLED';
      if (!fits) this.#flow.fail(refusedError(answer, `The completion of ${this.#whose()}`));
      return;
    }
    // The engine was faster: the caller has heard, or will hear, of the end that it ruled.
    if (this.#done || this.#ending.isHanded) return;
    if (!own.isCurrent) return;
    this.#version = answer.version;
    if (reported.type === 'FAILED') this.#ending.attemptFailed(this.#attempt, reported.message, stands);
    if (stands === undefined || stands.type === 'RUNNING') {
      // A rule refused the end itself. The run must not stay at work for ever.
      const refusal = refusedError(answer, `The end of ${this.#whose()}`);
      this.#propose(this.#wishes.report(failedWith(this.#flow.client, refusal, false).state), ignore);
      this.#ending.inTurn('reject', refusal);
    } else if (stands.type === 'COMPLETED' && reported.type === 'COMPLETED') {
      this.#ending.inTurn('resolve', own.value, this.#how(stands));
    } else if (stands.type === 'FAILED' && reported.type === 'FAILED') {
      this.#ending.inTurn('reject', own.error, this.#how(stands));
    } else {
      this.#follow(stands);
    }
  }

  #ordered(order: Order): void {
    const { state, version, reason } = order;
    if (version <= this.#version || this.#done || this.#ending.isHanded) return;
    if (this.#asking !== undefined) {
      if (version > (this.#asking.later?.version ?? 0)) this.#asking.later = order;
      return;
    }
    this.#version = version;
    if (state.type === 'CANCELLING') {
      this.#stopped = cancelled(this.#whose(), reason ?? state.message);
      this.#running?.abort(this.#stopped);
      return;
    }
    if (state.type !== 'SCHEDULED' && !isTerminal(state)) return;
    // The engine ended the attempt: it is over, whether or not its function notices (T2).
    const timedOut = new AssentError('TIMED_OUT', `${this.#whose()} was not done in time.`);
    this.#running?.abort(state.type === 'CANCELLED' ? cancelled(this.#whose(), reason) : timedOut);
    this.#running = undefined;
    this.#endDoubt?.();
    this.#follow(state, reason);
  }

  /** The run is in a state that it did not report: the caller sees that one. */
  #follow(state: State, reason?: string): void {
    if (state.type === 'SCHEDULED') {
      if (this.#stopped === undefined) this.#proposeStart();
      else this.#ending.inTurn('reject', this.#stopped);
      return;
    }
    const { client } = this.#flow;
    if (state.type === 'COMPLETED') this.#ending.inTurn('resolve', client.read(state.result), this.#how(state));
    else this.#ending.inTurn('reject', errorOf(client, state, this.#whose(), reason), this.#how(state));
  }

  #how(state: State): { state: State; attempt: number } {
    return { state, attempt: this.#attempt };
  }

  #beInDoubt(): void {
    this.#endDoubt?.();
    this.#endDoubt = this.#flow.execution.handover.doubt();
  }

  #fail(error: unknown): void {
    this.#ending.now('reject', error);
  }

  #whose(): string {
    return `Task '${this.#task.settings.name}'`;
  }
}
