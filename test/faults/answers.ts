/** What a process is told of its proposals, noted in a file as it comes: the word that the ledger is held to. */
import { appendFileSync } from 'node:fs';
import type { AnswerMessage } from '../../protocol/messages.ts';
import { Session } from '../../sdk/client/session.ts';

/** A line of the answers file. */
export type AnswerLine =
  | {
      readonly type: 'ANSWER';
      readonly id: string;
      readonly outcome: string;
      readonly seq: number;
      readonly index: number;
      readonly run?: string;
      readonly state?: string;
      readonly code?: string;
      readonly ns: string;
    }
  | { readonly type: 'REPUBLISHED'; readonly count: number };

/** From now on notes every answer, before the session sees it. */
export function watchAnswers(answersFile: string): void {
  const sessions = new Map<Session, number>();
  // eslint-disable-next-line @typescript-eslint/unbound-method -- It is called with its own session below.
  const receive = Session.prototype.receive;
  Session.prototype.receive = function (this: Session, bytes: Uint8Array): void {
    const ns = String(process.hrtime.bigint());
    const { answers } = JSON.parse(Buffer.from(bytes).toString()) as AnswerMessage;
    const lines = answers.map(({ counter, outcome, seq, index, run, state, code }): AnswerLine => {
      const more = {
        ...(run === undefined ? {} : { run }),
        ...(state === undefined ? {} : { state: state.type }),
        ...(code === undefined ? {} : { code }),
      };
      return { type: 'ANSWER', id: `${this.id}:${String(counter)}`, outcome, seq, index, ns, ...more };
    });
    const { republished } = this;
    const more = republished - (sessions.get(this) ?? 0);
    sessions.set(this, republished);
    if (more > 0) lines.push({ type: 'REPUBLISHED', count: more });
    if (lines.length > 0) appendFileSync(answersFile, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
    receive.call(this, bytes);
  };
}
