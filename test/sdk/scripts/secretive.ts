/** Uses secrets and redacted values in every way in which they might get out, and fails at the end. */
import { artifacts, concurrent, flow, runLogger, secret, type Secret, task, taskRun, threads, variables } from 'assent';

type Card = { readonly number: string; readonly holder: string };

const call = task({ name: 'call', retries: 1, redact: ['number'], key: 'call' }, async (card: Card, key: Secret) => {
  const revealed = key.reveal();
  runLogger().info({ card, key, headers: { authorization: `Bearer ${revealed}` } }, `calling with ${revealed}`);
  artifacts.progress('calls', { description: `of ${revealed}` }).update(1);
  await artifacts.markdown('call', `called with ${revealed}`, { description: `with ${revealed}` });
  await variables.set('last-key', { revealed, key });
  if (taskRun().attempt === 1) {
    throw new Error(`the service refused ${revealed} for card ${card.number}`, { cause: { revealed } });
  }
  return { revealed, url: new URL(`https://example.org/?key=${encodeURIComponent(revealed)}`) };
});

const fails = task({ name: 'fails' }, async (card: Card, revealed: string): Promise<string> => {
  await artifacts.markdown('charge', `charging ${card.number} by ${revealed}`);
  await artifacts.table('charges', [{ card, basic: Buffer.from(`ada:${revealed}`).toString('base64') }]);
  runLogger().warn({ card }, `charging ${card.number}`);
  throw Object.assign(new Error(`declined ${card.number}: ${revealed}`), { code: 'E_DECLINED' });
});

const pay = flow(
  {
    name: 'pay',
    taskRunner: process.env['RUNNER'] === 'threads' ? threads({ maxThreads: 1 }) : concurrent(),
    redact: ['card.number', 'receipt'],
    runName: 'pay {parameters.card.number} {parameters.keys.literal} {parameters.card.holder}',
  },
  async ({ card, keys }: { card: Card; keys: Record<'env' | 'file' | 'literal', Secret> }) => {
    for (const key of Object.values(keys)) await call(card, key);
    await artifacts.markdown('pay', `of ${card.number}`, { description: `by ${keys.env.reveal()}` });
    await artifacts.table('keys', [{ ...keys, revealed: keys.env.reveal() }]);
    runLogger().error({ err: new Error(`of ${keys.file.reveal()}`) }, 'an error in a log');
    await fails(card, keys.literal.reveal());
  },
);

const { CARD = '', KEY_LITERAL = '' } = process.env;
const keys = {
  env: secret.env('KEY_ENV'),
  file: secret.file(process.env['KEY_FILE'] ?? ''),
  literal: secret.literal(KEY_LITERAL),
};
await pay({ card: { number: CARD, holder: 'Ada' }, keys });
