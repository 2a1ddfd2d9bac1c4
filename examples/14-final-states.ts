/**
 * How a run ends is more than a value or an error. A flow may return the state itself: completed, but called `Skipped`
 * because there was nothing to do; failed with words for people; or what became of all its calls together.
 *
 *   npx node examples/14-final-states.ts
 */
import { completed, failed, flow, task } from 'assent';
import { z } from 'zod';

const CHECKS: Readonly<Record<string, readonly string[]>> = {
  holiday: [],
  monday: ['backup', 'certificates', 'disk'],
  friday: ['backup', 'certificates', 'printer'],
  sunday: ['printer'],
};

const check = task({ name: 'check' }, (thing: string) =>
  thing === 'printer' ? failed({ name: 'OutOfPaper', message: 'the printer is out of paper' }) : `${thing}: good`,
);

export const dailyChecks = flow({ name: 'daily-checks', parameters: z.object({ day: z.string() }) }, ({ day }) => {
  const things = CHECKS[day];
  if (things === undefined) return failed({ message: `there is no plan for ${day}` });
  if (things.length === 0) return completed({ name: 'Skipped', message: 'nothing to check', value: [] });
  // A list of calls: the flow completes if all do; otherwise it fails, and says how many did not.
  return check.map(things);
});

/** A flow that looks at how others end, instead of failing with them. */
export const week = flow({ name: 'week' }, async () => {
  const lines: string[] = [];
  for (const day of [...Object.keys(CHECKS), 'someday']) {
    const { type, name, message } = await dailyChecks.submit({ day }).state();
    lines.push(`${day}: ${type}${name.toUpperCase() === type ? '' : ` ${name}`}, ${message ?? 'no message'}`);
  }
  return lines;
});

if (process.argv[1] === import.meta.filename) {
  for (const line of await week()) console.log(line);
}
