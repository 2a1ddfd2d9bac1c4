/** A plain script that calls one of the waiting flows, and prints what it gives; or a worker of one. */
import { serve } from '../../../sdk/index.ts';
import { approval, listens, nap, ping, pong, trial } from './waiting-flows.ts';

const [, , , which = '', given = ''] = process.argv;

const calls: Record<string, () => Promise<unknown>> = {
  nap,
  approval,
  ping,
  pong: () => pong({ other: given }),
  listens: () => listens({ who: given }),
};

if (which === 'worker') {
  await serve([trial], {
    onRun: ({ type }) => {
      console.log(type);
    },
  });
  console.log('READY');
} else {
  console.log(`GAVE ${String(await calls[which]?.())}`);
}
