/** The worker process of the benchmark. */
import { serve } from 'assent';
import { fan, sequence } from './flows.ts';

await serve([sequence, fan], { slots: 1000 });
process.send?.({ type: 'ready' });
process.on('disconnect', () => process.exit(0));
