import { describe, expect, test } from 'vitest';
import { readBatch } from '../../engine/arbiter/door.ts';
import { subjects } from '../../protocol/subjects.ts';

const RUN = 'a'.repeat(16);
const draft = (counter: unknown): object => ({ kind: 'flow', counter, run: RUN, to: { type: 'RUNNING', name: 'R' } });
const message = (body: unknown, session = 'session000000001', user = 'sdk') => ({
  seq: 7,
  subject: subjects.propose('w', user, session),
  bytes: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
});

describe('what comes through the door', () => {
  test('is asked by the user and the session of the subject, whatever the text says', () => {
    const { id, proposals } = readBatch(message({ v: 1, proposals: [draft(3), draft(4)] }));
    expect(id).toBe('session000000001:3');
    expect(proposals.map(({ id, by }) => [id, by])).toEqual([
      ['session000000001:3', 'sdk'],
      ['session000000001:4', 'sdk'],
    ]);
    expect(proposals[0]).not.toHaveProperty('counter');
  });

  test('can be read by whoever was asked, or is kept with its bytes', () => {
    const { proposals } = readBatch(message({ v: 1, proposals: [draft(0), { counter: 5 }, 'nothing'] }));
    expect(proposals.map(({ id, kind }) => [id, kind])).toEqual([
      ['session000000001:0', 'flow'],
      ['session000000001:5', 'workspace'],
      ['door/7', 'workspace'],
    ]);
    expect(proposals[1]).toMatchObject({ by: 'sdk', event: { type: 'UNREADABLE' } });
  });

  test('is kept up to a limit', () => {
    const { proposals } = readBatch(message('x'.repeat(100_000)));
    expect(proposals).toHaveLength(1);
    const [only] = proposals;
    expect(JSON.stringify(only).length).toBeLessThan(4000);
    expect(only).toMatchObject({
      id: 'door/7',
      event: { type: 'UNREADABLE', bytes: expect.stringMatching(/^eHh4/) as string },
    });
  });

  test.each(['clock/x/1/timeout', 'a:0', '', 'a b', 'x'.repeat(65), 'sessión'])(
    'in the name of a session that can be none is nobody’s: %s',
    (session) => {
      const { proposals } = readBatch(message({ v: 1, proposals: [draft(0)] }, session));
      expect(proposals.map(({ id, kind }) => [id, kind])).toEqual([['door/7', 'workspace']]);
    },
  );
});
