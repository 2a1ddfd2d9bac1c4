/**
 * A machine prepares, a person decides, and the machine goes on with what the person said: an answer that does not fit is
 * refused before the flow hears of it. The process may die while it waits. If nobody answers in time, the run
 * has failed.
 *
 *   npx node examples/18-human-approval.ts 2000        (it says which command answers it, in another terminal)
 *   npx node examples/18-human-approval.ts 2000 5s
 */
import { AssentError, flow, flowRun, pause, task, type Duration } from 'assent';
import { z } from 'zod';

const assess = task({ name: 'assess' }, (cents: number) => {
  console.log('assessing the risk');
  return cents > 1000 ? 'high' : 'low';
});
const payOut = task({ name: 'pay-out' }, (cents: number, approver: string) => {
  console.log(`paying out ${String(cents)} cents, as ${approver} said`);
  return cents;
});

const answer = z.object({ approver: z.string().min(1), cents: z.int().nonnegative() });

export const refund = flow(
  { name: 'refund', parameters: z.object({ cents: z.int().positive(), patience: z.string().default('1d') }) },
  async ({ cents, patience }) => {
    if ((await assess(cents)) === 'low') return payOut(cents, 'the rule');
    console.log(
      `Somebody has to decide: npx assent runs resume ${flowRun().id} --input '{"approver":"Ada","cents":1500}'`,
    );
    const { approver, cents: granted } = await pause({
      key: 'approval',
      message: `May ${String(cents)} cents be paid back?`,
      input: answer,
      timeout: patience as Duration,
    });
    return payOut(granted, approver);
  },
);

if (process.argv[1] === import.meta.filename) {
  const [, , cents = '2000', patience] = process.argv;
  const paid = refund({ cents: Number(cents), ...(patience === undefined ? {} : { patience }) });
  const words = paid.then(
    (given) => `${String(given)} cents are paid back.`,
    (error: unknown) => {
      if (!(error instanceof AssentError)) throw error;
      return error.detail;
    },
  );
  console.log(await words);
}
