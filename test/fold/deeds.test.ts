/** What a call asks of another run is granted once, until the call has an outcome. */
import { expect, test } from 'vitest';
import type { RunId } from '../../protocol/ids.ts';
import type { Ruling } from '../../protocol/rulings.ts';
import { decidingEntry } from '../../protocol/rulings.ts';
import type { State } from '../../protocol/states.ts';
import { Desk, runId } from '../support/worlds.ts';

const RUNNING: State = { type: 'RUNNING', name: 'Running' };
const BOSS = runId('boss');
const CALL = `${BOSS}.call` as RunId;
const OTHER = runId('other');

const beginFlow = (desk: Desk, run: RunId, session: string): unknown =>
  desk.ask(session, { kind: 'flow', run, to: RUNNING, claim: true, create: { kind: 'flow', name: 'f' } });
function call(desk: Desk, session: string): void {
  const { execution } = desk.run(BOSS)!;
  const create = { kind: 'task', name: 't', parent: BOSS } as const;
  desk.ask(session, { kind: 'task', run: CALL, to: RUNNING, execution, create });
}
const pause = (desk: Desk, key: string): unknown =>
  desk.ask('other', { kind: 'flow', run: OTHER, to: { type: 'PAUSED', name: 'Paused', key }, execution: 1 });
const resume = (desk: Desk, session: string, deedOf: RunId = CALL): Ruling =>
  desk.ask(session, { kind: 'flow', run: OTHER, to: RUNNING, deedOf })!;
const codeOf = ({ trail }: Ruling): unknown => decidingEntry(trail)?.code;
const crash = (desk: Desk): void => {
  desk.hear(desk.engineProposal(desk.run(BOSS)!, { type: 'CRASHED', name: 'Crashed' }));
};

function begun(): Desk {
  const desk = new Desk();
  beginFlow(desk, OTHER, 'other');
  pause(desk, 'one');
  beginFlow(desk, BOSS, 'one');
  call(desk, 'one');
  return desk;
}

test('it is granted once, also to the process that goes on', () => {
  const desk = begun();
  expect(resume(desk, 'one').outcome).toBe('accepted');
  expect(desk.run(CALL)).toMatchObject({ acted: true });
  pause(desk, 'two');
  expect(codeOf(resume(desk, 'one'))).toBe('DUPLICATE');
  crash(desk);
  beginFlow(desk, BOSS, 'two');
  call(desk, 'two');
  expect(desk.run(CALL)).toMatchObject({ acted: true, attempt: 2 });
  expect(codeOf(resume(desk, 'two'))).toBe('DUPLICATE');
  expect(desk.run(OTHER)?.state).toMatchObject({ type: 'PAUSED', key: 'two' });
});

test('what was refused may be asked for again', () => {
  const desk = begun();
  expect(desk.ask('one', { kind: 'flow', run: OTHER, to: RUNNING, basedOn: 9, deedOf: CALL })?.outcome).toBe(
    'rejected',
  );
  expect(desk.run(CALL)?.acted).toBeUndefined();
  expect(resume(desk, 'one').outcome).toBe('accepted');
});

test('a call that is not at work asks for nothing, and what is no call neither', () => {
  const desk = begun();
  crash(desk);
  expect(codeOf(resume(desk, 'one'))).toBe('FENCED');
  expect(codeOf(resume(desk, 'one', BOSS))).toBe('MALFORMED');
  expect(codeOf(resume(desk, 'one', `${BOSS}.unknown` as RunId))).toBe('MALFORMED');
});

test('a call that is made anew after its outcome asks anew', () => {
  const desk = begun();
  resume(desk, 'one');
  desk.ask('one', { kind: 'task', run: CALL, to: { type: 'FAILED', name: 'Failed' }, report: true, execution: 1 });
  desk.ask('one', { kind: 'flow', run: BOSS, to: { type: 'FAILED', name: 'Failed' }, report: true, execution: 1 });
  beginFlow(desk, BOSS, 'two');
  call(desk, 'two');
  expect(desk.run(CALL)?.acted).toBeUndefined();
  pause(desk, 'two');
  expect(resume(desk, 'two').outcome).toBe('accepted');
});
