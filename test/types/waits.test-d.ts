/** What the waits infer, and what they refuse. `npm run types` checks this file; nothing here runs. */
import { expectTypeOf } from 'vitest';
import { z } from 'zod';
import { pause, receive, resumeRun, send, sleep, sleepUntil, suspend, waitForEvent } from '../../sdk/index.ts';

const input = z.object({ approved: z.boolean(), by: z.string().default('nobody') });
type Input = { approved: boolean; by: string };

// The schema says what comes.
expectTypeOf(pause({ input })).resolves.toEqualTypeOf<Input>();
expectTypeOf(suspend({ key: 'approval', input, timeout: '14d' })).resolves.toEqualTypeOf<Input>();
expectTypeOf(receive('note', { schema: z.coerce.date() })).resolves.toEqualTypeOf<Date>();
expectTypeOf(waitForEvent('paid', { key: '7', schema: input })).resolves.toEqualTypeOf<Input>();

// Without one, anything may.
expectTypeOf(pause()).resolves.toBeUnknown();
expectTypeOf(pause({ key: 'approval' })).resolves.toBeUnknown();
expectTypeOf(receive('note', { timeout: '1h' })).resolves.toBeUnknown();
expectTypeOf(waitForEvent('paid')).resolves.toBeUnknown();

expectTypeOf(sleep('3d')).resolves.toBeVoid();
expectTypeOf(sleepUntil(new Date())).resolves.toBeVoid();
expectTypeOf(send('run', 'note', { any: 'thing' })).resolves.toBeVoid();
expectTypeOf(resumeRun('run', { any: 'thing' })).resolves.toBeVoid();

// @ts-expect-error -- it is no duration
void sleep('soon');
// @ts-expect-error -- a time of day is a Date
void sleepUntil('2026-01-01');
// @ts-expect-error -- no such option
void pause({ schema: input });
// @ts-expect-error -- it is no schema
void receive('note', { schema: 'text' });
